"""LOCAL FILE KEYS, for the demo and for small sites: the CA's keys lie in the state folder, readable by its owner.

Whoever can read the folder can issue certificates. A production receiver keeps the root offline and the issuing key
in a KMS or HSM behind the same port.
"""

import os
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.domain.certificate_profile import ca_builder, subject
from receiver.errors import NotInitialisedError


class LocalFileAuthority:
    """A root and an issuing CA, P-256, keys as PEM files of mode 0600."""

    def __init__(self, *, root: x509.Certificate, issuing: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        """Hold the two certificates and the issuing key; the root's key stays in its file."""
        self._root = root
        self._issuing = issuing
        self._key = key

    @property
    def root(self) -> x509.Certificate:
        """The trust anchor."""
        return self._root

    @property
    def anchors(self) -> list[x509.Certificate]:
        """The one root."""
        return [self._root]

    @property
    def chain(self) -> list[x509.Certificate]:
        """The issuing certificate."""
        return [self._issuing]

    @property
    def published(self) -> list[x509.Certificate]:
        """Root and issuing certificate."""
        return [self._root, self._issuing]

    @property
    def issuing(self) -> x509.Certificate:
        """The certificate that issues leaves."""
        return self._issuing

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a leaf with the issuing key."""
        return builder.sign(self._key, hashes.SHA256())

    @classmethod
    def load(cls, folder: Path) -> "LocalFileAuthority":
        """Read the files of ``folder``.

        Raises:
            NotInitialisedError: they are not there, or are no certificates and key.
        """
        try:
            root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
            issuing = x509.load_pem_x509_certificate((folder / "issuing.pem").read_bytes())
            key = serialization.load_pem_private_key((folder / "issuing.key").read_bytes(), password=None)
        except (OSError, ValueError):
            raise NotInitialisedError("the certificate authority's files cannot be read") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise NotInitialisedError("the certificate authority's key is of another kind")
        return cls(root=root, issuing=issuing, key=key)

    @classmethod
    def ensure(cls, folder: Path, *, now: datetime) -> "LocalFileAuthority":
        """Load the authority; make it first where the folder has none. The folder appears whole or not at all."""
        if not folder.exists():
            fresh = folder.with_suffix(".new")
            fresh.mkdir(mode=0o700, exist_ok=True)
            _generate(fresh, now=now)
            fresh.rename(folder)
        return cls.load(folder)


def write_private(path: Path, content: bytes) -> None:
    """Write a secret so that no other account can read it, not even for a moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Spell a private key as unencrypted PKCS#8; the file's mode guards it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _generate(folder: Path, *, now: datetime) -> None:
    root_key, issuing_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = ca_builder(
        root_key.public_key(), name=subject("Natalia machine root"), issuer=None, path_length=1, now=now
    ).sign(root_key, hashes.SHA256())
    issuing = ca_builder(
        issuing_key.public_key(), name=subject("Natalia machine issuing"), issuer=root, path_length=0, now=now
    ).sign(root_key, hashes.SHA256())
    for name, key in (("root.key", root_key), ("issuing.key", issuing_key)):
        write_private(folder / name, key_to_pem(key))
    for name, certificate in (("root.pem", root), ("issuing.pem", issuing)):
        (folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
