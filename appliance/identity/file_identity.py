"""The machine's identity on disk, for an appliance whose key is software: one sealed record, replaced as a whole.

Rules: the private key never lies on a disk in clear; the trust anchors are sealed with it, so nobody can add one; the
old identity stays until the new one was verified and kept. A request's key waits apart, also sealed, for its answer.

An expired certificate still loads: the machine goes on reading and buffering, and ``expires_at`` tells. It does not
renew (``renewal`` does).
"""

from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from msgspec import Struct

from appliance.errors import IdentityMismatchError, NotEnrolledError, SealedSecretMissingError
from appliance.identity.certificate import APPLIANCE_NAME, name_of, parse_certificates, require_key, verify_chain
from appliance.ports import Clock, MachineIdentity, SecretBytes
from appliance.settings import read_small_file

IDENTITY: Final = "machine-identity"
PENDING_KEY: Final = "machine-key-pending"
CERTIFICATE_FILE: Final = "certificate.pem"
TRUST_ANCHORS_FILE: Final = "trust-anchors.pem"


class Secrets(Protocol):
    """Where secrets are kept sealed (``sealing.secret_store``)."""

    def get(self, name: str) -> SecretBytes:
        """Open one; raises ``SealedSecretMissingError`` if there is none."""
        ...

    def put(self, name: str, secret: SecretBytes) -> None:
        """Keep one, in place of an older one, whole or not at all."""
        ...

    def discard(self, name: str) -> None:
        """Forget one."""
        ...


class _Record(Struct, frozen=True, forbid_unknown_fields=True):
    """What is sealed: three PEM texts."""

    version: Literal[1]
    certificate_chain: bytes
    private_key: bytes
    trust_anchors: bytes

    def __repr__(self) -> str:
        """Say what it is, not what it holds."""
        return "_Record(…)"


class FileIdentityStore:
    """Implements ``ports.IdentityStore``."""

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        """Keep the identity among ``secrets``; certificates are judged by ``clock``."""
        self._secrets = secrets
        self._clock = clock

    def create_request(self, name: str) -> bytes:
        """Make a fresh P-256 key and a PKCS #10 request for it, PEM, with CN ``name``; the key never leaves.

        A key that waited for an earlier request is forgotten; the identity in use is not touched.

        Raises:
            IdentityMismatchError: no name of an appliance.
            SealingError: the key cannot be kept.
        """
        if APPLIANCE_NAME.fullmatch(name) is None:
            raise IdentityMismatchError("an appliance's name is a lower-case letter, then letters, digits and hyphens")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._secrets.put(PENDING_KEY, SecretBytes(pem))
        return request.public_bytes(Encoding.PEM)

    def install_from(self, folder: Path) -> MachineIdentity:
        """Install ``certificate.pem`` (leaf first) and ``trust-anchors.pem`` of ``folder``.

        Raises:
            SettingsError: a file cannot be read.
            IdentityError: as ``install``.
        """
        return self.install(read_small_file(folder / CERTIFICATE_FILE), read_small_file(folder / TRUST_ANCHORS_FILE))

    def install(self, certificate_chain: bytes, trust_anchors: bytes) -> MachineIdentity:
        """Take the certificate of the last request into use; both arguments are PEM, the chain leaf first.

        Raises:
            NotEnrolledError: no request waits.
            IdentityMismatchError: of another key or machine, or no certificate.
            CertificateUntrustedError: it does not verify up to ``trust_anchors`` now.
            SealingError: it cannot be kept; the identity before is still in use.
        """
        try:
            key = self._secrets.get(PENDING_KEY)
        except SealedSecretMissingError:
            raise NotEnrolledError("no certificate request waits for its certificate") from None
        record = _Record(1, certificate_chain, key.reveal(), trust_anchors)
        identity = _identity_of(record)
        verify_chain(parse_certificates(certificate_chain), parse_certificates(trust_anchors), now=self._clock.now())
        self._secrets.put(IDENTITY, SecretBytes(msgspec.json.encode(record)))
        self._secrets.discard(PENDING_KEY)
        return identity

    def load(self) -> MachineIdentity:
        """Give the identity in use.

        Raises:
            NotEnrolledError: there is none.
            IdentityMismatchError: what is stored does not fit together.
            SealingError: this machine cannot open it.
        """
        try:
            stored = self._secrets.get(IDENTITY)
        except SealedSecretMissingError:
            raise NotEnrolledError("this machine has no certificate yet") from None
        try:
            record = msgspec.json.decode(stored.reveal(), type=_Record)
        except msgspec.MsgspecError:
            raise IdentityMismatchError("the stored identity is not of a version that this release reads") from None
        return _identity_of(record)


def _identity_of(record: _Record) -> MachineIdentity:
    """Check that key, leaf and name belong together; trust is checked once, at ``install``."""
    leaf = parse_certificates(record.certificate_chain)[0]
    parse_certificates(record.trust_anchors)
    key = load_pem_private_key(record.private_key, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise IdentityMismatchError("the stored key is of another kind")
    require_key(leaf, key)
    name = name_of(leaf)
    return MachineIdentity(
        tenant=name.tenant,
        appliance=name.appliance,
        certificate_chain=record.certificate_chain,
        private_key=SecretBytes(record.private_key),
        trust_anchors=record.trust_anchors,
        expires_at=leaf.not_valid_after_utc,
    )
