"""A database to break, and the two-tenant matrix that must notice."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from appliance.wire.batch import HighWater, KeyProtection
from receiver.domain.invitation import Invitation
from receiver.domain.security_event import EventKind
from receiver.storage import (
    calls,
    completeness,
    enrollments,
    ingest_batches,
    invitations,
    machine_returns,
    machine_states,
    security_events,
    tenant_secrets,
)
from receiver.storage.connection import DATABASE, DatabaseRole, embedded_url, open_engine
from receiver.storage.tenant_scope import TenantSession, tenant_session
from tests.receiver.deliveries import NOON, make_call
from tests.support.records import account

_APPLIANCE: Final = text("SELECT appliance_id, name FROM natalia.appliance")
_TENANT_TABLES: Final = text("""
    SELECT c.relname FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
     WHERE n.nspname = 'natalia' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'tenant'
     ORDER BY c.relname
""")

_CHANGES: Final = {
    "updated": "UPDATE TABLE SET tenant_id = tenant_id WHERE tenant_id = :theirs",
    "deleted": "DELETE FROM TABLE WHERE tenant_id = :theirs",
    "moved in": "UPDATE TABLE SET tenant_id = :theirs",
    # One's own row, complete, in the other's name: nothing but the policy can be in its way.
    "inserted": "INSERT INTO TABLE SELECT (jsonb_populate_record(own, "
    "jsonb_build_object('tenant_id', CAST(:theirs AS uuid)))).* FROM TABLE own",
}


@dataclass(frozen=True, slots=True)
class Scratch:
    """An initialised receiver whose database runs, and its two tenants."""

    folder: Path
    socket_folder: Path
    first: UUID
    second: UUID

    @asynccontextmanager
    async def engines(self) -> AsyncIterator[dict[str, AsyncEngine]]:
        """Engines of the owner, the service roles and the superuser."""
        roles = [*(role.value for role in DatabaseRole), "postgres"]
        folder = str(self.socket_folder)
        engines = {role: open_engine(embedded_url(role, socket_folder=folder, database=DATABASE)) for role in roles}
        try:
            yield engines
        finally:
            for engine in engines.values():
                await engine.dispose()

    async def fill(self) -> None:
        """Give each tenant a row in every table that an appliance fills."""
        async with self.engines() as engines:
            for tenant_id in (self.first, self.second):
                async with tenant_session(engines[DatabaseRole.OWNER], tenant_id=tenant_id) as session:
                    appliance_id = (await session.execute(_APPLIANCE)).one().appliance_id
                    await calls.open_months(session, {date(NOON.year, NOON.month, 1)})
                    await calls.store(session, appliance_id=appliance_id, calls=[make_call()])
                    answered = ingest_batches.Answered(fingerprint=os.urandom(32), answer=b"{}")
                    place = HighWater(epoch=1, sequence=1)
                    await ingest_batches.add(session, appliance_id, place=place, answered=answered, now=NOON)
                    accounts = [account()]
                    await completeness.store(session, appliance_id, report=1, accounts=accounts, now=NOON)
                    await security_events.add(session, EventKind.RELEASED, appliance_id=appliance_id, at=NOON)
                    returning = machine_returns.MachineReturn(appliance_id, b"new", b"old", NOON)
                    await machine_returns.save(session, returning)
                    await _fill_enrollment(session, appliance_id)


async def _fill_enrollment(session: TenantSession, appliance_id: UUID) -> None:
    """One invitation, enrollment, tenant secret and machine state."""
    invitation = Invitation(invitation_id="i", secret_hash=bytes(32), appliance="hq", created_at=NOON, expires_at=NOON)
    await invitations.add(session, invitation)
    enrollment = enrollments.Enrollment(
        enrollment_id=appliance_id,
        public_key=bytes(32),
        appliance="hq",
        invitation_id="i",
        key_protection=KeyProtection.FILE,
        facts=None,
        transport_secret=None,
        expires_at=NOON,
    )
    await enrollments.save(session, enrollment)
    wrapped = tenant_secrets.WrappedSecret(key_version=1, wrapped=b"sealed")
    await tenant_secrets.add_first(session, wrapped, now=NOON)
    state = machine_states.MachineState(key_protection=KeyProtection.FILE, facts=None, seen_at=NOON)
    await machine_states.save(session, appliance_id, state)


async def tenant_tables(engine: AsyncEngine) -> list[str]:
    """The tables that hold tenants' rows, from the catalogue: a new table is tested without being named."""
    async with engine.connect() as connection:
        return list((await connection.execute(_TENANT_TABLES)).scalars())


async def leaks(engine: AsyncEngine, *, mine: UUID, theirs: UUID) -> list[str]:
    """Try every table in every way as ``mine``; say what of ``theirs`` was seen, changed or added."""
    found = []
    for table in await tenant_tables(engine):
        async with tenant_session(engine, tenant_id=mine) as session:
            found += [f"{table}: {way}" for way in await _ways_in(session, table, theirs=theirs)]
            await session.rollback()
        if not await _is_closed_without_scope(engine, table):
            found.append(f"{table}: open without a tenant")
    return found


async def _ways_in(session: TenantSession, table: str, *, theirs: UUID) -> list[str]:
    theirs_only = {"theirs": theirs}
    found = []
    seen = await session.execute(_about(table, "SELECT count(*) FROM TABLE WHERE tenant_id = :theirs"), theirs_only)
    if seen.scalar_one() != 0:
        found.append("selected")
    own = (await session.execute(_about(table, "SELECT count(*) FROM TABLE"))).scalar_one()
    if own != 1:
        found.append(f"{own} rows instead of one's own")
    for way, statement in _CHANGES.items():
        if not await _is_refused(session, _about(table, statement), theirs_only):
            found.append(way)
    return found


def _about(table: str, statement: str) -> TextClause:
    return text(statement.replace("TABLE", f"natalia.{table}"))


async def _is_refused(session: TenantSession, statement: TextClause, parameters: dict[str, UUID]) -> bool:
    """Whether row level security stopped a statement: by an error of its own, or by finding no row.

    Another error, as of a key or a column, means that the row had got past it.
    """
    try:
        async with session.begin_nested():
            result = await session.execute(statement, parameters)
            assert isinstance(result, CursorResult)
            return result.rowcount == 0
    except DBAPIError as error:
        return "row-level security" in str(error)


async def _is_closed_without_scope(engine: AsyncEngine, table: str) -> bool:
    async with engine.connect() as connection:
        try:
            await connection.execute(_about(table, "SELECT 1 FROM TABLE"))
        except DBAPIError:
            return True
    return False
