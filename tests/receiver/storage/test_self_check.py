"""The service refuses to start on a database that would not keep tenants apart."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from receiver.errors import IsolationError
from receiver.storage.connection import SERVICE_ROLES, DatabaseRole
from receiver.storage.self_check import require_isolation
from tests.receiver.storage.scratch import Scratch, tenant_tables
from tests.support.receiver_process import CommandRefusedError, ReceiverProcess

_SCOPE = "(tenant_id = current_setting('natalia.tenant')::uuid)"
_BROKEN = {
    "no FORCE": (
        "ALTER TABLE natalia.call NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE natalia.call FORCE ROW LEVEL SECURITY",
        "call: row level security is not enabled and forced",
    ),
    "not enabled": (
        "ALTER TABLE natalia.api_key DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE natalia.api_key ENABLE ROW LEVEL SECURITY",
        "api_key: row level security is not enabled and forced",
    ),
    "no policy": (
        "DROP POLICY tenant_scope ON natalia.ingest_batch",
        f"CREATE POLICY tenant_scope ON natalia.ingest_batch USING {_SCOPE} WITH CHECK {_SCOPE}",
        "ingest_batch: it has no policy for the tenant's scope",
    ),
    "open policy": (
        "CREATE POLICY open ON natalia.call TO natalia_app USING (true)",
        "DROP POLICY open ON natalia.call",
        "call: a policy is not the tenant's scope",
    ),
    "permissive fallback": (
        "ALTER POLICY tenant_scope ON natalia.call USING (current_setting('natalia.tenant', true) IS NULL)",
        f"ALTER POLICY tenant_scope ON natalia.call USING {_SCOPE}",
        "call: a policy is not the tenant's scope",
    ),
    "TRUNCATE": (
        "GRANT TRUNCATE ON natalia.call TO natalia_app",
        "REVOKE TRUNCATE ON natalia.call FROM natalia_app",
        "call: the role may TRUNCATE it, which no policy restrains",
    ),
    "a partition past its parent": (
        "GRANT SELECT (event_id) ON natalia.call_2026_03 TO natalia_app",
        "REVOKE SELECT (event_id) ON natalia.call_2026_03 FROM natalia_app",
        "call_2026_03: the role may use a partition past its parent's policies",
    ),
    "an open partition": (
        "ALTER TABLE natalia.call_2026_03 NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE natalia.call_2026_03 FORCE ROW LEVEL SECURITY",
        "call_2026_03: row level security is not enabled and forced",
    ),
    "a new table": (
        "CREATE TABLE natalia.stray (tenant_id uuid)",
        "DROP TABLE natalia.stray",
        "stray: row level security is not enabled and forced",
    ),
    "an older schema": (
        "UPDATE natalia.alembic_version SET version_num = 'x' || version_num",
        "UPDATE natalia.alembic_version SET version_num = substr(version_num, 2)",
        "the database is not at this version's schema",
    ),
    "superuser": ("ALTER ROLE natalia_app SUPERUSER", "ALTER ROLE natalia_app NOSUPERUSER", "the role is a superuser"),
    "BYPASSRLS": ("ALTER ROLE natalia_app BYPASSRLS", "ALTER ROLE natalia_app NOBYPASSRLS", "the role has BYPASSRLS"),
    "owner by membership": (
        "GRANT natalia_owner TO natalia_app",
        "REVOKE natalia_owner FROM natalia_app",
        "call: the role owns it",
    ),
}


async def _run(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


@pytest.mark.parametrize("role", SERVICE_ROLES)
async def test_a_fresh_database_is_taken(engines: dict[str, AsyncEngine], role: DatabaseRole) -> None:
    """What init makes passes, for each service role."""
    await require_isolation(engines[role])


@pytest.mark.parametrize("broken", _BROKEN)
async def test_each_weakness_is_found(engines: dict[str, AsyncEngine], broken: str) -> None:
    """Every single weakness refuses the start and is named."""
    spoil, restore, finding = _BROKEN[broken]
    await _run(engines["postgres"], spoil)
    try:
        with pytest.raises(IsolationError) as refusal:
            await require_isolation(engines[DatabaseRole.APP])
    finally:
        await _run(engines["postgres"], restore)
    assert finding in refusal.value.findings


async def test_the_owner_does_not_serve(engines: dict[str, AsyncEngine]) -> None:
    """The role that owns the tables is refused for every one of them."""
    with pytest.raises(IsolationError) as refusal:
        await require_isolation(engines[DatabaseRole.OWNER])
    owned = [f"{table}: the role owns it" for table in await tenant_tables(engines[DatabaseRole.OWNER])]
    assert set(owned) <= set(refusal.value.findings)


async def test_an_empty_database_is_refused(engines: dict[str, AsyncEngine]) -> None:
    """Without the schema there is nothing to be kept apart, and nothing is served."""
    await _run(engines["postgres"], "ALTER TABLE natalia.alembic_version RENAME TO gone")
    try:
        with pytest.raises(IsolationError, match="not at this version's schema"):
            await require_isolation(engines[DatabaseRole.APP])
    finally:
        await _run(engines["postgres"], "ALTER TABLE natalia.gone RENAME TO alembic_version")


async def test_serve_refuses_with_code_and_hint(scratch: Scratch, engines: dict[str, AsyncEngine]) -> None:
    """The command says what is wrong, what to do, and ends with status 1."""
    spoil, restore, finding = _BROKEN["no FORCE"]
    await _run(engines["postgres"], spoil)
    try:
        with pytest.raises(CommandRefusedError) as refusal:
            ReceiverProcess(scratch.folder).run("serve", "--port", "0")
    finally:
        await _run(engines["postgres"], restore)
    assert refusal.value.status == 1
    assert f"error[isolation_broken]: {finding}" in refusal.value.stderr
    assert "hint: Run `natalia-receiver migrate`" in refusal.value.stderr
