"""Intake moves a feed into the buffer: each line is recorded, set aside or known to be none, and counted."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.daemon import open_translator
from appliance.errors import BufferFullError, SourceError
from appliance.intake import FeedIntake
from appliance.ports import SecretBytes
from appliance.settings import load_site
from appliance.sources.file_source import FileSource
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import decode_batch
from tests.support.cdr_generator import generate
from tests.support.fake_clock import FakeClock
from tests.support.records import verdict

SITE = Path(__file__).parents[1] / "testdata/demo/site.toml"
SECRET = SecretBytes(bytes(range(32)))


class LaterClock(FakeClock):
    """A clock of the days after the generated feed."""

    def __init__(self) -> None:
        super().__init__()
        self.slept.append(timedelta(days=30).total_seconds())


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[SqliteBuffer]:
    """An empty buffer."""
    settings = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=1000)
    opened = SqliteBuffer.open(tmp_path / "buffer.db", masters={1: SECRET}, settings=settings)
    yield opened
    opened.close()


def intake_of(path: Path, buffer: SqliteBuffer) -> FeedIntake:
    """The product's intake of one file, as at a process start."""
    translator = open_translator("asterisk_csv", site=load_site(SITE), secret=SECRET, feed="main")
    return FeedIntake(FileSource("main", path), translator, buffer, LaterClock())


def events(buffer: SqliteBuffer) -> list[str]:
    """Deliver everything; give the event ids in order."""
    seen = []
    while batch := buffer.oldest():
        seen += [record.event_id for record in decode_batch(batch.body).records]
        buffer.acknowledge(batch, verdict(batch.epoch, batch.sequence, accepted=batch.records))
    return seen


def tally(buffer: SqliteBuffer) -> dict[str, int]:
    """The counts of the one feed and day."""
    (only,) = buffer.stats().tallies
    return only.counts


def test_every_line_is_accounted_for(tmp_path: Path, buffer: SqliteBuffer) -> None:
    """Read = recorded + quarantined + ignored, and each record is in a batch once."""
    feed = tmp_path / "Master.csv"
    content = generate(rows=300, seed=5)
    feed.write_bytes(content + b"\nnonsense\n")
    intake = intake_of(feed, buffer)
    assert intake.feed == "main"
    while intake.step():
        pass
    counts = tally(buffer)
    assert counts["read"] == content.count(b"\n") + 2
    assert counts["read"] == counts["recorded"] + counts["quarantined"] + counts["ignored"]
    found = events(buffer)
    assert len(found) == len(set(found)) == counts["recorded"]


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_restart_between_two_commits_changes_no_identity(tmp_path: Path, buffer: SqliteBuffer, cut: float) -> None:
    """The same records, with the same event ids, whether or not the process was restarted in the middle."""
    content = generate(rows=400, seed=6)
    whole = tmp_path / "whole.csv"
    whole.write_bytes(content)
    intake = intake_of(whole, buffer)
    while intake.step():
        pass
    expected = events(buffer)

    parts = tmp_path / "parts.csv"
    half = int(len(content) * cut)
    parts.write_bytes(content[:half])
    second = SqliteBuffer.open(
        tmp_path / "second.db",
        masters={1: SECRET},
        settings=BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=1000),
    )
    while intake_of(parts, second).step():
        pass
    with parts.open("ab") as file:
        file.write(content[half:])
    restarted = intake_of(parts, second)
    while restarted.step():
        pass
    assert events(second) == expected
    second.close()


def test_a_torn_last_line_of_a_replaced_file_is_set_aside_as_torn(tmp_path: Path, buffer: SqliteBuffer) -> None:
    """It gives no record; its reason says what happened to it."""
    feed = tmp_path / "Master.csv"
    content = generate(rows=20, seed=7)
    feed.write_bytes(content.rstrip(b"\n")[:-40])
    intake = intake_of(feed, buffer)
    while intake.step():
        pass
    feed.rename(tmp_path / "Master.csv.1")
    feed.write_bytes(b"")
    while intake.step():
        pass
    assert ("line", "line_torn") in {(item.kind, item.reason) for item in buffer.stats().quarantine}


def test_a_full_buffer_pauses_the_feed_and_loses_nothing(tmp_path: Path, buffer: SqliteBuffer) -> None:
    """What a step read is held while the buffer is full, and committed once acknowledgements have made room."""
    feed = tmp_path / "Master.csv"
    feed.write_bytes(generate(rows=9000, seed=8))
    unbounded = intake_of(feed, buffer)
    while unbounded.step():
        pass
    settings = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**19, batch_records=1000)
    small = SqliteBuffer.open(tmp_path / "small.db", masters={1: SECRET}, settings=settings)
    intake = intake_of(feed, small)
    seen: list[str] = []
    pauses = 0
    while pauses < 100:
        try:
            if not intake.step():
                break
        except BufferFullError:
            pauses += 1
            seen += events(small)
    assert 0 < pauses < 100
    assert seen + events(small) == events(buffer)
    small.close()


def test_a_missing_feed_is_an_error_that_passes(tmp_path: Path, buffer: SqliteBuffer) -> None:
    """The step raises, and works once the PBX has written its file."""
    feed = tmp_path / "Master.csv"
    intake = intake_of(feed, buffer)
    with pytest.raises(SourceError):
        intake.step()
    feed.write_bytes(generate(rows=5, seed=9))
    assert intake.step()
