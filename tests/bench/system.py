"""The whole way with real processes: records from file to receiver, and what an idle appliance takes."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.edge import SITE, feed_bytes
from tests.bench.figure import BUILD, Figure
from tests.support.appliance_process import ApplianceProcess
from tests.support.receiver_process import ReceiverProcess

PATIENCE_SECONDS = 300.0


def bench_system(_only: str | None = None) -> Iterator[Figure]:
    """``full_way``, ``idle_core_share``."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        folder = Path(name)
        feed = folder / "Master.csv"
        feed.write_bytes(feed_bytes())
        receiver = ReceiverProcess(folder / "receiver")
        receiver.start()
        appliance = None
        try:
            receiver.create_tenant("bench")
            appliance = ApplianceProcess(
                folder / "appliance",
                url=receiver.url,
                feed=feed,
                dialect="asterisk_csv",
                site=SITE.read_text(encoding="utf-8"),
            )
            appliance.enroll(receiver.invite("bench", tenant="bench"))
            yield from _measure(appliance)
        finally:
            if appliance is not None:
                appliance.stop()
            receiver.stop()


def _measure(appliance: ApplianceProcess) -> Iterator[Figure]:
    lines = feed_bytes().count(b"\n")
    start = time.perf_counter()
    process = appliance.start()
    _settle(appliance, lambda counts: counts.get("read", 0) >= lines)
    read = time.perf_counter() - start
    _settle(appliance, lambda counts: counts.get("waiting") == 0)
    whole = time.perf_counter() - start
    yield Figure("full_way", lines / whole, "records/s, file to stored", "file to buffer, same run", lines / read)
    before = _cpu_seconds(process)
    time.sleep(5)
    yield Figure("idle_core_share", (_cpu_seconds(process) - before) / 5, "of a core", "budget", 0.01)


def _settle(appliance: ApplianceProcess, done: Callable[[dict[str, int]], bool]) -> None:
    if not appliance.wait_for(done, seconds=PATIENCE_SECONDS, supervise=False):
        raise RuntimeError(f"the appliance did not get there:\n{appliance.log.read_text(encoding='utf-8')[-2000:]}")


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
