"""Whether a key may bring an appliance back: asked where its certificate is issued, after the challenge was opened."""

from datetime import datetime

from receiver.domain.fleet_rules import ApplianceState, is_approved
from receiver.services.machine_certificates import not_admitted
from receiver.storage import fleet, machine_returns
from receiver.storage.tenant_scope import TenantSession


async def require_approved(session: TenantSession, appliance: str, *, public_key: bytes, now: datetime) -> bytes:
    """Give the predecessor of a key, by its SHA-256, that may be certified for a returning appliance.

    Raises:
        ProblemError: ``forbidden``: since it was approved the appliance was revoked, or too much time has passed.
    """
    standing = await fleet.lock(session, appliance)
    if standing is None or standing.state is not ApplianceState.ACTIVE:
        raise not_admitted()
    entry = await machine_returns.find(session, standing.appliance_id, public_key=public_key)
    if entry is None or not is_approved(entry.approved_at, now=now):
        raise not_admitted()
    return entry.predecessor
