"""The list of tenants, which the owner alone may read or extend."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from sqlalchemy import insert, select

from receiver.schema.tenant import tenant
from receiver.storage.tenant_scope import OperatorSession


class Tenant(Struct, frozen=True):
    """A customer."""

    tenant_id: UUID
    name: str


async def add(session: OperatorSession, entry: Tenant, *, now: datetime) -> None:
    """Add a tenant; its name is not taken."""
    await session.execute(insert(tenant).values(tenant_id=entry.tenant_id, name=entry.name, created_at=now))


async def find(session: OperatorSession, name: str) -> Tenant | None:
    """Find a tenant by name."""
    row = (await session.execute(select(tenant.c.tenant_id, tenant.c.name).where(tenant.c.name == name))).first()
    return None if row is None else Tenant(tenant_id=row.tenant_id, name=row.name)


async def list_all(session: OperatorSession) -> list[Tenant]:
    """All tenants by name."""
    rows = await session.execute(select(tenant.c.tenant_id, tenant.c.name).order_by(tenant.c.name))
    return [Tenant(tenant_id=row.tenant_id, name=row.name) for row in rows]
