"""Let an appliance come back whose certificate ended: it proves the old key, and an administrator approves.

Where the certificate ended only some weeks ago, nobody is asked: more often the receiver was away than the machine. The
administrators are told in either case. One approves one key of the machine, so that nobody else can slip in after the
approval; where two ask, neither is let in. What is proven is what the old certificate's holder knows: of a machine
without a TPM a copy of the disk proves as much, which is why a person decides. From the approval on it goes as at an
enrollment.
"""

import hashlib
from datetime import datetime
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from appliance.wire.enrollment import EnrollmentAnswer, EnrollmentRequest, EnrollmentState, Return, binding
from appliance.wire.problem import ProblemCode
from receiver.domain.certificate_request import spki
from receiver.domain.enrollment import LIFETIME, EnrollmentName, believe, spell_name
from receiver.domain.fleet_rules import is_approved, needs_approval
from receiver.domain.security_event import EventKind
from receiver.errors import ProblemError
from receiver.ports import Clock
from receiver.services.enrollment import Applicant, EnrollmentDesk, read_key
from receiver.services.key_judgement import judge_key
from receiver.services.machine_certificates import MachineClaim, not_admitted, read_claim
from receiver.services.machine_judgement import Shown, judge_machine
from receiver.services.quarantine import quarantined
from receiver.storage import enrollments, fleet, machine_certificates, machine_returns, security_events
from receiver.storage.enrollments import Enrollment
from receiver.storage.machine_certificates import Registration
from receiver.storage.machine_returns import MachineReturn
from receiver.storage.tenant_scope import TenantSession


class ReturnDesk:
    """The appliances of one tenant that come back."""

    def __init__(self, session: TenantSession, *, enrollment: EnrollmentDesk, clock: Clock) -> None:
        """Work within ``session``, that of the tenant whom the ended certificate names."""
        self._session = session
        self._enrollment = enrollment
        self._clock = clock

    async def apply(self, request: EnrollmentRequest, *, returning: Return) -> EnrollmentAnswer:
        """Take the wish to come back; where no administrator is needed, or one has approved it, give the challenge.

        The first time that a key asks, the administrators are told.

        Raises:
            ProblemError: ``forbidden``: unknown or revoked, or the certificate has not ended; ``evidence_invalid``:
                the evidence, the old key's signature, or a new key that is not new; ``malformed_request``;
                ``appliance_quarantined``; ``anchor_lowered``.
        """
        at = self._clock.now()
        public_key = spki(read_key(request.request))
        claim = read_claim(returning.certificate)
        standing = await fleet.lock(self._session, claim.name.appliance)
        if standing is None:
            raise not_admitted()
        registration = await machine_certificates.find(self._session, claim.fingerprint)
        registration = _require_ended(registration, claim, shown_at=at)
        _check_signature(returning, public_key=public_key)
        facts = believe(request, public_key=public_key, occasion=returning.certificate)
        applicant = Applicant(
            request=request,
            public_key=hashlib.sha256(public_key).digest(),
            facts=facts,
            appliance=registration.name,
            invitation_id=None,
            expires_at=at + LIFETIME,
        )
        now = self._clock.now()
        before = await enrollments.find_by_key(self._session, applicant.public_key)
        await judge_key(self._session, registration, claim, asked=applicant.public_key, at=at, now=now)
        shown = Shown(at=at, key_protection=request.key_protection, facts=facts, again=before is not None)
        await judge_machine(self._session, registration, shown, pinned=standing.key_protection, now=now)
        if await self._is_approved(registration, applicant, predecessor=claim.public_key):
            return await self._enrollment.admit(applicant)
        return await self._wait(applicant, enrollment_id=uuid4() if before is None else before.enrollment_id)

    async def _is_approved(self, registration: Registration, applicant: Applicant, *, predecessor: bytes) -> bool:
        """Keep that a key asks, and say what the administrators said."""
        now = self._clock.now()
        entry = MachineReturn(registration.appliance_id, applicant.public_key, predecessor, asked_at=now)
        if await machine_returns.save(self._session, entry):
            await security_events.add(
                self._session, EventKind.RETURN_REQUESTED, appliance_id=registration.appliance_id, at=now
            )
        if not needs_approval(registration.expires_at, now=now):
            await machine_returns.approve(self._session, entry, at=now)
            return True
        kept = await machine_returns.find(self._session, registration.appliance_id, public_key=applicant.public_key)
        return kept is not None and is_approved(kept.approved_at, now=now)

    async def _wait(self, applicant: Applicant, *, enrollment_id: UUID) -> EnrollmentAnswer:
        entry = Enrollment(
            enrollment_id=enrollment_id,
            public_key=applicant.public_key,
            appliance=applicant.appliance,
            invitation_id=None,
            key_protection=applicant.request.key_protection,
            facts=applicant.facts,
            transport_secret=None,
            expires_at=applicant.expires_at,
        )
        await enrollments.save(self._session, entry)
        return EnrollmentAnswer(
            enrollment=spell_name(EnrollmentName(self._session.tenant_id, enrollment_id)),
            tenant=str(self._session.tenant_id),
            appliance=applicant.appliance,
            state=EnrollmentState.WAITING,
        )


def _require_ended(found: Registration | None, claim: MachineClaim, *, shown_at: datetime) -> Registration:
    if found is None or found.revoked_at is not None or found.name != claim.name.appliance:
        raise not_admitted()
    if found.quarantined_at is not None:
        raise quarantined()
    if found.expires_at > shown_at:
        raise ProblemError(
            ProblemCode.FORBIDDEN, detail="the certificate has not ended", hint="Renew it with simplereenroll."
        )
    return found


def _check_signature(returning: Return, *, public_key: bytes) -> None:
    key = x509.load_der_x509_certificate(returning.certificate).public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(returning.signature, binding(public_key, returning.certificate), ec.ECDSA(SHA256()))
            return
    except InvalidSignature:
        pass
    raise ProblemError(
        ProblemCode.EVIDENCE_INVALID,
        detail="the ended certificate's key has not signed for the new key",
        hint="Sign the binding of the new key and the ended certificate with that certificate's key.",
    )
