"""Take what appliances say of completeness, and show it to the tenant."""

from msgspec.structs import replace

from appliance.wire.codec import WireError, decode_completeness
from appliance.wire.completeness import Receipt
from receiver.domain.authz import Permission, Principal, require
from receiver.domain.completeness_page import CompletenessFilter, CompletenessPage, to_cursor
from receiver.errors import ProblemError
from receiver.ports import Clock
from receiver.services.machine_certificates import MachineCertificates, MachineClaim
from receiver.storage import appliances, completeness
from receiver.storage.tenant_scope import TenantSession


class CompletenessIngest:
    """What one appliance reports, within its tenant."""

    def __init__(self, session: TenantSession, *, certificates: MachineCertificates, clock: Clock) -> None:
        """Work within ``session``."""
        self._session = session
        self._certificates = certificates
        self._clock = clock

    async def receive(self, claim: MachineClaim, *, body: bytes) -> Receipt:
        """Store a report if its number is higher than that of any before; a late or repeated one changes nothing.

        Raises:
            ProblemError: ``forbidden``, or the codes of ``decode_completeness``.
        """
        machine = await self._certificates.admit(claim)
        try:
            report = decode_completeness(body)
        except WireError as error:
            raise ProblemError(
                error.code,
                detail=str(error),
                hint="Send one completeness.v1 as the wire contract says; see /openapi.json.",
            ) from None
        newest = await appliances.newest_report(self._session, machine.appliance_id)
        if report.number <= newest:
            return Receipt(report.number, stored=False, newest=newest)
        now = self._clock.now()
        await completeness.store(
            self._session, machine.appliance_id, report=report.number, accounts=report.accounts, now=now
        )
        await appliances.note_report(self._session, machine.appliance_id, number=report.number, now=now)
        return Receipt(report.number, stored=True, newest=report.number)


class CompletenessListing:
    """A tenant's accounts as one principal may see them."""

    def __init__(self, session: TenantSession, *, principal: Principal) -> None:
        """Work within ``session`` on behalf of ``principal``."""
        self._session = session
        self._principal = principal

    async def page(self, wanted: CompletenessFilter) -> CompletenessPage:
        """Give one page; who may read calls may read how complete they are.

        Raises:
            ProblemError: ``forbidden``.
        """
        require(self._principal, Permission.CDR_READ)
        found = await completeness.find_page(self._session, replace(wanted, limit=wanted.limit + 1))
        shown = found[: wanted.limit]
        return CompletenessPage(accounts=shown, next=to_cursor(shown[-1]) if len(found) > len(shown) else None)
