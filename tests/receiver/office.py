"""The operator's work, done in this process beside a running receiver: quicker than a command each."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from appliance.wire.invitation import Invitation
from receiver.domain.authz import Role
from receiver.factory import ProcessContext, open_operator
from receiver.kms.local_authority import LocalFileAuthority
from receiver.settings import StateFolder
from receiver.storage.connection import DatabaseRole
from receiver.storage.tenant_scope import tenant_session
from tests.receiver.deliveries import PEM, Machine, key_pem

T = TypeVar("T")
_NUMBERS: Final = count(1)


class Office:
    """Makes tenants, keys and appliances in one state folder; each of a fresh name."""

    def __init__(self, state_dir: Path) -> None:
        """Work on the receiver in ``state_dir``."""
        self._state_dir = state_dir
        self.authority = LocalFileAuthority.load(StateFolder.at(state_dir).authority_folder)

    def run(self, step: Callable[[ProcessContext], Awaitable[T]]) -> T:
        """Do one step as the operator, in a loop of its own."""

        async def work() -> T:
            async with open_operator(self._state_dir) as context:
                return await step(context)

        return asyncio.run(work())

    def tenant(self) -> tuple[str, UUID]:
        """Create a tenant; give name and id."""
        name = f"tenant {next(_NUMBERS)}"

        async def create(context: ProcessContext) -> UUID:
            async with context.tenants() as tenants:
                return await tenants.create(name)

        return name, self.run(create)

    def key(self, tenant_id: UUID, role: Role = Role.VIEWER) -> str:
        """Make an API key; give its text."""

        async def create(context: ProcessContext) -> str:
            async with context.api_keys(tenant_id) as keys:
                return await keys.create(role)

        return self.run(create)

    def machine(self, folder: Path, *, tenant: str, tenant_id: UUID) -> Machine:
        """Certify an appliance; its files lie in ``folder``."""
        name, key = f"site-{next(_NUMBERS)}", ec.generate_private_key(ec.SECP256R1())

        async def certify(context: ProcessContext) -> bytes:
            async with context.machine_certificates(tenant_id) as certificates:
                leaf = await certificates.issue(name, key=key.public_key(), authority=self.authority)
                return b"".join(link.public_bytes(PEM) for link in (leaf, *self.authority.chain))

        certificate, key_file = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.run(certify))
        key_file.write_bytes(key_pem(key))
        return Machine(tenant, str(tenant_id), name, certificate, key_file)

    def invite(self, tenant_id: UUID, *, name: str = "hq") -> Invitation:
        """Invite a machine to be the appliance ``name``."""

        async def create(context: ProcessContext) -> Invitation:
            async with context.invitations(tenant_id) as invitations:
                anchors = context.authority.anchors
                return await invitations.create(name, receiver="https://127.0.0.1:8443", anchors=anchors)

        return self.run(create)

    def withdraw(self, tenant_id: UUID, *, name: str = "hq") -> int:
        """Withdraw its open invitations."""

        async def withdraw(context: ProcessContext) -> int:
            async with context.invitations(tenant_id) as invitations:
                return await invitations.withdraw(name)

        return self.run(withdraw)

    def revoke(self, machine: Machine) -> int:
        """Revoke an appliance; give how many certificates it had."""

        async def revoke(context: ProcessContext) -> int:
            async with context.fleet(UUID(machine.tenant_id)) as fleet:
                return await fleet.revoke(machine.name)

        return self.run(revoke)

    def value(self, tenant_id: UUID, statement: str) -> object:
        """Run a query as the owner, within a tenant; give its one value."""

        async def work(context: ProcessContext) -> object:
            async with tenant_session(context.engines[DatabaseRole.OWNER], tenant_id=tenant_id) as session:
                found: object = (await session.execute(text(statement))).scalar_one_or_none()
                return found

        return self.run(work)

    def execute(self, tenant_id: UUID, statement: str) -> None:
        """Run a statement as the owner, within a tenant."""

        async def work(context: ProcessContext) -> None:
            async with tenant_session(context.engines[DatabaseRole.OWNER], tenant_id=tenant_id) as session:
                await session.execute(text(statement))

        self.run(work)
