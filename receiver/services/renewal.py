"""Renew an appliance's certificate with the one in use (RFC 7030 4.2.2).

The certificate before stays valid until its own end, so old and new serve side by side and no request fails. The lock
on the appliance makes two renewals at once, and a renewal and a revocation, take turns. Asking again with the same
key and certificate, because the answer was lost, gives a certificate again.

What an honest appliance does, and how a copy shows, stands in ``fleet_rules``.
"""

from cryptography import x509

from receiver.domain.certificate_request import parse_der, spki
from receiver.domain.renewal_request import believe_renewal, read_evidence
from receiver.ports import CertificateAuthority, Clock
from receiver.services.enrollment import read_key
from receiver.services.key_judgement import judge_key
from receiver.services.machine_certificates import MachineCertificates, MachineClaim, key_hash, not_admitted
from receiver.services.machine_judgement import Shown, judge_machine
from receiver.storage import fleet
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
        if standing is None:
            raise not_admitted()
        registration = await self._certificates.admit_since(claim, at=at)
        facts = believe_renewal(evidence, public_key=spki(key), occasion=claim.certificate)
        now = self._clock.now()
        again = await judge_key(self._session, registration, claim, asked=key_hash(key), at=at, now=now)
        shown = Shown(at=at, key_protection=evidence.key_protection, facts=facts, again=again)
        await judge_machine(self._session, registration, shown, pinned=standing.key_protection, now=now)
        return await self._certificates.issue(
            registration.name, key=key, authority=authority, predecessor=claim.public_key
        )
