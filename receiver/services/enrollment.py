"""Enrol machines: an invitation and evidence for a challenge, its answer for a certificate.

Both steps may be taken again by the same key, from either one, as long as the invitation lives: a lost answer or a
power cut leaves nothing half done. The lock on the invitation's row makes two machines with one token take turns, so
one owns it and the other is refused.

Whether a machine is a copy of another, ``machine_judgement`` decides; who comes back after a certificate ended,
``returning`` and ``return_approval``.
"""

import hashlib
import hmac
import secrets
from datetime import datetime
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from appliance.wire.enrollment import (
    TRANSPORT_SECRET_BYTES,
    EnrollmentAnswer,
    EnrollmentRequest,
    EnrollmentState,
    proof,
)
from appliance.wire.problem import ProblemCode
from receiver.domain.certificate_request import parse_der, proven_key, spki
from receiver.domain.enrollment import (
    LIFETIME,
    SEAL_NONCE_BYTES,
    EnrollmentName,
    believe,
    make_challenge,
    seal_secrets,
    spell_name,
    unproven,
)
from receiver.domain.invitation import Invitation, InvitationToken, Standing, prove, require_open, standing
from receiver.domain.machine_facts import MachineFacts
from receiver.errors import CsrInvalidError, ProblemError, RecordedRefusalError
from receiver.ports import CertificateAuthority, Clock, KeyWrapper
from receiver.services import tenant_secrets
from receiver.services.machine_certificates import MachineCertificates
from receiver.services.machine_judgement import require_unheld
from receiver.services.return_approval import require_approved
from receiver.storage import appliances, enrollments, invitations, machine_states
from receiver.storage.enrollments import Enrollment
from receiver.storage.machine_states import MachineState
from receiver.storage.tenant_scope import TenantSession


class Applicant(Struct, frozen=True):
    """A machine that was believed, and as which appliance it may have a certificate, until when."""

    request: EnrollmentRequest
    public_key: bytes
    """SHA-256 of the request's SubjectPublicKeyInfo."""
    facts: MachineFacts | None
    appliance: str
    invitation_id: str | None
    expires_at: datetime


class EnrollmentDesk:
    """The enrollments of one tenant's machines."""

    def __init__(self, session: TenantSession, *, clock: Clock, pepper: bytes, wrapper: KeyWrapper) -> None:
        """Work within ``session``; ``pepper`` is hashed with every invitation's secret, ``wrapper`` keeps secrets."""
        self._session = session
        self._clock = clock
        self._pepper = pepper
        self._wrapper = wrapper

    async def apply(self, request: EnrollmentRequest, *, token: InvitationToken) -> EnrollmentAnswer:
        """Take a machine's request with a token; give it its challenge.

        Raises:
            ProblemError: ``malformed_request``, ``invitation_unknown``, ``invitation_expired``, ``invitation_used``,
                ``evidence_invalid`` or ``appliance_quarantined``.
        """
        public_key = spki(read_key(request.request))
        fingerprint = hashlib.sha256(public_key).digest()
        found = await invitations.find(self._session, token.identifier)
        invitation = prove(found, offered=token.secret_hash(pepper=self._pepper), now=self._clock.now())
        await self._require_own(invitation, fingerprint)
        facts = believe(request, public_key=public_key, occasion=(request.token or "").encode("ascii"))
        await self._require_same_machine(fingerprint, facts)
        await require_unheld(
            self._session, invitation.appliance, public_key=fingerprint, facts=facts, now=self._clock.now()
        )
        applicant = Applicant(
            request=request,
            public_key=fingerprint,
            facts=facts,
            appliance=invitation.appliance,
            invitation_id=invitation.invitation_id,
            expires_at=min(self._clock.now() + LIFETIME, invitation.expires_at),
        )
        answer = await self.admit(applicant)
        await invitations.note_owner(self._session, invitation.invitation_id, public_key=fingerprint)
        return answer

    async def admit(self, applicant: Applicant) -> EnrollmentAnswer:
        """Send a challenge, and the tenant secret sealed under what it gives; what was sent before is void."""
        before = await enrollments.find_by_key(self._session, applicant.public_key)
        enrollment_id = uuid4() if before is None else before.enrollment_id
        name = spell_name(EnrollmentName(self._session.tenant_id, enrollment_id))
        secret = secrets.token_bytes(TRANSPORT_SECRET_BYTES)
        challenge = make_challenge(
            applicant.request, facts=applicant.facts, secret=secret, enrollment=name, random=secrets.token_bytes
        )
        tenants = await tenant_secrets.ensure(self._session, wrapper=self._wrapper, now=self._clock.now())
        nonce = secrets.token_bytes(SEAL_NONCE_BYTES)
        sealed = seal_secrets(tenants, transport_secret=secret, enrollment=name, nonce=nonce)
        entry = Enrollment(
            enrollment_id=enrollment_id,
            public_key=applicant.public_key,
            appliance=applicant.appliance,
            invitation_id=applicant.invitation_id,
            key_protection=applicant.request.key_protection,
            facts=applicant.facts,
            transport_secret=self._wrapper.wrap(secret, context=_context(name)),
            expires_at=applicant.expires_at,
        )
        await enrollments.save(self._session, entry)
        return EnrollmentAnswer(
            enrollment=name,
            tenant=str(self._session.tenant_id),
            appliance=applicant.appliance,
            state=EnrollmentState.READY,
            challenge=challenge,
            sealed=sealed,
        )

    async def enroll(
        self, name: EnrollmentName, *, password: str, request: bytes, authority: CertificateAuthority
    ) -> x509.Certificate:
        """Issue the certificate to whoever opened the challenge; the same again to whoever lost the answer.

        Raises:
            ProblemError: ``unauthenticated``, ``malformed_request``, ``evidence_invalid`` for another key than the one
                that applied; ``invitation_unknown``, ``invitation_expired``, ``forbidden`` or
                ``appliance_quarantined`` if that changed meanwhile.
        """
        entry = await self._proven(name, password=password, request=request)
        key = read_key(request)
        if hashlib.sha256(spki(key)).digest() != entry.public_key:
            raise ProblemError(
                ProblemCode.EVIDENCE_INVALID,
                detail="the certificate request holds another key than the one that applied",
                hint="Send the request of the first step again.",
            )
        now = self._clock.now()
        predecessor = await self._require_open(entry, now=now)
        await require_unheld(self._session, entry.appliance, public_key=entry.public_key, facts=entry.facts, now=now)
        certificates = MachineCertificates(self._session, clock=self._clock)
        certificate = await certificates.issue(entry.appliance, key=key, authority=authority, predecessor=predecessor)
        await self._pin(entry, now=now)
        return certificate

    async def _require_own(self, invitation: Invitation, fingerprint: bytes) -> None:
        """Refuse a key that comes after another; that it came is kept, as one of the two is a thief."""
        if standing(invitation, public_key=fingerprint) is not Standing.CONTESTED:
            return
        await invitations.note_contest(self._session, invitation.invitation_id, now=self._clock.now())
        raise RecordedRefusalError(
            ProblemCode.INVITATION_USED,
            detail="another machine has used the invitation",
            hint="If that was not yours, tell the receiver's operator at once; ask for a new invitation.",
        )

    async def _require_same_machine(self, fingerprint: bytes, facts: MachineFacts | None) -> None:
        """Refuse another machine that shows the first one's request: its key's signature can be copied."""
        before = await enrollments.find_by_key(self._session, fingerprint)
        if before is not None and _machine_of(before.facts) != _machine_of(facts):
            raise ProblemError(
                ProblemCode.EVIDENCE_INVALID,
                detail="another machine has applied with the key of this certificate request",
                hint="Make a new key on this machine, and ask for a new invitation.",
            )

    async def _proven(self, name: EnrollmentName, *, password: str, request: bytes) -> Enrollment:
        entry = await enrollments.find(self._session, name.enrollment_id)
        if entry is None or entry.transport_secret is None or entry.expires_at <= self._clock.now():
            raise unproven()
        secret = self._wrapper.unwrap(entry.transport_secret, context=_context(spell_name(name)))
        if not hmac.compare_digest(proof(secret, request).encode("ascii"), password.encode("utf-8")):
            raise unproven()
        return entry

    async def _require_open(self, entry: Enrollment, *, now: datetime) -> bytes | None:
        """Refuse where invitation or approval was withdrawn or ended meanwhile.

        Give the key that the new one follows, where an appliance returns.
        """
        if entry.invitation_id is None:
            return await require_approved(self._session, entry.appliance, public_key=entry.public_key, now=now)
        invitation = await invitations.find(self._session, entry.invitation_id)
        if invitation is None or standing(invitation, public_key=entry.public_key) is not Standing.OWN:
            raise unproven()
        require_open(invitation, now=now)
        return None

    async def _pin(self, entry: Enrollment, *, now: datetime) -> None:
        """Hold the appliance to what its machine showed, and note that the invitation led to a certificate."""
        appliance_id = await appliances.find_id(self._session, entry.appliance)
        if appliance_id is None:
            raise LookupError("the appliance was registered in this transaction")
        state = MachineState(key_protection=entry.key_protection, facts=entry.facts, seen_at=now)
        await machine_states.save(self._session, appliance_id, state)
        await machine_states.pin(self._session, appliance_id, key_protection=entry.key_protection)
        if entry.invitation_id is not None:
            await invitations.note_enrolled(self._session, entry.invitation_id, now=now)


def read_key(request: bytes) -> ec.EllipticCurvePublicKey:
    """Give the proven key of a certificate request, DER.

    Raises:
        ProblemError: ``malformed_request``.
    """
    try:
        return proven_key(parse_der(request))
    except CsrInvalidError as error:
        raise ProblemError(
            ProblemCode.MALFORMED_REQUEST,
            detail=f"the certificate request cannot be used: {error}",
            hint="Send PKCS #10 in DER with a P-256 key, signed by that key.",
        ) from None


def _machine_of(facts: MachineFacts | None) -> bytes | None:
    return None if facts is None else facts.ek_hash


def _context(name: str) -> bytes:
    return f"natalia/transport-secret/{name}".encode("ascii")
