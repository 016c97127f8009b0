"""The seams of a machine's enrollment and renewal: where its keys and certificates are kept, and who issues them.

As ``ports``, of which these are a part: adapters implement them, and nothing here does I/O.
"""

from typing import Protocol

from appliance.ports import MachineIdentity, SecretBytes
from appliance.wire.enrollment import EnrollmentAnswer, EnrollmentRequest, TenantSecrets


class TenantKeyStore(Protocol):
    """Keeps the tenant secret that an enrollment brings."""

    def is_kept(self) -> bool:
        """Whether there is one; raises ``SealingError``."""
        ...

    def require_room(self, brought: TenantSecrets) -> None:
        """Refuse a secret if another one is in use; nothing is changed.

        Raises:
            TenantSecretConflictError: it is.
            SealingError: the one that is kept does not open.
        """
        ...

    def install(self, brought: TenantSecrets) -> None:
        """Keep a secret; provisionally, if none was there. Raises as ``require_room``."""
        ...

    def settle(self) -> None:
        """The enrollment is complete: what is kept stays; raises ``SealingError``."""
        ...


class ProposedKey(Protocol):
    """A key of this machine that waits for its certificate; it never leaves."""

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        ...

    @property
    def tpm_key(self) -> bytes | None:
        """PEM of a key that lives in the TPM, for ``MachineWitness.evidence``; None for a key in software."""
        ...

    def request(self, *, evidence: bytes | None = None) -> bytes:
        """Give the certificate request, PKCS #10 in DER, with ``evidence`` as its attribute (``wire.enrollment``).

        Raises:
            SealingError: the key lives in a TPM that does not sign.
        """
        ...


class KeptKey(ProposedKey, Protocol):
    """The same, as the identity store keeps it."""

    @property
    def pem(self) -> SecretBytes:
        """The key, or what the TPM finds it by; as OpenSSL reads it."""
        ...

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, DER. Raises as ``request``."""
        ...


class MachineKeys(Protocol):
    """Makes this machine's TLS keys, P-256."""

    def generate(self) -> KeptKey:
        """Make a fresh one; raises ``SealingError``."""
        ...

    def load(self, pem: SecretBytes) -> KeptKey:
        """Read one that was made here.

        Raises:
            IdentityMismatchError: none, or of another kind.
        """
        ...


class IdentityStore(Protocol):
    """Keeps the machine's certificate and key."""

    def load(self) -> MachineIdentity:
        """Give the current identity.

        Raises:
            IdentityError: not enrolled, or what is stored does not fit together.
            SealingError: the key cannot be unsealed.
        """
        ...

    def propose(self) -> ProposedKey:
        """Give the key that waits for a certificate; the same until one was accepted for it.

        Raises:
            SealingError: it cannot be kept, or not opened now.
        """
        ...

    def verify(self, chain: bytes, *, trust_anchors: bytes, tenant: str, appliance: str) -> MachineIdentity:
        """Check a certificate for the proposed key, PEM, leaf first; nothing is kept.

        Raises:
            NotEnrolledError: no key waits.
            IdentityMismatchError: of another key, machine or tenant, or no certificate.
            ClockOffError: not valid now by this machine's clock.
            CertificateUntrustedError: it does not lead to ``trust_anchors``.
        """
        ...

    def accept(self, chain: bytes, *, trust_anchors: bytes, tenant: str, appliance: str) -> MachineIdentity:
        """Take a certificate into use after ``verify``; the identity before stays at hand until ``confirm``.

        Raises:
            IdentityError: as ``verify``.
            SealingError: it cannot be kept; the identity before is still in use.
        """
        ...

    def trust(self, trust_anchors: bytes) -> MachineIdentity:
        """Trust other anchors from now on, PEM, fetched over a verified connection. Keeps and raises as ``accept``."""
        ...

    def previous(self) -> MachineIdentity | None:
        """The identity before, while the current one was not confirmed. Raises as ``load``."""
        ...

    def confirm(self) -> None:
        """Forget the identity before: the current one has been used with success. Raises as ``load``."""
        ...

    def revert(self) -> MachineIdentity:
        """Go back to the identity before. Raises as ``load``; ``NotEnrolledError`` if there is none."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign with the current identity's key: ECDSA with SHA-256, DER. Raises as ``load``."""
        ...


class CertificateDesk(Protocol):
    """The receiver's side of enrollment and renewal (``wire.enrollment``)."""

    async def apply(self, request: EnrollmentRequest) -> EnrollmentAnswer:
        """Ask to be enrolled.

        Raises:
            EnrollmentError: refused, with the reason's class; retryable where trying again can help.
            AnchorLoweredError: refused, because this machine was enrolled under a better anchor.
            ClockOffError: by this machine's clock the receiver's certificate is not valid now.
        """
        ...

    async def enroll(self, *, enrollment: str, proof: str, request: bytes) -> bytes:
        """Fetch the certificate: PEM, leaf first. Raises as ``apply``."""
        ...

    async def renew(self, request: bytes) -> bytes:
        """Fetch the next certificate with the one in use: PEM, leaf first. Raises as ``apply``."""
        ...

    async def trust_anchors(self) -> bytes:
        """Fetch what the receiver announces to be trusted: PEM. Raises as ``apply``."""
        ...
