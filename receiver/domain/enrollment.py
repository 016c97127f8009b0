"""What an enrollment is called, what is believed of a machine that asks for one, and what is sent to it.

A challenge opens for the machine alone that was shown: for a TPM by its endorsement key on the condition that the
attestation key lies beside it, without one by the transport key of the request. The tenant secret is sealed under
what the challenge gives, so it needs no second proof.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from appliance.wire.codec import encode_enrollment
from appliance.wire.enrollment import (
    EnrollmentRequest,
    FileEvidence,
    HpkeChallenge,
    TenantSecrets,
    TpmChallenge,
    seal_key,
)
from appliance.wire.problem import ProblemCode
from receiver.domain.machine_evidence import believe_evidence
from receiver.domain.machine_facts import MachineFacts
from receiver.domain.tpm_credential import make_credential
from receiver.domain.tpm_marshalling import refused
from receiver.domain.tpm_public import parse_endorsement_key
from receiver.domain.transport_seal import seal_to_transport_key
from receiver.errors import ProblemError

LIFETIME: Final = timedelta(hours=1)
"""Between the two steps; whoever is late begins again."""
SEAL_NONCE_BYTES: Final = 12
_ID_LETTERS: Final = 64


class EnrollmentName(Struct, frozen=True):
    """An enrollment within its tenant."""

    tenant_id: UUID
    enrollment_id: UUID


def spell_name(name: EnrollmentName) -> str:
    """Give ``wire.enrollment.EnrollmentId``."""
    return name.tenant_id.hex + name.enrollment_id.hex


def parse_name(text: str) -> EnrollmentName:
    """Read an enrollment's id.

    Raises:
        ProblemError: ``unauthenticated``.
    """
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise unproven() from None
    if len(text) != _ID_LETTERS or octets.hex() != text:
        raise unproven()
    return EnrollmentName(tenant_id=UUID(bytes=octets[:16]), enrollment_id=UUID(bytes=octets[16:]))


def believe(request: EnrollmentRequest, *, public_key: bytes, occasion: bytes) -> MachineFacts | None:
    """Give what a request proves of its machine; None for one without a TPM.

    Args:
        request: as it came.
        public_key: the certificate request's key, proven, SubjectPublicKeyInfo in DER.
        occasion: as of ``wire.enrollment.binding``.

    Raises:
        ProblemError: ``evidence_invalid``.
    """
    if isinstance(request.evidence, FileEvidence) is (request.transport_key is None):
        raise refused("a machine without a TPM sends a transport key, one with a TPM none")
    return believe_evidence(
        request.evidence, key_protection=request.key_protection, public_key=public_key, occasion=occasion
    )


def make_challenge(
    request: EnrollmentRequest,
    *,
    facts: MachineFacts | None,
    secret: bytes,
    enrollment: str,
    random: Callable[[int], bytes],
) -> TpmChallenge | HpkeChallenge:
    """Seal the transport secret to the machine of a request that was believed.

    Args:
        request: as it came.
        facts: what ``believe`` gave for it.
        secret: ``TRANSPORT_SECRET_BYTES`` random bytes.
        enrollment: the enrollment's id.
        random: gives so many random bytes.

    Raises:
        ProblemError: ``malformed_request``: nothing can be sealed to the transport key.
    """
    if facts is None or isinstance(request.evidence, FileEvidence):
        return seal_to_transport_key(request.transport_key or b"", secret=secret, enrollment=enrollment)
    endorsement = parse_endorsement_key(request.evidence.endorsement_key)
    return make_credential(endorsement, name=facts.ak_name, secret=secret, random=random)


def seal_secrets(secrets: TenantSecrets, *, transport_secret: bytes, enrollment: str, nonce: bytes) -> bytes:
    """Give ``EnrollmentAnswer.sealed``; ``nonce`` is fresh, ``SEAL_NONCE_BYTES`` long."""
    cipher = AESGCM(seal_key(transport_secret))
    return nonce + cipher.encrypt(nonce, encode_enrollment(secrets), enrollment.encode("ascii"))


def unproven() -> ProblemError:
    """The one refusal for every second step that does not follow from a first."""
    return ProblemError(
        ProblemCode.UNAUTHENTICATED,
        detail="no such enrollment waits for its certificate, or the proof is another's",
        hint="Begin the enrollment again; the invitation is not used up by it.",
        scheme='Basic realm="natalia"',
    )
