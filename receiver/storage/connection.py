"""Engines: one a database role, so that a mistake in one way through cannot use another's rights."""

from enum import StrEnum
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DATABASE: Final = "natalia"
_POOL_SIZE: Final = 5


class DatabaseRole(StrEnum):
    """Who connects."""

    OWNER = "natalia_owner"
    """Owns the tables, migrates, administers; row level security binds it too."""
    APP = "natalia_app"
    """Reads for API clients."""
    INGEST = "natalia_ingest"
    """Stores batches; cannot read a call."""
    ENROLL = "natalia_enroll"
    """Enrols appliances and renews their certificates; sees no call and no count."""


SERVICE_ROLES: Final[tuple[DatabaseRole, ...]] = tuple(role for role in DatabaseRole if role is not DatabaseRole.OWNER)
"""What the service connects as."""


def embedded_url(role: str, *, socket_folder: str, database: str = DATABASE) -> URL:
    """Address the embedded server, which trusts whoever can reach its private socket."""
    return URL.create("postgresql+asyncpg", username=role, database=database, query={"host": socket_folder})


def dsn_url(dsn: str, *, role: DatabaseRole, password: str | None = None) -> URL:
    """Address a server of one's own: the DSN is the owner's; other roles log in with their own password."""
    url = make_url(dsn).set(drivername="postgresql+asyncpg")
    return url if role is DatabaseRole.OWNER else url.set(username=role.value, password=password)


def open_engine(url: URL) -> AsyncEngine:
    """Open a pool. Parameters never reach an error's text; times come back in UTC whatever the server's zone."""
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_size=_POOL_SIZE,
        max_overflow=0,
        # A database that was restarted must not cost the first request on each old connection.
        pool_pre_ping=True,
        connect_args={"server_settings": {"application_name": "natalia-receiver", "TimeZone": "UTC"}},
    )
