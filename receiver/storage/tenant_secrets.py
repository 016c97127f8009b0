"""The secret of a tenant's pseudonyms, wrapped."""

from datetime import datetime

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from receiver.schema.tenant_secret import tenant_secret
from receiver.storage.tenant_scope import TenantSession


class WrappedSecret(Struct, frozen=True):
    """A tenant secret that only the key keeper opens."""

    key_version: int
    wrapped: bytes


async def add_first(session: TenantSession, secret: WrappedSecret, *, now: datetime) -> WrappedSecret:
    """Keep a secret unless the tenant has one; give the one that is kept: of two at once, the first."""
    statement = insert(tenant_secret).values(
        tenant_id=session.tenant_id, key_version=secret.key_version, wrapped=secret.wrapped, created_at=now
    )
    # Another transaction's row is waited for, and after its commit seen: each statement looks anew (READ COMMITTED).
    await session.execute(statement.on_conflict_do_nothing())
    return await newest(session) or secret


async def newest(session: TenantSession) -> WrappedSecret | None:
    """Find the tenant's secret of the highest version."""
    columns = tenant_secret.c
    statement = select(columns.key_version, columns.wrapped).order_by(columns.key_version.desc()).limit(1)
    row = (await session.execute(statement)).first()
    return None if row is None else WrappedSecret(key_version=row.key_version, wrapped=row.wrapped)
