"""What a machine certificate says, and whether it may be believed. Functions of values; the time is an argument.

Rules: the chain verifies up to the given anchors (RFC 5280, client authentication), the leaf holds our own key, and
names exactly one appliance of one tenant: ``urn:natalia:tenant:<uuid>:appliance:<name>``.
"""

import re
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from msgspec import Struct

from appliance.errors import CertificateUntrustedError, ClockOffError, IdentityMismatchError

MAX_PEM_BYTES: Final = 24 * 1024
"""Of a chain or of a set of trust anchors: a certificate of P-256 has about 900 bytes."""
_APPLIANCE_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_URN: Final = re.compile(rf"urn:natalia:tenant:([0-9a-f-]{{36}}):appliance:({_APPLIANCE_NAME.pattern})", re.ASCII)


UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises at a certificate that is damaged or odd; it reads most parts when they are asked for."""


class MachineName(Struct, frozen=True):
    """One appliance of one tenant."""

    tenant: str
    """A UUID in its usual spelling."""
    appliance: str


def parse_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read PEM certificates, at least one.

    Raises:
        IdentityMismatchError: it is none, or too many.
    """
    if len(pem) > MAX_PEM_BYTES:
        raise IdentityMismatchError("more certificates than a chain has")
    try:
        return x509.load_pem_x509_certificates(pem)
    except UNREADABLE:
        raise IdentityMismatchError("no PEM certificate") from None


def verify_chain(chain: list[x509.Certificate], anchors: list[x509.Certificate], *, now: datetime) -> None:
    """Believe ``chain``, leaf first, if it leads to one of ``anchors`` and every part of it is valid ``now``.

    Raises:
        ClockOffError: the leaf is not valid now.
        CertificateUntrustedError: it does not verify otherwise.
    """
    require_time(chain[0], now=now)
    verifier = PolicyBuilder().store(Store(anchors)).time(now).build_client_verifier()
    try:
        verifier.verify(chain[0], chain[1:])
    except (VerificationError, *UNREADABLE):
        raise CertificateUntrustedError("the certificate does not verify up to the trust anchors") from None


def require_time(certificate: x509.Certificate, *, now: datetime) -> None:
    """Refuse a certificate that is not valid yet, or not any more.

    Raises:
        ClockOffError: its message holds the machine's own date.
    """
    if now < certificate.not_valid_before_utc:
        raise ClockOffError(f"by this machine's clock ({now:%Y-%m-%d %H:%M} UTC) a certificate is not valid yet")
    if now > certificate.not_valid_after_utc:
        raise ClockOffError(f"by this machine's clock ({now:%Y-%m-%d %H:%M} UTC) a certificate is not valid any more")


def require_key(leaf: x509.Certificate, public_key: bytes) -> None:
    """Refuse a certificate of another key than ``public_key``, SubjectPublicKeyInfo in DER.

    Raises:
        IdentityMismatchError: it is.
    """
    try:
        theirs = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except UNREADABLE:
        theirs = b""
    if theirs != public_key:
        raise IdentityMismatchError("the certificate was not made for this machine's key")


def name_of(leaf: x509.Certificate) -> MachineName:
    """Read whom the certificate names.

    Raises:
        IdentityMismatchError: not exactly one appliance.
    """
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except UNREADABLE:
        raise IdentityMismatchError("the certificate names no appliance") from None
    matches = [_URN.fullmatch(uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]
    if len(matches) != 1 or (match := matches[0]) is None:
        raise IdentityMismatchError("the certificate does not name one appliance")
    return MachineName(tenant=_uuid(match[1]), appliance=match[2])


def _uuid(text: str) -> str:
    try:
        canonical = str(UUID(text))
    except ValueError:
        canonical = ""
    if canonical != text:
        raise IdentityMismatchError("the certificate does not name a tenant")
    return text
