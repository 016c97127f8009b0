"""The receiver alone: batches over one mutually authenticated connection into PostgreSQL under row level security."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.clock import SystemClock
from appliance.ports import PendingBatch
from appliance.uplink.https_uplink import HttpsUplink
from appliance.wire.batch import Batch, KeyProtection
from appliance.wire.codec import decode_batch, encode_batch
from appliance.wire.invitation import Invitation, decode_invitation
from tests.bench.edge import batches_of_calls
from tests.bench.figure import Figure
from tests.support.enrolled_machine import enrolled
from tests.support.receiver_process import ReceiverProcess

FILE = KeyProtection.FILE


def bench_ingest(_only: str | None = None) -> Iterator[Figure]:
    """``ingest_end_to_end``: records a second of wall time, against decoding and checking alone."""
    batches = [
        PendingBatch(1, place, len(calls), encode_batch(Batch(1, place, KeyProtection.FILE, calls)))
        for place, calls in enumerate(batches_of_calls(), start=1)
    ]
    records = sum(batch.records for batch in batches)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        receiver = ReceiverProcess(folder / "receiver")
        receiver.start()
        try:
            receiver.create_tenant("bench")
            invitation = decode_invitation(receiver.invite("bench", tenant="bench").read_bytes())
            seconds = asyncio.run(_send(folder, invitation, batches))
        finally:
            receiver.stop()
    start = time.perf_counter()
    for batch in batches:
        decode_batch(batch.body)
    decoding = time.perf_counter() - start
    yield Figure(
        "ingest_end_to_end", records / seconds, "records/s, one connection", "decoding alone", records / decoding
    )


async def _send(folder: Path, invitation: Invitation, batches: list[PendingBatch]) -> float:
    identity = await enrolled(folder, invitation)
    async with HttpsUplink(invitation.receiver, identity, SystemClock()) as uplink:
        start = time.perf_counter()
        for batch in batches:
            verdict = await uplink.send(batch)
            if verdict.accepted != batch.records:
                raise RuntimeError("not every record was accepted")
        return time.perf_counter() - start
