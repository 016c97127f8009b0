"""A disk or server that fails, shows things late, or holds what is no file: reading waits, and loses nothing."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import SourceError
from appliance.sources.disk import Disk, FileStatus
from appliance.sources.file_source import QUIET_SECONDS, FileSource
from tests.support.file_feed import ManualClock, append, contents, follow, position_after, read_all


class FailingDisk(Disk):
    """The real file system, of which one call fails."""

    def __init__(self, fails_at: int, code: int) -> None:
        self.left = fails_at
        self.code = code

    def count(self) -> None:
        """Fail if this is the call."""
        self.left -= 1
        if self.left == 0:
            raise OSError(self.code, os.strerror(self.code))

    def entries(self, folder: str) -> list[tuple[str, int]]:
        self.count()
        return super().entries(folder)

    def folder_modified(self, folder: str) -> int:
        self.count()
        return super().folder_modified(folder)

    def status(self, path: str) -> FileStatus:
        self.count()
        return super().status(path)

    def open(self, path: str) -> int:
        self.count()
        return super().open(path)

    def opened(self, descriptor: int) -> FileStatus:
        self.count()
        return super().opened(descriptor)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        self.count()
        return super().read(descriptor, size, offset)


def patiently(source: FileSource) -> Iterator[str]:
    """Read as the daemon does: after an error it is tried again."""
    quiet = 0
    while quiet < 3:
        try:
            batch = source.read(max_bytes=64)
        except SourceError:
            continue
        quiet = 0 if batch else quiet + 1
        yield from (line.content.decode() for line in batch.lines) if batch else ()


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOENT, errno.EACCES])
@pytest.mark.parametrize("pattern", ["Master.csv", "*.csv"])
def test_an_error_of_any_call_loses_and_repeats_nothing(tmp_path: Path, pattern: str, code: int) -> None:
    """Each call in turn fails once, through growth and a rotation; of many files another may then come first."""
    calls = 0
    for fails_at in range(1, 200):
        folder = tmp_path / str(fails_at)
        folder.mkdir()
        feed = folder / "Master.csv"
        disk = FailingDisk(fails_at, code)
        source = follow(folder / pattern, disk=disk)
        append(feed, "".join(f"{number}\n" for number in range(30)))
        given = list(patiently(source))
        append(feed, "last\n")
        feed.rename(folder / "Master.csv.1")
        append(feed, "new\n")
        given += list(patiently(source))
        source.close()
        if "*" in pattern and given[-1] == "last":
            given[-2:] = given[:-3:-1]
        assert given == [*map(str, range(30)), "last", "new"]
        if disk.left > 0:
            break
        calls = fails_at
    assert 20 < calls < 199


def test_nuls_at_the_end_are_bytes_that_are_yet_to_come(tmp_path: Path) -> None:
    """A server shows the new size first; what stands there later is read."""
    feed = tmp_path / "Master.csv"
    append(feed, b"one\ntw" + bytes(20))
    source = follow(feed)
    assert contents(source) == ["one"]
    with feed.open("r+b") as file:
        file.seek(6)
        file.write(b"o\nthree\n")
    assert contents(source) == ["two", "three"]


def test_nuls_at_the_end_of_a_rotated_file_are_no_line(tmp_path: Path) -> None:
    """A file that was laid out longer than it was written, as after a crash."""
    feed = tmp_path / "Master.csv"
    append(feed, b"one\n" + bytes(20))
    source = follow(feed)
    assert contents(source) == ["one"]
    feed.rename(tmp_path / "Master.csv.1")
    append(feed, "two\n")
    assert contents(source) == ["two"]


def test_a_file_rewritten_within_a_tick_of_the_clock_is_noticed(tmp_path: Path) -> None:
    """The same inode, size and time, other bytes: a young file is compared, not believed."""
    feed = tmp_path / "Master.csv"
    append(feed, "one\n")
    time = feed.stat().st_mtime_ns
    source = follow(feed)
    assert contents(source) == ["one"]
    feed.write_bytes(b"two\n")
    os.utime(feed, ns=(time, time))
    assert contents(source) == ["two"]


@pytest.mark.parametrize("seen", ["one\n", ""])
def test_a_copy_in_the_making_is_left_alone(tmp_path: Path, seen: str) -> None:
    """Copytruncate, looked at in its middle: the lines come from the original, and what it lacks from the copy."""
    feed = tmp_path / "Master.csv"
    append(feed, seen)
    source = follow(feed)
    assert contents(source) == seen.split()
    append(feed, "two\nthree\n")
    append(tmp_path / "Master.csv.1", f"{seen}tw")
    assert contents(source) == ["two", "three"]
    append(tmp_path / "Master.csv.1", "o\nthree\n")
    assert contents(source) == []
    feed.write_bytes(b"")
    assert contents(source) == []
    append(feed, "four\n")
    assert contents(source) == ["four"]


def test_a_long_hole_is_passed_once_something_stands_behind_it(tmp_path: Path) -> None:
    """NULs in the middle are content that the framer judges (a line too long); what follows is read."""
    feed = tmp_path / "Master.csv"
    append(feed, b"one\n" + bytes(300_000))
    source = follow(feed)
    assert contents(source, max_bytes=1 << 12) == ["one"]
    append(feed, b"two\nthree\n")
    lines: list[str] = []
    for _ in range(200):
        batch = source.read(max_bytes=1 << 17)
        lines += [line.content.strip(b"\0").decode() for line in batch.lines] if batch else []
    assert lines == ["", "three"]


class LateStatusDisk(Disk):
    """An attribute cache: the size that is told is the one at the first look."""

    def __init__(self) -> None:
        self.told: dict[str, FileStatus] = {}

    def status(self, path: str) -> FileStatus:
        return self.told.setdefault(path, super().status(path))


def test_a_size_that_is_told_too_small_is_no_truncation(tmp_path: Path) -> None:
    """What was read is compared, not sizes; when the cache expires nothing is read twice."""
    feed = tmp_path / "Master.csv"
    append(feed, "one\n")
    disk = LateStatusDisk()
    source = follow(feed, disk=disk)
    assert contents(source) == ["one"]
    append(feed, "two\n")
    assert contents(source) == ["two"]
    disk.told.clear()
    append(feed, "three\n")
    assert contents(source) == ["three"]


class LateBytesDisk(Disk):
    """Bytes past a border are not there yet, though the size says so."""

    border = 1_000_000

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        return super().read(descriptor, min(size, max(0, self.border - offset)), offset)


def test_bytes_that_come_after_their_size_are_read(tmp_path: Path) -> None:
    """A file that is shorter to read than it is told is not taken as read, however long nothing changes in it."""
    feed, clock, disk = tmp_path / "Master.csv", ManualClock(), LateBytesDisk()
    append(feed, "one\ntwo\n")
    disk.border = 4
    source = follow(feed, clock=clock, disk=disk)
    assert contents(source) == ["one"]
    clock.seconds += 30
    assert contents(source) == []
    disk.border = 100
    assert contents(source) == ["two"]


@pytest.mark.timeout(20)
def test_what_is_no_file_is_an_error_that_passes_and_never_waits(tmp_path: Path) -> None:
    """A FIFO that nobody writes to, a device, a link to itself, a folder."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    for name, error in {
        "fifo": "NotAFileError",
        "device": "NotAFileError",
        "loop": "OSError",
        "folder": "IsADirectoryError",
        "none": "FileNotFoundError",
        "none/none": "FileNotFoundError",
        "loop/none": "OSError",
    }.items():
        for _ in range(2):
            with pytest.raises(SourceError, match=error):
                follow(tmp_path / name).read(max_bytes=10)


@pytest.mark.timeout(20)
def test_among_many_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    """A pattern names files; what else it matches does not stop them."""
    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "b.csv").mkdir()
    (tmp_path / "c.csv").symlink_to("/dev/zero")
    append(tmp_path / "d.csv", "one\n")
    (tmp_path / "e.csv").symlink_to(tmp_path / "d2")
    assert contents(follow(tmp_path / "*.csv")) == ["one"]


class ForbiddenDisk(Disk):
    """One file may not be opened (tests run as root, whom permissions do not stop)."""

    forbidden = "b.csv"

    def open(self, path: str) -> int:
        if path.endswith(self.forbidden):
            raise PermissionError
        return super().open(path)


def test_one_file_that_may_not_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is counted once, the feed says that it is unreadable, and when it may be read it is."""
    disk, clock = ForbiddenDisk(), ManualClock()
    for name in "abc":
        append(tmp_path / f"{name}.csv", f"{name}\n")
    source = follow(tmp_path / "*.csv", disk=disk, clock=clock)
    given = []
    for _ in range(2):
        with pytest.raises(SourceError, match="PermissionError"):
            given += contents(source)
        given += [] if given else ["nothing"]
    assert source.problems == {"file_unreadable": 1}
    disk.forbidden = "none"
    clock.seconds += 60
    assert contents(source) == ["b"]


def test_a_torn_line_among_many_waits_a_minute_and_for_a_newer_file(tmp_path: Path) -> None:
    """A file a call, without a line end: the last line counts when the writer has turned to another file."""
    clock = ManualClock()
    append(tmp_path / "1.csv", "one")
    source = follow(tmp_path / "*.csv", clock=clock)
    assert contents(source) == []
    clock.seconds += QUIET_SECONDS
    assert contents(source) == []
    append(tmp_path / "2.csv", "two")
    os.utime(tmp_path / "2.csv", (2e9, 2e9))
    (batch,) = read_all(source)
    assert ([line.content for line in batch.lines], batch.unterminated) == ([b"one"], True)
    append(tmp_path / "2.csv", " and more\n")
    assert contents(source) == ["two and more"]


def test_a_position_of_another_release_starts_the_feed_anew(tmp_path: Path) -> None:
    """All calls come again with the same keys; none is lost and the appliance starts."""
    append(tmp_path / "Master.csv", "one\n")
    assert position_after(follow(tmp_path / "Master.csv"))
    assert contents(follow(tmp_path / "Master.csv", b'{"device":1}')) == ["one"]
