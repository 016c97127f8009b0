"""How long a machine takes to become an appliance, from a fresh state directory to a certificate on disk.

The receiver is the real one, with PostgreSQL, and the TPM is swtpm. Both are held against the same receiver's least
work over the same line: two bare requests on one fresh connection, which is what an enrollment needs.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from appliance.clock import SystemClock
from appliance.enrollment import trust_anchors_of
from appliance.uplink.est_desk import EstDesk
from appliance.wire.invitation import Invitation, decode_invitation
from tests.bench.figure import BUILD, Figure
from tests.support.enrolled_machine import NO_TPM, enrolled
from tests.support.receiver_process import ReceiverProcess
from tests.support.swtpm import Swtpm

ROUNDS = 10


def bench_enrollment(_only: str | None = None) -> Iterator[Figure]:
    """``enroll`` and ``enroll_tpm``, in turns with the bare requests."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name, ReceiverProcess(Path(name) / "receiver") as receiver:
        receiver.create_tenant("bench")
        taken = [_round(Path(name), receiver, number) for number in range(ROUNDS)]
    bare, file, tpm = (median(times) for times in zip(*taken, strict=True))
    yield Figure("enroll", file, "ms, wall, p50", "two bare requests", bare)
    yield Figure("enroll_tpm", tpm, "ms, wall, p50", "two bare requests", bare)


def _round(folder: Path, receiver: ReceiverProcess, number: int) -> tuple[float, float, float]:
    names = [f"{kind}-{number}" for kind in ("file", "tpm")]
    first, second = (decode_invitation(receiver.invite(name, tenant="bench").read_bytes()) for name in names)
    with Swtpm(folder / f"swtpm-{number}") as tpm:
        bare = asyncio.run(_bare(first))
        return bare, _enroll(folder / names[0], first, NO_TPM), _enroll(folder / names[1], second, tpm.tcti)


def _enroll(folder: Path, invitation: Invitation, tpm: str) -> float:
    start = time.perf_counter()
    asyncio.run(enrolled(folder, invitation, tpm=tpm))
    return (time.perf_counter() - start) * 1000


async def _bare(invitation: Invitation) -> float:
    start = time.perf_counter()
    async with EstDesk.for_newcomer(invitation.receiver, trust_anchors_of(invitation), SystemClock()) as desk:
        for _ in range(2):
            await desk.trust_anchors()
    return (time.perf_counter() - start) * 1000
