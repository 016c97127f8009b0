"""A machine that is enrolled at a desk over real TLS, with real sealed files: every call is a start of the command."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.enrollment import Enrollment
from appliance.errors import AlreadyEnrolledError
from appliance.identity.file_identity import IDENTITY, PENDING_KEY, FileIdentityStore
from appliance.ports import MachineIdentity, SecretBytes
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.file_witness import FileWitness
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import TENANT_KEY, TenantKeyStore, load_tenant_key
from appliance.uplink.est_desk import EstDesk
from tests.support.cut_disk import MortalDisk
from tests.support.enrollment_desk import SECRETS, Desk
from tests.support.fake_clock import FakeClock
from tests.support.tls_peer import APPLIANCE, TENANT, TlsPeer

NOW = datetime.now(UTC)
"""OpenSSL judges the receiver's certificate by the real clock, so the test's clock begins there."""


class NowClock(FakeClock):
    """Begins now; passes only while somebody sleeps on it."""

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.monotonic())


@dataclass
class Machine:
    """A machine with its disk; every call of ``enroll`` is a start of the command."""

    folder: Path
    clock: NowClock

    def store(self, disk: MortalDisk | None = None) -> SecretStore:
        """Its sealed secrets."""
        sealer = FileSealer(SecretBytes(bytes(range(32))))
        return SecretStore(self.folder / "secrets", sealer, disk=(disk or MortalDisk()).disk())

    def identities(self) -> FileIdentityStore:
        """Its identity."""
        return FileIdentityStore(self.store(), self.clock)

    async def enroll(
        self, desk: Desk, peer: TlsPeer, *, disk: MortalDisk | None = None, appliance: str = APPLIANCE
    ) -> MachineIdentity:
        """Run the use case once."""
        async with self.door(desk, peer) as door:
            return await self.enrollment(desk, door, disk=disk, appliance=appliance).run()

    def door(self, desk: Desk, peer: TlsPeer) -> EstDesk:
        """The way to the desk."""
        return EstDesk.for_newcomer(peer.url, desk.root.pem, self.clock)

    def enrollment(
        self, desk: Desk, door: EstDesk, *, disk: MortalDisk | None = None, appliance: str = APPLIANCE
    ) -> Enrollment:
        """The use case."""
        store = self.store(disk)
        return Enrollment(
            invitation=desk.invitation("https://127.0.0.1", appliance=appliance),
            identities=FileIdentityStore(store, self.clock),
            tenant_keys=TenantKeyStore(store),
            witness=FileWitness(),
            desk=door,
            clock=self.clock,
        )

    def names(self) -> list[str]:
        """What is sealed on its disk."""
        return self.store().names()


async def complete(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """Repeat the command, as whoever reads its hint would; all of the outcome must hold."""
    try:
        await machine.enroll(desk, peer)
    except AlreadyEnrolledError:
        assert desk.issued
    identity = machine.identities().load()
    assert (identity.tenant, identity.appliance) == (TENANT, APPLIANCE)
    assert load_tenant_key(machine.store()) == SECRETS
    assert desk.keys_certified == 1
    assert [name for name in machine.names() if name != PENDING_KEY] == [IDENTITY, TENANT_KEY]
    with pytest.raises(AlreadyEnrolledError):
        await machine.enroll(desk, peer)
