"""Show a tenant's calls."""

from msgspec.structs import replace

from receiver.domain.authz import Permission, Principal, require
from receiver.domain.call_page import CallFilter, CallPage, to_cursor
from receiver.storage import calls
from receiver.storage.tenant_scope import TenantSession


class CallListing:
    """A tenant's calls as one principal may see them."""

    def __init__(self, session: TenantSession, *, principal: Principal) -> None:
        """Work within ``session`` on behalf of ``principal``."""
        self._session = session
        self._principal = principal

    async def page(self, wanted: CallFilter) -> CallPage:
        """Give one page. One row more is read than shown: it tells whether there is a next page.

        Raises:
            ProblemError: ``forbidden``.
        """
        require(self._principal, Permission.CDR_READ)
        found = await calls.find_page(self._session, replace(wanted, limit=wanted.limit + 1))
        shown = found[: wanted.limit]
        return CallPage(calls=shown, next=to_cursor(shown[-1]) if len(found) > len(shown) else None)
