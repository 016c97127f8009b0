"""Sites and their receiver over years, in minutes: the product's code on both sides, on a clock that the test moves.

The receiver is the real one: services, database, authority. The appliances run the real renewal on real sealed files.
Time passes only between events. ``simulated_line`` says what stands in for TLS.
"""

import heapq
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.enrollment import Enrollment
from appliance.errors import RetryableError
from appliance.identity.file_identity import FileIdentityStore
from appliance.ports import MachineIdentity, SecretBytes
from appliance.renewal import Renewal
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.file_witness import FileWitness
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import TenantKeyStore
from receiver.app import create_app
from receiver.domain.security_event import SecurityEvent
from receiver.errors import RolloverRefusedError
from receiver.factory import ProcessContext, initialise, open_operator, open_service
from receiver.kms.local_rollover import LocalRollover
from tests.support.renewing_machine import Heard, here
from tests.support.simulated_line import ADDRESS, Side, SimulatedDesk, SimulatedLine, SimulatedUplink, open_desk

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
RETRY_SECONDS: Final = 300.0
"""How long delivery waits at most before it tries again (``policy.back_off``)."""


class Timeline:
    """Events in the order of their times, in seconds since the start."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self.elapsed = 0.0
        self._events: list[tuple[float, int, Callable[[], Awaitable[None]]]] = []
        self._numbers = count()

    def at(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` at that time, or now if it has passed."""
        heapq.heappush(self._events, (max(seconds, self.elapsed), next(self._numbers), work))

    async def run_until(self, seconds: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= seconds:
            self.elapsed, _, work = heapq.heappop(self._events)
            await work()
        self.elapsed = seconds


class SimulatedClock:
    """The time of the simulation; an appliance's may be wrong by some time."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.wrong_by = timedelta()

    def now(self) -> datetime:
        return self._timeline.started_at + timedelta(seconds=self._timeline.elapsed) + self.wrong_by

    def monotonic(self) -> float:
        return self._timeline.elapsed

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing sleeps in the simulation, not {seconds} s: events wait for the timeline")


class LapseMeter:
    """Measures how long the uplink did not work although machine and receiver were both on."""

    def __init__(self) -> None:
        self.gaps: list[tuple[float, str]] = []
        """Seconds, and why."""
        self._since: float | None = None

    def both_on(self, on: bool, *, at: float, cause: str) -> None:  # noqa: FBT001 - the state itself
        """Machine and receiver are both on from now, or one of them is not any more."""
        if on and self._since is None:
            self._since = at
        if not on and self._since is not None:
            self.gaps.append((at - self._since, cause))
            self._since = None

    def worked(self, *, at: float, cause: str) -> None:
        """The uplink has just worked; ``cause`` is what had hindered it."""
        if self._since is not None:
            self.gaps.append((at - self._since, cause))
            self._since = at

    def longest(self, *, besides: set[str]) -> float:
        """The longest time without, in seconds, but for these causes."""
        return max(seconds for seconds, cause in self.gaps if cause not in besides)

    def whole_days(self) -> dict[str, int]:
        """Whole days without the uplink, by cause."""
        lapsed: dict[str, int] = {}
        for seconds, cause in self.gaps:
            if days := int(seconds // DAY):
                lapsed[cause] = lapsed.get(cause, 0) + days
        return lapsed


@dataclass
class Receiver:
    """The receiver and its operator."""

    service: ProcessContext
    operator: ProcessContext
    timeline: Timeline
    line: SimulatedLine
    tenant: UUID
    sites: list["Site"] = field(default_factory=list)
    rollovers: int = 0
    retired: int = 0

    async def become(self, state: str) -> None:
        """Go away (``down``, ``unwell``) or come back (``up``)."""
        self.line.state = state
        for site in self.sites:
            site.note_both()
            if state == "up":
                site.poke()
        await self.keep()

    async def keep(self) -> None:
        """What the running receiver does every few seconds, and its operator every day."""
        if self.line.state == "up":
            self.service.renew_server_certificate()
        with suppress(RolloverRefusedError):
            self.rollover.retire(now=self.service.clock.now())
            self.retired += 1

    @property
    def rollover(self) -> LocalRollover:
        """The operator's steps."""
        return LocalRollover(self.service.state.authority_folder)

    async def announce(self) -> None:
        """Announce the next generation."""
        self.rollover.announce(now=self.service.clock.now())

    async def switch(self) -> None:
        """Let the announced generation issue."""
        self.rollover.switch(now=self.service.clock.now())
        self.rollovers += 1
        await self.keep()

    async def approve(self, name: str) -> None:
        """Agree to a return."""
        async with self.operator.fleet(self.tenant) as fleet:
            await fleet.approve(name)

    async def events(self) -> list[SecurityEvent]:
        """What was told to the administrators, newest first."""
        async with self.operator.fleet(self.tenant) as fleet:
            return await fleet.events()


@dataclass
class Site:
    """One appliance, its disk, and what its uplink went through."""

    name: str
    folder: Path
    receiver: Receiver
    random: Random
    sample_seconds: float
    """How often it has something to say."""
    meter: LapseMeter = field(default_factory=LapseMeter)
    delivered: int = 0
    cause: str = "none"
    """What has hindered since the uplink last worked; an administrator's absence before all else."""
    _heard: Heard = field(default_factory=Heard)
    _renewal: Renewal | None = None
    _uplink: SimulatedUplink | None = None
    _numbers: Any = field(default_factory=count)
    _looking: int = -1
    _saying: int = -1

    def __post_init__(self) -> None:
        """Give it a clock, and let the receiver tell it when it comes back."""
        self._timeline = self.receiver.timeline
        self.clock = SimulatedClock(self._timeline)
        self.receiver.sites.append(self)

    @property
    def store(self) -> SecretStore:
        """Its sealed secrets."""
        return SecretStore(self.folder / self.name, FileSealer(SecretBytes(bytes(range(32)))))

    @property
    def identity(self) -> MachineIdentity:
        """What is on its disk."""
        return FileIdentityStore(self.store, self.clock).load()

    async def enroll(self) -> None:
        """Be enrolled by an invitation."""
        anchors = self.receiver.service.authority.anchors
        async with self.receiver.operator.invitations(self.receiver.tenant) as desk:
            invitation = await desk.create(self.name, receiver=f"https://{ADDRESS}", anchors=anchors)
        side = Side(b"".join(root.public_bytes(Encoding.PEM) for root in anchors), self.clock)
        enrollment = Enrollment(
            invitation=invitation,
            identities=FileIdentityStore(self.store, self.clock),
            tenant_keys=TenantKeyStore(self.store),
            witness=FileWitness(),
            desk=SimulatedDesk(self.receiver.line, side),
            clock=self.clock,
        )
        while True:
            with suppress(RetryableError):
                await enrollment.run()
                return

    async def turn_on(self) -> None:
        """Start, knowing what is on the disk."""
        identities = FileIdentityStore(self.store, self.clock)
        self._uplink = SimulatedUplink(self.receiver.line, identities.load(), self.clock)
        self._renewal = Renewal(
            store=identities,
            witness=FileWitness(),
            open_desk=open_desk(self.receiver.line, self.clock),
            user=self._uplink,
            run=here,
            clock=self.clock,
            draw=self.random.random,
            heard=self._heard,
        )
        self.note_both()
        self._looking = next(self._numbers)
        await self._look(self._looking)
        self.poke()

    async def turn_off(self) -> None:
        """Pull the plug."""
        self._uplink = self._renewal = None
        self._looking = self._saying = -1
        self.note_both()

    async def set_clock(self, wrong_by: timedelta) -> None:
        """Let its clock be wrong by so much."""
        self.clock.wrong_by = wrong_by

    async def cut_power(self) -> None:
        """Pull the plug and put it in again, if it was in."""
        if self._renewal is not None:
            await self.turn_off()
            await self.turn_on()

    def note_both(self) -> None:
        """Machine or receiver went on or off."""
        on = self._renewal is not None and self.receiver.line.state == "up"
        self.meter.both_on(on, at=self._timeline.elapsed, cause=self.cause)

    def poke(self) -> None:
        """Let it say something now, if it is on."""
        if self._uplink is not None:
            number = self._saying = next(self._numbers)
            self._timeline.at(self._timeline.elapsed, lambda: self._say(number))

    async def _look(self, number: int) -> None:
        if self._renewal is None or number != self._looking:
            return
        wait = await self._renewal.step()
        if self.cause != "approval_pending":
            self.cause = self._heard.problems[-1] or self.cause
        self._timeline.at(self._timeline.elapsed + wait, lambda: self._look(number))

    async def _say(self, number: int) -> None:
        """Send something small; where that fails, again within minutes, or when the receiver comes back."""
        if self._uplink is None or number != self._saying:
            return
        wait = self.sample_seconds
        try:
            await self._uplink.high_water()
        except RetryableError:
            if self.receiver.line.state != "up":
                return
            wait = RETRY_SECONDS
        else:
            self.meter.worked(at=self._timeline.elapsed, cause=self.cause)
            self.delivered += 1
            self.cause = "none"
        self._timeline.at(self._timeline.elapsed + wait, lambda: self._say(number))


def anchors_of(site: Site) -> list[x509.Certificate]:
    """What a site trusts."""
    return x509.load_pem_x509_certificates(site.identity.trust_anchors)


@asynccontextmanager
async def open_receiver(folder: Path, loses: Callable[[str], str | None]) -> AsyncIterator[Receiver]:
    """Make a receiver with one tenant, on a timeline that starts now."""
    await initialise(folder, hosts=[ADDRESS], dsn=None)
    timeline = Timeline()
    clock = SimulatedClock(timeline)
    async with open_service(folder) as opened, open_operator(folder) as office:
        service, operator = replace(opened, clock=clock), replace(office, clock=clock)
        async with operator.tenants() as tenants:
            tenant = await tenants.create("sites")
        line = SimulatedLine(create_app(service), service, loses=loses)
        yield Receiver(service, operator, timeline, line, tenant)
