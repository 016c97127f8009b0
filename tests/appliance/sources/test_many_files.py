"""A pattern names many files: each is read once, in the order of their times, and the position stays small."""

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from appliance.errors import SourceError
from appliance.sources.disk import Disk
from appliance.sources.folder_watch import FULL_SECONDS_PER_NAME
from appliance.sources.position import MARKS, PAGES, RECENT, FeedPosition, Ledger, Page
from tests.support.file_feed import CountingDisk, ManualClock, append, contents, follow, position_after, read_all

MONTHS_AGO = 1_700_000_000


def a_file_a_call(folder: Path, first: int, count: int) -> list[str]:
    """Files as CUCM and 3CX write them, a second apart, long ago; gives their lines."""
    for number in range(first, first + count):
        path = folder / f"cdr_{number:06d}.csv"
        append(path, f"call {number}\n")
        os.utime(path, (MONTHS_AGO + number, MONTHS_AGO + number))
    return [f"call {number}" for number in range(first, first + count)]


def test_files_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Oldest first; names decide between equal times."""
    for name, time in (("a", 3), ("b", 1), ("d", 2), ("c", 2)):
        append(tmp_path / f"{name}.csv", f"{name}\n")
        os.utime(tmp_path / f"{name}.csv", (time, time))
    append(tmp_path / "e.txt", "not named\n")
    append(tmp_path / ".f.csv", "hidden\n")
    batches = list(read_all(follow(tmp_path / "*.csv")))
    assert [line.content.decode() for batch in batches for line in batch.lines] == ["b", "c", "d", "a"]
    assert all(batch.restarted for batch in batches)


def test_wildcards_may_stand_in_folders(tmp_path: Path) -> None:
    """A folder a day; a file among the folders is passed by."""
    for day in ("2024-01-01", "2024-01-02", "other"):
        (tmp_path / day).mkdir()
        append(tmp_path / day / "cdr.csv", f"{day}\n")
    append(tmp_path / "2024-file", "no folder\n")
    source = follow(tmp_path / "2024-*" / "cdr.[ct]sv")
    assert contents(source) == ["2024-01-01", "2024-01-02"]
    (tmp_path / "2024-01-03").mkdir()
    append(tmp_path / "2024-01-03" / "cdr.csv", "2024-01-03\n")
    assert contents(source) == ["2024-01-03"]


class ForbiddenFolderDisk(Disk):
    """One folder may not be listed."""

    def entries(self, folder: str) -> list[tuple[str, int]]:
        if folder.endswith("b"):
            raise PermissionError
        return super().entries(folder)


def test_a_folder_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    """The feed says that something is unreadable once it has read the rest."""
    for name in "abc":
        (tmp_path / name).mkdir()
        append(tmp_path / name / "cdr.csv", f"{name}\n")
    source = follow(tmp_path / "*" / "cdr.csv", disk=ForbiddenFolderDisk())
    assert [
        [line.content for line in batch.lines]
        for batch in (source.read(max_bytes=9), source.read(max_bytes=9))
        if batch
    ] == [[b"a"], [b"c"]]
    with pytest.raises(SourceError, match="PermissionError"):
        source.read(max_bytes=9)


def test_a_folder_that_is_deleted_takes_only_its_files(tmp_path: Path) -> None:
    """Housekeeping of a folder a day."""
    for name in "ab":
        (tmp_path / name).mkdir()
        append(tmp_path / name / "cdr.csv", f"{name}\n")
    source = follow(tmp_path / "*" / "cdr.csv")
    assert contents(source) == ["a", "b"]
    shutil.rmtree(tmp_path / "a")
    append(tmp_path / "b" / "cdr.csv", "more\n")
    assert contents(source) == ["more"]


def test_two_files_that_grow_are_both_followed(tmp_path: Path) -> None:
    """Each batch tells the parser which lines came before in its file."""
    clock = ManualClock()
    for name in "ab":
        append(tmp_path / f"{name}.csv", f"{name}1\n")
    source = follow(tmp_path / "*.csv", clock=clock)
    assert sorted(contents(source)) == ["a1", "b1"]
    for name in "ab":
        append(tmp_path / f"{name}.csv", f"{name}2\n")
    batches = list(read_all(source))
    assert sorted([line.content for line in (*batch.preceding, *batch.lines)] for batch in batches) == [
        [b"a1", b"a2"],
        [b"b1", b"b2"],
    ]
    assert contents(follow(tmp_path / "*.csv", batches[-1].position)) == []


@pytest.mark.parametrize("count", [40, pytest.param(20_000, marks=pytest.mark.slow)])
def test_thousands_of_files_are_read_once_also_after_a_restart(tmp_path: Path, count: int) -> None:
    """The position is bounded, and a restart opens none of the files that were read."""
    count += MARKS + 2 * RECENT
    expected = a_file_a_call(tmp_path, 0, count)
    source = follow(tmp_path / "*.csv")
    position, given = b"", []
    while len(given) < count:
        batch = source.read(max_bytes=100)
        assert batch is not None
        position = batch.position
        given += [line.content.decode() for line in batch.lines]
    assert given == expected
    assert len(position) < 20_000
    disk = CountingDisk()
    clock = ManualClock()
    again = follow(tmp_path / "*.csv", position, disk=disk, clock=clock)
    assert contents(again) == []
    assert disk.calls["open"] == 1  # the file of the last batch, which was not yet noted as read to its end
    clock.seconds += count
    assert a_file_a_call(tmp_path, count, 3) == contents(again)


def test_a_late_file_with_an_older_time_is_found_after_a_restart(tmp_path: Path) -> None:
    """No clock is trusted: the page that it falls into no longer adds up and is read again, the other pages are not."""
    count = 2 * RECENT + MARKS + PAGES
    a_file_a_call(tmp_path, 0, count)
    position = position_after(follow(tmp_path / "*.csv"))
    late = tmp_path / "late.csv"
    append(late, "late\n")
    os.utime(late, (MONTHS_AGO + 10, MONTHS_AGO + 10))
    given = contents(follow(tmp_path / "*.csv", position))
    assert "late" in given
    assert len(given) <= 1 + count // PAGES


def test_a_late_file_is_found_while_running(tmp_path: Path) -> None:
    """A clock set back ten years, or a copied file that kept its time."""
    a_file_a_call(tmp_path, 0, 5)
    source = follow(tmp_path / "*.csv")
    assert len(contents(source)) == 5
    append(tmp_path / "late.csv", "late\n")
    os.utime(tmp_path / "late.csv", (1e9, 1e9))
    assert contents(source) == ["late"]


def test_deleted_files_cost_no_more_than_their_page(tmp_path: Path) -> None:
    """Housekeeping while the appliance was off: what is left of one page comes again, with the same keys."""
    count = 2 * RECENT + MARKS + PAGES
    a_file_a_call(tmp_path, 0, count)
    position = position_after(follow(tmp_path / "*.csv"))
    for number in range(5):
        (tmp_path / f"cdr_{number:06d}.csv").unlink()
    assert len(contents(follow(tmp_path / "*.csv", position))) <= count // PAGES


def test_a_file_that_vanished_and_came_back_is_not_read_again(tmp_path: Path) -> None:
    """A mount that comes and goes: the file is known by its state and by its bytes."""
    append(tmp_path / "a.csv", "one\n")
    append(tmp_path / "b.csv", "two\n")
    source = follow(tmp_path / "*.csv")
    assert contents(source) == ["one", "two"]
    (tmp_path / "a.csv").rename(tmp_path / "away")
    assert contents(source) == []
    (tmp_path / "away").rename(tmp_path / "a.csv")
    append(tmp_path / "a.csv", "three\n")
    assert contents(source) == ["three"]


def test_a_copy_is_not_read_again(tmp_path: Path) -> None:
    """An administrator's copy beside the file, of all of it or of its start, as long as the file is there."""
    append(tmp_path / "a.csv", "one\ntwo\n")
    source = follow(tmp_path / "*")
    assert contents(source) == ["one", "two"]
    shutil.copyfile(tmp_path / "a.csv", tmp_path / "a.csv.orig")
    assert contents(source) == []
    append(tmp_path / "a.csv", "three\n")
    assert contents(source) == ["three"]


def test_files_with_the_same_header_are_different_files(tmp_path: Path) -> None:
    """CUCM's header is longer than what is hashed of a head; a file that holds only it hides no other."""
    header = "x" * 3000
    append(tmp_path / "1.csv", f"{header}\n")
    source = follow(tmp_path / "*.csv")
    assert contents(source) == [header]
    append(tmp_path / "2.csv", f"{header}\ntwo\n")
    assert contents(source)[-1] == "two"
    append(tmp_path / "1.csv", "one\n")
    assert contents(source) == ["one"]


def test_an_idle_folder_of_many_files_costs_a_few_calls(tmp_path: Path) -> None:
    """Two minutes of polls: the folder's time and the files read last are asked for; all files only now and then."""
    count = 600
    a_file_a_call(tmp_path, 0, count)
    clock, disk = ManualClock(), CountingDisk()
    source = follow(tmp_path / "*.csv", clock=clock, disk=disk)
    for _ in range(count + 20):
        source.read(max_bytes=100)
        clock.seconds += 0.01
    disk.calls = dict.fromkeys(disk.calls, 0)
    polls = 240
    for _ in range(polls):
        assert source.read(max_bytes=100) is None
        clock.seconds += 0.5
    full_looks = polls * 0.5 / (count * FULL_SECONDS_PER_NAME) + 1
    assert disk.calls["open"] == disk.calls["read"] == 0
    assert disk.calls["entries"] <= full_looks + 6
    assert disk.calls["status"] <= full_looks * count + polls * 64


def test_a_file_that_grows_again_after_long_is_found_at_the_next_full_look(tmp_path: Path) -> None:
    """It does not change its folder's time, and was not read lately."""
    count = 300
    a_file_a_call(tmp_path, 0, count)
    clock = ManualClock()
    source = follow(tmp_path / "*.csv", clock=clock)
    assert len(contents(source)) == count
    append(tmp_path / f"cdr_{count - 100:06d}.csv", "more\n")
    clock.seconds += count * FULL_SECONDS_PER_NAME
    assert contents(source) == ["more"]


def test_the_ledgers_pages_are_bounded_and_keep_equal_times_together() -> None:
    """However many files, of whatever times."""
    present = {key: key // 7 for key in range(10_000)}
    ledger = Ledger()
    for key in present:
        ledger.add(key)
    ledger.tidy(present)
    assert len(ledger.recent) == RECENT
    assert len(ledger.pages) <= PAGES
    assert [page.newest for page in ledger.pages] == sorted({page.newest for page in ledger.pages})
    again = Ledger(ledger.recent, ledger.pages)
    again.confirm(present)
    assert all(key in again for key in present)
    ledger.add(0)
    assert 0 not in ledger.recent


def test_the_position_is_bounded_by_its_parts() -> None:
    """The most it can hold, with the largest numbers."""
    mark = [2**64 - 1, 1024, b"h" * 16, b"t" * 16, 2**40, 2**64 - 1]
    page = Page(2**62, 10**6, 2**64 - 1)
    whole = [[mark] * MARKS, [2**64 - 1] * (2 * RECENT), [page] * PAGES]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=FeedPosition).pages[0] == page
    assert len(msgspec.msgpack.encode(whole)) < 20_000


def test_of_two_files_of_one_time_the_rotated_one_comes_first(tmp_path: Path) -> None:
    """Also where the pattern names the rotations: a copy keeps the time at which the original was last written."""
    for name, line in (("Master.csv", "third\n"), ("Master.csv.2", "first\n"), ("Master.csv.1", "second\n")):
        (tmp_path / name).write_text(line, encoding="utf-8")
        os.utime(tmp_path / name, (1_700_000_000, 1_700_000_000))
    assert contents(follow(tmp_path / "Master.csv*")) == ["first", "second", "third"]
