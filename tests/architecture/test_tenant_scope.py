"""Every statement on a tenant's table goes through the tenant scope: samples of both kinds, then the receiver."""

import pytest

from tests.support.tenant_rules import tenant_tables, unscoped
from tests.support.tree import ROOT, name, python_files

TABLES = {"call", "api_key"}
STORAGE = "receiver/storage/calls.py"
SCHEMA = """
call = Table("call", metadata, Column("tenant_id", Uuid), Column("leg", Integer))
tenant = Table("tenant", metadata, Column("tenant_id", Uuid))
version = Table("version", metadata, Column("number", Integer))
"""
IMPORTS = "from receiver.schema.call import call\nfrom receiver.schema.tenant import tenant\n"

VALID = [
    (STORAGE, "async def f(s: TenantSession) -> None:\n  await s.execute(select(call))"),
    (STORAGE, "async def f(s: OperatorSession) -> None:\n  await s.execute(select(tenant))"),
    (STORAGE, "async def f(c: AsyncConnection) -> None:\n  await c.execute(text('SELECT 1'))"),
    (
        STORAGE,
        "Q = text('SELECT leg FROM natalia.call')\nasync def f(*, s: TenantSession):\n  return await s.scalars(Q)",
    ),
    (STORAGE, "def q():\n  return select(call)\nasync def f(s: TenantSession):\n  return await s.execute(q())"),
    ("receiver/storage/tenant_scope.py", "def f(c):\n  s = TenantSession(c)\n  c.execute(select(call))"),
    ("receiver/migrations/versions/x.py", "op.execute('ALTER TABLE call')"),
    ("receiver/services/listing.py", "async def f(s: TenantSession):\n  return await calls.find_page(s)"),
]
INVALID = [
    (STORAGE, "async def f(c: AsyncConnection):\n  await c.execute(select(call))"),
    (STORAGE, "async def f(s: OperatorSession):\n  await s.scalars(select(call.c.leg))"),
    (STORAGE, "async def f(s):\n  await s.execute(select(call))"),
    (STORAGE, "async def f(s: TenantSession, c: AsyncConnection):\n  await c.execute(select(call))"),
    (STORAGE, "async def f(c):\n  await c.execute(text('SELECT leg FROM natalia.call'))"),
    (STORAGE, "async def f(c):\n  await c.execute(text('delete from api_key'))"),
    (STORAGE, "Q = text('INSERT INTO natalia.call VALUES (1)')\nasync def f(c):\n  await c.execute(Q)"),
    (STORAGE, "A = call\nB = select(A)\nasync def f(c):\n  await c.stream(B)"),
    (STORAGE, "def q():\n  return select(call)\nasync def f(c):\n  return await c.execute(q())"),
    (STORAGE, "async def f(e):\n  async with e.connect() as c:\n    await c.exec_driver_sql('TRUNCATE TABLE call')"),
    (STORAGE, "async def f(e):\n  async with AsyncSession(e) as s:\n    pass"),
    (STORAGE, "async def f(e):\n  async with TenantSession(e) as s:\n    pass"),
]
OUTSIDE = [
    "async def f(s: TenantSession):\n  await s.execute(statement)",
    "from receiver.schema.call import call",
    "make = async_sessionmaker(engine)",
]


@pytest.mark.parametrize(("path", "source"), VALID)
def test_scoped_statements_pass(path: str, source: str) -> None:
    """What takes a ``TenantSession``, or touches no tenant's table, is not complained about."""
    imports = IMPORTS if path == STORAGE else ""
    assert unscoped(path, imports + source, TABLES) == []


@pytest.mark.parametrize(("path", "source"), INVALID)
def test_statements_past_the_scope_are_found(path: str, source: str) -> None:
    """Each of these could read or write another tenant's rows if row level security were ever off."""
    assert unscoped(path, IMPORTS + source, TABLES) != []


@pytest.mark.parametrize("source", OUTSIDE)
@pytest.mark.parametrize("path", ["receiver/services/x.py", "receiver/factory.py", "receiver/handlers/x.py"])
def test_statements_outside_storage_are_found(path: str, source: str) -> None:
    """Nobody but storage runs statements, even with the right session."""
    assert unscoped(path, source, TABLES) != []


def test_a_tenants_table_is_known_by_its_column() -> None:
    """A new table with a ``tenant_id`` is guarded without anybody listing it; the list of tenants is the operator's."""
    assert tenant_tables([SCHEMA]) == {"call"}


def test_the_receiver_reaches_tenants_rows_through_the_scope_alone() -> None:
    """No statement of the receiver is past the door, and the check knows its tables."""
    tables = tenant_tables(file.read_text(encoding="utf-8") for file in python_files("receiver/schema"))
    assert {"call", "api_key", "ingest_batch"} <= tables
    assert (ROOT / "receiver/storage/tenant_scope.py").exists()
    findings = [
        f"{name(file)}:{finding}"
        for file in python_files("receiver")
        for finding in unscoped(name(file), file.read_text(encoding="utf-8"), tables)
    ]
    assert findings == []
