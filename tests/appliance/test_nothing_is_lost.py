"""Buffer, delivery and receiver as one machine that Hypothesis drives: whatever happens, each record is accounted for.

The feeds are lists of numbers that only grow, as the PBX's files do; a read goes on where the buffer says it stood. A
record may be in two places only where it was read twice: an older copy of the buffer was restored, or a damaged one
lost its positions.
"""

import asyncio
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appliance.buffer.fsck import check
from appliance.buffer.salvage import open_or_salvage
from appliance.buffer.sealed_blob import BatchRow, place_of
from appliance.buffer.sqlite_buffer import TAMPERED, BufferSettings
from appliance.delivery import Delivery
from appliance.errors import ApplianceError, BufferTamperError, UplinkError
from appliance.policy.rate_cap import RateCap
from appliance.ports import QuarantinedLine, SecretBytes
from appliance.wire.batch import KeyProtection, Verdict
from appliance.wire.call import Call
from appliance.wire.codec import decode_batch
from appliance.wire.problem import ProblemCode
from tests.support.fake_clock import FakeClock
from tests.support.receiver_model import Fault, FaultyUplink, ReceiverModel
from tests.support.records import call, intake, token

T = TypeVar("T")
OWNER = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=3)
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
"""What survives a power cut is shown elsewhere; here an fsync would only take time."""
FEEDS = ("main", "side")
BROKEN = 11
"""A number that it divides is a line that is no record."""
REFUSED = 7
"""A number that it divides is a record that the receiver refuses."""
FILES = ("buffer.db", "buffer.db-wal")


class Heard:
    """Counts what delivery says (``delivery.LinkState``)."""

    def __init__(self) -> None:
        self.older_copies = 0

    def delivered(self, verdict: Verdict) -> None: ...
    def refused(self, error: UplinkError) -> None: ...
    def unavailable(self, error: ApplianceError) -> None: ...

    def older_copy(self) -> None:
        self.older_copies += 1


async def at_once(function: Callable[..., T], *arguments: object) -> T:
    """The buffer's thread."""
    return function(*arguments)


class Appliance(RuleBasedStateMachine):
    """One appliance with two feeds, its receiver, and what may happen to either."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.folder = Path(self._folder.name)
        self.path = self.folder / FILES[0]
        self.masters = {1: SecretBytes(bytes([1]) * 32)}
        self.written: dict[str, list[int]] = {feed: [] for feed in FEEDS}
        self.last = 0
        self.reads: Counter[int] = Counter()
        self.ruined: set[int] = set()
        """Records whose sealed batch lies under a page that was overwritten."""
        self.receiver = ReceiverModel(refuses=lambda item: number_of(item) % REFUSED == 0)
        self.uplink = FaultyUplink(self.receiver)
        self.heard = Heard()
        self.snapshot: dict[str, bytes] | None = None
        self.restored = False
        self.must_be_noticed = False

    @initialize()
    def start(self) -> None:
        """Start the process for the first time."""
        self.open()

    # The process -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the process: the buffer, and the delivery, which first asks for the mark."""
        self.buffer, _ = open_or_salvage(self.path, masters=self.masters, settings=OWNER)
        self.delivery = Delivery(
            buffer=self.buffer,
            uplink=self.uplink,
            on_buffer_thread=at_once,
            clock=FakeClock(),
            link=self.heard,
            rate_cap=RateCap(1e9),
        )
        self.mark_is_known = False

    @rule()
    def restart(self) -> None:
        """End the process in good order and start it again."""
        self.buffer.close()
        self.open()

    @rule(feed=st.sampled_from(FEEDS), count=st.integers(1, 9))
    def write(self, feed: str, count: int) -> None:
        """The PBX writes records."""
        self.written[feed] += range(self.last + 1, self.last + 1 + count)
        self.last += count

    @rule(feed=st.sampled_from(FEEDS), most=st.integers(1, 12))
    def read(self, feed: str, most: int) -> None:
        """Move some of a feed into the buffer, from where it stood."""
        start = int(self.buffer.position(feed) or b"0")
        numbers = self.written[feed][start : start + most]
        if numbers:
            lines = [QuarantinedLine(number, "binary", b"%d" % number) for number in numbers if number % BROKEN == 0]
            sound = [number for number in numbers if number % BROKEN]
            position = b"%d" % (start + len(numbers))
            self.buffer.append(intake(sound, position=position, feed=feed, quarantined=lines))
            self.reads.update(numbers)

    @rule(faults=st.lists(st.sampled_from(Fault), max_size=9), most=st.integers(1, 4))
    def deliver(self, faults: list[Fault], most: int) -> None:
        """Deliver some batches over a line that fails first."""
        self.uplink.faults.extend(faults)
        asyncio.run(self._deliver(most))

    async def _deliver(self, most: int) -> None:
        if not self.mark_is_known:
            before = self.heard.older_copies
            await self.delivery.check_high_water()
            if self.must_be_noticed:
                assert self.heard.older_copies > before, "a restored copy was not noticed"
            self.mark_is_known, self.must_be_noticed = True, False
        for _ in range(most):
            await self.delivery.step()

    @precondition(lambda self: self.mark_is_known)
    @rule()
    def die_before_the_answer(self) -> None:
        """The receiver stores a batch, and the process dies before it knows."""
        batch = self.buffer.oldest()
        if batch is not None:
            try:
                self.receiver.receive(batch.body)
            except UplinkError:
                return
        self.restart()

    # The keys and the file -------------------------------------------------------------------------------------------

    @rule()
    def rekey(self) -> None:
        """Take a new key into use, and destroy those that are spent."""
        version = max(self.masters) + 1
        self.masters[version] = SecretBytes(bytes([version % 256]) * 32)
        self.buffer.rekey(version, self.masters[version])
        for spent in self.buffer.spent_versions():
            del self.masters[spent]

    @rule()
    def copy(self) -> None:
        """Take a snapshot of the running machine's disk."""
        self.snapshot = {name: (self.folder / name).read_bytes() for name in FILES if (self.folder / name).exists()}

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def restore(self) -> None:
        """Put the snapshot back; the keys are of today."""
        self.buffer.close()
        for name in FILES:
            (self.folder / name).unlink(missing_ok=True)
        for name, content in (self.snapshot or {}).items():
            (self.folder / name).write_bytes(content)
        self.open()
        self.restored = True
        newest = self.buffer.connection.execute("SELECT max(epoch) FROM epoch").fetchone()[0] or 0
        self.must_be_noticed = self.receiver.mark.epoch > newest + 1

    @rule(place=st.floats(0, 1, exclude_max=True))
    def damage(self, place: float) -> None:
        """Overwrite one page of the stored batches; the next start salvages what is left."""
        before = self.waiting()
        self.buffer.close()
        with sqlite3.connect(self.path) as connection:
            pages = [number for (number,) in connection.execute("SELECT pageno FROM dbstat WHERE name = 'batch'")]
        connection.close()
        with self.path.open("r+b") as file:
            file.seek((pages[int(place * len(pages))] - 1) * 4096)
            file.write(b"\xa5" * 4096)
        self.open()
        self.ruined |= before - self.waiting()

    @rule()
    def look_it_over(self) -> None:
        """``buffer fsck`` finds nothing but what was ruined, and the accounts balance."""
        allowed = {"batch_tampered", "chain_broken"} if self.ruined or self.restored else set()
        if self.restored:  # the key that sealed it may have been destroyed since
            allowed |= {"position_tampered", "quarantine_tampered"}
        assert {finding.code for finding in check(self.buffer)} <= allowed

    # What must hold --------------------------------------------------------------------------------------------------

    def waiting(self) -> set[int]:
        """The numbers of the records that wait and can be opened."""
        columns = ", ".join(BatchRow._fields)
        rows = self.buffer.connection.execute(f"SELECT {columns} FROM batch").fetchall()  # noqa: S608 - own names
        found: set[int] = set()
        for row in map(BatchRow._make, rows):
            try:
                found |= {number_of(item) for item in decode_batch(self.buffer.open_batch(row)).records}
            except BufferTamperError:
                continue
        return found

    def set_aside(self) -> Iterator[tuple[str, str, int]]:
        """Kind, reason and number of everything in the quarantine that can be opened."""
        columns = "epoch, feed, kind, reason, content"
        for epoch, feed, kind, reason, blob in self.buffer.connection.execute(
            f"SELECT {columns} FROM quarantine"  # noqa: S608 - own names
        ).fetchall():
            try:
                content = self.buffer.open_blob(epoch, blob, place=place_of("quarantine", epoch=epoch, name=feed))
            except BufferTamperError:
                assert self.restored
                continue
            if reason != TAMPERED:
                yield from ((kind, reason, number) for number in numbers_in(kind, content))

    @invariant()
    def every_record_that_was_read_once_is_in_one_place(self) -> None:
        """Stored, refused and set aside, quarantined, waiting, or under a ruined page."""
        if not hasattr(self, "buffer"):
            return
        places = Counter(number_of(item) for item in self.receiver.stored)
        places.update(self.waiting())
        # A batch that was stored and not yet acknowledged is in both; the receiver can tell.
        places.subtract({number_of(item) for item in self.receiver.stored} & self.waiting())
        places.update(number for _, _, number in self.set_aside())
        places.update(self.ruined - set(places))
        if not self.restored:
            assert [number for number in self.reads if places[number] == 0] == []
            assert [number for number, times in self.reads.items() if times == 1 and places[number] > 1] == []
            assert self.receiver.reused == 0

    @invariant()
    def nothing_is_stored_twice_and_each_feed_keeps_its_order(self) -> None:
        """Of records that were read once."""
        for feed in FEEDS:
            numbers = [number_of(item) for item in self.receiver.stored if item.feed == feed]
            assert len(numbers) == len(set(numbers))
            once = [number for number in numbers if self.reads[number] == 1]
            assert once == sorted(once)

    def teardown(self) -> None:
        """In the end, with a line that is well, nothing waits and nothing is lost."""
        if hasattr(self, "buffer"):
            self.uplink.faults.clear()
            for feed in FEEDS:
                while int(self.buffer.position(feed) or b"0") < len(self.written[feed]):
                    self.read(feed, 100)
            asyncio.run(self._deliver(10_000))
            self._account_for_everything()
            self.look_it_over()
            self.buffer.close()
        self._folder.cleanup()

    def _account_for_everything(self) -> None:
        aside = list(self.set_aside())
        assert not self.waiting()
        assert not [item for item in aside if item[1] == ProblemCode.IDEMPOTENCY_KEY_REUSED]
        found = {number_of(item) for item in self.receiver.stored} | {number for _, _, number in aside} | self.ruined
        if not self.restored:
            assert found == set(range(1, self.last + 1))
        else:
            assert found >= {number for number in range(1, self.last + 1) if number % BROKEN} - self.judged()

    def judged(self) -> set[int]:
        """What the receiver refused, which a restored copy may have forgotten."""
        return {number for number in range(1, self.last + 1) if token(number) in self.receiver.refused}


def number_of(item: Call) -> int:
    """The number that a record was made of."""
    return int((item.started_at - call(0).started_at).total_seconds())


def numbers_in(kind: str, content: bytes) -> list[int]:
    """The numbers in an opened item of the quarantine."""
    if kind == "line":
        return [offset for offset, _ in msgspec.json.decode(content, type=list[tuple[int, Any]])]
    if kind == "record":
        return [number_of(msgspec.json.decode(content, type=Call))]
    return [number_of(item) for item in decode_batch(content).records]


TestAppliance = Appliance.TestCase
TestAppliance.settings = settings(settings.default, max_examples=settings.default.max_examples // 2)


def test_an_older_copy_that_has_given_numbers_again_gives_new_ones() -> None:
    """It read on before it was told the mark, and passed it: the refusal of its first key tells, and nothing is lost.

    The mark of (2, 1) is below the (2, 4) that the copy has issued; both hold a batch (2, 1), with other records.
    """
    machine = Appliance()
    machine.start()
    machine.write(feed="main", count=6)
    machine.read(feed="main", most=3)
    machine.deliver(faults=[], most=1)
    machine.copy()
    machine.restart()
    machine.read(feed="main", most=3)
    machine.deliver(faults=[], most=1)
    machine.restore()
    machine.write(feed="side", count=9)
    machine.read(feed="side", most=9)
    machine.read(feed="main", most=3)
    machine.deliver(faults=[], most=1)
    assert (machine.receiver.reused, machine.heard.older_copies) == (1, 1)
    machine.teardown()
