"""The public areas that evidence may show (TPMT_PUBLIC, TPM 2.0 part 2, 12.2.4), and Names (part 1, 16).

Each key is made from one of few templates, and everything of it but the key itself must stand as the template says:
attributes, policy, algorithms. So a key that could leave its TPM, or that signs what it did not make, is refused by
comparing bytes. The same goes for the counter, whose Name follows from its template.

What this cannot say: that the endorsement key is the TPM's only one. A TPM makes as many as it is asked for; what it
cannot do is show another TPM's.
"""

import hashlib
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec import Struct

from appliance.wire.enrollment import COUNTER_INDEX
from receiver.domain.tpm_marshalling import TpmReader, refused, sized

COUNTER_BYTES: Final = 8
RSA_BITS: Final = 2048

_ENDORSEMENT_HIERARCHY: Final = bytes.fromhex("4000000b")
_RSA: Final = bytes.fromhex("0001")
_ECC: Final = bytes.fromhex("0023")
_SHA256: Final = bytes.fromhex("000b")
_SHA384: Final = bytes.fromhex("000c")
_NULL: Final = bytes.fromhex("0010")
_ECDSA_SHA256: Final = bytes.fromhex("0018 000b")
_AES_128_CFB: Final = bytes.fromhex("0006 0080 0043")
_AES_256_CFB: Final = bytes.fromhex("0006 0100 0043")
_P256: Final = bytes.fromhex("0003")
_P384: Final = bytes.fromhex("0004")

_STORAGE_BY_POLICY: Final = bytes.fromhex("000300b2")
"""fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt; used by its policy alone."""
_STORAGE_BY_EITHER: Final = bytes.fromhex("000300f2")
"""The same with userWithAuth."""
_ATTESTING: Final = bytes.fromhex("00050472")
"""fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign."""
_SIGNING: Final = bytes.fromhex("00040472")
"""The same, not restricted: it signs what it is given."""
_COUNTING: Final = bytes.fromhex("22040014")
"""authWrite, counter, authRead, noDA, written (TPMA_NV, part 2, 13.4)."""

_POLICY_A: Final = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
_POLICY_B: Final = bytes.fromhex(
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12"
)


class Unmade(Struct, frozen=True):
    """A template: the TPMT_PUBLIC up to ``unique``, and what follows from it."""

    head: bytes
    hash: hashes.HashAlgorithm
    symmetric_bits: int
    curve: ec.EllipticCurve | None = None
    """None: RSA-2048."""


class EndorsementKey(Struct, frozen=True):
    """A restricted decryption key."""

    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    hash: hashes.HashAlgorithm
    """nameAlg."""
    symmetric_bits: int
    """AES, CFB."""


class AttestationKey(Struct, frozen=True):
    """A restricted signing key."""

    key: ec.EllipticCurvePublicKey
    name: bytes
    """nameAlg and digest: 34 bytes."""

    @property
    def qualified_name(self) -> bytes:
        """Its Name as a primary key of the endorsement hierarchy (part 1, Qualified Name)."""
        return _SHA256 + hashlib.sha256(_ENDORSEMENT_HIERARCHY + self.name).digest()


def _ecc(attributes: bytes, *, policy: bytes = b"", symmetric: bytes = _NULL, scheme: bytes = _NULL) -> bytes:
    return _ECC + _SHA256 + attributes + sized(policy) + symmetric + scheme + _P256 + _NULL


_ENDORSEMENT: Final = (
    Unmade(_ecc(_STORAGE_BY_POLICY, policy=_POLICY_A, symmetric=_AES_128_CFB), hashes.SHA256(), 128, ec.SECP256R1()),
    Unmade(
        _ECC + _SHA384 + _STORAGE_BY_EITHER + sized(_POLICY_B) + _AES_256_CFB + _NULL + _P384 + _NULL,
        hashes.SHA384(),
        256,
        ec.SECP384R1(),
    ),
    Unmade(
        _RSA + _SHA256 + _STORAGE_BY_POLICY + sized(_POLICY_A) + _AES_128_CFB + _NULL + bytes.fromhex("0800 00000000"),
        hashes.SHA256(),
        128,
    ),
)
"""TCG EK Credential Profile 2.3, templates L-2 (P-256), H-3 (P-384) and L-1 (RSA-2048)."""
_ATTESTATION: Final = _ecc(_ATTESTING, scheme=_ECDSA_SHA256)
_REQUEST: Final = _ecc(_SIGNING)


def parse_endorsement_key(data: bytes) -> EndorsementKey:
    """Read a TPMT_PUBLIC.

    Raises:
        ProblemError: ``evidence_invalid``: made from no known template, or no key.
    """
    for unmade in _ENDORSEMENT:
        if data.startswith(unmade.head):
            reader = TpmReader(data[len(unmade.head) :], "endorsement key")
            key = _rsa(reader) if unmade.curve is None else _point(reader, unmade.curve)
            return EndorsementKey(key=key, hash=unmade.hash, symmetric_bits=unmade.symmetric_bits)
    raise refused("the endorsement key is not made from one of the TCG's templates L-1, L-2 and H-3")


def parse_attestation_key(data: bytes) -> AttestationKey:
    """Read a TPMT_PUBLIC.

    Raises:
        ProblemError: ``evidence_invalid``: made from another template, or no key.
    """
    if not data.startswith(_ATTESTATION):
        raise refused("the attestation key is not a restricted P-256 signing key that never leaves its TPM")
    key = _point(TpmReader(data[len(_ATTESTATION) :], "attestation key"), ec.SECP256R1())
    return AttestationKey(key=key, name=_name(data))


def request_key_name(key: ec.EllipticCurvePublicKey) -> bytes:
    """The Name of a P-256 key of a certificate request, if it was made in a TPM and never leaves it: 34 bytes."""
    numbers = key.public_numbers()
    return _name(_REQUEST + sized(numbers.x.to_bytes(32, "big")) + sized(numbers.y.to_bytes(32, "big")))


def counter_name() -> bytes:
    """The Name of the counter (TPMS_NV_PUBLIC, part 2, 13.5), once it was counted up: 34 bytes."""
    return _name(COUNTER_INDEX.to_bytes(4, "big") + _SHA256 + _COUNTING + sized(b"") + COUNTER_BYTES.to_bytes(2, "big"))


def _name(public: bytes) -> bytes:
    return _SHA256 + hashlib.sha256(public).digest()


def _point(reader: TpmReader, curve: ec.EllipticCurve) -> ec.EllipticCurvePublicKey:
    size = (curve.key_size + 7) // 8
    x, y = reader.sized(most=size), reader.sized(most=size)
    reader.end()
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + x + y)
    except ValueError:
        raise reader.malformed() from None


def _rsa(reader: TpmReader) -> rsa.RSAPublicKey:
    modulus = int.from_bytes(reader.sized(most=RSA_BITS // 8), "big")
    reader.end()
    if modulus.bit_length() != RSA_BITS or modulus % 2 == 0:
        raise reader.malformed()
    return rsa.RSAPublicNumbers(65537, modulus).public_key()
