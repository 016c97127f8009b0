"""Certificates as EST carries them."""

import base64
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st

from appliance.identity.machine_key import MachineKey
from appliance.uplink.certs_only import MAX_CERTIFICATES, CertificatesError, chain_of, decode_certificates, to_pem
from tests.support.enrollment_desk import certificates, certify
from tests.support.tls_peer import Authority

ROOT = Authority()
ISSUING = Authority(issuer=ROOT)
REQUEST = MachineKey.generate().request()
DER = pkcs7.serialize_certificates([ROOT.certificate], Encoding.DER)
LEAF = certify(REQUEST, authority=ISSUING)


@pytest.mark.parametrize("ends", [b"", b"\n", b"\r\n", b" "], ids=["one line", "LF", "CRLF", "spaces"])
def test_base64_is_read_however_its_lines_end(ends: bytes) -> None:
    """RFC 8951 3.1: with line ends or without."""
    lines = base64.b64encode(DER)
    assert decode_certificates(ends.join((lines[:64], lines[64:], b""))) == [ROOT.certificate]


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "in reverse"])
def test_a_chain_begins_with_the_requests_leaf(*, turned: bool) -> None:
    """In whatever order they came (PKCS #7 holds a set); the root is left out."""
    came = [LEAF, ISSUING.certificate, ROOT.certificate]
    assert chain_of(REQUEST, came[::-1] if turned else came) == [LEAF, ISSUING.certificate]


def test_certificates_of_no_chain_are_left_out() -> None:
    """Another machine's, a stranger's CA, and one of the same name by another key."""
    other = certify(MachineKey.generate().request(), authority=ISSUING)
    assert chain_of(REQUEST, [other, Authority(issuer=Authority()).certificate, ISSUING.certificate, LEAF]) == [
        LEAF,
        ISSUING.certificate,
    ]


def test_a_leaf_that_stands_twice_is_one() -> None:
    """And so is its issuer: no loop."""
    assert chain_of(REQUEST, [LEAF, LEAF, ISSUING.certificate, ISSUING.certificate]) == [LEAF, ISSUING.certificate]


def test_two_cas_that_signed_one_another_are_no_loop() -> None:
    """The chain goes up each once."""
    one, two = Authority(), Authority()
    crossed = [_crossed(one, two), _crossed(two, one)]
    leaf = certify(REQUEST, authority=one)
    assert chain_of(REQUEST, [leaf, *crossed]) == [leaf, *crossed]


def _crossed(subject: Authority, issuer: Authority) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(subject.name).issuer_name(issuer.name)
    builder = builder.public_key(subject.key.public_key()).serial_number(7)
    builder = builder.not_valid_before(subject.certificate.not_valid_before_utc)
    builder = builder.not_valid_after(subject.certificate.not_valid_after_utc)
    return builder.sign(issuer.key, SHA256())


def test_without_a_leaf_for_the_request_there_is_no_chain() -> None:
    """Another machine's certificate is none of ours."""
    with pytest.raises(CertificatesError, match="for this request"):
        chain_of(REQUEST, [certify(MachineKey.generate().request(), authority=ISSUING), ISSUING.certificate])


def test_pem_keeps_the_order() -> None:
    """As OpenSSL wants it."""
    assert to_pem([LEAF, ROOT.certificate]) == LEAF.public_bytes(Encoding.PEM) + ROOT.pem


def test_there_are_not_many() -> None:
    """As many as allowed pass, one more does not."""
    many = [Authority().certificate for _ in range(MAX_CERTIFICATES + 1)]
    assert len(decode_certificates(certificates(*many[:-1]))) == MAX_CERTIFICATES
    with pytest.raises(CertificatesError, match="too many"):
        decode_certificates(certificates(*many))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        base64.b64encode(b"no DER"),
        base64.b64encode(DER)[:-8],
        base64.b64encode(DER + b"\x00"),
        base64.b64encode(b"\x30\x80" + DER[4:] + b"\x00\x00"),
        base64.b64encode(DER)[:40] + b"!" + base64.b64encode(DER)[40:],
        DER,
        ROOT.pem,
    ],
    ids=["empty", "html", "no DER", "cut", "longer", "BER", "a foreign letter", "no base64", "PEM"],
)
def test_what_is_no_such_answer_is_one_error(body: bytes) -> None:
    """Looser encodings too: the receiver is ours."""
    with pytest.raises(CertificatesError, match="no certificates"):
        decode_certificates(body)


@given(st.data())
def test_a_damaged_answer_is_one_error_or_certificates(data: st.DataObject) -> None:
    """Whatever bytes are changed: never another exception, down to the search for the chain."""
    damaged = bytearray(pkcs7.serialize_certificates([LEAF, ISSUING.certificate], Encoding.DER))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CertificatesError):
        assert chain_of(REQUEST, decode_certificates(base64.b64encode(bytes(damaged))))
