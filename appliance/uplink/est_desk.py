"""The receiver's desk over HTTPS: enrollment (``wire.enrollment``) and EST (RFC 7030).

Rules: the receiver must show a certificate that leads to the given trust anchors, and nobody else's, and no request
goes out before it has; no redirect, proxy, cookie or compression; an answer is read up to ``MAX_ANSWER_BYTES``. A
problem document is a judgement and has its own class; whatever else is no answer is tried again. A certificate that
fails because of its time alone speaks of this machine's clock.

It does not retry, and what it fetches it does not believe: ``identity`` verifies.
"""

import base64
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import aiohttp

from appliance.errors import (
    AnchorLoweredError,
    ApplianceError,
    ApprovalPendingError,
    ClockOffError,
    EnrollmentError,
    EnrollmentUnavailableError,
    EvidenceRefusedError,
    InvitationExpiredError,
    InvitationUnknownError,
    InvitationUsedError,
    QuarantinedError,
    ReceiverUntrustedError,
)
from appliance.ports import Clock, MachineIdentity
from appliance.tls_context import client_context, newcomer_context
from appliance.uplink.certs_only import CertificatesError, chain_of, decode_certificates, to_pem
from appliance.uplink.connections import open_session, read_body
from appliance.uplink.retry_after import retry_after_seconds
from appliance.wire.codec import CONTENT_TYPE, WireError, decode_enrollment_answer, decode_problem, encode_enrollment
from appliance.wire.enrollment import (
    CA_CERTIFICATES_PATH,
    CERTIFICATES_MEDIA_TYPE,
    ENROLLMENTS_PATH,
    REQUEST_MEDIA_TYPE,
    SIMPLE_ENROLL_PATH,
    SIMPLE_REENROLL_PATH,
    EnrollmentAnswer,
    EnrollmentRequest,
)
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, ProblemCode

if TYPE_CHECKING:
    import ssl

CONNECT_TIMEOUT_SECONDS: Final = 10.0
TOTAL_TIMEOUT_SECONDS: Final = 60.0
_HEADERS: Final = {
    "Accept": f"{CONTENT_TYPE}, {CERTIFICATES_MEDIA_TYPE}, {PROBLEM_MEDIA_TYPE}",
    "Accept-Encoding": "identity",
}
_EST_HEADERS: Final = {"Content-Type": REQUEST_MEDIA_TYPE, "Content-Transfer-Encoding": "base64"}
_TIME_ERRORS: Final = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED (x509_vfy.h)."""
_LATER: Final = frozenset({ProblemCode.RATE_LIMITED, ProblemCode.UNAVAILABLE, ProblemCode.INTERNAL})
_REFUSALS: Final[dict[ProblemCode, type[ApplianceError]]] = {
    ProblemCode.INVITATION_UNKNOWN: InvitationUnknownError,
    ProblemCode.INVITATION_EXPIRED: InvitationExpiredError,
    ProblemCode.INVITATION_USED: InvitationUsedError,
    ProblemCode.EVIDENCE_INVALID: EvidenceRefusedError,
    ProblemCode.APPLIANCE_QUARANTINED: QuarantinedError,
    ProblemCode.ANCHOR_LOWERED: AnchorLoweredError,
}


class EstDesk:
    """Implements ``machine_ports.CertificateDesk``; use it in ``async with``. Make it with one of the class methods."""

    def __init__(self, url: str, tls: "ssl.SSLContext", clock: Clock, *, timeout_seconds: float) -> None:
        """Speak to the receiver at ``url`` (``https://host[:port]``); needs a running event loop."""
        self._url = url.rstrip("/")
        self._clock = clock
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=min(timeout_seconds, CONNECT_TIMEOUT_SECONDS))
        self._session = open_session(tls, timeout=timeout, headers=_HEADERS)

    @classmethod
    def for_newcomer(
        cls, url: str, trust_anchors: bytes, clock: Clock, *, timeout_seconds: float = TOTAL_TIMEOUT_SECONDS
    ) -> Self:
        """Give the desk to a machine without certificate, or with an ended one, that trusts ``trust_anchors``, PEM.

        Raises:
            IdentityMismatchError: they do not load.
        """
        return cls(url, newcomer_context(trust_anchors), clock, timeout_seconds=timeout_seconds)

    @classmethod
    def for_machine(
        cls, url: str, identity: MachineIdentity, clock: Clock, *, timeout_seconds: float = TOTAL_TIMEOUT_SECONDS
    ) -> Self:
        """Give the desk to a machine with a certificate. Raises as ``for_newcomer``."""
        return cls(url, client_context(identity), clock, timeout_seconds=timeout_seconds)

    async def __aenter__(self) -> Self:
        """Give the desk."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._session.close()

    async def apply(self, request: EnrollmentRequest) -> EnrollmentAnswer:
        """Ask to be enrolled.

        Raises:
            EnrollmentError: refused, with the reason's class; ``EnrollmentUnavailableError`` where no answer came.
            AnchorLoweredError: this machine was enrolled under a better anchor.
            ClockOffError: the receiver's certificate is not valid now by this machine's clock.
        """
        body = await self._request("POST", ENROLLMENTS_PATH, encode_enrollment(request), {"Content-Type": CONTENT_TYPE})
        try:
            return decode_enrollment_answer(body)
        except WireError:
            raise EnrollmentUnavailableError("the answer is none to an enrollment") from None

    async def enroll(self, *, enrollment: str, proof: str, request: bytes) -> bytes:
        """Fetch the certificate: PEM, leaf first, the root left out. Raises as ``apply``."""
        password = base64.b64encode(f"{enrollment}:{proof}".encode("ascii")).decode("ascii")
        return await self._certify(SIMPLE_ENROLL_PATH, request, {"Authorization": f"Basic {password}"})

    async def renew(self, request: bytes) -> bytes:
        """Fetch the next certificate with the one in use, as ``enroll``. Raises as ``apply``."""
        return await self._certify(SIMPLE_REENROLL_PATH, request, {})

    async def trust_anchors(self) -> bytes:
        """Fetch what the receiver announces to be trusted: PEM, roots and what links them. Raises as ``apply``."""
        body = await self._request("GET", CA_CERTIFICATES_PATH, None, {})
        try:
            return to_pem(decode_certificates(body))
        except CertificatesError as error:
            raise EnrollmentUnavailableError(str(error)) from None

    async def _certify(self, path: str, request: bytes, headers: dict[str, str]) -> bytes:
        body = await self._request("POST", path, base64.b64encode(request), _EST_HEADERS | headers)
        try:
            return to_pem(chain_of(request, decode_certificates(body)))
        except CertificatesError as error:
            raise EnrollmentUnavailableError(str(error)) from None

    async def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        """Give the body of a 200."""
        try:
            async with self._session.request(
                method, self._url + path, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await read_body(response)
        except aiohttp.ClientConnectorCertificateError as error:
            raise self._untrusted(getattr(error.certificate_error, "verify_code", None)) from None
        except aiohttp.ClientSSLError:
            raise ReceiverUntrustedError("the TLS handshake failed") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EnrollmentUnavailableError(f"the receiver cannot be reached ({type(error).__name__})") from None
        if content is None:
            raise EnrollmentUnavailableError("the answer is too long")
        self._judge(response, content)
        return content

    def _untrusted(self, verify_code: int | None) -> EnrollmentUnavailableError | ClockOffError:
        if verify_code in _TIME_ERRORS:
            now = f"{self._clock.now():%Y-%m-%d %H:%M} UTC"
            return ClockOffError(f"by this machine's clock ({now}) the receiver's certificate is not valid now")
        return ReceiverUntrustedError("the receiver's certificate does not verify up to the trust anchors")

    def _judge(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        """Let a 200 pass."""
        if response.status == HTTPStatus.OK:
            return
        if response.status == HTTPStatus.ACCEPTED:  # RFC 7030 4.2.3: not yet
            raise ApprovalPendingError("the receiver waits for an administrator's approval")
        try:
            code = decode_problem(content).code
        except WireError:
            code = None
        if code is None or code in _LATER:
            wait = retry_after_seconds(response.headers.get("Retry-After"), now=self._clock.now())
            reason = code or f"http_{response.status}"
            raise EnrollmentUnavailableError(f"the receiver is not ready: {reason}", retry_after_seconds=wait)
        raise _REFUSALS.get(code, EnrollmentError)(f"the receiver refused: {code}")
