"""What a tenant's appliances say of each feed and day: the newest account replaces the one before."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Row, and_, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from appliance.wire.completeness import Account
from receiver.domain.completeness_page import CompletenessFilter, Place, ReportedAccount
from receiver.schema.appliance import appliance
from receiver.schema.completeness import completeness
from receiver.storage.tenant_scope import TenantSession

_SELECTED: Final = [appliance.c.name, completeness.c.reported_at, completeness.c.account]


async def store(
    session: TenantSession, appliance_id: UUID, *, report: int, accounts: Sequence[Account], now: datetime
) -> None:
    """Keep the accounts of one report, which is the appliance's newest; none of a feed and day twice."""
    rows = [
        {
            "tenant_id": session.tenant_id,
            "appliance_id": appliance_id,
            "day": date.fromisoformat(account.day),
            "feed": account.feed,
            "report": report,
            "reported_at": now,
            "account": msgspec.to_builtins(account),
        }
        for account in accounts
    ]
    statement = insert(completeness).values(rows)
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=completeness.primary_key,
            set_={"report": new.report, "reported_at": new.reported_at, "account": new.account},
        )
    )


async def find_page(session: TenantSession, wanted: CompletenessFilter) -> list[ReportedAccount]:
    """Give at most ``limit`` accounts, newest day first, then by appliance and feed."""
    same = (appliance.c.tenant_id == completeness.c.tenant_id) & (
        appliance.c.appliance_id == completeness.c.appliance_id
    )
    statement = (
        select(*_SELECTED)
        .join(appliance, same)
        .where(*_conditions(wanted))
        .order_by(completeness.c.day.desc(), appliance.c.name, completeness.c.feed)
        .limit(wanted.limit)
    )
    return [_to_reported(row) for row in await session.execute(statement)]


def _conditions(wanted: CompletenessFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.appliance is not None:
        conditions.append(appliance.c.name == wanted.appliance)
    if wanted.feed is not None:
        conditions.append(completeness.c.feed == wanted.feed)
    if wanted.first is not None:
        conditions.append(completeness.c.day >= wanted.first)
    if wanted.last is not None:
        conditions.append(completeness.c.day <= wanted.last)
    if wanted.after is not None:
        conditions.append(_follows(wanted.after))
    return conditions


def _follows(place: Place) -> ColumnElement[bool]:
    later = tuple_(appliance.c.name, completeness.c.feed) > (place.appliance, place.feed)
    return or_(completeness.c.day < place.day, and_(completeness.c.day == place.day, later))


def _to_reported(row: Row[Any]) -> ReportedAccount:
    account = msgspec.convert(row.account, Account)
    return ReportedAccount(appliance=row.name, reported_at=row.reported_at, balanced=account.balanced, account=account)
