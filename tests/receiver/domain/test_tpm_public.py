"""Which public areas are taken, and the Names that are derived."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.problem import ProblemCode
from receiver.domain.tpm_public import (
    counter_name,
    parse_attestation_key,
    parse_endorsement_key,
    request_key_name,
)
from receiver.errors import ProblemError
from tests.support.software_tpm import (
    AES_256,
    STORAGE,
    Rsa,
    attestation,
    endorsement_p256,
    endorsement_p384,
    endorsement_rsa,
    name_of,
    request_key,
    tpm2b,
)

P256 = ec.generate_private_key(ec.SECP256R1()).public_key()
P384 = ec.generate_private_key(ec.SECP384R1()).public_key()
RSA = rsa.generate_private_key(65537, 2048).public_key()
ENDORSEMENT = {
    "P-256": endorsement_p256(P256),
    "P-384": endorsement_p384(P384),
    "RSA-2048": endorsement_rsa(RSA),
}
each_endorsement = pytest.mark.parametrize("kind", ENDORSEMENT)


def refusal(data: bytes) -> str:
    """What the refusal of an endorsement key says."""
    with pytest.raises(ProblemError) as caught:
        parse_endorsement_key(data)
    assert caught.value.problem is ProblemCode.EVIDENCE_INVALID
    return caught.value.detail


@pytest.mark.parametrize(
    ("kind", "key", "hash_name", "bits"),
    [("P-256", P256, "sha256", 128), ("P-384", P384, "sha384", 256), ("RSA-2048", RSA, "sha256", 128)],
    ids=["P-256", "P-384", "RSA-2048"],
)
def test_an_endorsement_keys_template_gives_its_algorithms(
    kind: str, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, hash_name: str, bits: int
) -> None:
    """Key, nameAlg and AES bits, of which the credential is made."""
    found = parse_endorsement_key(ENDORSEMENT[kind].marshal())
    assert found.key == key
    assert isinstance(found.hash, hashes.HashAlgorithm)
    assert (found.hash.name, found.symmetric_bits) == (hash_name, bits)


@pytest.mark.parametrize("bit", range(32))
def test_each_attribute_of_an_endorsement_key_is_fixed(bit: int) -> None:
    """A key that could leave, sign or be used otherwise is refused."""
    changed = replace(endorsement_p256(P256), attributes=STORAGE ^ 1 << bit)
    assert "templates" in refusal(changed.marshal())


@pytest.mark.parametrize(
    "changed",
    [
        replace(endorsement_p256(P256), policy=b""),
        replace(endorsement_p256(P256), policy=bytes(32)),
        replace(endorsement_p256(P256), symmetric=AES_256),
        replace(endorsement_p256(P256), curve=4),
        replace(endorsement_p256(P256), name_algorithm=0x0004),
        replace(endorsement_p384(P384), curve=3),
        replace(endorsement_rsa(RSA), bits=1024),
        replace(endorsement_rsa(RSA), exponent=3),
        request_key(P256),
        attestation(P256),
    ],
    ids=[
        "no policy",
        "another policy",
        "AES-256",
        "P-384 by L-2",
        "SHA-1",
        "P-256 by H-3",
        "RSA-1024",
        "exponent 3",
        "a signing key",
        "an attestation key",
    ],
)
def test_another_template_is_refused(changed: Rsa) -> None:
    """Policy, algorithms and sizes are the template's."""
    assert "templates" in refusal(changed.marshal())


@pytest.mark.parametrize(
    "modulus",
    [bytes(256), b"\x80" + bytes(255), b"\x7f" + b"\xff" * 255, b"\xff" * 255, b"\xff" * 257, b""],
    ids=["zero", "even", "2047 bits", "255 bytes", "257 bytes", "none"],
)
def test_a_modulus_that_is_none_is_refused(modulus: bytes) -> None:
    """2048 bits, odd."""
    assert "endorsement key is not marshalled" in refusal(Rsa(modulus).marshal())


@each_endorsement
def test_what_follows_the_key_is_refused(kind: str) -> None:
    """One byte too many."""
    assert "endorsement key is not marshalled" in refusal(ENDORSEMENT[kind].marshal() + bytes(1))


@pytest.mark.parametrize(
    "point",
    [
        tpm2b(bytes(32)) + tpm2b(bytes(32)),
        tpm2b(b"\xff" * 32) + tpm2b(b"\xff" * 32),
        tpm2b(b"\1") + tpm2b(b"\1"),
        tpm2b(b"") + tpm2b(b""),
        tpm2b(bytes(33)) + tpm2b(bytes(31)),
    ],
    ids=["zero", "too large", "short", "none", "uneven"],
)
def test_a_point_that_is_not_on_the_curve_is_refused(point: bytes) -> None:
    """For endorsement and attestation keys alike."""
    tail = len(tpm2b(bytes(32)) * 2)
    assert "endorsement key is not marshalled" in refusal(endorsement_p256(P256).marshal()[:-tail] + point)
    with pytest.raises(ProblemError, match="attestation key is not marshalled"):
        parse_attestation_key(attestation(P256).marshal()[:-tail] + point)


@each_endorsement
@given(data=st.data())
def test_a_changed_head_is_no_template(kind: str, data: st.DataObject) -> None:
    """One flipped bit before the key itself is refused."""
    content = bytearray(ENDORSEMENT[kind].marshal())
    unique = 2 + 256 if kind == "RSA-2048" else len(tpm2b(bytes(48 if kind == "P-384" else 32)) * 2)
    content[data.draw(st.integers(0, len(content) - unique - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert "templates" in refusal(bytes(content))


@given(content=st.binary(max_size=400))
def test_any_bytes_are_refused(content: bytes) -> None:
    """No bytes end in another error."""
    refusal(content)
    with pytest.raises(ProblemError):
        parse_attestation_key(content)


def test_an_attestation_key_has_its_names() -> None:
    """Its Name is the digest of its public area; the qualified one has the hierarchy before it."""
    public = attestation(P256).marshal()
    found = parse_attestation_key(public)
    assert found.key == P256
    assert found.name == name_of(public)
    assert found.qualified_name == b"\0\x0b" + hashlib.sha256(b"\x40\0\0\x0b" + found.name).digest()


def test_the_name_of_a_requests_key_is_that_of_its_public_area() -> None:
    """Derived from the key alone, by the template."""
    assert request_key_name(P256) == name_of(request_key(P256).marshal())


def test_a_small_coordinate_is_padded() -> None:
    """A point whose x begins with zeros has its Name over 32 bytes all the same."""
    small = next(
        key
        for key in (ec.derive_private_key(scalar, ec.SECP256R1()).public_key() for scalar in range(1, 5000))
        if key.public_numbers().x < 1 << 248
    )
    assert request_key_name(small) == name_of(request_key(small).marshal())
    assert parse_attestation_key(attestation(small).marshal()).key == small


def test_the_counters_name_is_fixed() -> None:
    """It follows from index, attributes and size; this is what a TPM gives for them."""
    public = bytes.fromhex("01844e45 000b 22040014 0000 0008")
    assert counter_name() == name_of(public)
