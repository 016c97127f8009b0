"""The uplink over HTTPS with the machine's certificate: batches up, verdicts down.

Rules: one kept-alive connection for batches, and one for reports, which so hold up no batch; no redirect is followed,
no proxy of the environment is used, no cookie is kept; an
answer is read up to ``MAX_ANSWER_BYTES`` and never inflated. Only a verdict that fits its batch counts as delivered.
A 4xx that judges the batch is a refusal for good (``UplinkError``); everything else that is no verdict is tried again.

It does not retry by itself (``delivery`` does) and never logs what it carries.
"""

from types import TracebackType
from typing import Final, Self

import aiohttp

from appliance.errors import UplinkError, UplinkUnavailableError, UplinkUntrustedError
from appliance.policy.verdict_check import check_verdict
from appliance.ports import Clock, MachineIdentity, PendingBatch
from appliance.tls_context import client_context
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
from appliance.wire.limits import MAX_ANSWER_BYTES
from appliance.wire.problem import RETRYABLE_STATUS

BATCHES_PATH: Final = "/v1/ingest/batches"
HIGH_WATER_PATH: Final = "/v1/ingest/high-water"
COMPLETENESS_PATH: Final = "/v1/ingest/completeness"
CONNECT_TIMEOUT_SECONDS: Final = 10.0
TOTAL_TIMEOUT_SECONDS: Final = 60.0
_BODY: Final = {"Content-Type": CONTENT_TYPE, "Content-Encoding": CONTENT_ENCODING}
_HEADERS: Final = {"Accept": f"{CONTENT_TYPE}, application/problem+json", "Accept-Encoding": "identity"}


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
        tls = client_context(identity)
        timeout = aiohttp.ClientTimeout(total=total_timeout_seconds, connect=connect_timeout_seconds)
        self._session, self._report_session = (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls, limit=1),
                timeout=timeout,
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
            for _ in range(2)
        )

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
        await self._session.close()
        await self._report_session.close()

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
        body = await self._request("GET", HIGH_WATER_PATH)
        try:
            return decode_high_water(body)
        except WireError:
            raise UplinkUnavailableError("the answer is no high-water mark") from None

    async def report(self, report: Completeness) -> Receipt:
        """Say what is known of completeness. Raises as ``send``."""
        content = encode_completeness(report)
        body = await self._request("POST", COMPLETENESS_PATH, headers=_BODY, body=content, session=self._report_session)
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
        session: aiohttp.ClientSession | None = None,
    ) -> bytes:
        """Give the body of a 2xx answer."""
        try:
            async with (session or self._session).request(
                method, self._url + path, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await _read(response)
        except aiohttp.ClientSSLError:
            raise UplinkUntrustedError("the TLS handshake failed: the receiver's certificate or protocol") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UplinkUnavailableError(f"the receiver cannot be reached ({type(error).__name__})") from None
        self._judge(response, content)
        return content

    def _judge(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        """Let a 2xx pass."""
        status = response.status
        if status in range(200, 300):
            return
        code = _problem_code(status, content)
        if status in RETRYABLE_STATUS or status not in range(400, 500):
            wait = retry_after_seconds(response.headers.get("Retry-After"), now=self._clock.now())
            raise UplinkUnavailableError(f"the receiver is not ready: {code}", retry_after_seconds=wait)
        raise UplinkError(f"the receiver refused: {code}", problem_code=code)


def _problem_code(status: int, content: bytes) -> str:
    """The code of a problem document; ``http_<status>`` where the answer is none."""
    try:
        return decode_problem(content).code.value
    except WireError:
        return f"http_{status}"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, if it is within bounds; a longer one costs the connection, not the memory.

    Raises:
        UplinkUnavailableError: it is longer.
        aiohttp.ClientError: it ended early.
    """
    content = bytearray()
    async for part in response.content.iter_any():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            response.close()
            raise UplinkUnavailableError("the answer is too long")
    return bytes(content)
