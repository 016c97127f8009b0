"""The uplink over HTTPS with the machine's certificate: batches up, verdicts down.

Rules: an answer is read up to ``MAX_ANSWER_BYTES`` and never inflated. Only a verdict that fits its batch counts as
delivered. A 4xx that judges the batch is a refusal for good (``UplinkError``); everything else that is no verdict is
tried again. How it connects, ``connections`` says.

Another identity is taken without a request failing: one that the receiver refuses is not taken, then new requests go
out with it, while those on their way end on the connection on which they began. Where the receiver's answer got lost
the new one is taken: it may have been seen, and a machine that then shows the old one again looks like a copy.

It does not retry by itself (``delivery`` does) and never logs what it carries.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

import aiohttp

from appliance.errors import CertificateRefusedError, UplinkError, UplinkUnavailableError, UplinkUntrustedError
from appliance.policy.verdict_check import check_verdict
from appliance.ports import Clock, MachineIdentity, PendingBatch
from appliance.uplink.connections import Connections, read_body
from appliance.uplink.retry_after import retry_after_seconds
from appliance.wire.batch import HighWater, Verdict
from appliance.wire.codec import (
    CONTENT_ENCODING,
    CONTENT_TYPE,
    WireError,
    decode_high_water,
    decode_problem,
    decode_receipt,
    decode_verdict,
    encode_completeness,
)
from appliance.wire.completeness import Completeness, Receipt
from appliance.wire.problem import RETRYABLE_STATUS

BATCHES_PATH: Final = "/v1/ingest/batches"
HIGH_WATER_PATH: Final = "/v1/ingest/high-water"
COMPLETENESS_PATH: Final = "/v1/ingest/completeness"
CONNECT_TIMEOUT_SECONDS: Final = 10.0
TOTAL_TIMEOUT_SECONDS: Final = 60.0
_BODY: Final = {"Content-Type": CONTENT_TYPE, "Content-Encoding": CONTENT_ENCODING}
_CERTIFICATE_STATUS: Final = frozenset({401, 403})
"""Answers that speak of the machine's certificate."""


class HttpsUplink:
    """Implements ``ports.Uplink``; use it in ``async with``, or ``aclose`` it."""

    def __init__(
        self,
        url: str,
        identity: MachineIdentity,
        clock: Clock,
        *,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        total_timeout_seconds: float = TOTAL_TIMEOUT_SECONDS,
    ) -> None:
        """Speak to the receiver at ``url`` (``https://host[:port]``) as ``identity``; needs a running event loop.

        Raises:
            IdentityMismatchError: certificate, key or trust anchors do not load.
        """
        self._url = url.rstrip("/")
        self._appliance = identity.appliance
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=total_timeout_seconds, connect=connect_timeout_seconds)
        self._connections = self._connect(identity)
        self._certificate_refused = False

    @property
    def certificate_refused(self) -> bool:
        """Whether the receiver's last answer was that it does not take the certificate in use."""
        return self._certificate_refused

    async def __aenter__(self) -> Self:
        """Give the uplink."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def adopt(self, identity: MachineIdentity) -> None:
        """Go over to another identity of this appliance, after asking something small with it.

        Raises:
            IdentityError: it does not load; the one before stays in use.
            CertificateRefusedError: the receiver does not take it; the one before stays in use.
            UplinkUntrustedError: by its trust anchors the receiver is not ours; the one before stays in use.
            UplinkUnavailableError, UplinkError: there was no sound answer; the new one is in use.
        """
        fresh = self._connect(identity)
        try:
            await self._ask_high_water(fresh)
        except (UplinkUnavailableError, UplinkError) as error:
            if isinstance(error, CertificateRefusedError | UplinkUntrustedError):
                await fresh.aclose()
            else:
                await self._go_over(fresh)
            raise
        except asyncio.CancelledError:
            await fresh.aclose()
            raise
        await self._go_over(fresh)

    def _connect(self, identity: MachineIdentity) -> Connections:
        return Connections(identity, self._timeout)

    async def _go_over(self, fresh: Connections) -> None:
        before, self._connections = self._connections, fresh
        self._certificate_refused = False
        await before.retire()

    async def send(self, batch: PendingBatch) -> Verdict:
        """Deliver one batch.

        Raises:
            UplinkUntrustedError: the peer's certificate does not verify.
            UplinkUnavailableError: no verdict of this batch came; try again.
            UplinkError: refused for good, with the problem's code.
        """
        headers = _BODY | {"Idempotency-Key": f'"{self._appliance}/{batch.epoch}/{batch.sequence}"'}
        body = await self._request("POST", BATCHES_PATH, headers=headers, body=batch.body)
        try:
            verdict = decode_verdict(body)
        except WireError:
            raise UplinkUnavailableError("the answer is no verdict") from None
        check_verdict(verdict, batch)
        return verdict

    async def high_water(self) -> HighWater:
        """Ask what the receiver holds of this appliance. Raises as ``send``."""
        return await self._ask_high_water(self._connections)

    async def _ask_high_water(self, connections: Connections) -> HighWater:
        body = await self._request("GET", HIGH_WATER_PATH, connections=connections)
        try:
            return decode_high_water(body)
        except WireError:
            raise UplinkUnavailableError("the answer is no high-water mark") from None

    async def report(self, report: Completeness) -> Receipt:
        """Say what is known of completeness. Raises as ``send``."""
        content = encode_completeness(report)
        body = await self._request("POST", COMPLETENESS_PATH, headers=_BODY, body=content, report=True)
        try:
            receipt = decode_receipt(body)
        except WireError:
            raise UplinkUnavailableError("the answer is no receipt") from None
        fits = receipt.newest == report.number if receipt.stored else receipt.newest >= report.number
        if receipt.number != report.number or not fits:
            raise UplinkUnavailableError("the receipt is not of this report")
        return receipt

    async def _request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        report: bool = False,
        connections: Connections | None = None,
    ) -> bytes:
        """Give the body of a 2xx answer; note what the answer says of the certificate in use."""
        used = connections or self._connections
        url = self._url + path
        try:
            async with used.request(method, url, headers=headers or {}, body=body, report=report) as response:
                content = await read_body(response)
        except aiohttp.ClientSSLError:
            raise UplinkUntrustedError("the TLS handshake failed: the receiver's certificate or protocol") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UplinkUnavailableError(f"the receiver cannot be reached ({type(error).__name__})") from None
        if content is None:
            raise UplinkUnavailableError("the answer is too long")
        if used is self._connections:
            self._certificate_refused = response.status in _CERTIFICATE_STATUS
        self._judge(response, content)
        return content

    def _judge(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        """Let a 2xx pass."""
        status = response.status
        if status in range(200, 300):
            return
        code = _problem_code(status, content)
        wait = retry_after_seconds(response.headers.get("Retry-After"), now=self._clock.now())
        if status in _CERTIFICATE_STATUS:
            raise CertificateRefusedError(f"the receiver refused: {code}", retry_after_seconds=wait)
        if status in RETRYABLE_STATUS or status not in range(400, 500):
            raise UplinkUnavailableError(f"the receiver is not ready: {code}", retry_after_seconds=wait)
        raise UplinkError(f"the receiver refused: {code}", problem_code=code)


def _problem_code(status: int, content: bytes) -> str:
    """The code of a problem document; ``http_<status>`` where the answer is none."""
    try:
        return decode_problem(content).code.value
    except WireError:
        return f"http_{status}"
