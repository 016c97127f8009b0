"""Rotated files that were compressed: read on where they were left, never read twice, and harmless when damaged."""

import gzip
import os
import shutil
import tracemalloc
from pathlib import Path

import pytest

from appliance.sources.content import WINDOW_BYTES
from appliance.sources.file_source import QUIET_SECONDS
from tests.support.file_feed import CountingDisk, ManualClock, append, contents, follow, position_after, read_all


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Where the PBX writes."""
    return tmp_path / "Master.csv"


def compress(path: Path) -> Path:
    """As gzip does: the new file keeps the time, the old one goes."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    shutil.copystat(path, packed)
    path.unlink()
    return packed


def rows(count: int, first: int = 0) -> list[str]:
    """Lines that differ."""
    return [f"{number:07d} {number * 7919 % 1_000_003:020d}" for number in range(first, first + count)]


def text(lines: list[str]) -> str:
    """Lines with their ends."""
    return "".join(line + "\n" for line in lines)


@pytest.mark.parametrize("left_at", [1, 100, 5000])
@pytest.mark.parametrize("ending", [".1", "-20240101", "-2024-01-01-00-00-00", ".old"])
def test_a_file_compressed_while_it_was_being_read_is_read_on(feed: Path, left_at: int, ending: str) -> None:
    """Renamed and compressed while the appliance was off: the position finds its place in the decompressed bytes."""
    lines = rows(10_000)
    append(feed, text(lines))
    position = position_after(follow(feed), max_bytes=29 * left_at, batches=1)
    compress(feed.rename(f"{feed}{ending}"))
    append(feed, "new\n")
    assert contents(follow(feed, position)) == [*lines[left_at:], "new"]


def test_a_file_that_was_read_whole_is_not_read_from_its_compressed_form(feed: Path) -> None:
    """Neither in the same process nor after a restart, and its bytes are gone through once."""
    append(feed, text(rows(1000)))
    clock, disk = ManualClock(), CountingDisk()
    source = follow(feed, clock=clock, disk=disk)
    position = position_after(source)
    packed = compress(feed.rename(f"{feed}.1"))
    append(feed, "new\n")
    assert contents(source) == ["new"]
    assert contents(follow(feed, position)) == ["new"]
    clock.seconds += 100
    assert contents(source) == []
    packed.rename(f"{feed}.2.gz")
    disk.calls["open"] = 0
    assert contents(source) == []
    assert disk.calls["open"] == 0


def test_what_was_rotated_before_the_first_start_is_passed_over_also_when_it_is_compressed_later(feed: Path) -> None:
    """The feed begins with the file that the pattern names."""
    append(Path(f"{feed}.1"), "old\n")
    compress(Path(shutil.copyfile(f"{feed}.1", f"{feed}.2")))
    append(feed, "one\n")
    source = follow(feed)
    assert contents(source) == ["one"]
    compress(Path(f"{feed}.1"))
    append(feed, "two\n")
    assert contents(source) == ["two"]


def test_two_rotations_while_off_are_both_drained_in_order(feed: Path) -> None:
    """The one that was being read, compressed; one that was never seen; the new one."""
    append(feed, "1\n2\n")
    position = position_after(follow(feed), max_bytes=2, batches=1)
    feed.rename(f"{feed}.2")
    compress(Path(f"{feed}.2"))
    append(feed, "3\n4")
    feed.rename(f"{feed}.1")
    append(feed, "5\n")
    for name in (f"{feed}.2.gz", f"{feed}.1", str(feed)):
        os.utime(name, (1e9, 1e9))
    assert contents(follow(feed, position)) == ["2", "3", "4", "5"]


def test_a_compressed_file_of_two_members_is_read_whole(tmp_path: Path) -> None:
    """Compressed files may be joined; zeros may fill the last block."""
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\n") + bytes(512))
    source = follow(tmp_path / "*.gz")
    assert contents(source) == ["one", "two"]
    assert not source.problems


def test_a_truncated_compressed_file_is_read_as_far_as_it_goes_and_on_when_it_grows(tmp_path: Path) -> None:
    """It may be on its way; after a minute of quiet, and with a newer file, its last line counts as torn."""
    lines = rows(5000)
    packed = gzip.compress(text(lines).encode())
    path, clock = tmp_path / "a.csv.gz", ManualClock()
    path.write_bytes(packed[: len(packed) // 2])
    source = follow(tmp_path / "*.gz", clock=clock)
    given = contents(source)
    assert given == lines[: len(given)] != lines
    assert source.problems == {"gzip_truncated": 1}
    append(path, packed[len(packed) // 2 : -20])
    given += contents(source)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"new\n"))
    os.utime(tmp_path / "b.csv.gz", (2e9, 2e9))
    assert contents(source) == ["new"]
    clock.seconds += QUIET_SECONDS
    batches = list(read_all(source))
    assert [batch.unterminated for batch in batches] == [True]
    assert given == lines[: len(given)]
    assert lines[len(given)].startswith(batches[0].lines[0].content.decode())


def test_a_damaged_compressed_file_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    """A wrong checksum, garbage behind the start, and what another program compressed."""
    packed = gzip.compress(b"one\n")
    (tmp_path / "a.gz").write_bytes(packed[:-8] + bytes(8))
    (tmp_path / "b.gz").write_bytes(packed[:10] + b"\xff" * 100)
    (tmp_path / "c.xz").write_bytes(b"\xfd7zXZ\0 and so on\n")
    append(tmp_path / "d.csv", "four\n")
    source = follow(tmp_path / "*")
    assert contents(source)[-1] == "four"
    assert source.problems == {"gzip_damaged": 2, "compression_unknown": 1}


def test_a_gzip_bomb_costs_bounded_memory_and_ends(tmp_path: Path) -> None:
    """A gigabyte of zeros in a megabyte: reading stops, the condition is counted, the next file is read."""
    chunk = gzip.compress(b"x" * 2**20, compresslevel=9)
    (tmp_path / "a.gz").write_bytes(chunk * 1024)
    append(tmp_path / "b.csv", "two\n")
    source = follow(tmp_path / "*")
    tracemalloc.start()
    given = contents(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert given == ["two"]
    assert source.problems == {"gzip_bomb": 1}
    assert peak < 4 * WINDOW_BYTES


def test_a_long_compressed_file_is_left_and_found_again_anywhere(feed: Path) -> None:
    """Longer than the window: the position lies before what was unpacked last."""
    lines = rows(200_000)
    append(feed, text(lines))
    position = position_after(follow(feed), batches=2)
    compress(feed.rename(f"{feed}.1"))
    append(feed, "new\n")
    batches = list(read_all(follow(feed, position), max_bytes=1 << 20))
    given = [line.content.decode() for batch in batches for line in batch.lines]
    assert given == [*lines[-len(given) + 1 :], "new"]
    assert batches[0].lines[0].content.decode() == lines[2 * (1 << 18) // 29]
    assert batches[0].preceding[0].content.decode() == lines[0]


@pytest.mark.parametrize("regrown", ["a\n", "another\n" * 50])
def test_copytruncate_while_off_is_drained_from_the_copy(feed: Path, regrown: str) -> None:
    """Also when the new file is already longer than the old offset."""
    append(feed, "one\ntwo\nthr")
    position = position_after(follow(feed), max_bytes=4, batches=1)
    shutil.copy2(feed, f"{feed}.1")
    feed.write_bytes(b"")
    append(feed, regrown)
    assert contents(follow(feed, position)) == ["two", "thr", *regrown.split()]


def test_a_file_renamed_to_any_name_is_finished(feed: Path) -> None:
    """It is found by its inode and its bytes."""
    append(feed, "one\n")
    position = position_after(follow(feed))
    append(feed, "two\n")
    feed.rename(feed.with_name("put away"))
    append(feed, "three\n")
    assert contents(follow(feed, position)) == ["two", "three"]


def test_another_file_beside_the_feeds_is_never_read(feed: Path) -> None:
    """Only a number, a date or ``.gz`` makes a name a rotated one."""
    append(feed, "one\n")
    source = follow(feed)
    assert contents(source) == ["one"]
    for name in ("Master.csv.bak", "Master.csv~", "Master.csv.1.swp", "Master2.csv", "Master-2.csv", "aMaster.csv.1"):
        append(feed.with_name(name), "other\n")
    assert contents(source) == []
