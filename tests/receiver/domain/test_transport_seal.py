"""The challenge for a machine without a TPM."""

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from appliance.wire.enrollment import HpkeChallenge, transport_info
from appliance.wire.problem import ProblemCode
from receiver.domain.transport_seal import seal_to_transport_key
from receiver.errors import ProblemError

KEY = X25519PrivateKey.generate()
TRANSPORT_KEY = KEY.public_key().public_bytes_raw()
SECRET = bytes(range(32))
ENROLLMENT = "0b7e2c9a-1f7c-4c51-9c3e-6d2d1f0a9b11"
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def test_the_keys_owner_opens_it() -> None:
    """The private key and the enrollment's id give the secret back."""
    sealed = seal_to_transport_key(TRANSPORT_KEY, secret=SECRET, enrollment=ENROLLMENT)
    assert SUITE.decrypt(sealed.ciphertext, KEY, transport_info(ENROLLMENT)) == SECRET
    assert SECRET not in sealed.ciphertext


def test_it_opens_in_no_other_enrollment() -> None:
    """The enrollment's id is part of the seal."""
    sealed = seal_to_transport_key(TRANSPORT_KEY, secret=SECRET, enrollment=ENROLLMENT)
    with pytest.raises(InvalidTag):
        SUITE.decrypt(sealed.ciphertext, KEY, transport_info(ENROLLMENT[:-1] + "2"))


def test_two_seals_have_nothing_in_common() -> None:
    """The encapsulated key is fresh each time."""
    first, second = (seal_to_transport_key(TRANSPORT_KEY, secret=SECRET, enrollment=ENROLLMENT) for _ in range(2))
    assert first.ciphertext[:32] != second.ciphertext[:32]


def test_it_fits_the_wire() -> None:
    """32 bytes of encapsulated key, 32 of secret, 16 of tag."""
    sealed = seal_to_transport_key(TRANSPORT_KEY, secret=SECRET, enrollment=ENROLLMENT)
    assert len(sealed.ciphertext) == 80
    assert msgspec.json.decode(msgspec.json.encode(sealed), type=HpkeChallenge) == sealed


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"], ids=bytes.hex)
def test_a_key_of_low_order_is_refused(key: bytes) -> None:
    """RFC 7748, 6.1: such a key would make the seal's key known to everybody."""
    with pytest.raises(ProblemError) as caught:
        seal_to_transport_key(key, secret=SECRET, enrollment=ENROLLMENT)
    assert caught.value.problem is ProblemCode.MALFORMED_REQUEST
    assert key.hex() not in str(caught.value)
