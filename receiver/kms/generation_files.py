"""One generation of the authority as a folder of PEM files.

``root.pem``, ``issuing.pem`` and ``issuing.key`` are what their names say.
``ladder.pem`` holds the certificates by which each root, from this one down, is vouched for by the one before it
(NewWithOld of RFC 4210 4.4); ``old-with-new.pem`` that by which this root vouches for the one before. ``root.key`` is
there until it is taken offline; ``root_key_name`` says what it is called then.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from receiver.errors import NotInitialisedError, RootKeyMissingError
from receiver.kms.durable import sync_folder, write_private

ROOT_KEY: Final = "root.key"
_NAMES: Final = {"root": "root.pem", "issuing": "issuing.pem", "ladder": "ladder.pem", "bridge": "old-with-new.pem"}
_ISSUING_KEY: Final = "issuing.key"


@dataclass(frozen=True, slots=True)
class GenerationFiles:
    """The certificates of one generation."""

    root: x509.Certificate
    issuing: x509.Certificate
    ladder: list[x509.Certificate]
    """The root vouched for by the one before, that one by the one before it, and so on."""
    old_with_new: x509.Certificate | None

    def write(self, folder: Path, *, issuing_key: ec.EllipticCurvePrivateKey) -> None:
        """Write what is needed to issue into a folder of its own, and make it last; raises ``OSError``."""
        folder.mkdir(mode=0o700)
        bridge = [] if self.old_with_new is None else [self.old_with_new]
        parts = {"root": [self.root], "issuing": [self.issuing], "ladder": self.ladder, "bridge": bridge}
        for part, certificates in parts.items():
            write_private(folder / _NAMES[part], to_pem(certificates))
        write_private(folder / _ISSUING_KEY, key_to_pem(issuing_key))
        sync_folder(folder)

    @classmethod
    def read(cls, folder: Path) -> "GenerationFiles":
        """Read a folder.

        Raises:
            NotInitialisedError: it is not there, or not whole.
        """
        found = {part: _read_certificates(folder / name) for part, name in _NAMES.items()}
        if not found["root"] or not found["issuing"]:
            raise NotInitialisedError("the certificate authority's files cannot be read")
        bridge = found["bridge"][0] if found["bridge"] else None
        return cls(root=found["root"][0], issuing=found["issuing"][0], ladder=found["ladder"], old_with_new=bridge)


def read_issuing_key(folder: Path, *, issuing: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    """Read the key of ``issuing``.

    Raises:
        NotInitialisedError: it is not there, or belongs to another certificate.
    """
    try:
        key = serialization.load_pem_private_key((folder / _ISSUING_KEY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        raise NotInitialisedError("the certificate authority's files cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != issuing.public_key():
        raise NotInitialisedError("the certificate authority's key is that of another certificate")
    return key


def read_root_key(path: Path, *, root: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    """Read the key of ``root``.

    Raises:
        RootKeyMissingError: it is not there, or belongs to another root.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        raise RootKeyMissingError("the root's private key cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != root.public_key():
        raise RootKeyMissingError("the private key is that of another root")
    return key


def root_key_name(root: x509.Certificate) -> str:
    """Give the file name of a root's key on a medium that may hold many."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return f"root-{digest.finalize().hex()[:16]}.key"


def to_pem(certificates: list[x509.Certificate]) -> bytes:
    """Spell certificates as PEM, one after the other."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Spell a private key as unencrypted PKCS#8; the file's mode guards it."""
    return key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _read_certificates(path: Path) -> list[x509.Certificate]:
    try:
        text = path.read_bytes()
        return x509.load_pem_x509_certificates(text) if text else []
    except (OSError, ValueError):
        raise NotInitialisedError("the certificate authority's files cannot be read") from None
