"""Renew an appliance's certificate with the one in use (RFC 7030 4.2.2).

The certificate before stays valid until its own end, so old and new serve side by side and no request fails. The lock
on the appliance makes two renewals at once, and a renewal and a revocation, take turns. Asking again with the same
key and certificate, because the answer was lost, gives a certificate again.

What an honest appliance does, and how a copy shows, stands in ``fleet_rules``.
"""

from datetime import datetime

from cryptography import x509

from receiver.domain.certificate_request import parse_der, spki
from receiver.domain.fleet_rules import ApplianceState, CertifiedKey, judge_renewal
from receiver.domain.renewal_request import believe_renewal, read_evidence
from receiver.domain.security_event import EventKind
from receiver.ports import CertificateAuthority, Clock
from receiver.services.enrollment import read_key
from receiver.services.machine_certificates import MachineCertificates, MachineClaim, key_hash, not_admitted
from receiver.services.machine_judgement import Shown, judge_machine
from receiver.services.quarantine import keep_out
from receiver.storage import fleet, machine_certificates
from receiver.storage.machine_certificates import Registration
from receiver.storage.tenant_scope import TenantSession


class RenewalDesk:
    """The renewals of one tenant's appliances."""

    def __init__(self, session: TenantSession, *, certificates: MachineCertificates, clock: Clock) -> None:
        """Work within ``session``."""
        self._session = session
        self._certificates = certificates
        self._clock = clock

    async def renew(self, claim: MachineClaim, *, request: bytes, authority: CertificateAuthority) -> x509.Certificate:
        """Certify the key of ``request``, PKCS #10 in DER, for the appliance that ``claim`` names.

        Raises:
            ProblemError: ``forbidden`` or ``appliance_quarantined`` for the certificate in use; ``malformed_request``,
                ``evidence_invalid`` or ``anchor_lowered`` for what the request says.
        """
        at = self._clock.now()
        key = read_key(request)
        evidence = read_evidence(parse_der(request))
        standing = await fleet.lock(self._session, claim.name.appliance)
        if standing is None or standing.state is not ApplianceState.ACTIVE:
            raise not_admitted()
        registration = await self._certificates.admit_since(claim, at=at)
        facts = believe_renewal(evidence, public_key=spki(key), occasion=claim.certificate)
        finding = await self._judge_key(registration, claim, asked=key_hash(key), at=at)
        now = self._clock.now()
        if finding is not None:
            raise await keep_out(self._session, registration, finding, now=now)
        shown = Shown(at=at, key_protection=evidence.key_protection, facts=facts)
        await judge_machine(self._session, registration, shown, pinned=standing.key_protection, now=now)
        return await self._certificates.issue(
            registration.name, key=key, authority=authority, predecessor=claim.public_key
        )

    async def _judge_key(
        self, registration: Registration, claim: MachineClaim, *, asked: bytes, at: datetime
    ) -> EventKind | None:
        if await fleet.holder_of_key(self._session, asked, besides=registration.appliance_id) is not None:
            return EventKind.MACHINE_HELD_TWICE
        mine = CertifiedKey(claim.public_key, registration.predecessor, registration.first_used_at)
        others = await machine_certificates.related_keys(self._session, registration.appliance_id, mine, asked=asked)
        return judge_renewal(mine, others, asked=asked, at=at)
