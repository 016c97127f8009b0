"""The connections that are made with one identity, and how many requests are on them.

Rules: one kept-alive connection for batches, and one for reports, which so hold up no batch; no redirect is followed,
no proxy of the environment is used, no cookie is kept. Connections that are not wanted any more end with the last
request that is on its way, never before.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp

from appliance.ports import MachineIdentity
from appliance.tls_context import client_context
from appliance.wire.codec import CONTENT_TYPE
from appliance.wire.limits import MAX_ANSWER_BYTES

if TYPE_CHECKING:
    import ssl

_HEADERS: Final = {"Accept": f"{CONTENT_TYPE}, application/problem+json", "Accept-Encoding": "identity"}


def open_session(
    tls: "ssl.SSLContext", *, timeout: aiohttp.ClientTimeout, headers: dict[str, str]
) -> aiohttp.ClientSession:
    """Give a session of one kept-alive connection; needs a running event loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=1),
        timeout=timeout,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


async def read_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Give the whole body; None if it is longer than ``MAX_ANSWER_BYTES``: that costs the connection, not the memory.

    Raises:
        aiohttp.ClientError: it ended early.
    """
    content = bytearray()
    async for part in response.content.iter_any():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            response.close()
            return None
    return bytes(content)


class Connections:
    """Two connections to the receiver as one machine."""

    def __init__(self, identity: MachineIdentity, timeout: aiohttp.ClientTimeout) -> None:
        """Nothing is opened before the first request; needs a running event loop.

        Raises:
            IdentityMismatchError: certificate, key or trust anchors do not load.
        """
        tls = client_context(identity)
        self._batches, self._reports = (open_session(tls, timeout=timeout, headers=_HEADERS) for _ in range(2))
        self._on_the_way = 0
        self._retired = False

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes | None, report: bool
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give the answer's head; the body is to be read within the block."""
        session = self._reports if report else self._batches
        self._on_the_way += 1
        try:
            async with session.request(method, url, headers=headers, data=body, allow_redirects=False) as response:
                yield response
        finally:
            self._on_the_way -= 1
            await self._close_if_done()

    async def retire(self) -> None:
        """Close as soon as nothing is on its way; no request may begin after this."""
        self._retired = True
        await self._close_if_done()

    async def aclose(self) -> None:
        """Close at once."""
        await self._batches.close()
        await self._reports.close()

    async def _close_if_done(self) -> None:
        if self._retired and not self._on_the_way:
            await self.aclose()
