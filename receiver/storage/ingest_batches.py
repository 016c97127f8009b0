"""The batches of an appliance that were answered."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from sqlalchemy import func, insert, select

from appliance.wire.batch import HighWater
from receiver.schema.ingest_batch import ingest_batch
from receiver.storage.tenant_scope import TenantSession


class Answered(Struct, frozen=True):
    """The SHA-256 of a batch's body and the answer it was given."""

    fingerprint: bytes
    answer: bytes


async def find(session: TenantSession, appliance_id: UUID, *, place: HighWater) -> Answered | None:
    """Find the batch at ``place``."""
    columns = ingest_batch.c
    statement = select(columns.fingerprint, columns.answer).where(
        columns.appliance_id == appliance_id, columns.epoch == place.epoch, columns.sequence == place.sequence
    )
    row = (await session.execute(statement)).first()
    return None if row is None else Answered(fingerprint=row.fingerprint, answer=row.answer)


async def add(
    session: TenantSession, appliance_id: UUID, *, place: HighWater, answered: Answered, now: datetime
) -> None:
    """Keep a batch's answer."""
    await session.execute(
        insert(ingest_batch).values(
            tenant_id=session.tenant_id,
            appliance_id=appliance_id,
            epoch=place.epoch,
            sequence=place.sequence,
            fingerprint=answered.fingerprint,
            answer=answered.answer,
            received_at=now,
        )
    )


async def contiguous_after(session: TenantSession, appliance_id: UUID, *, place: HighWater) -> HighWater:
    """Give the last batch that follows ``place`` in its epoch without a gap; ``place`` itself where none does.

    In a run without a gap, sequence minus row number is constant.
    """
    columns = ingest_batch.c
    later = (
        select(
            columns.sequence,
            (columns.sequence - func.row_number().over(order_by=columns.sequence)).label("run"),
        )
        .where(columns.appliance_id == appliance_id, columns.epoch == place.epoch, columns.sequence > place.sequence)
        .subquery()
    )
    statement = select(func.max(later.c.sequence)).where(later.c.run == place.sequence)
    last = (await session.execute(statement)).scalar_one()
    return place if last is None else HighWater(epoch=place.epoch, sequence=last)
