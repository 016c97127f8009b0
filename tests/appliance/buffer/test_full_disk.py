"""A disk that is full, fails or turns read-only at any write: a typed error, nothing half done, and on it goes after.

In memory, the error comes at each write in turn; on a small real file system, the disk is really full.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from appliance.buffer.fsck import check
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.errors import BufferFullError, BufferUnusableError
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import decode_batch
from tests.support.buffer_file import MASTERS, drain
from tests.support.power_cut import Disk, connect
from tests.support.records import intake, token, verdict

SETTINGS = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=2)
ERRORS: dict[str, tuple[type[apsw.Error], type[BufferUnusableError | BufferFullError]]] = {
    "ENOSPC": (apsw.FullError, BufferFullError),
    "EIO": (apsw.IOError, BufferUnusableError),
    "EROFS": (apsw.ReadOnlyError, BufferUnusableError),
}
Step = Callable[[SqliteBuffer], object]


def acknowledge(buffer: SqliteBuffer) -> None:
    """Deliver the oldest batch, if there is one."""
    batch = buffer.oldest()
    if batch is not None:
        buffer.acknowledge(batch, verdict(batch.epoch, batch.sequence, accepted=batch.records))


STEPS: list[Step] = [
    lambda buffer: buffer.append(intake([1, 2, 3], position=b"one")),
    acknowledge,
    lambda buffer: buffer.append(intake([4], position=b"two")),
    lambda buffer: buffer.rekey(1, MASTERS[1]),
    acknowledge,
]


def events(buffer: SqliteBuffer) -> list[str]:
    """Deliver everything; give the events in order."""
    return [call.event_id for batch in drain(buffer) for call in decode_batch(batch.body).records]


def run(error: type[apsw.Error], at: int) -> tuple[bool, list[type[Exception]], list[str]]:
    """Do the steps on a disk whose write number ``at`` fails, each again until it succeeds, with reopening as needed.

    Give whether that write was reached, what was raised, and what was delivered in the end.
    """
    disk, delivered, raised = Disk(), list[str](), list[type[Exception]]()
    count = 0

    def fail() -> None:
        nonlocal count
        count += 1
        if count == at:
            raise error

    steps = list(STEPS)
    while steps:
        disk.before = lambda: None
        with connect(disk) as connection:
            buffer = SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS)
            disk.before = fail
            while steps:
                waiting = buffer.stats().records
                try:
                    steps[0](buffer)
                except (BufferFullError, BufferUnusableError) as failure:
                    raised.append(type(failure))
                    if isinstance(failure, BufferFullError):
                        continue
                    if steps[0] is acknowledge and buffer_shows_fewer(disk, waiting):
                        steps.pop(0)
                    break
                steps.pop(0)
    disk.before = lambda: None
    with connect(disk) as connection:
        buffer = SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS)
        assert buffer.position("main") == b"two"
        assert check(buffer) == []
        delivered = events(buffer)
    return count >= at, raised, delivered


def buffer_shows_fewer(disk: Disk, waiting: int) -> bool:
    """Whether the failed acknowledgement happened all the same."""
    copy = disk.copy()
    with connect(copy) as connection:
        return SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS).stats().records < waiting


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_at_any_write_is_named_and_costs_nothing(name: str) -> None:
    """Each write of the steps fails once: what was not acknowledged is delivered in the end, and nothing else."""
    error, expected = ERRORS[name]
    at = 1
    while True:
        reached, raised, delivered = run(error, at)
        assert set(raised) <= {expected}, at
        # Two of four records were acknowledged before, at most; the others come, in order, once.
        assert delivered in ([token(4)], [token(number) for number in (3, 4)]), at
        if not reached:
            break
        at += 1
    assert at > 30


FULL_FOR_REAL = """
import os, sys
from pathlib import Path
from appliance.buffer.salvage import open_or_salvage
from appliance.errors import BufferFullError
from tests.appliance.buffer.test_full_disk import SETTINGS, events
from tests.support.buffer_file import MASTERS
from tests.support.records import intake
folder = Path(sys.argv[1])
buffer, _ = open_or_salvage(folder / "buffer.db", masters=MASTERS, settings=SETTINGS)
filler = (folder / "filler").open("wb")
number, refused, taken = 0, 0, []
while refused < 3:
    number += 1
    try:
        buffer.append(intake([number], position=b"%d" % number))
        taken.append(number)
    except BufferFullError:
        refused += 1
    if number == 200:
        try:
            while True:
                filler.write(bytes(4096)); filler.flush()
        except OSError:
            pass
assert os.statvfs(folder).f_bavail == 0, "the disk is not full"
delivered = []
tries = 0
while len(delivered) < len(taken):
    try:
        delivered += events(buffer)
    except BufferFullError:
        tries += 1
        assert tries < 5, "deliveries are stuck on the full disk"
Path(folder / "filler").unlink()
buffer.append(intake([number + 1], position=b"after"))
assert len(events(buffer)) == 1
buffer.close()
print("taken", len(taken), "delivered", len(delivered), "tries", tries)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount the small file system")
def test_a_really_full_disk_pauses_and_drains(tmp_path: Path) -> None:
    """On a file system of 12 MiB: appends are refused, deliveries go on from the reserve, and with space all does."""
    script = tmp_path / "full.py"
    script.write_text(FULL_FOR_REAL, encoding="utf-8")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = f"mount -t tmpfs -o size=12m tmpfs '{folder}' && exec '{sys.executable}' '{script}' '{folder}'"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("taken ")
