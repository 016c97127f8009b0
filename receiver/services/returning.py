"""Let an appliance come back whose certificate ended: it proves the old key, and an administrator approves.

The administrator approves one key of the machine, so that nobody else can slip in after the approval; where two ask,
neither is let in. What is proven is what the old certificate's holder knows: of a machine without a TPM a copy of the
disk proves as much, which is why a person decides.
"""

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from appliance.wire.enrollment import Return, binding
from appliance.wire.problem import ProblemCode
from receiver.domain.fleet_rules import ApplianceState, CertifiedKey, EventKind, is_approved, judge_renewal
from receiver.errors import ProblemError
from receiver.ports import Clock
from receiver.services.machine_certificates import MachineClaim, not_admitted, read_claim
from receiver.services.machine_judgement import Shown, judge_machine
from receiver.services.quarantine import keep_out, quarantined
from receiver.storage import fleet, machine_certificates, machine_returns, security_events
from receiver.storage.machine_certificates import Registration
from receiver.storage.machine_returns import MachineReturn
from receiver.storage.tenant_scope import TenantSession


class Wish(Struct, frozen=True):
    """What an appliance shows to come back."""

    returning: Return
    public_key: bytes
    """The new key, proven, SubjectPublicKeyInfo in DER."""
    shown: Shown
    """What was believed of its machine, with the ended certificate as the occasion."""


class Returned(Struct, frozen=True):
    """Whom a wish comes from, and whether it is granted."""

    appliance: str
    approved: bool


class ReturnDesk:
    """The appliances of one tenant that come back."""

    def __init__(self, session: TenantSession, *, clock: Clock) -> None:
        """Work within ``session``, that of the tenant whom the ended certificate names (``read_claim``)."""
        self._session = session
        self._clock = clock

    async def ask(self, wish: Wish) -> Returned:
        """Take a wish to come back; the first time a key asks, the administrators are told.

        Raises:
            ProblemError: ``forbidden``: unknown or revoked, or the certificate has not ended; ``evidence_invalid``: not
                signed by its key, or the new key is not new; ``appliance_quarantined``; ``anchor_lowered``.
        """
        claim = read_claim(wish.returning.certificate)
        standing = await fleet.lock(self._session, claim.name.appliance)
        if standing is None or standing.state is ApplianceState.REVOKED:
            raise not_admitted()
        if standing.state is ApplianceState.QUARANTINED:
            raise quarantined()
        registration = await self._ended(claim, wish)
        _check_signature(wish)
        asked = hashlib.sha256(wish.public_key).digest()
        now = self._clock.now()
        await self._judge_key(claim, registration, asked=asked, wish=wish)
        await judge_machine(self._session, registration, wish.shown, pinned=standing.key_protection, now=now)
        entry = MachineReturn(registration.appliance_id, asked, claim.public_key, now)
        if await machine_returns.save(self._session, entry):
            await security_events.add(
                self._session, EventKind.RETURN_REQUESTED, appliance_id=registration.appliance_id, at=now
            )
        kept = await machine_returns.find(self._session, registration.appliance_id, public_key=asked)
        approved = kept is not None and is_approved(kept.approved_at, now=now)
        return Returned(appliance=registration.name, approved=approved)

    async def complete(self, appliance: str, *, public_key: bytes) -> bytes:
        """Give the predecessor of a key, by its SHA-256, that is about to be certified.

        Raises:
            ProblemError: ``forbidden``: since it was approved the appliance was revoked, or too much time has passed.
        """
        standing = await fleet.lock(self._session, appliance)
        if standing is None or standing.state is not ApplianceState.ACTIVE:
            raise not_admitted()
        entry = await machine_returns.find(self._session, standing.appliance_id, public_key=public_key)
        if entry is None or not is_approved(entry.approved_at, now=self._clock.now()):
            raise not_admitted()
        return entry.predecessor

    async def _ended(self, claim: MachineClaim, wish: Wish) -> Registration:
        found = await machine_certificates.find(self._session, claim.fingerprint)
        if found is None or found.revoked_at is not None or found.name != claim.name.appliance:
            raise not_admitted()
        if found.quarantined_at is not None:
            raise quarantined()
        if found.expires_at > wish.shown.at:
            raise ProblemError(
                ProblemCode.FORBIDDEN,
                detail="the certificate has not ended",
                hint="Renew it with simplereenroll.",
            )
        return found

    async def _judge_key(self, claim: MachineClaim, registration: Registration, *, asked: bytes, wish: Wish) -> None:
        mine = CertifiedKey(claim.public_key, registration.predecessor, registration.first_used_at)
        others = await machine_certificates.related_keys(self._session, registration.appliance_id, mine, asked=asked)
        finding = judge_renewal(mine, others, asked=asked, at=wish.shown.at)
        if finding is not None:
            raise await keep_out(self._session, registration, finding, now=self._clock.now())


def _check_signature(wish: Wish) -> None:
    certificate = x509.load_der_x509_certificate(wish.returning.certificate)
    key, message = certificate.public_key(), binding(wish.public_key, wish.returning.certificate)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(wish.returning.signature, message, ec.ECDSA(SHA256()))
            return
    except InvalidSignature:
        pass
    raise ProblemError(
        ProblemCode.EVIDENCE_INVALID,
        detail="the ended certificate's key has not signed for the new key",
        hint="Sign the binding of the new key and the ended certificate with that certificate's key.",
    )
