"""A tenant's appliances and how far each has delivered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from appliance.wire.batch import HighWater, KeyProtection
from receiver.domain.high_water import START
from receiver.schema.appliance import appliance
from receiver.schema.ingest_progress import ingest_progress
from receiver.storage.tenant_scope import TenantSession


async def find_id(session: TenantSession, name: str) -> UUID | None:
    """Find an appliance by name."""
    statement = select(appliance.c.appliance_id).where(appliance.c.name == name)
    found: UUID | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def add(session: TenantSession, *, appliance_id: UUID, name: str, now: datetime) -> bool:
    """Add an appliance that has delivered nothing; false if another of that name was added meanwhile."""
    identity = {"tenant_id": session.tenant_id, "appliance_id": appliance_id}
    added = insert(appliance).values(**identity, name=name, created_at=now)
    added = added.on_conflict_do_nothing(index_elements=["tenant_id", "name"])
    if (await session.execute(added.returning(appliance.c.appliance_id))).first() is None:
        return False
    progress = insert(ingest_progress).values(**identity, epoch=START.epoch, sequence=START.sequence)
    await session.execute(progress)
    return True


async def high_water(session: TenantSession, appliance_id: UUID, *, lock: bool = False) -> HighWater:
    """Read an appliance's mark; with ``lock`` no other transaction takes a batch of it until this one ends."""
    columns = ingest_progress.c
    statement = select(columns.epoch, columns.sequence).where(columns.appliance_id == appliance_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).one()
    return HighWater(epoch=row.epoch, sequence=row.sequence)


async def newest_report(session: TenantSession, appliance_id: UUID) -> int:
    """Read the number of an appliance's newest report, 0 before the first; none other is taken meanwhile."""
    columns = ingest_progress.c
    statement = select(columns.report).where(columns.appliance_id == appliance_id).with_for_update()
    newest: int = (await session.execute(statement)).scalar_one()
    return newest


async def note_report(session: TenantSession, appliance_id: UUID, *, number: int, now: datetime) -> None:
    """Keep the number of an appliance's newest report, and when it was heard of."""
    statement = update(ingest_progress).where(ingest_progress.c.appliance_id == appliance_id)
    await session.execute(statement.values(report=number, last_seen_at=now))


async def note_progress(
    session: TenantSession, appliance_id: UUID, *, mark: HighWater, key_protection: KeyProtection, now: datetime
) -> None:
    """Keep an appliance's mark, what guards its secret, and when it was heard of."""
    values = {"epoch": mark.epoch, "sequence": mark.sequence, "key_protection": key_protection.value}
    statement = update(ingest_progress).where(ingest_progress.c.appliance_id == appliance_id)
    await session.execute(statement.values(**values, last_seen_at=now))
