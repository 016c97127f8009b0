"""The database and its login roles, none of them a superuser and none exempt from row level security."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from receiver.storage.connection import DATABASE, DatabaseRole

_ATTRIBUTES: Final = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"


async def prepare_embedded(superuser: AsyncEngine) -> None:
    """Make the roles and the owner's database on the embedded server, where they are missing."""
    async with superuser.connect() as connection:
        # CREATE DATABASE cannot run within a transaction.
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for role in DatabaseRole:
            found = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
            if (await autocommit.execute(found, {"role": role})).first() is None:
                await autocommit.execute(text(f"CREATE ROLE {role} {_ATTRIBUTES}"))
        found = text("SELECT 1 FROM pg_database WHERE datname = :database")
        if (await autocommit.execute(found, {"database": DATABASE})).first() is None:
            await autocommit.execute(text(f"CREATE DATABASE {DATABASE} OWNER {DatabaseRole.OWNER}"))


async def prepare_service_roles(owner: AsyncEngine, *, verifiers: dict[DatabaseRole, str]) -> None:
    """Make the service roles on a server of one's own, each with its SCRAM verifier; the owner needs CREATEROLE."""
    async with owner.begin() as connection:
        for role, verifier in verifiers.items():
            found = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
            known = (await connection.execute(found, {"role": role})).first() is not None
            # A verifier is made of base64 and punctuation without quotes (RFC 5803), so it can stand in the statement.
            verb = "ALTER" if known else "CREATE"
            attributes = "" if known else _ATTRIBUTES
            await connection.execute(text(f"{verb} ROLE {role} {attributes} PASSWORD '{verifier}'".replace(":", "\\:")))
