"""The machine's identity on disk: one sealed record, replaced as a whole.

Rules: the private key never lies on a disk in clear, and one that lives in the TPM not at all; the trust anchors are
sealed with it, so nobody can add one. The identity before stays in the record until the new one has been used with
success (``confirm``), and can be gone back to.
A proposed key waits apart, also sealed, and stays the same until a certificate was accepted for it: whatever gets lost
on the way, the same request can be made again.

An expired certificate still loads: the machine goes on reading and buffering, and ``expires_at`` tells. It does not
renew (``renewal`` does).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct, structs

from appliance.errors import (
    IdentityMismatchError,
    NotEnrolledError,
    SealedBlobFormatError,
    SealedBlobTamperedError,
    SealedPurposeError,
    SealedSecretMissingError,
)
from appliance.identity.certificate import name_of, parse_certificates, require_key, verify_chain
from appliance.identity.machine_key import MachineKey
from appliance.identity.trust_anchors import select_anchors
from appliance.machine_ports import KeptKey, MachineKeys
from appliance.ports import Clock, MachineIdentity, SecretBytes, Secrets

T = TypeVar("T")
IDENTITY: Final = "machine-identity"
PENDING_KEY: Final = "machine-key-pending"
DAMAGED: Final = (SealedBlobFormatError, SealedBlobTamperedError, SealedPurposeError)
"""What a blob does that will not open later either; a TPM that is busy or gone is none of these."""


class _Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """One identity: three PEM texts."""

    certificate_chain: bytes
    private_key: bytes
    trust_anchors: bytes
    accepted_at: datetime

    def __repr__(self) -> str:
        """Say what it is, not what it holds."""
        return "_Kept(…)"


class _Record(Struct, frozen=True, forbid_unknown_fields=True):
    """What is sealed."""

    version: Literal[2]
    current: _Kept
    previous: _Kept | None


class FileIdentityStore:
    """Implements ``machine_ports.IdentityStore``."""

    def __init__(self, secrets: Secrets, clock: Clock, keys: MachineKeys = MachineKey) -> None:
        """Keep the identity among ``secrets``; certificates are judged by ``clock``, ``keys`` are made anew."""
        self._secrets = secrets
        self._clock = clock
        self._keys = keys

    def load(self) -> MachineIdentity:
        """Give the identity in use.

        Raises:
            NotEnrolledError: there is none.
            IdentityMismatchError: what is stored does not fit together.
            SealingError: this machine cannot open it.
        """
        return self._identity_of(self._record().current)

    def previous(self) -> MachineIdentity | None:
        """Give the identity before, while the one in use was not confirmed. Raises as ``load``."""
        before = self._record().previous
        return None if before is None else self._identity_of(before)

    def propose(self) -> KeptKey:
        """Give the key that waits for its certificate; make it, P-256, where none waits.

        Raises:
            SealingError: it cannot be kept, or not opened now. One that was damaged is replaced: it guards nothing yet.
        """
        waiting = self._waiting()
        if waiting is None or waiting.public_key == self._public_key_in_use():
            waiting = self._keys.generate()
            self._secrets.put(PENDING_KEY, waiting.pem)
        return waiting

    def verify(self, chain: bytes, *, trust_anchors: bytes, tenant: str, appliance: str) -> MachineIdentity:
        """Check a certificate for the proposed key; nothing is kept.

        Raises:
            NotEnrolledError: no key waits.
            IdentityMismatchError: of another key, machine or tenant, or no certificate.
            ClockOffError: not valid now by this machine's clock.
            CertificateUntrustedError: it does not lead to ``trust_anchors``, or one of those is no proper CA.
        """
        return self._identity_of(self._verified(chain, trust_anchors, tenant=tenant, appliance=appliance))

    def accept(self, chain: bytes, *, trust_anchors: bytes, tenant: str, appliance: str) -> MachineIdentity:
        """Take the proposed key's certificate into use; both arguments are PEM, the chain leaf first.

        Raises:
            IdentityError: as ``verify``.
            SealingError: it cannot be kept; the identity before is still in use.
        """
        kept = self._verified(chain, trust_anchors, tenant=tenant, appliance=appliance)
        identity = self._replace_by(kept)
        self._secrets.discard(PENDING_KEY)
        return identity

    def trust(self, trust_anchors: bytes) -> MachineIdentity:
        """Trust other anchors from now on, PEM, which came over a connection that the anchors until now verify.

        Raises:
            CertificateUntrustedError: one is no proper CA.
            IdentityError: as ``load``.
            SealingError: they cannot be kept; those before are still trusted.
        """
        record = self._record()
        anchors = select_anchors(trust_anchors, now=self._clock.now())
        if anchors == record.current.trust_anchors:
            return self._identity_of(record.current)
        return self._replace_by(structs.replace(record.current, trust_anchors=anchors))

    def confirm(self) -> None:
        """Forget the identity before: the one in use works. Raises as ``load``."""
        record = self._record()
        if record.previous is not None:
            self._keep(structs.replace(record, previous=None))

    def revert(self) -> MachineIdentity:
        """Go back to the identity before, which did not stop to work.

        Raises:
            NotEnrolledError: there is none.
            IdentityError, SealingError: as ``load``.
        """
        before = self._record().previous
        if before is None:
            raise NotEnrolledError("no identity before the one in use is kept")
        self._keep(_Record(2, before, None))
        return self._identity_of(before)

    def sign(self, message: bytes) -> bytes:
        """Sign with the key in use: ECDSA with SHA-256, DER. Raises as ``load``."""
        return self._keys.load(SecretBytes(self._record().current.private_key)).sign(message)

    def _verified(self, chain: bytes, trust_anchors: bytes, *, tenant: str, appliance: str) -> _Kept:
        key = self._waiting()
        if key is None:
            raise NotEnrolledError("no key waits for a certificate")
        now = self._clock.now()
        certificates = parse_certificates(chain)
        require_key(certificates[0], key.public_key)
        name = name_of(certificates[0])
        before = _or_none(self.load)
        if (name.tenant, name.appliance) != (tenant, appliance):
            raise IdentityMismatchError("the certificate names another appliance")
        if before is not None and (before.tenant, before.appliance) != (tenant, appliance):
            raise IdentityMismatchError("this machine has been another appliance before")
        anchors = select_anchors(trust_anchors, now=now)
        verify_chain(certificates, parse_certificates(anchors), now=now)
        return _Kept(chain, key.pem.reveal(), anchors, now)

    def _replace_by(self, kept: _Kept) -> MachineIdentity:
        """Keep ``kept`` as the current one, and with it the last one that is known to work."""
        before = _or_none(self._record)
        self._keep(_Record(2, kept, None if before is None else before.previous or before.current))
        return self._identity_of(kept)

    def _keep(self, record: _Record) -> None:
        self._secrets.put(IDENTITY, SecretBytes(msgspec.json.encode(record)))

    def _waiting(self) -> KeptKey | None:
        return _or_none(lambda: self._keys.load(self._secrets.get(PENDING_KEY)))

    def _public_key_in_use(self) -> bytes | None:
        """A power cut may have left the proposed key behind after its certificate was accepted."""
        record = _or_none(self._record)
        return None if record is None else self._keys.load(SecretBytes(record.current.private_key)).public_key

    def _identity_of(self, kept: _Kept) -> MachineIdentity:
        """Check that key, leaf and name belong together; trust is checked once, at ``accept``."""
        leaf = parse_certificates(kept.certificate_chain)[0]
        parse_certificates(kept.trust_anchors)
        key = SecretBytes(kept.private_key)
        require_key(leaf, self._keys.load(key).public_key)
        name = name_of(leaf)
        return MachineIdentity(
            tenant=name.tenant,
            appliance=name.appliance,
            certificate_chain=kept.certificate_chain,
            private_key=key,
            trust_anchors=kept.trust_anchors,
            valid_from=leaf.not_valid_before_utc,
            expires_at=leaf.not_valid_after_utc,
            renewed_at=kept.accepted_at,
        )

    def _record(self) -> _Record:
        try:
            stored = self._secrets.get(IDENTITY)
        except SealedSecretMissingError:
            raise NotEnrolledError("this machine has no certificate yet") from None
        try:
            return msgspec.json.decode(stored.reveal(), type=_Record)
        except msgspec.MsgspecError:
            raise IdentityMismatchError("the stored identity is not of a version that this release reads") from None


def _or_none(read: Callable[[], T]) -> T | None:
    """What can be read; None where there is none, or what there is will never open."""
    try:
        return read()
    except (SealedSecretMissingError, NotEnrolledError, IdentityMismatchError, *DAMAGED):
        return None
