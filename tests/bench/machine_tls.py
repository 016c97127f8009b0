"""What a renewal and a mutually authenticated connection cost, against the real receiver.

A renewal opens three connections: one without and one with the old certificate, and the uplink's with the new one. It
is held against three bare handshakes, each with as verified a certificate on either side; what it has more is evidence,
a key, a row in PostgreSQL, two sealed files on the disk, and four small requests. The uplink's connection is held
against one, after the same context was built; it has one request more.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from appliance.ports import MachineIdentity
from appliance.tls_context import client_context
from appliance.uplink.https_uplink import HttpsUplink
from appliance.wire.invitation import decode_invitation
from tests.bench.figure import BUILD, Figure
from tests.support.enrolled_machine import enrolled
from tests.support.hurried_renewal import HurriedClock, HurriedRenewal
from tests.support.receiver_process import ReceiverProcess

ROUNDS = 30
HANDSHAKES_OF_A_RENEWAL = 3


def bench_machine_tls(_only: str | None = None) -> Iterator[Figure]:
    """``renew`` and ``tls_handshake``, in turns with bare handshakes."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name, ReceiverProcess(Path(name) / "receiver") as receiver:
        receiver.create_tenant("bench")
        renew, connect, bare = asyncio.run(_measure(Path(name) / "site", receiver))
    yield Figure("renew", renew, "ms, wall, p50", "its three handshakes alone", HANDSHAKES_OF_A_RENEWAL * bare)
    yield Figure("tls_handshake", connect, "ms, wall, p50, and a request", "a bare handshake", bare)


async def _measure(folder: Path, receiver: ReceiverProcess) -> tuple[float, float, float]:
    invitation = decode_invitation(receiver.invite("bench", tenant="bench").read_bytes())
    identity, clock = await enrolled(folder, invitation), HurriedClock()
    async with HttpsUplink(invitation.receiver, identity, clock) as uplink:
        renewal = HurriedRenewal(folder, invitation.receiver, uplink, clock)
        taken = []
        for _ in range(ROUNDS):
            renewed = await _timed(renewal.once)
            identity = await renewal.once()
            taken.append((renewed, await _timed(_connect, receiver.url, identity), await _bare(receiver.url, identity)))
    renew, connect, bare = (median(times) for times in zip(*taken, strict=True))
    return renew, connect, bare


async def _connect(url: str, identity: MachineIdentity) -> None:
    async with HttpsUplink(url, identity, HurriedClock()) as uplink:
        await uplink.high_water()


async def _bare(url: str, identity: MachineIdentity) -> float:
    """One handshake of asyncio's, to the end: TLS 1.3 lets a client believe it is done before the server is."""
    tls, port = client_context(identity), urlsplit(url).port
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(b"x\r\n\r\n")  # no HTTP: refused with the least work
    await reader.readexactly(1)
    writer.transport.abort()
    return (time.perf_counter() - start) * 1000


async def _timed(job: Callable[..., Awaitable[object]], *arguments: object) -> float:
    start = time.perf_counter()
    await job(*arguments)
    return (time.perf_counter() - start) * 1000
