"""What a tenant's administrators should know of. Events are added, never changed."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, exists, insert, select

from receiver.domain.security_event import ALARMS, DECISIONS, EventKind, Fact, SecurityEvent
from receiver.schema.appliance import appliance
from receiver.schema.security_event import security_event
from receiver.storage.tenant_scope import TenantSession


async def add(
    session: TenantSession,
    kind: EventKind,
    *,
    appliance_id: UUID,
    at: datetime,
    facts: Mapping[str, Fact] | None = None,
) -> None:
    """Keep an event, in the transaction of what it tells."""
    values = {"tenant_id": session.tenant_id, "event_id": uuid4(), "appliance_id": appliance_id, "at": at}
    await session.execute(insert(security_event).values(**values, kind=kind.value, facts=dict(facts or {})))


async def is_open(session: TenantSession, kind: EventKind, *, appliance_id: UUID) -> bool:
    """Whether an alarm of this kind waits for a decision on the appliance."""
    columns = security_event.c
    statement = select(columns.event_id).where(columns.appliance_id == appliance_id, columns.kind == kind.value)
    return (await session.execute(statement.where(_undecided()).limit(1))).first() is not None


async def list_all(session: TenantSession) -> list[SecurityEvent]:
    """All events, newest first."""
    columns = security_event.c
    statement = (
        select(columns.at, columns.kind, columns.facts, appliance.c.name, _undecided().label("undecided"))
        .join(
            appliance,
            (appliance.c.tenant_id == columns.tenant_id) & (appliance.c.appliance_id == columns.appliance_id),
        )
        .order_by(columns.at.desc(), columns.event_id)
    )
    return [
        SecurityEvent(at=row.at, kind=EventKind(row.kind), appliance=row.name, facts=row.facts, open=row.undecided)
        for row in await session.execute(statement)
    ]


async def open_alarms(session: TenantSession) -> dict[UUID, list[EventKind]]:
    """The alarms about which nobody has decided, by appliance, oldest first; an appliance without one is left out."""
    columns = security_event.c
    found: dict[UUID, list[EventKind]] = {}
    statement = select(columns.appliance_id, columns.kind).where(_undecided()).order_by(columns.at, columns.event_id)
    for row in await session.execute(statement):
        found.setdefault(row.appliance_id, []).append(EventKind(row.kind))
    return found


def _undecided() -> ColumnElement[bool]:
    """Whether an event is an alarm that no later decision about its appliance closed."""
    later = security_event.alias()
    decided = (
        exists()
        .where(later.c.tenant_id == security_event.c.tenant_id)
        .where(later.c.appliance_id == security_event.c.appliance_id)
        .where(later.c.kind.in_(sorted(DECISIONS)), later.c.at >= security_event.c.at)
    )
    return security_event.c.kind.in_(sorted(ALARMS)) & ~decided
