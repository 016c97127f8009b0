"""The only door to tenants' rows: a session that belongs to one tenant for its whole life.

The tenant is set by an ``after_begin`` hook, ``SET LOCAL`` in effect, so it ends with the transaction and no pooled
connection carries it on; a statement after a commit begins a new transaction and is scoped again. Functions that
touch a tenant's table take a ``TenantSession``, so that they cannot be called outside a scope.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

_TENANT: Final = "tenant"
_SET_LOCAL: Final = text("SELECT set_config('natalia.tenant', :tenant, true)")


class TenantSession(AsyncSession):
    """A transaction within one tenant. ``tenant_session`` is the only way to get one."""

    @property
    def tenant_id(self) -> UUID:
        """Whose rows these are."""
        tenant: UUID = self.info[_TENANT]
        return tenant


class OperatorSession(AsyncSession):
    """A transaction of the owner outside every tenant: row level security leaves it the list of tenants, no more."""


class _ScopedSession(Session):
    """The synchronous side, to which the hook is bound."""


@event.listens_for(_ScopedSession, "after_begin")
def _enter_scope(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    connection.execute(_SET_LOCAL, {_TENANT: str(session.info[_TENANT])})


@asynccontextmanager
async def tenant_session(engine: AsyncEngine, *, tenant_id: UUID) -> AsyncIterator[TenantSession]:
    """Open one transaction within a tenant; commit at the end, roll back on an error."""
    scope = {_TENANT: tenant_id}
    async with TenantSession(engine, sync_session_class=_ScopedSession, info=scope) as session, session.begin():
        yield session


@asynccontextmanager
async def operator_session(engine: AsyncEngine) -> AsyncIterator[OperatorSession]:
    """Open one transaction outside every tenant; commit at the end, roll back on an error."""
    async with OperatorSession(engine) as session, session.begin():
        yield session
