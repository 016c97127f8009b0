"""The appliance's memory while a backlog of days fills its buffer: how much, and that it does not grow with it."""

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.edge import SITE, feed_bytes
from tests.bench.figure import BUILD, Figure
from tests.support.appliance_process import ApplianceProcess
from tests.support.receiver_process import ReceiverProcess

LIMIT_MB = 100.0
ROWS = 1_000_000
STALLED_SECONDS = 120.0
DEAD = "https://127.0.0.1:9"
"""The discard port: nothing listens."""
SHARES = (0.1, 0.5, 1.0)


def bench_backlog(_only: str | None = None, *, rows: int = ROWS) -> Iterator[Figure]:
    """``resident_mb_backlog``: the peak while about ``rows`` records are read and nothing can be delivered.

    Then the resident memory at a half and at the whole, each against that at a tenth.
    """
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        folder = Path(name)
        feed = folder / "Master.csv"
        lines = _write(feed, rows)
        appliance = _enrolled(folder, feed, cap_mib=max(1024, rows // 5_000))
        process = appliance.start()
        try:
            resident = [_memory(process, "VmRSS") for _ in _reached(appliance, [lines * share for share in SHARES])]
            peak = _memory(process, "VmHWM")
            size = appliance.status()["buffer"]["file_bytes"] / appliance.counts()["waiting"]
        finally:
            appliance.stop()
    yield Figure("resident_mb_backlog", peak, "MB peak", "budget", LIMIT_MB)
    yield Figure("resident_mb_at_half", resident[1], "MB", "at a tenth", resident[0])
    yield Figure("resident_mb_at_whole", resident[2], "MB", "at a tenth", resident[0])
    yield Figure("bytes_on_disk_backlog", size, "bytes a record", "budget", 100.0)


def _write(feed: Path, rows: int) -> int:
    """The same busy days again and again; give how many lines that is."""
    once = feed_bytes()
    lines, times = once.count(b"\n"), 0
    with feed.open("wb") as file:
        while lines * times < rows:
            file.write(once)
            times += 1
    return lines * times


def _enrolled(folder: Path, feed: Path, *, cap_mib: int) -> ApplianceProcess:
    """An appliance whose receiver is gone."""
    site = SITE.read_text(encoding="utf-8")
    with ReceiverProcess(folder / "receiver") as receiver:
        receiver.create_tenant("bench")
        appliance = ApplianceProcess(
            folder / "appliance", url=receiver.url, feed=feed, dialect="asterisk_csv", site=site
        )
        appliance.enroll(receiver.invite("bench", tenant="bench"))
        settings = appliance.settings.read_text(encoding="utf-8").replace(receiver.url, DEAD)
    appliance.settings.write_text(f"{settings}\n[buffer]\ncap_mib = {cap_mib}\n", encoding="utf-8")
    return appliance


def _reached(appliance: ApplianceProcess, marks: list[float]) -> Iterator[int]:
    """Give each mark once so many lines were read.

    Raises:
        RuntimeError: nothing more is read.
    """
    read, since = 0, time.monotonic()
    for mark in marks:
        while (now := appliance.counts().get("read", 0)) < mark:
            if now > read:
                read, since = now, time.monotonic()
            if time.monotonic() - since > STALLED_SECONDS:
                raise RuntimeError(f"stalled:\n{appliance.log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.1)
        yield now


def _memory(process: int, field: str) -> float:
    """A field of the process's memory in MB: ``VmRSS`` now, ``VmHWM`` at most."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    if found is None:
        raise RuntimeError(f"no {field} in /proc")
    return int(found[1]) / 1024
