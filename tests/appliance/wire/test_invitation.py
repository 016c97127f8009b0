"""An invitation comes back whole from its file and its QR code, or is refused as damaged."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.wire.codec import WireError
from appliance.wire.invitation import (
    MAX_INVITATION_BYTES,
    QR_PREFIX,
    Invitation,
    _from_base45,
    _to_base45,
    decode_invitation,
    encode_file,
    encode_qr,
)
from appliance.wire.problem import ProblemCode

_BEGAN: Final = datetime(2026, 3, 10, tzinfo=UTC)


def _certificate(number: int, *, signer: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """A root in DER; with ``signer`` one that another key has signed."""
    key = ec.derive_private_key(number, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"root {number}")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(number).not_valid_before(_BEGAN).not_valid_after(_BEGAN + timedelta(days=3650))
    signed = builder.sign(signer or key, hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


_ODD_SERIALS: Final = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
"""A changed byte may make the serial number negative, of which the library warns before the signature is looked at."""
_ROOTS: Final = [_certificate(number) for number in (1, 2, 3)]
_PLAIN: Final = Invitation(
    version=1,
    receiver="https://receiver.example:8443",
    appliance="hq",
    token=f"nte_{'a' * 32}_{'b' * 32}_{'0' * 8}",
    expires_at=datetime(2026, 3, 11, 12, tzinfo=UTC),
    trust_anchors=_ROOTS[:1],
)
_invitations: Final = st.builds(
    Invitation,
    version=st.just(1),
    receiver=st.from_regex(r"https://(?:[a-z0-9]{1,20}(?:\.[a-z]{2,6})?|\[::1\])(?::[0-9]{1,5})?", fullmatch=True),
    appliance=st.from_regex(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True),
    token=st.from_regex(r"nte_[a-z2-7]{32}_[a-z2-7]{32}_[0-9a-f]{8}", fullmatch=True),
    expires_at=st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, tz=UTC)),
    trust_anchors=st.lists(st.sampled_from(_ROOTS), min_size=1, max_size=8),
)


@given(_invitations)
def test_what_was_written_reads(invitation: Invitation) -> None:
    """The file and the QR code's text give back the same invitation."""
    assert decode_invitation(encode_file(invitation).encode()) == invitation
    assert decode_invitation(encode_qr(invitation).encode()) == invitation


def test_the_file_is_readable() -> None:
    """An installer sees which receiver and appliance it is for, until when, and certificates as PEM."""
    lines = encode_file(_PLAIN).splitlines()
    assert lines[:7] == [
        "natalia-invitation = 1",
        'receiver = "https://receiver.example:8443"',
        'appliance = "hq"',
        f'token = "{_PLAIN.token}"',
        "expires_at = 2026-03-11T12:00:00Z",
        'trust_anchors = """',
        "-----BEGIN CERTIFICATE-----",
    ]
    assert lines[-2:] == ["-----END CERTIFICATE-----", '"""']


def test_a_file_with_other_line_ends_reads() -> None:
    """A file that went through another system's editor, or a QR text with a line end behind it, is still whole."""
    assert decode_invitation(encode_file(_PLAIN).replace("\n", "\r\n").encode()) == _PLAIN
    assert decode_invitation(encode_qr(_PLAIN).encode() + b"\r\n") == _PLAIN


def test_the_qr_text_is_of_the_dense_alphabet() -> None:
    """Only letters of QR's alphanumeric mode (ISO/IEC 18004, 7.4.4) stand in the text."""
    assert set(encode_qr(_PLAIN)) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@pytest.mark.parametrize(
    ("plain", "spelled"),
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")],
)
def test_the_armour_is_base45(plain: bytes, spelled: str) -> None:
    """The examples of RFC 9285, 4.3 and 4.4, hold."""
    assert _to_base45(plain) == spelled
    assert _from_base45(spelled) == plain


def _refused(content: bytes) -> str:
    with pytest.raises(WireError) as refusal:
        decode_invitation(content)
    assert refusal.value.code is ProblemCode.MALFORMED_REQUEST
    assert _PLAIN.token not in str(refusal.value)
    return str(refusal.value)


@given(data=st.data(), encode=st.sampled_from([encode_file, encode_qr]))
def test_a_cut_invitation_is_refused(data: st.DataObject, encode: Callable[[Invitation], str]) -> None:
    """Whatever is missing at the end is missed; a line end is nothing."""
    text = encode(_PLAIN).rstrip("\n")
    _refused(text[: data.draw(st.integers(0, len(text) - 1))].encode())


@_ODD_SERIALS
@given(position=st.integers(0, 10_000), letter=st.sampled_from("ABCXYZ0189+/ "))
def test_a_certificate_with_one_wrong_letter_is_refused(position: int, letter: str) -> None:
    """A trust anchor proves itself, so a letter that was miscopied is found before it is used."""
    head, begin, rest = encode_file(_PLAIN).partition("-----BEGIN CERTIFICATE-----\n")
    armour, end, tail = rest.partition("=\n-----END") if "=\n-----END" in rest else rest.partition("\n-----END")
    position %= len(armour)
    changed = armour[:position] + letter + armour[position + 1 :]
    assume(changed != armour and armour[position] != "\n")
    _refused((head + begin + changed + end + tail).encode())


@_ODD_SERIALS
def test_a_certificate_with_one_wrong_bit_is_refused() -> None:
    """Whichever bit of a trust anchor is changed, version and algorithm among them, the invitation is damaged."""
    for position in range(len(_ROOTS[0])):
        for bit in range(8):
            changed = bytearray(_ROOTS[0])
            changed[position] ^= 1 << bit
            _refused(encode_qr(replace(_PLAIN, trust_anchors=[bytes(changed)])).encode())


_STRAYS: Final = {
    "nothing": b"",
    "another text": b"hello",
    "not UTF-8": b"\xff\xfe",
    "another version": encode_file(_PLAIN).replace("natalia-invitation = 1", "natalia-invitation = 2").encode(),
    "no version": encode_file(_PLAIN).replace("natalia-invitation = 1\n", "").encode(),
    "an unknown option": b"insecure = true\n" + encode_file(_PLAIN).encode(),
    "no token": "\n".join(line for line in encode_file(_PLAIN).splitlines() if not line.startswith("token")).encode(),
    "plain HTTP": encode_file(_PLAIN).replace("https://", "http://").encode(),
    "a path": encode_file(_PLAIN).replace(":8443", ":8443/x").encode(),
    "no anchors": b"%s" % encode_file(_PLAIN).partition("trust_anchors")[0].encode() + b"trust_anchors = []\n",
    "anchors of another type": encode_file(_PLAIN).partition("trust_anchors")[0].encode() + b"trust_anchors = 7\n",
    "an anchor that is no certificate": (
        encode_file(_PLAIN).partition("trust_anchors")[0].encode() + b'trust_anchors = ["aGVsbG8="]\n'
    ),
    "a foreign signature": encode_qr(
        replace(_PLAIN, trust_anchors=[_certificate(4, signer=ec.derive_private_key(5, ec.SECP256R1()))])
    ).encode(),
    "too many anchors": encode_file(replace(_PLAIN, trust_anchors=_ROOTS * 3)).encode(),
    "a local time": encode_file(_PLAIN).replace("12:00:00Z", "12:00:00").encode(),
    "another offset": encode_file(_PLAIN).replace("12:00:00Z", "12:00:00+01:00").encode(),
    "part of a second": encode_file(_PLAIN).replace("12:00:00Z", "12:00:00.5Z").encode(),
    "deep": b"a = " + b"[" * 20_000,
    "too long": encode_file(_PLAIN).encode() + b"#" * MAX_INVITATION_BYTES,
    "QR: nothing": QR_PREFIX.encode(),
    "QR: a small letter": encode_qr(_PLAIN).lower().replace("natalia1", "NATALIA1").encode(),
    "QR: a group too large": (QR_PREFIX + ":::").encode(),
    "QR: a last group too large": (QR_PREFIX + "::").encode(),
    "QR: a group too short": (QR_PREFIX + "AAAA").encode(),
    "QR: a letter out of place": encode_qr(_PLAIN).replace("NATALIA1:", "NATALIA1:0").encode(),
}


@pytest.mark.parametrize("kind", _STRAYS)
def test_what_is_no_invitation_is_refused(kind: str) -> None:
    """Every other content is refused with one typed error that quotes nothing."""
    assert _refused(_STRAYS[kind]).startswith("the invitation cannot be used: ")


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: QR_PREFIX.encode() + tail))
def test_any_bytes_are_refused_without_another_error(content: bytes) -> None:
    """Whatever lies in the file raises the one error."""
    _refused(content)


def test_the_token_does_not_show() -> None:
    """An invitation in a log line or traceback shows whose it is, no secret."""
    assert repr(_PLAIN) == "Invitation(receiver='https://receiver.example:8443', appliance='hq')"
    assert _PLAIN.token not in str(_PLAIN)


def test_a_time_is_written_in_utc() -> None:
    """Whatever zone the encoder is given, the file and the QR code name the same instant."""
    east = replace(_PLAIN, expires_at=_PLAIN.expires_at.astimezone(timezone(timedelta(hours=2))))
    assert decode_invitation(encode_file(east).encode()) == _PLAIN
    assert decode_invitation(encode_qr(east).encode()) == _PLAIN
