"""Read certificate requests (PKCS #10, RFC 2986): a P-256 key that has signed its own request, nothing else.

What a request asks for beside its key is left to the caller, who may ignore it.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from receiver.errors import CsrInvalidError


def parse_der(content: bytes) -> x509.CertificateSigningRequest:
    """Read a request as the wire carries it; raises ``CsrInvalidError``."""
    try:
        return x509.load_der_x509_csr(content)
    except (ValueError, x509.InvalidVersion):
        raise CsrInvalidError("it is not a certificate request in DER") from None


def proven_key(request: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    """Give a request's key.

    Raises:
        CsrInvalidError: a key of another kind, or no proof of possession.
    """
    try:
        key = request.public_key()
        proven = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise CsrInvalidError("the request's key or signature cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CsrInvalidError("the key is not one of P-256")
    if not proven:
        raise CsrInvalidError("the request is not signed by its own key")
    return key


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """Spell a key as SubjectPublicKeyInfo, DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
