"""Which certificate requests are taken."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.certificate_request import parse_der, proven_key, spki
from receiver.errors import CsrInvalidError
from tests.receiver.newcomer import Newcomer

_MACHINE = Newcomer()
_DER = _MACHINE.csr()


def test_a_machines_request_gives_its_key() -> None:
    """The key, spelled as the contract binds it."""
    assert spki(proven_key(parse_der(_DER))) == _MACHINE.public_key


def _signed(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


_OTHER_KEYS = {
    "RSA": _signed(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "Ed25519": _signed(ed25519.Ed25519PrivateKey.generate()),
    "P-384": _signed(ec.generate_private_key(ec.SECP384R1())),
}


@pytest.mark.parametrize("kind", _OTHER_KEYS)
def test_another_kind_of_key_is_refused(kind: str) -> None:
    """Only P-256 is certified."""
    with pytest.raises(CsrInvalidError, match=r"^the key is not one of P-256$"):
        proven_key(parse_der(_OTHER_KEYS[kind]))


def test_a_request_signed_by_another_key_is_refused() -> None:
    """Whoever shows a key must hold it."""
    other = Newcomer()
    forged = parse_der(_DER.replace(_MACHINE.public_key, other.public_key))
    with pytest.raises(CsrInvalidError, match=r"^the request is not signed by its own key$"):
        proven_key(forged)


def test_a_point_off_the_curve_is_refused() -> None:
    """A key that is no point cannot be read."""
    broken = parse_der(_DER.replace(_MACHINE.public_key, _MACHINE.public_key[:-32] + bytes(32)))
    with pytest.raises(CsrInvalidError, match=r"cannot be read"):
        proven_key(broken)


@given(st.binary(max_size=200) | st.integers(0, len(_DER) - 1).map(lambda length: _DER[:length]))
def test_any_other_bytes_are_refused(content: bytes) -> None:
    """What is no request, or not whole, is refused."""
    with pytest.raises(CsrInvalidError):
        parse_der(content)


@given(position=st.integers(0, len(_DER) - 1), value=st.integers(1, 255))
def test_any_changed_byte_is_refused_or_harmless(position: int, value: int) -> None:
    """A request with one byte changed is refused; the key that it gives otherwise is the machine's own."""
    changed = bytearray(_DER)
    changed[position] ^= value
    try:
        key = proven_key(parse_der(bytes(changed)))
    except CsrInvalidError:
        return
    assert spki(key) == _MACHINE.public_key
