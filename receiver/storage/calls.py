"""A tenant's calls: stored by the batch, read by the page.

One ``INSERT … SELECT FROM unnest`` a batch is the fastest way that row level security allows (it refuses COPY), and
``ON CONFLICT DO NOTHING`` without a target needs no right to read: the ingest role cannot see a single call.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Row, or_, select, text, tuple_

from appliance.wire.call import Call, Category, Direction, Disposition, Party
from receiver.domain.call_page import CallFilter
from receiver.schema.call import call
from receiver.storage.tenant_scope import TenantSession

_COLUMN_TYPES: Final = {
    "started_at": "timestamptz",
    "event_id": "text",
    "call_id": "text",
    "leg": "smallint",
    "answered_at": "timestamptz",
    "ended_at": "timestamptz",
    "ring_seconds": "integer",
    "talk_seconds": "integer",
    "total_seconds": "integer",
    "direction": "text",
    "disposition": "text",
    "calling_category": "text",
    "calling_pseudonym": "text",
    "calling_clear_digits": "text",
    "called_category": "text",
    "called_pseudonym": "text",
    "called_clear_digits": "text",
    "forwarded_to_category": "text",
    "forwarded_to_pseudonym": "text",
    "forwarded_to_clear_digits": "text",
    "feed": "text",
    "dialect": "text",
    "key_version": "smallint",
}
_NAMES: Final = ", ".join(_COLUMN_TYPES)
_ARRAYS: Final = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMN_TYPES.items())
# S608: built from the constant table above, nothing else.
_INSERT: Final = text(
    f"INSERT INTO natalia.call (tenant_id, appliance_id, {_NAMES}) "  # noqa: S608 as above
    f"SELECT CAST(:tenant_id AS uuid), CAST(:appliance_id AS uuid), {_NAMES} "
    f"FROM unnest({_ARRAYS}) AS record ({_NAMES}) ON CONFLICT DO NOTHING"
)
_ENSURE_MONTHS: Final = text("SELECT natalia.ensure_month(month) FROM unnest(CAST(:months AS date[])) AS month")
_SELECTED: Final = [call.c[name] for name in _COLUMN_TYPES]


async def open_months(session: TenantSession, months: Iterable[date]) -> None:
    """Make sure that the month of each record has a partition; each date is a month's first day."""
    await session.execute(_ENSURE_MONTHS, {"months": sorted(months)})


async def store(session: TenantSession, *, appliance_id: UUID, calls: Sequence[Call]) -> int:
    """Store what is not stored yet; give how many were new. Their months are open."""
    columns = dict(zip(_COLUMN_TYPES, zip(*map(_to_row, calls), strict=True), strict=True))
    scope: dict[str, Any] = {"tenant_id": session.tenant_id, "appliance_id": appliance_id}
    result = await session.execute(_INSERT, scope | columns)
    return result.rowcount if isinstance(result, CursorResult) else 0


async def find_page(session: TenantSession, wanted: CallFilter) -> list[Call]:
    """Give at most ``limit`` calls, newest first, event id descending within one instant."""
    order = (call.c.started_at.desc(), call.c.event_id.desc())
    statement = select(*_SELECTED).where(*_conditions(wanted)).order_by(*order).limit(wanted.limit)
    return [_to_call(row) for row in await session.execute(statement)]


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(call.c.started_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(call.c.started_at < wanted.until)
    for column in ("direction", "disposition", "feed"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.append(call.c[column] == str(value))
    if wanted.pseudonym is not None:
        parties = ("calling", "called", "forwarded_to")
        conditions.append(or_(*(call.c[f"{party}_pseudonym"] == wanted.pseudonym for party in parties)))
    if wanted.after is not None:
        place = (wanted.after.started_at, wanted.after.event_id)
        conditions.append(tuple_(call.c.started_at, call.c.event_id) < place)
    return conditions


def _to_row(record: Call) -> tuple[Any, ...]:
    """One record in the order of ``_COLUMN_TYPES``."""
    calling, called, forwarded = record.calling, record.called, record.forwarded_to
    return (
        record.started_at,
        record.event_id,
        record.call_id,
        record.leg,
        record.answered_at,
        record.ended_at,
        record.ring_seconds,
        record.talk_seconds,
        record.total_seconds,
        record.direction,
        record.disposition,
        calling.category,
        calling.pseudonym,
        calling.clear_digits,
        called.category,
        called.pseudonym,
        called.clear_digits,
        None if forwarded is None else forwarded.category,
        None if forwarded is None else forwarded.pseudonym,
        None if forwarded is None else forwarded.clear_digits,
        record.feed,
        record.dialect,
        record.key_version,
    )


def _to_call(row: Row[Any]) -> Call:
    return Call(
        event_id=row.event_id,
        call_id=row.call_id,
        leg=row.leg,
        started_at=row.started_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        ring_seconds=row.ring_seconds,
        talk_seconds=row.talk_seconds,
        total_seconds=row.total_seconds,
        direction=Direction(row.direction),
        disposition=Disposition(row.disposition),
        calling=Party(Category(row.calling_category), row.calling_pseudonym, row.calling_clear_digits),
        called=Party(Category(row.called_category), row.called_pseudonym, row.called_clear_digits),
        forwarded_to=None
        if row.forwarded_to_category is None
        else Party(Category(row.forwarded_to_category), row.forwarded_to_pseudonym, row.forwarded_to_clear_digits),
        feed=row.feed,
        dialect=row.dialect,
        key_version=row.key_version,
    )
