"""A TLS peer that knows the client certificate of each request and open connection, and can hold an answer back."""

import asyncio
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.ports import MachineIdentity
from tests.support.tls_peer import Request, TlsPeer


def leaf_of(identity: MachineIdentity) -> bytes:
    """The DER of an identity's own certificate."""
    return x509.load_pem_x509_certificate(identity.certificate_chain).public_bytes(Encoding.DER)


@dataclass(slots=True)
class WatchingPeer(TlsPeer):
    """Answers requests for ``held`` paths only once ``release`` is set."""

    held: set[str] = field(default_factory=set)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    asked_by: list[bytes] = field(default_factory=list)
    """The client certificate of each request; empty where none was shown."""
    open_with: list[bytes] = field(default_factory=list)
    """The client certificate of each connection that is open."""
    _certificates: dict[object, bytes] = field(default_factory=dict)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert(True) or b""  # noqa: FBT003 - positional in ssl
        self._certificates[asyncio.current_task()] = certificate
        self.open_with.append(certificate)
        try:
            await TlsPeer._serve(self, reader, writer)
        finally:
            self.open_with.remove(certificate)

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        request = await TlsPeer._read(self, reader)
        self.asked_by.append(self._certificates[asyncio.current_task()])
        if request.path in self.held:
            self.holding.set()
            await self.release.wait()
        return request
