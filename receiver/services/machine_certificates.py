"""Certify appliances, and admit those that were certified.

A certificate opens the door only if it chains to the machine CA (TLS saw to that), names an appliance of a tenant,
and is registered here, neither revoked nor quarantined: a stolen CA key alone does not make an appliance. The table is
asked for every request, so a decision holds from the next one on, also on a connection that stays open.

Each use is judged (``fleet_rules``): a certificate that shows the appliance in two places is quarantined at once.
"""

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from appliance.wire.problem import ProblemCode
from receiver.domain.certificate_profile import machine_builder
from receiver.domain.fleet_rules import ApplianceState, CertifiedKey, judge_use
from receiver.domain.machine_name import MachineName, parse_appliance, parse_urn
from receiver.errors import NameInvalidError, ProblemError
from receiver.ports import CertificateAuthority, Clock
from receiver.services.quarantine import keep_out, quarantined
from receiver.storage import appliances, fleet, machine_certificates
from receiver.storage.machine_certificates import Registration
from receiver.storage.tenant_scope import TenantSession

_PEM, _DER = Encoding.PEM, Encoding.DER

_UNREADABLE: Final = (
    *(ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension),
    *(x509.ExtensionNotFound, x509.UnsupportedGeneralNameType, NameInvalidError),
)
"""All that a certificate can be wrong by: a machine that returns shows one that TLS has not seen."""


class MachineClaim(Struct, frozen=True):
    """Who a verified client certificate says it is; not yet admitted."""

    name: MachineName
    fingerprint: bytes
    """SHA-256 of the certificate's DER."""
    public_key: bytes
    """SHA-256 of its key's SubjectPublicKeyInfo."""
    certificate: bytes
    """Its DER."""


def read_claim(certificate: bytes) -> MachineClaim:
    """Read the appliance's name out of a DER certificate; that it is true, TLS or the registration must say.

    Raises:
        ProblemError: ``forbidden``: a certificate of ours that is no machine's.
    """
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (urn,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        name, public_key = parse_urn(urn), key_hash(leaf.public_key())
    except _UNREADABLE:
        raise not_admitted() from None
    return MachineClaim(
        name=name,
        fingerprint=hashlib.sha256(certificate).digest(),
        public_key=public_key,
        certificate=certificate,
    )


def key_hash(key: CertificatePublicKeyTypes) -> bytes:
    """SHA-256 of a key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(_DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def not_admitted() -> ProblemError:
    """The one refusal for every certificate that is not to deliver."""
    return ProblemError(
        ProblemCode.FORBIDDEN,
        detail="the client certificate is not that of a registered appliance",
        hint="Invite the appliance again: `natalia-receiver appliance invite`; there add `--again` to `enroll`.",
    )


class MachineCertificates:
    """The certificates of one tenant's appliances."""

    def __init__(self, session: TenantSession, *, clock: Clock) -> None:
        """Work within ``session``."""
        self._session = session
        self._clock = clock

    async def issue(
        self,
        name: str,
        *,
        key: ec.EllipticCurvePublicKey,
        authority: CertificateAuthority,
        predecessor: bytes | None = None,
    ) -> x509.Certificate:
        """Issue a certificate for a proven key and register it; a new name is a new appliance.

        ``predecessor`` is the SHA-256 of the key that asks for it (``CertifiedKey``).

        Raises:
            NameInvalidError: not an appliance's name.
            ProblemError: ``appliance_quarantined``: the key or the appliance is kept out.
        """
        machine = MachineName(tenant_id=self._session.tenant_id, appliance=parse_appliance(name))
        now = self._clock.now()
        appliance_id = await self._ensure_appliance(name, key=key_hash(key), now=now)
        certificate = authority.sign(machine_builder(key, machine=machine, issuer=authority.issuing, now=now))
        registration = Registration(
            appliance_id=appliance_id,
            name=name,
            fingerprint=certificate.fingerprint(SHA256()),
            serial=f"{certificate.serial_number:x}",
            expires_at=certificate.not_valid_after_utc,
            public_key=key_hash(key),
            predecessor=predecessor,
        )
        await machine_certificates.register(self._session, registration)
        return certificate

    async def admit(self, claim: MachineClaim) -> Registration:
        """Find the registration that a claim rests on, for a request that comes in now.

        Raises:
            ProblemError: ``forbidden``: unknown, revoked, expired, or of another name; ``appliance_quarantined``.
        """
        return await self.admit_since(claim, at=self._clock.now())

    async def admit_since(self, claim: MachineClaim, *, at: datetime) -> Registration:
        """Find the registration that a claim rests on, for a request that came in ``at``. Raises as ``admit``."""
        found = await machine_certificates.find(self._session, claim.fingerprint)
        if found is None or found.revoked_at is not None or found.name != claim.name.appliance:
            raise not_admitted()
        # A resumed TLS session, or one kept open, does not look at the certificate's end again.
        if found.expires_at <= at:
            raise not_admitted()
        if found.quarantined_at is not None:
            raise quarantined()
        mine = CertifiedKey(key=claim.public_key, predecessor=found.predecessor, first_used_at=found.first_used_at)
        others = await machine_certificates.related_keys(self._session, found.appliance_id, mine)
        finding = judge_use(mine, others, at=at)
        if finding is not None:
            raise await keep_out(self._session, found, finding, now=self._clock.now())
        if found.first_used_at is None:
            await machine_certificates.note_use(self._session, found.fingerprint, at=at)
        return found

    async def _ensure_appliance(self, name: str, *, key: bytes, now: datetime) -> UUID:
        """Find or make the appliance; one that was revoked is active again, for its operator has asked for it."""
        standing = await fleet.lock(self._session, name)
        if standing is None:
            appliance_id = uuid4()
            if await appliances.add(self._session, appliance_id=appliance_id, name=name, now=now):
                return appliance_id
            # Another of that name was added meanwhile, and is committed: now there is one to find.
            return await self._ensure_appliance(name, key=key, now=now)
        appliance_id = standing.appliance_id
        if standing.state is ApplianceState.QUARANTINED:
            raise quarantined()
        if await machine_certificates.is_quarantined(self._session, appliance_id, key):
            raise quarantined()
        if standing.state is ApplianceState.REVOKED:
            await fleet.set_state(self._session, appliance_id, ApplianceState.ACTIVE)
        return appliance_id
