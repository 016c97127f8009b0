"""What a machine and the receiver say to one another at enrollment, at a renewal and at a return.

1. ``POST /v1/enrollments``: the token of the invitation, a certificate request, and evidence of the machine. The answer
   holds a challenge that only this machine opens, and the tenant secret sealed under what the challenge gives.
2. ``POST /.well-known/est/simpleenroll`` (RFC 7030 4.2): the same request; its password is the proof that the
   challenge was opened. The answer is the certificate.
3. ``POST /.well-known/est/simplereenroll`` (RFC 7030 4.2.2), with the certificate in use: evidence stands in the
   request as an attribute.

Evidence is bound to the request's key and to the occasion by ``binding``. Byte strings are base64 in JSON.
"""

import hashlib
import hmac
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from appliance.wire.batch import KeyProtection

ENROLLMENTS_PATH: Final = "/v1/enrollments"
CA_CERTIFICATES_PATH: Final = "/.well-known/est/cacerts"
SIMPLE_ENROLL_PATH: Final = "/.well-known/est/simpleenroll"
SIMPLE_REENROLL_PATH: Final = "/.well-known/est/simplereenroll"
REQUEST_MEDIA_TYPE: Final = "application/pkcs10"
CERTIFICATES_MEDIA_TYPE: Final = "application/pkcs7-mime"
EVIDENCE_ATTRIBUTE: Final = "2.25.187541243816547338052467101852917465361"
"""PKCS #10 attribute: a ``RenewalEvidence`` as JSON. The OID is a UUID (ITU-T X.667)."""

TRANSPORT_SECRET_BYTES: Final = 32
TENANT_SECRET_BYTES: Final = 32
COUNTER_INDEX: Final = 0x01844E45
"""The NV counter of evidence, in the owner's range: SHA-256, 8 bytes, authWrite, authRead, noDA, no policy."""
_TRANSPORT: Final = b"natalia/enrollment/transport/v1"
_BINDING: Final = b"natalia/evidence/v1"
_SEAL: Final = b"natalia/enrollment/seal/v1"
_PROOF: Final = b"natalia/enrollment/proof/v1"

Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
TpmBytes = Annotated[bytes, Meta(min_length=1, max_length=4096)]
Der = Annotated[bytes, Meta(min_length=1, max_length=8192)]
Token = Annotated[str, Meta(pattern=r"^nte_[a-z2-7]{32}_[a-z2-7]{32}_[0-9a-f]{8}\Z")]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")]
EnrollmentId = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""The tenant's id, then one for the enrollment, 16 bytes each in hex, so that it is found within its tenant alone."""


class TpmEvidence(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="tpm.v1"):
    """What a TPM says of itself; structures as TPM 2.0 part 2 marshals them, signatures are TPMT_SIGNATURE."""

    endorsement_key: TpmBytes
    """TPMT_PUBLIC by one of the TCG's templates L-1 (RSA-2048), L-2 (P-256) and H-3 (P-384)."""
    endorsement_certificate: Der | None
    attestation_key: TpmBytes
    """TPMT_PUBLIC: restricted, ECDSA P-256 with SHA-256; a primary key of the endorsement hierarchy.

    Only such a key's statements give the counts of restarts as they are (part 2, TPMS_ATTEST).
    """
    quote: TpmBytes
    """TPMS_ATTEST of TPM2_Quote over PCR 7 and 11; its extraData is ``binding``."""
    quote_signature: TpmBytes
    counter: TpmBytes
    """TPMS_ATTEST of TPM2_NV_Certify over the counter; its extraData is ``binding``."""
    counter_signature: TpmBytes
    key: TpmBytes | None = None
    """TPMS_ATTEST of TPM2_Certify over the request's key, where that lives in the TPM; its extraData is ``binding``.

    Such a key is P-256, SHA-256, without scheme or policy, fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth,
    noDA, sign: the receiver derives its Name.
    """
    key_signature: TpmBytes | None = None


class FileEvidence(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="file.v1"):
    """A machine without a TPM: it has nothing to show but the request's key itself."""


Evidence = TpmEvidence | FileEvidence


class Return(Struct, frozen=True, forbid_unknown_fields=True):
    """A machine whose certificate ended: the certificate, and its key's ECDSA signature (DER) over ``binding``."""

    certificate: Der
    signature: Annotated[bytes, Meta(min_length=8, max_length=80)]


class EnrollmentRequest(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="enrollment.v1"):
    """A machine that wants a certificate: a new one with a token, one that was off too long with ``returning``."""

    request: Der
    """PKCS #10, DER; a P-256 key, signed by it. The names in it are ignored."""
    key_protection: KeyProtection
    evidence: Evidence
    transport_key: Key | None = None
    """X25519; for a machine without a TPM. One with a TPM is sent a credential."""
    token: Token | None = None
    returning: Return | None = None


class TpmChallenge(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="credential.v1"):
    """TPM2_MakeCredential's two outputs (TPM 2.0 part 1, 24): the endorsement key opens it for the attestation key."""

    credential: TpmBytes
    """TPM2B_ID_OBJECT's content."""
    secret: TpmBytes
    """TPM2B_ENCRYPTED_SECRET's content."""


class HpkeChallenge(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="hpke.v1"):
    """RFC 9180, base mode, X25519 / HKDF-SHA256 / AES-256-GCM; its info is ``transport_info``, no AAD."""

    ciphertext: Annotated[bytes, Meta(min_length=48, max_length=256)]
    """Encapsulated key and ciphertext."""


class EnrollmentState(StrEnum):
    """How far an enrollment is."""

    READY = "ready"
    WAITING = "waiting_for_approval"
    """An administrator of the tenant must agree; ask again."""


class EnrollmentAnswer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="enrollment_answer.v1"):
    """What the machine gets; without challenge and secrets while it waits."""

    enrollment: EnrollmentId
    tenant: Uuid
    appliance: Annotated[str, Meta(max_length=63)]
    state: EnrollmentState
    challenge: TpmChallenge | HpkeChallenge | None = None
    sealed: Annotated[bytes, Meta(min_length=28, max_length=4096)] | None = None
    """12 bytes of nonce, then AES-256-GCM of ``TenantSecrets`` as JSON under ``seal_key``; AAD is ``enrollment``."""


class TenantSecrets(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="tenant_secrets.v1"):
    """What is sealed."""

    key_version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    tenant_secret: Key

    def __repr__(self) -> str:
        """Say what it is, not what it holds."""
        return "TenantSecrets(…)"


class RenewalEvidence(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="renewal.v1"):
    """What a renewal's request carries as an attribute."""

    key_protection: KeyProtection
    evidence: Evidence


def binding(public_key: bytes, occasion: bytes) -> bytes:
    """What evidence signs: 32 bytes.

    Args:
        public_key: the request's key, SubjectPublicKeyInfo in DER.
        occasion: the token in ASCII at an enrollment, the DER certificate in use at a renewal or a return.
    """
    return hashlib.sha256(_BINDING + hashlib.sha256(public_key).digest() + hashlib.sha256(occasion).digest()).digest()


def transport_info(enrollment: str) -> bytes:
    """What ties an ``HpkeChallenge`` to its enrollment."""
    return _TRANSPORT + enrollment.encode("ascii")


def seal_key(transport_secret: bytes) -> bytes:
    """The AES-256 key of ``EnrollmentAnswer.sealed``."""
    return hmac.digest(transport_secret, _SEAL, "sha256")


def proof(transport_secret: bytes, request: bytes) -> str:
    """The password of ``simpleenroll``, in hex, for the DER request; the user name is the enrollment's id."""
    return hmac.digest(transport_secret, _PROOF + hashlib.sha256(request).digest(), "sha256").hex()
