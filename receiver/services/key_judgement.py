"""Hold an appliance to its line of keys: each asks for one successor. The rules stand in ``fleet_rules``.

Whoever asks holds the lock on the appliance.
"""

from datetime import datetime

from receiver.domain.fleet_rules import CertifiedKey, judge_renewal
from receiver.domain.security_event import EventKind
from receiver.services.machine_certificates import MachineClaim
from receiver.services.quarantine import keep_out
from receiver.storage import fleet, machine_certificates
from receiver.storage.machine_certificates import Registration
from receiver.storage.tenant_scope import TenantSession


async def judge_key(
    session: TenantSession,
    registration: Registration,
    claim: MachineClaim,
    *,
    asked: bytes,
    at: datetime,
    now: datetime,
) -> bool:
    """Judge that a certificate asks for a key, by its SHA-256; say whether that key holds one already.

    Args:
        session: within the tenant.
        registration: of the certificate that asks.
        claim: what that certificate says.
        asked: SHA-256 of the SubjectPublicKeyInfo that is asked for.
        at: when the request came in, before it waited for anything.
        now: the instant of the decision.

    Raises:
        ProblemError: ``appliance_quarantined`` for a copy; ``evidence_invalid`` for a key that is not new;
            ``forbidden`` for a request that another key has overtaken.
    """
    if await fleet.holder_of_key(session, asked, besides=registration.appliance_id) is not None:
        raise await keep_out(session, registration, EventKind.MACHINE_HELD_TWICE, now=now)
    mine = CertifiedKey(claim.public_key, registration.predecessor, registration.first_used_at)
    related = await machine_certificates.related_keys(session, registration.appliance_id, mine, asked=asked)
    finding = judge_renewal(mine, related, asked=asked, at=at)
    if finding is not None:
        raise await keep_out(session, registration, finding, now=now)
    return any(other.key == asked for other in related)
