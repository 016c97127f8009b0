"""Certificates as EST carries them: PKCS #7 without content (RFC 7030 4.1.3), always in base64 (RFC 8951).

Rules: strict DER, at most ``MAX_CERTIFICATES``; a chain begins with the leaf of the request's key and goes up issuer by
issuer; what belongs to no chain is left out, as is the root. Whether anything may be believed, ``identity`` says.
"""

import base64
import warnings
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7

MAX_CERTIFICATES: Final = 16
_UNREADABLE: Final = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion, Warning)


class CertificatesError(ValueError):
    """No certificates, too many, or none for the request."""


def decode_certificates(body: bytes) -> list[x509.Certificate]:
    """Read an answer's body.

    Raises:
        CertificatesError: it is none.
    """
    try:
        with warnings.catch_warnings():
            # The library reads looser encodings too, but warns before it does.
            warnings.simplefilter("error")
            certificates = pkcs7.load_der_pkcs7_certificates(base64.b64decode(b"".join(body.split()), validate=True))
    except _UNREADABLE:
        raise CertificatesError("the answer holds no certificates") from None
    if not 0 < len(certificates) <= MAX_CERTIFICATES:
        raise CertificatesError("the answer holds no certificates, or too many")
    return certificates


def to_pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """Spell certificates as PEM, in order."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def chain_of(request: bytes, certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Give the chain of the request's key (PKCS #10, DER), leaf first.

    Raises:
        CertificatesError: no certificate is of that key.
    """
    key = _key_of(x509.load_der_x509_csr(request))
    chain = [certificate for certificate in certificates if _key_of(certificate) == key][:1]
    if not chain:
        raise CertificatesError("no certificate is for this request")
    left = [certificate for certificate in certificates if not _issued(certificate, certificate)]
    while issuers := [other for other in left if other not in chain and _issued(other, chain[-1])]:
        chain.append(issuers[0])
    return chain


def _key_of(holder: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    try:
        return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _UNREADABLE:
        return b""


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except _UNREADABLE:
        return False
    return True
