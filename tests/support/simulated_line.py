"""The line between appliance and receiver in simulated time: no socket and no TLS, but what TLS would verify.

TLS looks at the machine's own clock, which a simulation of years cannot move. So requests go to the receiver's ASGI
application in this process, and both chains are verified as TLS would, with ``cryptography``'s verifiers at each side's
simulated time: the receiver's by the appliance's anchors and clock, the appliance's by the receiver's. The desk and the
uplink are the product's own, down to where they would open a connection.
"""

import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from multidict import CIMultiDict, CIMultiDictProxy
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.errors import EnrollmentUnavailableError, UplinkUntrustedError
from appliance.machine_ports import CertificateDesk
from appliance.ports import Clock, MachineIdentity
from appliance.uplink.connections import Connections
from appliance.uplink.est_desk import EstDesk
from appliance.uplink.https_uplink import HttpsUplink
from appliance.uplink.machine_desk import MachineDesk
from appliance.wire.codec import encode_answer
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, ProblemCode, problem
from receiver.factory import ProcessContext
from receiver.tls_context import PEER_CERTIFICATE

ADDRESS = "127.0.0.1"
UNWELL = encode_answer(problem(ProblemCode.UNAVAILABLE, detail="the database is not available", hint="Try again."))


class LineBrokenError(Exception):
    """No connection, one that was reset, or an answer that never came."""


class ReceiverUnknownError(Exception):
    """The receiver's certificate does not verify by the appliance's anchors and clock."""


@dataclass(frozen=True, slots=True)
class Side:
    """Who speaks: what it trusts, its clock, and the certificate that it shows, or none."""

    anchors: bytes
    clock: Clock
    chain: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What of ``aiohttp.ClientResponse`` the product uses."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def content(self) -> "Answer":
        """The stream of the body."""
        return self

    async def iter_any(self) -> AsyncIterator[bytes]:
        """All of it."""
        yield self.body


def nothing_lost(path: str) -> str | None:
    """A line without faults."""
    del path
    return None


@dataclass
class SimulatedLine:
    """The way to one receiver; ``state`` is ``up``, ``down`` (nobody listens) or ``unwell`` (no database)."""

    app: ASGIApp
    context: ProcessContext
    state: str = "up"
    loses: Callable[[str], str | None] = nothing_lost
    """Whether the ``request`` or the ``answer`` on a path gets lost."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many requests of each path came through."""
    _shown: bytes | None = None

    async def exchange(self, side: Side, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """Carry a request and its answer.

        Raises:
            LineBrokenError: one of them did not get through, or the receiver does not take the certificate.
            ReceiverUnknownError: the appliance does not take the receiver's.
        """
        if self.state == "down":
            raise LineBrokenError
        self._verify_receiver(side)
        self._shown = self._verify_appliance(side.chain)
        if self.state == "unwell":
            head = {"Content-Type": PROBLEM_MEDIA_TYPE, "Retry-After": "5"}
            return Answer(503, CIMultiDictProxy(CIMultiDict(head)), UNWELL)
        lost = self.loses(path)
        if lost == "request":
            raise LineBrokenError
        transport = httpx.ASGITransport(app=self._with_certificate, client=(ADDRESS, 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{ADDRESS}") as client:
            answer = await client.request(method, path, headers=headers, content=body)
        self.counts[path] = self.counts.get(path, 0) + 1
        if lost == "answer":
            raise LineBrokenError
        return Answer(answer.status_code, CIMultiDictProxy(CIMultiDict(answer.headers.items())), answer.content)

    async def _with_certificate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the certificate where the receiver's protocol class puts it."""
        await self.app({**scope, "state": {PEER_CERTIFICATE: self._shown}}, receive, send)

    def _verify_receiver(self, side: Side) -> None:
        leaf, *chain = x509.load_pem_x509_certificates(self.context.state.server_certificate.read_bytes())
        anchors = x509.load_pem_x509_certificates(side.anchors)
        builder = PolicyBuilder().store(Store(anchors)).time(side.clock.now())
        try:
            builder.build_server_verifier(x509.IPAddress(ipaddress.ip_address(ADDRESS))).verify(leaf, chain)
        except VerificationError:
            raise ReceiverUnknownError from None

    def _verify_appliance(self, chain: bytes | None) -> bytes | None:
        if chain is None:
            return None
        leaf, *others = x509.load_pem_x509_certificates(chain)
        builder = PolicyBuilder().store(Store(self.context.authority.anchors)).time(self.context.clock.now())
        try:
            builder.build_client_verifier().verify(leaf, others)
        except VerificationError:
            raise LineBrokenError from None
        return leaf.public_bytes(Encoding.DER)


class SimulatedDesk(EstDesk):
    """The product's desk on a simulated line."""

    def __init__(self, line: SimulatedLine, side: Side) -> None:
        self._line = line
        self._side = side
        self._clock = side.clock

    async def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        try:
            answer = await self._line.exchange(self._side, method, path, headers, body)
        except LineBrokenError:
            raise EnrollmentUnavailableError("the receiver cannot be reached") from None
        except ReceiverUnknownError:
            raise self._untrusted(None) from None
        self._judge(cast("aiohttp.ClientResponse", answer), answer.body)
        return answer.body


class SimulatedConnections(Connections):
    """The product's connections on a simulated line."""

    def __init__(self, line: SimulatedLine, side: Side) -> None:
        self._line = line
        self._side = side
        self._on_the_way = 0
        self._retired = False

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes | None, report: bool
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        del report
        try:
            answer = await self._line.exchange(self._side, method, url, headers, body)
        except LineBrokenError:
            raise aiohttp.ServerDisconnectedError from None
        except ReceiverUnknownError:
            raise UplinkUntrustedError("the receiver's certificate does not verify") from None
        yield cast("aiohttp.ClientResponse", answer)

    async def aclose(self) -> None:
        """Nothing is open."""


class SimulatedUplink(HttpsUplink):
    """The product's uplink on a simulated line."""

    def __init__(self, line: SimulatedLine, identity: MachineIdentity, clock: Clock) -> None:
        self._line = line
        super().__init__("", identity, clock)

    def _connect(self, identity: MachineIdentity) -> Connections:
        return SimulatedConnections(self._line, Side(identity.trust_anchors, self._clock, identity.certificate_chain))


def open_desk(line: SimulatedLine, clock: Clock) -> Callable[[MachineIdentity], Any]:
    """What opens the desk for an identity, as ``uplink.machine_desk`` does."""

    @asynccontextmanager
    async def opened(identity: MachineIdentity) -> AsyncIterator[CertificateDesk]:
        anonymous = Side(identity.trust_anchors, clock)
        machine = Side(identity.trust_anchors, clock, identity.certificate_chain)
        yield MachineDesk(SimulatedDesk(line, anonymous), SimulatedDesk(line, machine))

    return opened
