"""Read what a renewal's certificate request says beside its key: one attribute, the machine's evidence.

Names and extensions that a request may ask for are ignored: a renewal changes the key and nothing else.
"""

from typing import Final

from cryptography import x509

from appliance.wire.codec import WireError, decode_renewal_evidence
from appliance.wire.enrollment import EVIDENCE_ATTRIBUTE, RenewalEvidence
from appliance.wire.problem import ProblemCode
from receiver.domain.machine_evidence import believe_evidence
from receiver.domain.machine_facts import MachineFacts
from receiver.errors import ProblemError

_EVIDENCE: Final = x509.ObjectIdentifier(EVIDENCE_ATTRIBUTE)


def read_evidence(request: x509.CertificateSigningRequest) -> RenewalEvidence:
    """Give the evidence that a request carries.

    Raises:
        ProblemError: ``malformed_request``: none, more than one, or not of the wire's form.
    """
    try:
        found = [attribute.value for attribute in request.attributes if attribute.oid == _EVIDENCE]
    except ValueError:
        raise _malformed("its attributes cannot be read") from None
    if len(found) != 1:
        raise _malformed("it must carry the evidence attribute once")
    try:
        return decode_renewal_evidence(found[0])
    except WireError as error:
        raise _malformed(f"its evidence is not of the wire's form: {error}") from None


def believe_renewal(shown: RenewalEvidence, *, public_key: bytes, occasion: bytes) -> MachineFacts | None:
    """Give what a renewal proves of its machine; None for one without a TPM.

    Args:
        shown: as the request carries it.
        public_key: the certificate request's key, proven, SubjectPublicKeyInfo in DER.
        occasion: the certificate in use, DER.

    Raises:
        ProblemError: ``evidence_invalid``.
    """
    return believe_evidence(
        shown.evidence, key_protection=shown.key_protection, public_key=public_key, occasion=occasion
    )


def _malformed(detail: str) -> ProblemError:
    return ProblemError(
        ProblemCode.MALFORMED_REQUEST,
        detail=f"the certificate request cannot be used: {detail}",
        hint="Send PKCS #10 in DER with the evidence attribute, as the wire contract says.",
    )
