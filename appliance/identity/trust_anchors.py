"""Which CA certificates may be trusted. Functions of values; the time is an argument.

Rules: each that is offered is a CA by RFC 5280 (critical basicConstraints, keyUsage with keyCertSign, a key
identifier); only those that are signed by themselves become anchors, at most ``MAX_ANCHORS``; the others were sent for
building chains, maybe from a root that was retired here, and are dropped; so is one whose time is over; one that is
valid now must be left.

That they come from the receiver, a verified connection or an invitation says, not this module.
"""

from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.errors import CertificateUntrustedError
from appliance.identity.certificate import UNREADABLE, parse_certificates, require_time

MAX_ANCHORS: Final = 8
"""Several rollovers at once."""


def select_anchors(offered: bytes, *, now: datetime) -> bytes:
    """Give the trust anchors among ``offered``, both PEM.

    Raises:
        IdentityMismatchError: no PEM certificate.
        ClockOffError: none is valid now, only because of the time.
        CertificateUntrustedError: one is no proper CA, or there are too many.
    """
    certificates = parse_certificates(offered)
    if not all(map(_is_ca, certificates)):
        raise CertificateUntrustedError("a trust anchor is no CA certificate")
    roots = [certificate for certificate in dict.fromkeys(certificates) if _is_signed_by_itself(certificate)]
    if len(roots) > MAX_ANCHORS:
        raise CertificateUntrustedError(f"more than {MAX_ANCHORS} trust anchors")
    if not roots:
        raise CertificateUntrustedError("no trust anchor is signed by itself")
    kept = [root for root in roots if now <= root.not_valid_after_utc]
    if not any(root.not_valid_before_utc <= now for root in kept):
        require_time(roots[0], now=now)
    return b"".join(root.public_bytes(Encoding.PEM) for root in kept)


def _is_signed_by_itself(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
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
