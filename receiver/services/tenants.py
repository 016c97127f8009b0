"""Create and find tenants."""

from uuid import UUID, uuid4

from receiver.errors import NameInvalidError, TenantExistsError, TenantUnknownError
from receiver.ports import Clock
from receiver.storage import tenants
from receiver.storage.tenant_scope import OperatorSession

_NAME_MAX = 100


class TenantDirectory:
    """The operator's list of tenants."""

    def __init__(self, session: OperatorSession, *, clock: Clock) -> None:
        """Work within ``session``."""
        self._session = session
        self._clock = clock

    async def create(self, name: str) -> UUID:
        """Create a tenant; give its id.

        Raises:
            NameInvalidError: empty, too long or unprintable.
            TenantExistsError: the name is taken.
        """
        if not name.isprintable() or not 1 <= len(name) <= _NAME_MAX or name != name.strip():
            raise NameInvalidError("the tenant's name is not of the allowed form")
        if await tenants.find(self._session, name) is not None:
            raise TenantExistsError("a tenant of that name exists")
        entry = tenants.Tenant(tenant_id=uuid4(), name=name)
        await tenants.add(self._session, entry, now=self._clock.now())
        return entry.tenant_id

    async def find(self, name: str) -> UUID:
        """Give a tenant's id.

        Raises:
            TenantUnknownError: no tenant has that name.
        """
        entry = await tenants.find(self._session, name)
        if entry is None:
            raise TenantUnknownError("no tenant has that name")
        return entry.tenant_id

    async def list_all(self) -> list[tenants.Tenant]:
        """All tenants by name."""
        return await tenants.list_all(self._session)
