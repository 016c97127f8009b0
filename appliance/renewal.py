"""Use case: the machine's certificate renews itself, for years and without a visit.

One ``step`` is one look: what is due is tried once, and the step says how long to wait. Nothing counts that the
identity store does not keep, so a power cut anywhere costs no more than a try:

- before ``accept``: the same proposed key is asked for again, which the receiver answers as a repeat;
- between ``accept`` and ``confirm``: the next look tries the new identity, and goes back to the one before only where
  the receiver refuses the new one and takes that. To go back for less would look like a copy of the machine.

A certificate that ended, or that the receiver does not take, is replaced by a return: the machine proves that it holds
the old key, and asks as often as it takes until the receiver, or an administrator there, agrees.

Announced trust anchors are fetched before each renewal and once a day, over a connection that the anchors until now
verify; a set that does not verify the receiver itself is not kept. How clocks are treated, ``policy.renewal_window``
says. It never takes another name, and raises no error: what hinders is told and tried again.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.errors import (
    ApplianceError,
    ApprovalPendingError,
    CertificateRefusedError,
    EnrollmentError,
    EnrollmentUnavailableError,
    EvidenceRefusedError,
    IdentityError,
    QuarantinedError,
    RetryableError,
    UplinkUnavailableError,
    UplinkUntrustedError,
)
from appliance.machine_ports import CertificateDesk, IdentityStore, ProposedKey
from appliance.policy.back_off import patient_wait, renewal_wait
from appliance.policy.renewal_window import REST_SECONDS, RenewalWindow
from appliance.ports import Clock, MachineIdentity, MachineWitness, OnBufferThread
from appliance.wire.enrollment import (
    EnrollmentRequest,
    EnrollmentState,
    Evidence,
    RenewalEvidence,
    Return,
    binding,
    proof,
)

LOOK_AROUND_SECONDS: Final = 86_400.0
"""How often the receiver is asked what is to be trusted, and whether it takes the certificate in use."""
RETURN_AFTER: Final = 3
"""Renewals in vain, at a receiver that can be reached, after which it is taken not to take the certificate."""
_JUDGED: Final = (QuarantinedError, EvidenceRefusedError)
"""The receiver has judged the machine itself: a return would be judged the same."""
OpenDesk = Callable[[MachineIdentity], AbstractAsyncContextManager[CertificateDesk]]


class IdentityUser(Protocol):
    """Whoever speaks as the machine (``uplink.https_uplink``)."""

    @property
    def certificate_refused(self) -> bool:
        """Whether the receiver's last answer was that it does not take the certificate in use."""
        ...

    async def adopt(self, identity: MachineIdentity) -> None:
        """Go over to another identity without a request failing.

        Raises:
            IdentityError: it does not load; the one before stays in use.
            CertificateRefusedError: the receiver does not take it; the one before stays in use.
            UplinkUntrustedError: by its anchors the receiver is not ours; the one before stays in use.
            UplinkUnavailableError: there was no sound answer; the new one is in use.
        """
        ...


class RenewalState(Protocol):
    """Hears how it goes; the status screen and the log are such listeners."""

    def holds(self, identity: MachineIdentity, window: RenewalWindow) -> None:
        """This identity is in use, and is to be renewed as planned."""
        ...

    def hindered(self, error: ApplianceError) -> None:
        """Something was due and did not come about; it is tried again."""
        ...

    def unhindered(self) -> None:
        """Nothing is due."""
        ...

    def went_back(self) -> None:
        """The new identity was of no use, and the one before is in use again."""
        ...


class Renewal:
    """Keeps the machine's certificate and trust anchors fresh."""

    def __init__(  # noqa: PLR0913 - each part is a port of its own
        self,
        *,
        store: IdentityStore,
        witness: MachineWitness,
        open_desk: OpenDesk,
        user: IdentityUser,
        run: OnBufferThread,
        clock: Clock,
        draw: Callable[[], float],
        heard: RenewalState,
    ) -> None:
        """Renew ``store``'s identity and hand it to ``user``.

        Args:
            store: keeps the identity.
            witness: gives evidence of this machine.
            open_desk: opens the receiver's desk for the identity that it is given.
            user: takes a new identity into use.
            run: runs a call that waits for the disk or the TPM, away from the event loop.
            clock: both clocks.
            draw: gives a random number from 0 to 1, for the waits.
            heard: is told how it goes.
        """
        self._store = store
        self._witness = witness
        self._open_desk = open_desk
        self._user = user
        self._run = run
        self._clock = clock
        self._draw = draw
        self._heard = heard
        self._held: tuple[MachineIdentity, RenewalWindow] | None = None
        self._unproven = False
        self._is_wanted = False
        """Whether another certificate is needed whatever the clock says."""
        self._failures = 0
        self._in_vain = 0
        """Renewals in a row that failed at a receiver that could be reached."""
        self._rests_until = self._looks_around_at = clock.monotonic()
        self._anchors_trouble: ApplianceError | None = None
        self._offered = self._useless_anchors = b""

    async def step(self) -> float:
        """Look once and do what is due; give the seconds until the next look, at most an hour."""
        try:
            window = await self._look()
        except ApplianceError as error:
            self._failures += 1
            self._heard.hindered(error)
            return self._wait_after(error)
        self._failures = 0
        if self._anchors_trouble is None:
            self._heard.unhindered()
        else:
            self._heard.hindered(self._anchors_trouble)
        return window.wait_seconds(self._clock.now())

    async def _look(self) -> RenewalWindow:
        identity, window = await self._in_use()
        if self._unproven:
            await self._prove_or_go_on(identity, window)
        if self._is_due(window):
            await self._renew(identity, window)
        elif self._clock.monotonic() >= self._looks_around_at:
            await self._look_around(identity)
        return (await self._in_use())[1]

    def _is_due(self, window: RenewalWindow) -> bool:
        if self._is_wanted or self._user.certificate_refused:
            return True
        monotonic = self._clock.monotonic()
        return monotonic >= self._rests_until and window.is_due(self._clock.now(), monotonic=monotonic)

    def _wait_after(self, error: ApplianceError) -> float:
        needs_somebody = isinstance(error, ApprovalPendingError | CertificateRefusedError)
        can_help = isinstance(error, RetryableError) and not needs_somebody
        own = (renewal_wait if can_help else patient_wait)(self._failures, draw=self._draw())
        if isinstance(error, EnrollmentUnavailableError | UplinkUnavailableError):
            return max(own, error.retry_after_seconds or 0.0)
        return own

    async def _in_use(self) -> tuple[MachineIdentity, RenewalWindow]:
        if self._held is not None:
            return self._held
        identity = await self._run(self._store.load)
        self._unproven = await self._run(self._store.previous) is not None
        return self._hold(identity)

    def _hold(self, identity: MachineIdentity) -> tuple[MachineIdentity, RenewalWindow]:
        window = RenewalWindow.plan(
            identity.valid_from, identity.expires_at, draw=draw_of(identity), seen_at=self._clock.monotonic()
        )
        self._heard.holds(identity, window)
        self._held = identity, window
        return self._held

    async def _renew(self, identity: MachineIdentity, window: RenewalWindow) -> None:
        async with self._open_desk(identity) as desk:
            trusting = await self._announced(desk, identity)
            chain = await self._next_certificate(desk, identity, window)
        keep = partial(self._store.accept, chain, trust_anchors=trusting.trust_anchors)
        renewed = await self._run(partial(keep, tenant=identity.tenant, appliance=identity.appliance))
        self._rests_until = self._clock.monotonic() + REST_SECONDS
        self._is_wanted = False
        self._in_vain = 0
        await self._take(renewed)

    async def _next_certificate(self, desk: CertificateDesk, identity: MachineIdentity, window: RenewalWindow) -> bytes:
        """Renew; where the receiver can be reached, but not with the certificate in use, come back."""
        try:
            return await desk.renew(await self._run(self._renewal_request, identity))
        except EnrollmentError as error:
            self._in_vain += 1
            is_useless = window.is_over(self._clock.now()) or self._is_wanted or self._user.certificate_refused
            if isinstance(error, _JUDGED) or not (is_useless or self._in_vain >= RETURN_AFTER):
                raise
        return await self._come_back(desk, identity)

    async def _come_back(self, desk: CertificateDesk, identity: MachineIdentity) -> bytes:
        """Ask for a certificate with the proof that this machine held the last one.

        The tenant secret in the answer is not looked at: this machine has it.
        """
        request = await self._run(self._return_request, identity)
        answer = await desk.apply(request)
        if answer.state is EnrollmentState.WAITING or answer.challenge is None:
            raise ApprovalPendingError("an administrator of the tenant must agree to this machine's return")
        open_challenge = partial(self._witness.open_challenge, answer.challenge, enrollment=answer.enrollment)
        opened = await self._run(open_challenge)
        password = proof(opened.reveal(), request.request)
        return await desk.enroll(enrollment=answer.enrollment, proof=password, request=request.request)

    def _renewal_request(self, identity: MachineIdentity) -> bytes:
        key = self._store.propose()
        content = RenewalEvidence(self._witness.key_protection, self._evidence(key, leaf_of(identity)))
        return key.request(evidence=msgspec.json.encode(content))

    def _return_request(self, identity: MachineIdentity) -> EnrollmentRequest:
        key, certificate = self._store.propose(), leaf_of(identity)
        signature = self._store.sign(binding(key.public_key, certificate))
        return EnrollmentRequest(
            request=key.request(),
            key_protection=self._witness.key_protection,
            evidence=self._evidence(key, certificate),
            transport_key=self._witness.transport_key,
            returning=Return(certificate, signature),
        )

    def _evidence(self, key: ProposedKey, certificate: bytes) -> Evidence:
        return self._witness.evidence(public_key=key.public_key, occasion=certificate, tpm_key=key.tpm_key)

    async def _look_around(self, identity: MachineIdentity) -> None:
        """Fetch what is to be trusted, and see that the receiver takes the certificate in use.

        A clock that is behind would not tell that it has ended, and a receiver that was restored may not know it.
        """
        async with self._open_desk(identity) as desk:
            trusting = await self._announced(desk, identity)
        if trusting is not identity:
            await self._take(trusting)
            return
        try:
            await self._user.adopt(identity)
        except UplinkUnavailableError as error:
            self._is_wanted = not isinstance(error, UplinkUntrustedError)
            raise

    async def _announced(self, desk: CertificateDesk, identity: MachineIdentity) -> MachineIdentity:
        """The identity with the trust anchors that the receiver announces, kept; itself where they are no others.

        A set that is of no use is noted, and holds up no renewal.
        """
        offered = await desk.trust_anchors()
        self._looks_around_at = self._clock.monotonic() + LOOK_AROUND_SECONDS
        if offered == self._useless_anchors:
            return identity
        self._anchors_trouble = None
        try:
            trusting = await self._run(self._store.trust, offered)
        except IdentityError as error:
            self._anchors_trouble = error
            return identity
        if trusting.trust_anchors == identity.trust_anchors:
            return identity
        self._offered = offered
        self._unproven = True
        self._hold(trusting)
        return trusting

    async def _take(self, identity: MachineIdentity) -> None:
        self._unproven = True
        self._hold(identity)
        await self._prove(identity)

    async def _prove_or_go_on(self, identity: MachineIdentity, window: RenewalWindow) -> None:
        """After a power cut, or an answer that was lost: see whether the receiver takes the identity in use.

        One that is due meanwhile may have ended, so that no answer ever comes; then go on to its renewal.
        """
        try:
            await self._prove(identity)
        except UplinkUnavailableError as error:
            if isinstance(error, CertificateRefusedError | UplinkUntrustedError) or not self._is_due(window):
                raise

    async def _prove(self, identity: MachineIdentity) -> None:
        try:
            await self._user.adopt(identity)
        except (CertificateRefusedError, UplinkUntrustedError) as error:
            await self._go_back(error)
            raise
        except IdentityError:
            # It does not load, so the receiver has not seen it, and the one before is still in use.
            await self._revert()
            raise
        await self._run(self._store.confirm)
        self._unproven = False

    async def _go_back(self, error: CertificateRefusedError | UplinkUntrustedError) -> None:
        """Take the identity before into use again, if that helps; else ask for another."""
        before = await self._run(self._store.previous)
        speaks_of_anchors = isinstance(error, UplinkUntrustedError)
        if before is None or (not speaks_of_anchors and before.expires_at <= self._clock.now()):
            await self._give_up()
            return
        try:
            await self._user.adopt(before)
        except UplinkUntrustedError:
            raise
        except UplinkUnavailableError as other:
            # The anchors before do know the receiver, and that was the question.
            if not speaks_of_anchors and isinstance(other, CertificateRefusedError):
                await self._give_up()
                return
            if not speaks_of_anchors:
                raise
        await self._revert()
        if speaks_of_anchors:
            self._useless_anchors, self._anchors_trouble = self._offered, error

    async def _revert(self) -> None:
        self._hold(await self._run(self._store.revert))
        self._unproven = False
        self._rests_until = self._clock.monotonic()
        self._heard.went_back()

    async def _give_up(self) -> None:
        """The receiver takes neither: stay with the newer one and come back with it."""
        await self._run(self._store.confirm)
        self._unproven = False
        self._is_wanted = True


def draw_of(identity: MachineIdentity) -> float:
    """A number from 0 to 1, evenly spread over certificates, and always the same for one."""
    return int.from_bytes(hashlib.sha256(identity.certificate_chain).digest()[:6], "big") / 2**48


def leaf_of(identity: MachineIdentity) -> bytes:
    """The machine's own certificate, DER."""
    return x509.load_pem_x509_certificate(identity.certificate_chain).public_bytes(Encoding.DER)
