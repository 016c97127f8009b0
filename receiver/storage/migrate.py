"""Brings a database to the current schema."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

import receiver.migrations
from receiver.schema.metadata import SCHEMA

_LOCK: Final = 0x6E61_7461_6C69_61
"""Key of the advisory lock that two migrations at once contend for: "natalia" in ASCII."""


async def migrate(owner: AsyncEngine) -> str:
    """Apply what is missing, in one transaction, alone; give the revision reached."""
    async with owner.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        return await connection.run_sync(_upgrade)


def newest_revision() -> str:
    """The revision that this code is written for."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _upgrade(connection: Connection) -> str:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return newest_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(receiver.migrations.__file__).parent))
    return config
