"""Which keys ask to bring an appliance back whose certificate ended, and what an administrator said."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from sqlalchemy import insert, select, update

from receiver.schema.machine_return import machine_return
from receiver.storage.tenant_scope import TenantSession


class MachineReturn(Struct, frozen=True):
    """A key that asks; keys are SHA-256 of their SubjectPublicKeyInfo."""

    appliance_id: UUID
    public_key: bytes
    predecessor: bytes
    """The key of the certificate that ended."""
    asked_at: datetime
    """When it asked last."""
    approved_at: datetime | None = None


async def save(session: TenantSession, entry: MachineReturn) -> bool:
    """Keep that a key asks; say whether it asks for the first time. What was approved stays approved."""
    known = update(machine_return).where(
        machine_return.c.appliance_id == entry.appliance_id, machine_return.c.public_key == entry.public_key
    )
    again = await session.execute(known.values(asked_at=entry.asked_at).returning(machine_return.c.public_key))
    if again.first() is not None:
        return False
    await session.execute(
        insert(machine_return).values(
            tenant_id=session.tenant_id,
            appliance_id=entry.appliance_id,
            public_key=entry.public_key,
            predecessor=entry.predecessor,
            asked_at=entry.asked_at,
        )
    )
    return True


async def find(session: TenantSession, appliance_id: UUID, *, public_key: bytes) -> MachineReturn | None:
    """Find what became of a key's wish to return."""
    found = [entry for entry in await list_of(session, appliance_id) if entry.public_key == public_key]
    return found[0] if found else None


async def list_of(session: TenantSession, appliance_id: UUID) -> list[MachineReturn]:
    """All keys that ever asked for an appliance."""
    columns = [machine_return.c[name] for name in MachineReturn.__struct_fields__]
    statement = select(*columns).where(machine_return.c.appliance_id == appliance_id)
    return [MachineReturn(**row) for row in (await session.execute(statement)).mappings()]


async def list_waiting(session: TenantSession, *, since: datetime) -> set[UUID]:
    """The appliances for which a key waits for an administrator that has asked since then."""
    columns = machine_return.c
    statement = select(columns.appliance_id).where(columns.approved_at.is_(None), columns.asked_at >= since)
    return {row.appliance_id for row in await session.execute(statement)}


async def approve(session: TenantSession, entry: MachineReturn, *, at: datetime) -> None:
    """Let a key come back."""
    columns = machine_return.c
    same = (columns.appliance_id == entry.appliance_id) & (columns.public_key == entry.public_key)
    await session.execute(update(machine_return).where(same).values(approved_at=at))
