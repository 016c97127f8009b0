"""Who signs a release: one RSA key and its certificate, for ``SHA256SUMS`` and for the certificate inside an OVA.

Rules: RSA, because VMware reads nothing else in an OVA; PKCS #1 v1.5 with SHA-256, so that the same key gives the same
signature and a release can be built again to the byte. Without a key given, one is made for development, kept, and says
so in its certificate's name. An auditor needs openssl alone, and a fingerprint that reached him another way::

    openssl x509 -in SHA256SUMS.pem -noout -fingerprint -sha256
    openssl x509 -in SHA256SUMS.pem -noout -pubkey >key.pem
    openssl dgst -sha256 -verify key.pem -signature SHA256SUMS.sig SHA256SUMS

It does not sign what Secure Boot checks; that is the kernel image's own matter, with keys of its own.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from image.errors import SignatureError, SigningKeyError

DEVELOPMENT: Final = "Natalia DEVELOPMENT image signer (not for release)"
_BITS: Final = 3072
_LEAST_BITS: Final = 2048
_VALID: Final = timedelta(days=3650)
_KEY: Final = "development-key.pem"
_CERTIFICATE: Final = "development-certificate.pem"


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A private key and the certificate that names its owner."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    def sign(self, content: bytes) -> bytes:
        """Give the detached signature of ``content``, as ``openssl dgst -sha256 -verify`` reads it."""
        return self.key.sign(content, padding.PKCS1v15(), SHA256())

    @property
    def pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


def load_signer(key: Path, certificate: Path) -> Signer:
    """Read a key (PEM, RSA, without a passphrase) and its certificate (PEM).

    Raises:
        SigningKeyError: one of them cannot be read, is too weak, or they do not belong together.
    """
    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
        owner = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError, TypeError):
        raise SigningKeyError(f"{key.name}, {certificate.name}: not a PEM key and its certificate") from None
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < _LEAST_BITS:
        raise SigningKeyError(f"{key.name}: not an RSA key of {_LEAST_BITS} bits or more")
    if owner.public_key() != private.public_key():
        raise SigningKeyError(f"{certificate.name}: of another key")
    return Signer(private, owner)


def development_signer(folder: Path, *, now: datetime) -> Signer:
    """Give the development key below ``folder``; the first call makes it, and its certificate says what it is.

    Raises:
        SigningKeyError: what lies there is no key.
    """
    if not (folder / _CERTIFICATE).exists():
        key = rsa.generate_private_key(65537, _BITS)
        folder.mkdir(parents=True, exist_ok=True)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(folder / _KEY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(private)
        (folder / _CERTIFICATE).write_bytes(_self_signed(key, now).public_bytes(Encoding.PEM))
    return load_signer(folder / _KEY, folder / _CERTIFICATE)


def verify_signature(content: bytes, signature: bytes, signer: x509.Certificate) -> None:
    """Check a detached signature.

    Raises:
        SignatureError: it is not the signer's over this content, or the signer's key is not one that we use.
    """
    key = signer.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise SignatureError(f"the signer's key is not RSA of {_LEAST_BITS} bits or more")
    try:
        key.verify(signature, content, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        raise SignatureError("the signature is not the signer's over this content") from None


def fingerprint(certificate: x509.Certificate) -> str:
    """Give the certificate's SHA-256 as openssl prints it."""
    return certificate.fingerprint(SHA256()).hex(":").upper()


def title(certificate: x509.Certificate) -> str:
    """Give the owner's name, made safe to print."""
    text = certificate.subject.rfc4514_string()
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]


def _self_signed(key: rsa.RSAPrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DEVELOPMENT)])
    begin = now.astimezone(UTC).replace(microsecond=0)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + _VALID)
    return builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(key, SHA256())
