"""Which CA certificates may be trusted. Functions of values; the time is an argument.

Rules: at most ``MAX_ANCHORS``; each is a CA by RFC 5280 (critical basicConstraints, keyUsage with keyCertSign, a key
identifier) and signed by itself, or by a CA that is trusted already or stands beside it; only those that signed
themselves become anchors (the others were sent for building chains); one whose time is over is dropped; one valid now
must be left.

That they come from the receiver, a verified connection or an invitation says, not this module.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.errors import CertificateUntrustedError
from appliance.identity.certificate import UNREADABLE, parse_certificates, require_time

MAX_ANCHORS: Final = 8
"""Old, new and one in between, each with its cross-signed copies (RFC 7030 4.1.3)."""


def select_anchors(offered: bytes, *, now: datetime, trusted: Sequence[x509.Certificate] = ()) -> bytes:
    """Give the trust anchors among ``offered``, both PEM.

    Raises:
        IdentityMismatchError: no PEM certificate.
        ClockOffError: none is valid now, only because of the time.
        CertificateUntrustedError: one is no proper CA, or there are too many.
    """
    certificates = parse_certificates(offered)
    if len(certificates) > MAX_ANCHORS:
        raise CertificateUntrustedError(f"more than {MAX_ANCHORS} trust anchors")
    roots = [certificate for certificate in certificates if _is_signed_by(certificate, certificate)]
    for certificate in certificates:
        if not _is_ca(certificate):
            raise CertificateUntrustedError("a trust anchor is no CA certificate")
        if not any(_is_signed_by(certificate, issuer) for issuer in (*certificates, *trusted)):
            raise CertificateUntrustedError("a trust anchor is signed by nobody that is trusted")
    if not roots:
        raise CertificateUntrustedError("no trust anchor is signed by itself")
    kept = [root for root in roots if now <= root.not_valid_after_utc]
    if not any(root.not_valid_before_utc <= now for root in kept):
        require_time(roots[0], now=now)
    return b"".join(root.public_bytes(Encoding.PEM) for root in dict.fromkeys(kept))


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except UNREADABLE:
        return False
    return constraints.critical and constraints.value.ca and usage.value.key_cert_sign
