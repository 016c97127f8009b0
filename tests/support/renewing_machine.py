"""A machine whose certificate renews itself at a desk: real sealed files, a real uplink, a clock that can be set.

TLS itself looks at the machine's real clock, so certificates are made to be valid, or ended, around the real time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding

from appliance.errors import ApplianceError
from appliance.identity.file_identity import FileIdentityStore
from appliance.policy.renewal_window import RenewalWindow
from appliance.ports import MachineIdentity, SecretBytes
from appliance.renewal import Renewal
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.file_witness import FileWitness
from appliance.sealing.secret_store import SecretStore
from appliance.uplink.https_uplink import HttpsUplink
from appliance.uplink.machine_desk import machine_desk
from tests.support.cut_disk import MortalDisk
from tests.support.enrollment_desk import certify
from tests.support.renewal_desk import RenewalDesk
from tests.support.tls_peer import APPLIANCE, DAY, TENANT
from tests.support.watching_peer import WatchingPeer

T = TypeVar("T")
HOUR = timedelta(hours=1)
DUE = (-18 * HOUR, 6 * HOUR)
"""Of a life of a day, three quarters are over now."""
FRESH = (-HOUR, DAY - HOUR)
ENDED = (-DAY, -HOUR)


class SetClock:
    """The real time when it was made, moved as the test says; neither clock runs by itself."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self.wall = timedelta()
        self.running = 1000.0

    def now(self) -> datetime:
        return self.started_at + self.wall

    def monotonic(self) -> float:
        return self.running

    async def sleep(self, seconds: float) -> None:
        """Let both clocks run."""
        self.wall += timedelta(seconds=seconds)
        self.running += seconds


class Heard:
    """Implements ``renewal.RenewalState`` and remembers."""

    def __init__(self) -> None:
        self.problems: list[str | None] = []
        self.went_back_times = 0
        self.window: RenewalWindow | None = None

    def holds(self, identity: MachineIdentity, window: RenewalWindow) -> None:
        assert identity.expires_at == window.ends_at
        self.window = window

    def hindered(self, error: ApplianceError) -> None:
        self.problems.append(error.code)

    def unhindered(self) -> None:
        self.problems.append(None)

    def went_back(self) -> None:
        self.went_back_times += 1


@dataclass
class Running:
    """One start of the machine."""

    renewal: Renewal
    uplink: HttpsUplink
    heard: Heard
    waits: list[float] = field(default_factory=list)

    async def step(self) -> str | None:
        """Look once; give what hinders."""
        self.waits.append(await self.renewal.step())
        return self.heard.problems[-1]


@dataclass
class RenewingMachine:
    """A machine with its disk, at a desk."""

    folder: Path
    desk: RenewalDesk
    peer: WatchingPeer
    clock: SetClock = field(default_factory=SetClock)

    def store(self, disk: MortalDisk | None = None) -> FileIdentityStore:
        """Its identity."""
        sealer = FileSealer(SecretBytes(bytes(range(32))))
        return FileIdentityStore(
            SecretStore(self.folder / "secrets", sealer, disk=(disk or MortalDisk()).disk()), self.clock
        )

    def enroll(self, valid: tuple[timedelta, timedelta]) -> MachineIdentity:
        """Get its first certificate, which is valid from and until so long from now."""
        store, before = self.store(), self.clock.wall
        leaf = certify(store.propose().request(), authority=self.desk.issuing, valid=valid)
        chain = leaf.public_bytes(Encoding.PEM) + self.desk.issuing.pem
        self.clock.wall = sum(valid, start=timedelta()) / 2
        identity = store.accept(chain, trust_anchors=self.desk.root.pem, tenant=TENANT, appliance=APPLIANCE)
        self.clock.wall = before
        return identity

    @asynccontextmanager
    async def running(self, *, disk: MortalDisk | None = None, seconds: float = 10) -> AsyncIterator[Running]:
        """Start it: what it knows is on its disk."""
        store = self.store(disk)
        async with HttpsUplink(self.peer.url, store.load(), self.clock, total_timeout_seconds=seconds) as uplink:
            heard = Heard()
            renewal = Renewal(
                store=store,
                witness=FileWitness(),
                open_desk=lambda identity: machine_desk(self.peer.url, identity, self.clock, timeout_seconds=seconds),
                user=uplink,
                run=here,
                clock=self.clock,
                draw=lambda: 0.5,
                heard=heard,
            )
            yield Running(renewal, uplink, heard)

    def in_use(self) -> MachineIdentity:
        """What its disk says."""
        return self.store().load()


async def here(function: Callable[..., T], *arguments: Any) -> T:
    """Run a call on this thread."""
    await asyncio.sleep(0)
    return function(*arguments)
