"""A TPM that says whatever a test wants, properly signed: structures written by hand from TPM 2.0 part 2.

It shares no code with the receiver's readers, so that a misreading cannot agree with itself; that both are right, a
real TPM shows (tests/appliance/sealing/test_attestation.py).
"""

import hashlib
import struct
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.wire.enrollment import TpmEvidence, binding

QUOTE: Final = 0x8018
NV: Final = 0x8014
CERTIFY: Final = 0x8017
P256: Final = 3
P384: Final = 4
SHA256: Final = 0x000B
SHA384: Final = 0x000C
NULL: Final = 0x0010
PCR_7_AND_11: Final = bytes.fromhex("00000001000b03800800")
PCR_DIGEST: Final = hashlib.sha256(bytes(64)).digest()
ENDORSEMENT: Final = 0x4000000B
POLICY: Final = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
HIGH_POLICY: Final = bytes.fromhex(
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12"
)
AES_128: Final = struct.pack(">HHH", 6, 128, 0x43)
AES_256: Final = struct.pack(">HHH", 6, 256, 0x43)
BIT: Final = {
    "fixedTPM": 1,
    "stClear": 2,
    "fixedParent": 4,
    "sensitiveDataOrigin": 5,
    "userWithAuth": 6,
    "adminWithPolicy": 7,
    "noDA": 10,
    "encryptedDuplication": 11,
    "restricted": 16,
    "decrypt": 17,
    "sign": 18,
}
"""TPMA_OBJECT, 8.3."""


def tpm2b(content: bytes) -> bytes:
    """A sized buffer."""
    return struct.pack(">H", len(content)) + content


def attributes(*names: str) -> int:
    """TPMA_OBJECT of attributes by name."""
    return sum(1 << BIT[name] for name in names)


KEPT: Final = attributes("fixedTPM", "fixedParent", "sensitiveDataOrigin")
STORAGE: Final = KEPT | attributes("adminWithPolicy", "restricted", "decrypt")
ATTESTING: Final = KEPT | attributes("userWithAuth", "noDA", "restricted", "sign")
SIGNING: Final = KEPT | attributes("userWithAuth", "noDA", "sign")


@dataclass(frozen=True)
class Ecc:
    """TPMT_PUBLIC of an elliptic curve key."""

    key: ec.EllipticCurvePublicKey
    attributes: int
    name_algorithm: int = SHA256
    policy: bytes = b""
    symmetric: bytes = struct.pack(">H", NULL)
    scheme: bytes = struct.pack(">H", NULL)
    curve: int = P256

    def marshal(self) -> bytes:
        """Its bytes."""
        numbers, size = self.key.public_numbers(), (self.key.curve.key_size + 7) // 8
        point = tpm2b(numbers.x.to_bytes(size, "big")) + tpm2b(numbers.y.to_bytes(size, "big"))
        head = struct.pack(">HHI", 0x0023, self.name_algorithm, self.attributes) + tpm2b(self.policy)
        return head + self.symmetric + self.scheme + struct.pack(">HH", self.curve, NULL) + point


@dataclass(frozen=True)
class Rsa:
    """TPMT_PUBLIC of an RSA endorsement key."""

    modulus: bytes
    bits: int = 2048
    exponent: int = 0

    def marshal(self) -> bytes:
        """Its bytes."""
        head = struct.pack(">HHI", 0x0001, SHA256, STORAGE) + tpm2b(POLICY)
        return head + AES_128 + struct.pack(">HHI", NULL, self.bits, self.exponent) + tpm2b(self.modulus)


def endorsement_p256(key: ec.EllipticCurvePublicKey) -> Ecc:
    """Template L-2."""
    return Ecc(key, STORAGE, policy=POLICY, symmetric=AES_128)


def endorsement_p384(key: ec.EllipticCurvePublicKey) -> Ecc:
    """Template H-3."""
    high = STORAGE | attributes("userWithAuth")
    return Ecc(key, high, name_algorithm=SHA384, policy=HIGH_POLICY, symmetric=AES_256, curve=P384)


def endorsement_rsa(key: rsa.RSAPublicKey) -> Rsa:
    """Template L-1."""
    return Rsa(key.public_numbers().n.to_bytes(256, "big"))


def attestation(key: ec.EllipticCurvePublicKey) -> Ecc:
    """The attestation key's template."""
    return Ecc(key, ATTESTING, scheme=struct.pack(">HH", 0x0018, SHA256))


def request_key(key: ec.EllipticCurvePublicKey) -> Ecc:
    """The template of a request's key that lives in the TPM."""
    return Ecc(key, SIGNING)


def name_of(public: bytes) -> bytes:
    """A Name with SHA-256."""
    return struct.pack(">H", SHA256) + hashlib.sha256(public).digest()


@dataclass(frozen=True)
class Counter:
    """TPMS_NV_PUBLIC and the value."""

    index: int = 0x01844E45
    attributes: int = 1 << 2 | 1 << 4 | 1 << 18 | 1 << 25 | 1 << 29
    """authWrite, counter, authRead, noDA, written (TPMA_NV, 13.4)."""
    policy: bytes = b""
    size: int = 8
    offset: int = 0
    content: bytes = struct.pack(">Q", 1)

    def attested(self) -> bytes:
        """TPMS_NV_CERTIFY_INFO."""
        public = struct.pack(">IHI", self.index, SHA256, self.attributes) + tpm2b(self.policy)
        name = name_of(public + struct.pack(">H", self.size))
        return tpm2b(name) + struct.pack(">H", self.offset) + tpm2b(self.content)


@dataclass(frozen=True)
class Said:
    """TPMS_ATTEST and how it is signed."""

    kind: int
    attested: bytes
    magic: int = 0xFF544347
    signer: bytes | None = None
    """None: as it should be."""
    bound_to: bytes | None = None
    """None: as it should be."""
    clock: int = 1000
    reset_count: int = 3
    restart_count: int = 1
    safe: int = 1
    firmware_version: int = 7
    trailer: bytes = b""
    scheme: bytes = struct.pack(">HH", 0x0018, SHA256)

    def but(self, **fields: Any) -> "Said":
        """The same with some of it changed."""
        return replace(self, **fields)

    def marshal(self, *, signer: bytes, bound_to: bytes) -> bytes:
        """Its bytes."""
        named = signer if self.signer is None else self.signer
        bound = bound_to if self.bound_to is None else self.bound_to
        head = struct.pack(">IH", self.magic, self.kind) + tpm2b(named) + tpm2b(bound)
        clock = struct.pack(">QIIB", self.clock, self.reset_count, self.restart_count, self.safe)
        return head + clock + struct.pack(">Q", self.firmware_version) + self.attested + self.trailer


@dataclass(frozen=True)
class SoftwareTpm:
    """Keys, and what is said with them."""

    endorsement: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    attestation: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    request: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> bytes:
        """The request's key, SubjectPublicKeyInfo."""
        return self.request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def quote(self) -> Said:
        """A proper quote."""
        return Said(QUOTE, PCR_7_AND_11 + tpm2b(PCR_DIGEST))

    def counter(self, counter: Counter | None = None) -> Said:
        """A counter's certification."""
        return Said(NV, (counter or Counter()).attested())

    def key(self, public: Ecc | None = None) -> Said:
        """A key's certification; by default of the request's."""
        name = name_of((public or request_key(self.request.public_key())).marshal())
        return Said(CERTIFY, tpm2b(name) + tpm2b(name))

    def sign(self, said: Said, bound_to: bytes) -> tuple[bytes, bytes]:
        """Statement and signature."""
        name = name_of(attestation(self.attestation.public_key()).marshal())
        qualified = name_of(struct.pack(">I", ENDORSEMENT) + name)
        statement = said.marshal(signer=qualified, bound_to=bound_to)
        r, s = decode_dss_signature(self.attestation.sign(statement, ec.ECDSA(hashes.SHA256())))
        return statement, said.scheme + tpm2b(r.to_bytes(32, "big")) + tpm2b(s.to_bytes(32, "big"))

    def evidence(
        self, occasion: bytes, *, quote: Said | None = None, counter: Said | None = None, key: Said | None = None
    ) -> TpmEvidence:
        """Evidence, by default proper and without a key in the TPM."""
        bound_to = binding(self.public_key, occasion)
        said, said_signature = self.sign(quote or self.quote(), bound_to)
        counted, counted_signature = self.sign(counter or self.counter(), bound_to)
        certified, certified_signature = (None, None) if key is None else self.sign(key, bound_to)
        return TpmEvidence(
            endorsement_key=endorsement_p256(self.endorsement.public_key()).marshal(),
            endorsement_certificate=None,
            attestation_key=attestation(self.attestation.public_key()).marshal(),
            quote=said,
            quote_signature=said_signature,
            counter=counted,
            counter_signature=counted_signature,
            key=certified,
            key_signature=certified_signature,
        )
