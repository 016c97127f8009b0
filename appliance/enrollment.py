"""Use case: a machine becomes an appliance of a tenant, by an invitation.

Rules: the key waits on disk before anything is asked, and stays the same until its certificate came, so whatever is
lost or cut off on the way, the same invitation goes through again. The tenant secret and the certificate are verified
before either is kept; the identity is kept last: with it the enrollment is complete, without it nothing is.

It believes nothing that the receiver says of another appliance than the invitation's, and gives way to no other tenant
secret than the one in use. It does not make the invitation, and does not renew (``renewal`` does).
"""

from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.errors import (
    AlreadyEnrolledError,
    ApprovalPendingError,
    EnrollmentUnavailableError,
    IdentityError,
    IdentityMismatchError,
    RetryableError,
    SealedBlobFormatError,
    SealedBlobTamperedError,
    SealedPurposeError,
)
from appliance.machine_ports import CertificateDesk, IdentityStore, ProposedKey, TenantKeyStore
from appliance.ports import Clock, MachineIdentity, MachineWitness, SecretBytes
from appliance.wire.codec import WireError
from appliance.wire.enrollment import EnrollmentAnswer, EnrollmentRequest, EnrollmentState, TenantSecrets, proof
from appliance.wire.invitation import Invitation
from appliance.wire.sealed_secrets import open_tenant_secrets

SHORTEST_WAIT_SECONDS: Final = 1.0
"""Whatever the receiver asks for."""
FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 60.0
"""Somebody sits before it."""


class Enrollment:
    """One machine's enrollment by one invitation."""

    def __init__(  # noqa: PLR0913 - each part is a port of its own
        self,
        *,
        invitation: Invitation,
        identities: IdentityStore,
        tenant_keys: TenantKeyStore,
        witness: MachineWitness,
        desk: CertificateDesk,
        clock: Clock,
        again: bool = False,
    ) -> None:
        """Enrol at ``desk`` with what ``witness`` shows of this machine; ``again``: also if it has a certificate."""
        self._invitation = invitation
        self._identities = identities
        self._tenant_keys = tenant_keys
        self._witness = witness
        self._desk = desk
        self._clock = clock
        self._again = again

    async def run(self) -> MachineIdentity:
        """Enrol; once, and from the beginning, whatever an earlier run came to.

        Raises:
            AlreadyEnrolledError: this machine has a certificate that is valid; nothing was asked.
            ApprovalPendingError: an administrator must agree first.
            EnrollmentError: refused, with the reason's class, or ``EnrollmentUnavailableError``.
            IdentityError: what came is not this machine's certificate, or its time is not now.
            SealingError: the TPM or the disk refuses, or another tenant secret is in use.
        """
        if not self._again:
            self._require_unenrolled()
        key = self._identities.propose()
        request = key.request()
        answer = await self._apply(request, key)
        transport_secret, brought = self._open(answer)
        self._tenant_keys.require_room(brought)
        password = proof(transport_secret.reveal(), request)
        chain = await self._desk.enroll(enrollment=answer.enrollment, proof=password, request=request)
        anchors, tenant, appliance = trust_anchors_of(self._invitation), answer.tenant, answer.appliance
        self._identities.verify(chain, trust_anchors=anchors, tenant=tenant, appliance=appliance)
        self._tenant_keys.install(brought)
        identity = self._identities.accept(chain, trust_anchors=anchors, tenant=tenant, appliance=appliance)
        self._tenant_keys.settle()
        return identity

    async def run_until_decided(self, tell: Callable[[RetryableError, float], None]) -> MachineIdentity:
        """Enrol; try again by itself where that can help. ``tell`` hears why, and in how many seconds.

        Raises as ``run``, but for what is retryable.
        """
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                return await self.run()
            except RetryableError as error:
                asked = error.retry_after_seconds if isinstance(error, EnrollmentUnavailableError) else None
                seconds = wait if asked is None else max(asked, SHORTEST_WAIT_SECONDS)
                tell(error, seconds)
            await self._clock.sleep(seconds)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    def _require_unenrolled(self) -> None:
        """What ended, cannot be read or lacks its tenant secret does not count: enrolling again is the cure."""
        try:
            identity = self._identities.load()
        except (IdentityError, SealedBlobFormatError, SealedBlobTamperedError, SealedPurposeError):
            return
        if self._clock.now() <= identity.expires_at and self._tenant_keys.is_kept():
            self._tenant_keys.settle()
            until = f"{identity.expires_at:%Y-%m-%d %H:%M} UTC"
            raise AlreadyEnrolledError(f"this machine is enrolled as {identity.appliance}, certificate until {until}")

    async def _apply(self, request: bytes, key: ProposedKey) -> EnrollmentAnswer:
        occasion = self._invitation.token.encode("ascii")
        evidence = self._witness.evidence(public_key=key.public_key, occasion=occasion, tpm_key=key.tpm_key)
        answer = await self._desk.apply(
            EnrollmentRequest(
                request=request,
                key_protection=self._witness.key_protection,
                evidence=evidence,
                transport_key=self._witness.transport_key,
                token=self._invitation.token,
            )
        )
        if answer.appliance != self._invitation.appliance:
            raise IdentityMismatchError("the receiver answers for another appliance than the invitation's")
        if answer.state is EnrollmentState.WAITING:
            raise ApprovalPendingError("an administrator of the tenant must agree to this enrollment")
        return answer

    def _open(self, answer: EnrollmentAnswer) -> tuple[SecretBytes, TenantSecrets]:
        if answer.challenge is None or answer.sealed is None:
            raise EnrollmentUnavailableError("the answer holds neither challenge nor secrets")
        transport_secret = self._witness.open_challenge(answer.challenge, enrollment=answer.enrollment)
        try:
            brought = open_tenant_secrets(
                answer.sealed, transport_secret=transport_secret.reveal(), enrollment=answer.enrollment
            )
        except WireError as error:
            raise EnrollmentUnavailableError(str(error)) from None
        return transport_secret, brought


def trust_anchors_of(invitation: Invitation) -> bytes:
    """What the invitation says is to be trusted, PEM."""
    roots = map(x509.load_der_x509_certificate, invitation.trust_anchors)
    return b"".join(root.public_bytes(Encoding.PEM) for root in roots)
