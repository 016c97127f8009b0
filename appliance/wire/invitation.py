"""An invitation: all that a machine needs to be enrolled, as a file (TOML) and as the text of a QR code.

The QR code's text is ``NATALIA1:`` and base45 (RFC 9285) of MessagePack: 45 letters are what QR's dense mode knows,
and the certificates need no second armour. Whatever is read is checked to the end: a trust anchor must verify as
signed by itself, so that a damaged one is noticed here and not as an unreachable receiver.
"""

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Meta, Struct, field

from appliance.wire.codec import WireError
from appliance.wire.enrollment import Der, Token
from appliance.wire.problem import ProblemCode

QR_PREFIX: Final = "NATALIA1:"
MAX_INVITATION_BYTES: Final = 32 * 1024
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE: Final = len(_LETTERS)
_VALUE_OF: Final = {letter: value for value, letter in enumerate(_LETTERS)}
_LENGTH_OF_GROUP: Final = {3: 2, 2: 1}
_NO_OFFSET: Final = timedelta()
_ENCODER: Final = msgspec.msgpack.Encoder()

ReceiverUrl = Annotated[
    str, Meta(pattern=r"^https://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
]
ApplianceName = Annotated[str, Meta(pattern=r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")]


class Invitation(Struct, frozen=True, forbid_unknown_fields=True):
    """What the receiver's operator hands to the installer; whoever holds it first may enrol as this appliance."""

    version: Literal[1] = field(name="natalia-invitation")
    receiver: ReceiverUrl
    appliance: ApplianceName
    token: Token
    expires_at: Annotated[datetime, Meta(tz=True)]
    """UTC, whole seconds."""
    trust_anchors: Annotated[list[Der], Meta(min_length=1, max_length=8)]
    """Self-signed roots, DER."""

    def __repr__(self) -> str:
        """Show whose it is, never the token."""
        return f"Invitation(receiver={self.receiver!r}, appliance={self.appliance!r})"


def encode_file(invitation: Invitation) -> str:
    """Spell the invitation's file. No value needs escaping: none of the allowed forms holds a quote or backslash."""
    roots = map(x509.load_der_x509_certificate, invitation.trust_anchors)
    anchors = "".join(root.public_bytes(Encoding.PEM).decode("ascii") for root in roots)
    return (
        f"natalia-invitation = {invitation.version}\n"
        f'receiver = "{invitation.receiver}"\n'
        f'appliance = "{invitation.appliance}"\n'
        f'token = "{invitation.token}"\n'
        f"expires_at = {invitation.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}\n"
        f'trust_anchors = """\n{anchors}"""\n'
    )


def encode_qr(invitation: Invitation) -> str:
    """Spell the QR code's text."""
    return QR_PREFIX + _to_base45(_ENCODER.encode(invitation))


def decode_invitation(content: bytes) -> Invitation:
    """Read an invitation's file, or a file that holds the text of its QR code.

    Raises:
        WireError: ``malformed_request``: too long, damaged, or not of version 1.
    """
    if len(content) > MAX_INVITATION_BYTES:
        raise _damaged("it is too long")
    try:
        text = content.decode("utf-8")
        if text.startswith(QR_PREFIX):
            packed = _from_base45(text.removeprefix(QR_PREFIX).rstrip("\r\n"))
            invitation = msgspec.msgpack.decode(packed, type=Invitation)
        else:
            invitation = _from_toml(text)
    except (ValueError, RecursionError, x509.InvalidVersion):
        # The library's texts quote what they found, which may be the token.
        raise _damaged("it does not read as one of version 1") from None
    if invitation.expires_at.utcoffset() != _NO_OFFSET or invitation.expires_at.microsecond:
        raise _damaged("its end is not in UTC and whole seconds")
    if not all(map(_is_root, invitation.trust_anchors)):
        raise _damaged("a trust anchor is no self-signed certificate")
    return invitation


def _from_toml(text: str) -> Invitation:
    document = tomllib.loads(text)
    anchors = document.get("trust_anchors")
    if isinstance(anchors, str):
        roots = x509.load_pem_x509_certificates(anchors.encode("utf-8"))
        document["trust_anchors"] = [root.public_bytes(Encoding.DER) for root in roots]
    return msgspec.convert(document, Invitation)


def _is_root(der: bytes) -> bool:
    try:
        root = x509.load_der_x509_certificate(der)
        root.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion):
        return False
    return True


def _damaged(reason: str) -> WireError:
    return WireError(ProblemCode.MALFORMED_REQUEST, f"the invitation cannot be used: {reason}")


def _to_base45(content: bytes) -> str:
    pairs = [content[start : start + 2] for start in range(0, len(content), 2)]
    return "".join(_spell(int.from_bytes(pair, "big"), letters=len(pair) + 1) for pair in pairs)


def _spell(value: int, *, letters: int) -> str:
    return "".join(_LETTERS[value // _BASE**place % _BASE] for place in range(letters))


def _from_base45(text: str) -> bytes:
    """Undo ``_to_base45``; raises ``ValueError``."""
    content = bytearray()
    for start in range(0, len(text), 3):
        group = text[start : start + 3]
        if len(group) not in _LENGTH_OF_GROUP or not _VALUE_OF.keys() >= set(group):
            raise ValueError("not base45")
        value = sum(_VALUE_OF[letter] * _BASE**place for place, letter in enumerate(group))
        length = _LENGTH_OF_GROUP[len(group)]
        if value >= 256**length:
            raise ValueError("not base45")
        content += value.to_bytes(length, "big")
    return bytes(content)
