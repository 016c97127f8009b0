"""Two tenants, every table, every way in; and that the matrix itself would notice a missing lock."""

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine

from receiver.storage.connection import DatabaseRole
from receiver.storage.tenant_scope import operator_session, tenant_session
from tests.receiver.storage.scratch import Scratch, leaks, tenant_tables

_SCOPE = "(tenant_id = current_setting('natalia.tenant')::uuid)"
_MUTANTS = {
    "no FORCE": (
        "ALTER TABLE natalia.{} NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE natalia.{} FORCE ROW LEVEL SECURITY",
    ),
    "not enabled": (
        "ALTER TABLE natalia.{} DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE natalia.{} ENABLE ROW LEVEL SECURITY",
    ),
    "a policy for all beside it": (
        "CREATE POLICY open ON natalia.{} USING (true)",
        "DROP POLICY open ON natalia.{}",
    ),
    "a policy that lets rows in": (
        "ALTER POLICY tenant_scope ON natalia.{} WITH CHECK (true)",
        f"ALTER POLICY tenant_scope ON natalia.{{}} WITH CHECK {_SCOPE}",
    ),
    "a policy that opens without a tenant": (
        "ALTER POLICY tenant_scope ON natalia.{} USING (coalesce(current_setting('natalia.tenant', true), '') = '')",
        f"ALTER POLICY tenant_scope ON natalia.{{}} USING {_SCOPE}",
    ),
}


async def _run(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def test_no_tenant_reaches_anothers_rows(scratch: Scratch, engines: dict[str, AsyncEngine]) -> None:
    """The owner, who holds every right on every table, sees and changes one tenant's rows only."""
    owner = engines[DatabaseRole.OWNER]
    tables = {"call", "api_key", "invitation", "enrollment", "tenant_secret", "machine_state", "security_event"}
    assert tables <= set(await tenant_tables(owner))
    assert await leaks(owner, mine=scratch.first, theirs=scratch.second) == []
    assert await leaks(owner, mine=scratch.second, theirs=scratch.first) == []


@pytest.mark.parametrize("mutant", _MUTANTS)
async def test_the_matrix_notices(scratch: Scratch, engines: dict[str, AsyncEngine], mutant: str) -> None:
    """Each way to weaken a table's lock is noticed, on each table."""
    owner = engines[DatabaseRole.OWNER]
    spoil, restore = _MUTANTS[mutant]
    for table in await tenant_tables(owner):
        await _run(owner, spoil.format(table))
        try:
            found = await leaks(owner, mine=scratch.first, theirs=scratch.second)
        finally:
            await _run(owner, restore.format(table))
        assert [leak for leak in found if leak.startswith(f"{table}:")], table


async def test_the_scope_ends_with_the_transaction(scratch: Scratch, engines: dict[str, AsyncEngine]) -> None:
    """A pooled connection does not carry a tenant into what runs on it next."""
    app = engines[DatabaseRole.APP]
    for _ in range(5):
        async with tenant_session(app, tenant_id=scratch.first) as session:
            assert (await session.execute(text("SELECT count(*) FROM natalia.call"))).scalar_one() == 1
    async with app.connect() as connection:
        with pytest.raises(DBAPIError, match="invalid input syntax for type uuid"):
            await connection.execute(text("SELECT count(*) FROM natalia.call"))


async def test_a_scope_is_one_transaction(scratch: Scratch, engines: dict[str, AsyncEngine]) -> None:
    """After its transaction was rolled back a session runs nothing more."""
    async with tenant_session(engines[DatabaseRole.APP], tenant_id=scratch.first) as session:
        await session.rollback()
        with pytest.raises(InvalidRequestError):
            await session.execute(text("SELECT 1"))


async def test_an_error_shows_no_parameter(engines: dict[str, AsyncEngine]) -> None:
    """What was asked for does not stand in an error's text, which may end in a log."""
    async with engines[DatabaseRole.APP].connect() as connection:
        with pytest.raises(DBAPIError, match="division by zero") as failure:
            await connection.execute(text("SELECT 1/0, CAST(:secret AS text)"), {"secret": "hush-hush"})
    assert "hush-hush" not in str(failure.value)


async def test_the_operator_sees_tenants_and_no_rows(engines: dict[str, AsyncEngine]) -> None:
    """Outside a tenant the owner lists tenants, and is refused everything that is theirs."""
    owner = engines[DatabaseRole.OWNER]
    for table in await tenant_tables(owner):
        async with operator_session(owner) as session:
            assert (await session.execute(text("SELECT count(*) FROM natalia.tenant"))).scalar_one() == 2
            with pytest.raises(DBAPIError, match=r"natalia\.tenant"):
                await session.execute(text("SELECT 1 FROM natalia.TABLE".replace("TABLE", table)))
            await session.rollback()


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (DatabaseRole.INGEST, "SELECT event_id FROM natalia.call"),
        (DatabaseRole.INGEST, "SELECT count(*) FROM natalia.call"),
        (DatabaseRole.INGEST, "SELECT 1 FROM natalia.api_key"),
        (DatabaseRole.INGEST, "UPDATE natalia.call SET leg = 1"),
        (DatabaseRole.INGEST, "DELETE FROM natalia.ingest_batch"),
        (DatabaseRole.INGEST, "UPDATE natalia.machine_certificate SET revoked_at = NULL"),
        (DatabaseRole.INGEST, "CREATE TABLE natalia.own (x integer)"),
        (DatabaseRole.INGEST, "SELECT 1 FROM natalia.call_2026_03"),
        (DatabaseRole.APP, "SELECT 1 FROM natalia.call_2026_03"),
        (DatabaseRole.APP, "SELECT 1 FROM natalia.tenant"),
        (DatabaseRole.APP, "INSERT INTO natalia.api_key DEFAULT VALUES"),
        (DatabaseRole.APP, "SELECT natalia.ensure_month('2026-03-01')"),
        (DatabaseRole.APP, "SELECT 1 FROM natalia.ingest_batch"),
        (DatabaseRole.APP, "UPDATE natalia.completeness SET report = 1"),
        (DatabaseRole.APP, "DELETE FROM natalia.completeness"),
        (DatabaseRole.INGEST, "DELETE FROM natalia.completeness"),
        (DatabaseRole.APP, "SELECT 1 FROM natalia.invitation"),
        (DatabaseRole.APP, "SELECT 1 FROM natalia.enrollment"),
        (DatabaseRole.APP, "SELECT 1 FROM natalia.tenant_secret"),
        (DatabaseRole.INGEST, "SELECT 1 FROM natalia.invitation"),
        (DatabaseRole.INGEST, "SELECT 1 FROM natalia.enrollment"),
        (DatabaseRole.INGEST, "SELECT 1 FROM natalia.tenant_secret"),
        (DatabaseRole.INGEST, "UPDATE natalia.appliance SET state = 'active'"),
        (DatabaseRole.ENROLL, "SELECT 1 FROM natalia.call"),
        (DatabaseRole.ENROLL, "INSERT INTO natalia.call DEFAULT VALUES"),
        (DatabaseRole.ENROLL, "SELECT 1 FROM natalia.completeness"),
        (DatabaseRole.ENROLL, "SELECT 1 FROM natalia.ingest_batch"),
        (DatabaseRole.ENROLL, "SELECT 1 FROM natalia.ingest_progress"),
        (DatabaseRole.ENROLL, "SELECT 1 FROM natalia.api_key"),
        (DatabaseRole.ENROLL, "SELECT 1 FROM natalia.tenant"),
        (DatabaseRole.ENROLL, "INSERT INTO natalia.invitation DEFAULT VALUES"),
        (DatabaseRole.ENROLL, "UPDATE natalia.invitation SET withdrawn_at = NULL"),
        (DatabaseRole.ENROLL, "UPDATE natalia.invitation SET expires_at = now()"),
        (DatabaseRole.ENROLL, "UPDATE natalia.invitation SET secret_hash = ''"),
        (DatabaseRole.ENROLL, "UPDATE natalia.tenant_secret SET wrapped = ''"),
        (DatabaseRole.ENROLL, "DELETE FROM natalia.tenant_secret"),
        (DatabaseRole.ENROLL, "UPDATE natalia.appliance SET name = 'x'"),
        (DatabaseRole.ENROLL, "UPDATE natalia.machine_certificate SET revoked_at = NULL"),
        (DatabaseRole.ENROLL, "DELETE FROM natalia.machine_certificate"),
        (DatabaseRole.ENROLL, "SELECT natalia.ensure_month('2026-03-01')"),
        (DatabaseRole.ENROLL, "SET ROLE natalia_owner"),
        (DatabaseRole.APP, "TRUNCATE natalia.call"),
        (DatabaseRole.INGEST, "TRUNCATE natalia.call"),
        (DatabaseRole.INGEST, "SELECT 1 FROM natalia.security_event"),
        (DatabaseRole.INGEST, "UPDATE natalia.security_event SET kind = 'released'"),
        (DatabaseRole.INGEST, "DELETE FROM natalia.security_event"),
        (DatabaseRole.INGEST, "UPDATE natalia.machine_certificate SET expires_at = now()"),
        (DatabaseRole.ENROLL, "UPDATE natalia.security_event SET kind = 'released'"),
        (DatabaseRole.ENROLL, "DELETE FROM natalia.security_event"),
        (DatabaseRole.ENROLL, "DELETE FROM natalia.machine_return"),
        (DatabaseRole.APP, "UPDATE natalia.security_event SET kind = 'released'"),
        (DatabaseRole.APP, "INSERT INTO natalia.security_event DEFAULT VALUES"),
        (DatabaseRole.APP, "UPDATE natalia.machine_certificate SET revoked_at = now()"),
        (DatabaseRole.APP, "UPDATE natalia.machine_return SET approved_at = now()"),
        (DatabaseRole.APP, "SET ROLE natalia_owner"),
        (DatabaseRole.INGEST, "SET ROLE natalia_app"),
    ],
)
async def test_a_role_has_no_right_beyond_its_work(
    scratch: Scratch, engines: dict[str, AsyncEngine], role: DatabaseRole, statement: str
) -> None:
    """What a service role does not need it may not do, in its own tenant either."""
    async with tenant_session(engines[role], tenant_id=scratch.first) as session:
        with pytest.raises(DBAPIError, match="permission denied"):
            await session.execute(text(statement))
        await session.rollback()


@pytest.mark.parametrize("month", [date(1999, 12, 1), date(2100, 1, 1), date(9999, 12, 31), date(1, 1, 1)])
async def test_the_ingest_role_opens_no_month_out_of_range(
    scratch: Scratch, engines: dict[str, AsyncEngine], month: date
) -> None:
    """The one door to DDL opens months from 2000 to two ahead and nothing else."""
    async with tenant_session(engines[DatabaseRole.INGEST], tenant_id=scratch.first) as session:
        with pytest.raises(DBAPIError, match="the month is out of range"):
            await session.execute(text("SELECT natalia.ensure_month(:month)"), {"month": month})
        await session.rollback()


async def test_a_new_month_is_locked_too(scratch: Scratch, engines: dict[str, AsyncEngine]) -> None:
    """A partition that the ingest role had made belongs to the owner and is closed to everybody directly."""
    async with tenant_session(engines[DatabaseRole.INGEST], tenant_id=scratch.first) as session:
        for _ in range(2):
            await session.execute(text("SELECT natalia.ensure_month('2011-05-17')"))
    catalogue = text(
        "SELECT relrowsecurity AND relforcerowsecurity AS forced, relowner::regrole::text AS owner, "
        "relacl IS NULL AS bare FROM pg_class WHERE relname = 'call_2011_05'"
    )
    async with engines[DatabaseRole.OWNER].connect() as connection:
        row = (await connection.execute(catalogue)).one()
    assert (row.forced, row.owner, row.bare) == (True, "natalia_owner", True)
