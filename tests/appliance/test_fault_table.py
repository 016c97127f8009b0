"""The fault table: each thing that must last fails, fails although it was done, or is cut off by a crash.

Every cell says what is found right afterwards: the state ``before`` the step, the one ``after`` it, or either, as the
disk's fate has it. Whatever is found, the appliance then goes on, started anew where it must be, and in the end each
record of the feed is stored once, in order, the accounts balance, and nothing is left.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

import apsw
import pytest

from appliance.buffer.fsck import check
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.cdr.framing import LineFramer
from appliance.daemon import open_translator
from appliance.delivery import Delivery
from appliance.errors import ApplianceError, BufferUnusableError, UplinkError
from appliance.intake import FeedIntake, Translator
from appliance.policy.rate_cap import RateCap
from appliance.ports import PendingBatch, SecretBytes
from appliance.settings import load_site
from appliance.sources.file_source import FileSource
from appliance.wire.batch import KeyProtection, Verdict
from tests.support.cdr_generator import generate
from tests.support.fake_clock import FakeClock
from tests.support.power_cut import Disk, connect
from tests.support.receiver_model import Fault, FaultyUplink, ReceiverModel

T = TypeVar("T")
SITE = load_site(Path(__file__).parents[1] / "testdata/demo/site.toml")
SECRET = SecretBytes(bytes(range(32)))
MASTERS = {1: SECRET}
SECOND = SecretBytes(bytes([2]) * 32)
OWNER = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=100)
CONTENT = generate(rows=12, seed=41).splitlines(keepends=True)
HALF = len(CONTENT) // 2
SEEDS = range(8)
"""In how many ways each crash is played through, right before the change and right after it."""
DATABASE, WAL = "buffer.db", "buffer.db-wal"


class StoppedError(Exception):
    """The process is stopped here, to look at what it left."""


class Found(NamedTuple):
    """What a step leaves: position, what waits, what went, the newest key, what is stored, and blobs not deleted."""

    position: bytes | None
    waiting: int
    acknowledged: int
    key_version: int
    stored: int
    undeleted: bool


class StoppingClock(FakeClock):
    """A clock of the days after the feed's, on which nobody waits: whoever would try again is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.slept.append(timedelta(days=30).total_seconds())

    async def sleep(self, _seconds: float) -> None:
        raise StoppedError


class Silence:
    """Hears what delivery says, and forgets it."""

    def delivered(self, verdict: Verdict) -> None: ...
    def refused(self, error: UplinkError) -> None: ...
    def unavailable(self, error: ApplianceError) -> None: ...
    def older_copy(self) -> None: ...


class DyingUplink(FaultyUplink):
    """The process dies when the receiver has stored the next batch."""

    async def send(self, batch: PendingBatch) -> Verdict:
        self.receiver.receive(batch.body)
        raise StoppedError


async def at_once(function: Callable[..., T], *arguments: object) -> T:
    """The buffer's thread."""
    return function(*arguments)


class Site:
    """A feed, a disk in memory and a receiver; processes come and go."""

    def __init__(self, folder: Path) -> None:
        self.feed = folder / "Master.csv"
        self.written: list[bytes] = []
        self.write(CONTENT[:HALF])
        self.disk = Disk()
        self.receiver = ReceiverModel()
        self.uplink = FaultyUplink(self.receiver)
        self.blob = b""
        """The sealed batch that the step delivers."""

    def write(self, lines: list[bytes]) -> None:
        """Begin a file with some lines."""
        self.feed.write_bytes(b"".join(lines))
        self.written += lines

    def rotate(self) -> None:
        """The PBX renames its file and begins another."""
        self.feed.rename(self.feed.with_name("Master.csv.1"))
        self.write(CONTENT[HALF:])

    @contextmanager
    def process(self) -> Iterator["Process"]:
        """Start the appliance; it ends by itself, in good order where the disk lets it."""
        with connect(self.disk) as connection:
            yield Process(self, SqliteBuffer.attach(connection, masters=MASTERS, settings=OWNER))

    def look(self) -> Found:
        """What a process finds that is started now; the disk stays as it is."""
        undeleted = bool(self.blob) and any(self.blob in file.content for file in self.disk.files.values())
        with connect(self.disk.copy()) as connection:
            buffer = SqliteBuffer.attach(connection, masters=MASTERS, settings=OWNER)
            stats = buffer.stats()
            acknowledged = sum(item.counts.get("acknowledged", 0) for item in stats.tallies)
            version = connection.execute("SELECT max(key_version) FROM epoch").fetchone()[0]
            stored = len(self.receiver.stored)
            return Found(buffer.position("main"), stats.records, acknowledged, version, stored, undeleted=undeleted)

    def at(self, disk: Disk) -> "Site":
        """The same site with another disk, and a receiver and a line of its own."""
        other = copy(self)
        other.disk, other.receiver = disk, deepcopy(self.receiver)
        other.uplink = FaultyUplink(other.receiver)
        return other


class Process:
    """One life of the appliance."""

    def __init__(self, site: Site, buffer: SqliteBuffer) -> None:
        self.site = site
        self.buffer = buffer

    def read(self) -> None:
        """Read the feed to its end, as after a start."""
        intake = FeedIntake(FileSource("main", self.site.feed), translator(), self.buffer, StoppingClock())
        while intake.step():
            pass

    def deliver(self) -> None:
        """Deliver until nothing waits, or until something must be tried again."""
        delivery = Delivery(
            buffer=self.buffer,
            uplink=self.site.uplink,
            on_buffer_thread=at_once,
            clock=StoppingClock(),
            link=Silence(),
            rate_cap=RateCap(1e9),
        )

        async def run() -> None:
            while await delivery.step():
                pass

        asyncio.run(run())

    def rekey(self) -> None:
        """Take the second key into use."""
        self.buffer.rekey(2, SECOND)


class Change(NamedTuple):
    """Which change of the disk fails; a process writes the WAL's header first, and syncs it."""

    what: str
    name: str
    number: int


FRAME = Change("write", WAL, 2)
COMMIT = Change("sync", WAL, 2)
CHECKPOINT = Change("write", DATABASE, 1)


class Row(NamedTuple):
    """A step, what comes before it, and the change of the disk at which it fails; None: it fails on the line."""

    step: Callable[[Process], None]
    at: Change | None
    prepare: tuple[Callable[[Process], None], ...] = ()
    rotated: bool = False


ROWS = {
    "append": Row(Process.read, FRAME),
    "commit": Row(Process.read, COMMIT),
    "upload": Row(Process.deliver, None, (Process.read,)),
    "acknowledge": Row(Process.deliver, COMMIT, (Process.read,)),
    "delete": Row(Process.deliver, CHECKPOINT, (Process.read,)),
    "rotate": Row(Process.read, COMMIT, (Process.read, Process.deliver), rotated=True),
    "rekey": Row(Process.rekey, COMMIT, (Process.read,)),
}
TABLE: dict[str, dict[str, set[str]]] = {
    # A commit whose sync fails is rolled back, also if it persisted: it is done anew, never assumed.
    "append": {"failed": {"before"}, "persisted": {"before"}, "crash": {"before"}},
    "commit": {"failed": {"before"}, "persisted": {"before"}, "crash": {"before", "after"}},
    "upload": {"failed": {"before"}, "persisted": {"sent"}, "crash": {"sent"}},
    "acknowledge": {"failed": {"sent"}, "persisted": {"sent"}, "crash": {"sent", "undeleted"}},
    # What was acknowledged is gone from the WAL with the next checkpoint; a clean end is one.
    "delete": {"failed": {"after"}, "persisted": {"after"}, "crash": {"undeleted"}},
    "rotate": {"failed": {"before"}, "persisted": {"before"}, "crash": {"before", "after"}},
    "rekey": {"failed": {"before"}, "persisted": {"before"}, "crash": {"before", "after"}},
}
"""What is found, by ``name_of``: ``sent`` is stored and not acknowledged, ``undeleted`` lacks only the deletion."""


def due(folder: Path, row: Row) -> tuple[Site, Found, Found]:
    """A site at which the step is due, what is there before it, and what is there after it when nothing fails."""
    site = Site(folder)
    with site.process() as process:
        for step in row.prepare:
            step(process)
        stored = process.buffer.connection.execute("SELECT body FROM batch").fetchone()
        site.blob = stored[0] if stored else b""
    if row.rotated:
        site.rotate()
    rehearsal = site.at(site.disk.copy())
    with rehearsal.process() as process:
        row.step(process)
        return site, site.look(), rehearsal.look()


def play(site: Site, row: Row, column: str) -> list[Site]:
    """Do the step with its fault; give what is left, in each way the disk may have it."""
    left: list[Site] = []
    if row.at is None:
        site.uplink = {
            "failed": FaultyUplink(site.receiver, Fault.SILENT),
            "persisted": FaultyUplink(site.receiver, Fault.LOST_ANSWER),
            "crash": DyingUplink(site.receiver),
        }[column]
    with site.process() as process:
        if row.at is not None:
            arm(site, row.at, column, left)
        with pytest.raises((StoppedError, BufferUnusableError)):
            row.step(process)
    site.disk.before = site.disk.after = nothing
    site.uplink = FaultyUplink(site.receiver)
    return left or [site]


def arm(site: Site, at: Change, column: str, left: list[Site]) -> None:
    """Let the first such change fail; at a crash, keep what may be found of the disk right before and right after."""
    reached = 0
    fails_at = "before" if column == "failed" else "after"

    def look(hook: str) -> None:
        nonlocal reached
        if site.disk.doing != (at.what, at.name):
            return
        reached += hook == "before"
        if reached != at.number:
            return
        if column == "crash":
            left.extend(site.at(site.disk.after_cut(Random(seed))) for seed in SEEDS)  # noqa: S311 - not a secret
        if hook == fails_at:
            site.disk.before = site.disk.after = nothing
            raise apsw.IOError

    site.disk.before = lambda: look("before")
    site.disk.after = lambda: look("after")


def name_of(found: Found, before: Found, after: Found) -> str:
    """The state's name in the table."""
    names = {
        before._replace(stored=after.stored): "sent",
        after._replace(undeleted=True): "undeleted",
        before: "before",
        after: "after",
    }
    return names[found]


@pytest.mark.parametrize(("name", "column"), [(name, column) for name, row in TABLE.items() for column in row])
def test_a_fault_leaves_what_the_table_says_and_costs_nothing(tmp_path: Path, name: str, column: str) -> None:
    """The cell, and then everything is stored once and in order."""
    site, before, after = due(tmp_path, ROWS[name])
    assert before != after
    left = play(site, ROWS[name], column)
    assert {name_of(item.look(), before, after) for item in left} == TABLE[name][column]
    for item in left:
        with item.process() as process:
            process.read()
            process.deliver()
            assert process.buffer.stats().records == 0
            assert check(process.buffer) == []
        assert [call.event_id for call in item.receiver.stored] == events(item.written)
        assert item.receiver.reused == 0


def events(lines: list[bytes]) -> list[str]:
    """What the lines give, computed without buffer and line."""
    framed = LineFramer(0).feed(b"".join(lines))
    return [call.event_id for call in translator().translate(framed, now=StoppingClock().now()).calls]


def translator() -> Translator:
    """The feed's, as at a start."""
    return open_translator("asterisk_csv", site=SITE, secret=SECRET, feed="main")


def nothing() -> None:
    """A disk that is well."""
