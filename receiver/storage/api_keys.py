"""A tenant's API keys."""

from datetime import datetime

from msgspec import Struct
from sqlalchemy import insert, select

from receiver.domain.authz import Role
from receiver.schema.api_key import api_key
from receiver.storage.tenant_scope import TenantSession


class StoredKey(Struct, frozen=True):
    """What is kept of a key; its ``repr`` is safe, as the hash is peppered."""

    key_id: str
    secret_hash: bytes
    role: Role
    created_at: datetime
    revoked_at: datetime | None


async def add(session: TenantSession, key: StoredKey) -> None:
    """Keep a new key."""
    await session.execute(
        insert(api_key).values(
            tenant_id=session.tenant_id,
            key_id=key.key_id,
            secret_hash=key.secret_hash,
            role=key.role.value,
            created_at=key.created_at,
            revoked_at=key.revoked_at,
        )
    )


async def find(session: TenantSession, key_id: str) -> StoredKey | None:
    """Find a key of the tenant by its id."""
    keys = await _select(session, key_id=key_id)
    return keys[0] if keys else None


async def list_all(session: TenantSession) -> list[StoredKey]:
    """All keys of the tenant, oldest first."""
    return await _select(session, key_id=None)


async def _select(session: TenantSession, *, key_id: str | None) -> list[StoredKey]:
    columns = api_key.c
    statement = select(columns.key_id, columns.secret_hash, columns.role, columns.created_at, columns.revoked_at)
    if key_id is not None:
        statement = statement.where(columns.key_id == key_id)
    rows = await session.execute(statement.order_by(columns.created_at, columns.key_id))
    return [
        StoredKey(
            key_id=row.key_id,
            secret_hash=row.secret_hash,
            role=Role(row.role),
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )
        for row in rows
    ]
