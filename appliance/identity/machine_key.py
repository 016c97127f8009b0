"""The machine's TLS key, in software: P-256, as PKCS #8 in memory and sealed on disk, never else.

Signatures are deterministic (RFC 6979), so a key's request is the same bytes also after a restart.
"""

from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from appliance.errors import IdentityMismatchError
from appliance.ports import SecretBytes
from appliance.wire.enrollment import EVIDENCE_ATTRIBUTE

_EVIDENCE: Final = x509.ObjectIdentifier(EVIDENCE_ATTRIBUTE)


class MachineKey:
    """Implements ``machine_ports.KeptKey``, and the class itself ``machine_ports.MachineKeys``."""

    tpm_key: Final = None

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Hold ``key``."""
        self._key = key

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, pem: SecretBytes) -> Self:
        """Read a key.

        Raises:
            IdentityMismatchError: none, or of another kind.
        """
        try:
            key = load_pem_private_key(pem.reveal(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise IdentityMismatchError("the stored key is none") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise IdentityMismatchError("the stored key is of another kind")
        return cls(key)

    @property
    def pem(self) -> SecretBytes:
        """PKCS #8, not encrypted."""
        return SecretBytes(self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def request(self, *, evidence: bytes | None = None) -> bytes:
        """Give the certificate request, PKCS #10 in DER (RFC 2986), with ``evidence`` as its attribute."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        if evidence is not None:
            builder = builder.add_attribute(_EVIDENCE, evidence)
        return builder.sign(self._key, SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, DER."""
        return self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
