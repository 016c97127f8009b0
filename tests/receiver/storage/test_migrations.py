"""The database that migrations make is the one that the code describes; and a server of one's own serves as well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import receiver.migrations
import receiver.schema.api_key
import receiver.schema.appliance
import receiver.schema.call
import receiver.schema.completeness
import receiver.schema.enrollment
import receiver.schema.ingest_batch
import receiver.schema.ingest_progress
import receiver.schema.invitation
import receiver.schema.machine_certificate
import receiver.schema.machine_return
import receiver.schema.machine_state
import receiver.schema.security_event
import receiver.schema.tenant
import receiver.schema.tenant_secret
from appliance.wire.batch import HighWater
from receiver.cli import main
from receiver.factory import initialise, migrate_database
from receiver.schema.metadata import SCHEMA, metadata
from receiver.settings import StateFolder
from receiver.storage import appliances
from receiver.storage.connection import DATABASE, SERVICE_ROLES, DatabaseRole, dsn_url, embedded_url, open_engine
from receiver.storage.embedded_server import running_server
from receiver.storage.migrate import migrate, newest_revision
from receiver.storage.self_check import require_isolation
from receiver.storage.tenant_scope import tenant_session
from tests.receiver.deliveries import client_context, open_client
from tests.receiver.office import Office
from tests.receiver.storage.scratch import Scratch
from tests.support.receiver_process import ReceiverProcess

_MODULES = {path.stem for path in Path(receiver.schema.api_key.__file__ or "").parent.glob("*.py")}


def _differences(connection: Connection) -> list[Any]:
    names = {table.name for table in metadata.tables.values()}

    def ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name in names

    options = {"include_schemas": True, "include_object": ours, "version_table_schema": SCHEMA, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_the_schema_is_what_the_migrations_make(engines: dict[str, AsyncEngine]) -> None:
    """Tables, columns, keys and indexes in code and database are the same."""
    assert {table.name for table in metadata.tables.values()} == _MODULES - {"__init__", "metadata"}
    async with engines[DatabaseRole.OWNER].connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_migrating_again_changes_nothing(engines: dict[str, AsyncEngine]) -> None:
    """The newest revision is reached once."""
    assert await migrate(engines[DatabaseRole.OWNER]) == newest_revision()


@pytest.fixture
async def own_database(engines: dict[str, AsyncEngine], scratch: Scratch) -> AsyncIterator[str]:
    """The DSN of an empty database whose owner may make roles, as a production server gives it."""
    async with engines["postgres"].connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("CREATE ROLE production LOGIN CREATEROLE"))
        # The roles exist on this server already; their new owner may set their passwords.
        for role in SERVICE_ROLES:
            await autocommit.execute(text(f"GRANT {role.value} TO production WITH ADMIN OPTION"))
        await autocommit.execute(text("CREATE DATABASE own OWNER production"))
        yield f"postgresql://production@/own?host={scratch.socket_folder}"
        await autocommit.execute(text("DROP DATABASE own WITH (FORCE)"))
        for role in SERVICE_ROLES:
            await autocommit.execute(text(f"REVOKE {role.value} FROM production"))
        await autocommit.execute(text("DROP ROLE production"))


async def test_a_database_of_ones_own_serves(own_database: str, tmp_path: Path) -> None:
    """With a DSN the receiver makes roles and tables there, starts no server, and passes its own check."""
    process = ReceiverProcess(tmp_path / "state")
    process.run("init", "--dsn", own_database)
    with process:
        response = await asyncio.to_thread(_list_calls, process)
        assert response == {"calls": [], "next": None}
    assert not (process.state_dir / "postgres").exists()
    assert {path.name for path in process.state_dir.glob("*.password")} == {
        f"{role}.password" for role in SERVICE_ROLES
    }


def _list_calls(process: ReceiverProcess) -> object:
    office = Office(process.state_dir)
    _, tenant_id = office.tenant()
    headers = {"Authorization": f"Bearer {office.key(tenant_id)}"}
    with open_client(process, client_context(process.trust_anchors), **headers) as client:
        return client.get("/v1/calls").json()


def test_a_database_that_is_away_is_refused(tmp_path: Path) -> None:
    """An unreachable database is a refusal that does not repeat the DSN."""
    nowhere = f"postgresql://owner:hush-hush@/natalia?host={tmp_path}"
    result = CliRunner().invoke(main, ["--state", str(tmp_path / "state"), "init", "--dsn", nowhere])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error[database_unusable]: ")
    assert "hush-hush" not in result.stderr


async def test_a_database_of_the_first_release_is_brought_up(own_database: str) -> None:
    """What is stored stays, and its appliances have reported nothing yet."""
    engine = open_engine(dsn_url(own_database, role=DatabaseRole.OWNER))
    tenant, appliance = uuid4(), uuid4()
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            await connection.run_sync(_upgrade_to, "0001")
        async with tenant_session(engine, tenant_id=tenant) as session:
            for statement in (
                "INSERT INTO natalia.tenant VALUES (:tenant, 'one', now())",
                "INSERT INTO natalia.appliance VALUES (:tenant, :appliance, 'hq', now())",
                "INSERT INTO natalia.ingest_progress VALUES (:tenant, :appliance, 3, 7, NULL, NULL)",
            ):
                await session.execute(text(statement), {"tenant": tenant, "appliance": appliance})
        assert await migrate(engine) == newest_revision()
        async with tenant_session(engine, tenant_id=tenant) as session:
            assert await appliances.high_water(session, appliance) == HighWater(3, 7)
            assert await appliances.newest_report(session, appliance) == 0
    finally:
        await engine.dispose()


async def test_a_receiver_without_the_newest_role_is_brought_up(tmp_path: Path) -> None:
    """``migrate`` makes a role that a later release brings, and then its rights; what is stored stays."""
    folder, tenant, appliance = tmp_path / "state", uuid4(), uuid4()
    await initialise(folder, hosts=[], dsn=None)
    with running_server(StateFolder.at(folder).postgres_folder) as socket_folder:
        async with _engine("postgres", socket_folder, database="postgres") as superuser:
            for statement in (
                f"DROP DATABASE {DATABASE} WITH (FORCE)",
                f"DROP ROLE {DatabaseRole.ENROLL}",
                f"CREATE DATABASE {DATABASE} OWNER {DatabaseRole.OWNER}",
            ):
                await superuser.execute(text(statement))
        async with _engine(DatabaseRole.OWNER.value, socket_folder) as owner:
            await owner.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            await owner.run_sync(_upgrade_to, "0002")
            await owner.execute(text("SELECT set_config('natalia.tenant', :tenant, false)"), {"tenant": str(tenant)})
            of_a_release_before = {"tenant": tenant, "appliance": appliance}
            await owner.execute(text("INSERT INTO natalia.tenant VALUES (:tenant, 'one', now())"), of_a_release_before)
            await owner.execute(
                text("INSERT INTO natalia.appliance VALUES (:tenant, :appliance, 'hq', now())"), of_a_release_before
            )
        assert await migrate_database(folder) == newest_revision()
        engine = open_engine(embedded_url(DatabaseRole.ENROLL.value, socket_folder=str(socket_folder)))
        try:
            await require_isolation(engine)
            async with tenant_session(engine, tenant_id=tenant) as session:
                kept = await session.execute(text("SELECT name, state, key_protection FROM natalia.appliance"))
                assert kept.all() == [("hq", "active", None)]
        finally:
            await engine.dispose()


@asynccontextmanager
async def _engine(role: str, socket_folder: Path, *, database: str = DATABASE) -> AsyncIterator[AsyncConnection]:
    """A connection that commits each statement."""
    engine = open_engine(embedded_url(role, socket_folder=str(socket_folder), database=database))
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    finally:
        await engine.dispose()


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(receiver.migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
