"""The machine's TLS key and its requests."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from appliance.errors import IdentityMismatchError
from appliance.identity.machine_key import MachineKey
from appliance.ports import SecretBytes
from appliance.wire.enrollment import EVIDENCE_ATTRIBUTE

EVIDENCE = b'{"type":"renewal.v1","key_protection":"file"}'


def test_a_request_proves_its_key_and_names_nobody() -> None:
    """PKCS #10 over P-256, signed by the key itself; the receiver gives the name."""
    key = MachineKey.generate()
    request = x509.load_der_x509_csr(key.request())
    theirs = request.public_key()
    assert request.is_signature_valid
    assert isinstance(theirs, ec.EllipticCurvePublicKey)
    assert isinstance(theirs.curve, ec.SECP256R1)
    assert theirs == load_der_public_key(key.public_key)
    assert list(request.subject) == []
    assert len(request.attributes) == 0


def test_evidence_stands_in_the_request_as_its_attribute() -> None:
    """Under the contract's object identifier, byte for byte, also where it is as long as a TPM's."""
    for evidence in (EVIDENCE, EVIDENCE * 100):
        request = x509.load_der_x509_csr(MachineKey.generate().request(evidence=evidence))
        attribute = request.attributes.get_attribute_for_oid(x509.ObjectIdentifier(EVIDENCE_ATTRIBUTE))
        assert attribute.value == evidence


def test_a_request_is_made_again_byte_for_byte() -> None:
    """What was computed over it still holds after a restart."""
    key = MachineKey.generate()
    again = MachineKey.load(key.pem)
    assert again.request(evidence=EVIDENCE) == key.request(evidence=EVIDENCE)
    assert again.request() != again.request(evidence=EVIDENCE)


def test_a_key_signs() -> None:
    """ECDSA with SHA-256, DER."""
    key = MachineKey.generate()
    public = load_der_public_key(key.public_key)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(key.sign(b"message"), b"message", ec.ECDSA(SHA256()))


def test_keys_differ() -> None:
    """Each is fresh."""
    assert MachineKey.generate().public_key != MachineKey.generate().public_key


def test_an_encrypted_key_is_none_of_ours() -> None:
    """Nobody is asked for a password."""
    text = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    with pytest.raises(IdentityMismatchError):
        MachineKey.load(SecretBytes(text))
