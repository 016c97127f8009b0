"""A followed file gives each of its lines once, whatever is done to the file meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.framing import REWIND_BYTES
from appliance.errors import SourceError
from appliance.ports import SourceBatch
from appliance.sources.file_source import FileSource
from appliance.sources.followed_file import LOOK_BACK_BYTES


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Where the PBX writes."""
    return tmp_path / "Master.csv"


def append(path: Path, text: str) -> None:
    """Write as Asterisk does: open, append, close."""
    with path.open("ab") as file:
        file.write(text.encode())


def read_all(source: FileSource, *, max_bytes: int = 1 << 18) -> Iterator[SourceBatch]:
    """Read until there is nothing new."""
    while batch := source.read(max_bytes=max_bytes):
        yield batch


def contents(source: FileSource, *, max_bytes: int = 1 << 18) -> list[str]:
    """What is new, as text."""
    return [line.content.decode() for batch in read_all(source, max_bytes=max_bytes) for line in batch.lines]


def restart(path: Path, position: bytes | None) -> FileSource:
    """A new process with the position that was committed."""
    source = FileSource("main", path)
    source.resume(position)
    return source


def test_a_growing_file_gives_each_line_once(feed: Path) -> None:
    """Lines come as they are written; a line without its end waits."""
    append(feed, "one\ntwo\nthr")
    source = restart(feed, None)
    assert contents(source) == ["one", "two"]
    append(feed, "ee\n")
    assert contents(source) == ["three"]
    assert contents(source) == []


def test_a_missing_file_is_an_error_that_passes(feed: Path) -> None:
    """Before the PBX has written anything the feed is unreadable; afterwards it is read."""
    source = restart(feed, None)
    with pytest.raises(SourceError, match="FileNotFoundError"):
        source.read(max_bytes=100)
    append(feed, "one\n")
    assert contents(source) == ["one"]


def test_a_restart_goes_on_after_the_committed_line(feed: Path) -> None:
    """The position survives a restart at every line, also within a chunk that held a torn line."""
    append(feed, "one\ntwo\nthr")
    source = restart(feed, None)
    position = [batch.position for batch in read_all(source)][-1]
    append(feed, "ee\nfour\n")
    assert contents(restart(feed, position)) == ["three", "four"]


@given(
    lines=st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30), min_size=1, max_size=30),
    size=st.integers(1, 40),
    stop=st.integers(0, 30),
)
def test_chunks_and_restarts_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, stop: int
) -> None:
    """However the file is cut into reads, and wherever the process restarts, each line comes once."""
    path = tmp_path_factory.mktemp("feed") / "Master.csv"
    append(path, "".join(line + "\n" for line in lines))
    source = restart(path, None)
    seen: list[str] = []
    position = None
    for _ in range(stop):
        batch = source.read(max_bytes=size)
        if batch is None:
            break
        seen += [line.content.decode() for line in batch.lines]
        position = batch.position
    assert seen + contents(restart(path, position), max_bytes=size) == lines


def test_a_renamed_file_is_finished_before_the_new_one(feed: Path) -> None:
    """Rename rotation: what was written to the old file after the last look comes first."""
    append(feed, "one\n")
    source = restart(feed, None)
    assert contents(source) == ["one"]
    append(feed, "two\n")
    feed.rename(feed.with_name("Master.csv.1"))
    append(feed, "three\n")
    assert contents(source) == ["two", "three"]


def test_a_file_renamed_while_the_appliance_was_off_is_finished_first(feed: Path) -> None:
    """The position names the inode, so the renamed file is found beside the path."""
    append(feed, "one\ntwo\n")
    source = restart(feed, None)
    batch = source.read(max_bytes=4)
    assert batch is not None
    feed.rename(feed.with_name("Master.csv.1"))
    append(feed, "three\n")
    assert contents(restart(feed, batch.position)) == ["two", "three"]


def test_a_torn_last_line_of_a_renamed_file_is_marked(feed: Path) -> None:
    """It will never get its line end; the dialect decides whether it is whole."""
    append(feed, "one\ntw")
    source = restart(feed, None)
    assert contents(source) == ["one"]
    feed.rename(feed.with_name("Master.csv.1"))
    append(feed, "three\n")
    batches = list(read_all(source))
    assert [(line.content, batch.unterminated) for batch in batches for line in batch.lines] == [
        (b"tw", True),
        (b"three", False),
    ]
    assert [batch.restarted for batch in batches] == [False, True]


def test_between_rename_and_new_file_nothing_is_lost(feed: Path) -> None:
    """While there is no file behind the path the old one stays open."""
    append(feed, "one\n")
    source = restart(feed, None)
    assert contents(source) == ["one"]
    old = feed.rename(feed.with_name("Master.csv.1"))
    assert contents(source) == []
    append(old, "two\n")
    assert contents(source) == ["two"]


@pytest.mark.parametrize("rewritten", ["a\n", "longer than what stood there before\n" * 3])
def test_a_truncated_file_is_read_from_its_start(feed: Path, rewritten: str) -> None:
    """Copytruncate is seen by size, and by hash when the file has already grown past the old offset."""
    append(feed, "one\ntwo\n")
    source = restart(feed, None)
    batches = list(read_all(source))
    os.truncate(feed, 0)
    append(feed, rewritten)
    expected = rewritten.split()
    assert " ".join(contents(source)).split() == expected
    assert " ".join(contents(restart(feed, batches[-1].position))).split() == expected


def test_a_replaced_file_is_read_from_its_start_after_a_restart(feed: Path) -> None:
    """Another file behind the path, the old one gone: everything in it is new."""
    append(feed, "one\n")
    position = next(read_all(restart(feed, None))).position
    feed.unlink()
    append(feed.with_name("new"), "two\n")
    feed.with_name("new").rename(feed)
    assert contents(restart(feed, position)) == ["two"]


def test_an_inode_used_again_is_told_apart_by_its_head(feed: Path) -> None:
    """The same inode with other bytes before the offset is another file."""
    append(feed, "one\ntwo\n")
    position = next(read_all(restart(feed, None))).position
    with feed.open("r+b") as file:
        file.write(b"ONE\ntwo\nthree\n")
    assert contents(restart(feed, position)) == ["ONE", "two", "three"]


def test_a_restart_shows_the_parser_what_came_before(feed: Path) -> None:
    """The lines of the window before the position, and the file's first lines, are given once, with the first batch."""
    lines = [f"line {number:06d} {'x' * 200}" for number in range(2000)]
    append(feed, "\n".join(lines) + "\n")
    position = list(read_all(restart(feed, None)))[-1].position
    append(feed, "next\nlast\n")

    batches = list(read_all(restart(feed, position), max_bytes=5))

    preceding = [line.content.decode() for line in batches[0].preceding]
    assert batches[0].restarted
    assert preceding[0] == lines[0]
    assert preceding[-1] == lines[-1]
    window = [line for line in batches[0].preceding if line.offset >= batches[0].lines[0].offset - REWIND_BYTES]
    assert [line.content.decode() for line in window] == lines[-len(window) :]
    assert len(window) == REWIND_BYTES // len(lines[0] + "\n")
    assert not batches[1].preceding
    assert not batches[1].restarted


def test_a_short_file_shows_all_of_it(feed: Path) -> None:
    """Within the window the preceding lines are simply those of the file."""
    append(feed, "one\ntwo\n")
    position = next(read_all(restart(feed, None))).position
    append(feed, "three\n")
    batch = restart(feed, position).read(max_bytes=100)
    assert batch is not None
    assert [line.content for line in batch.preceding] == [b"one", b"two"]


def test_an_endless_line_costs_bounded_memory(feed: Path) -> None:
    """Ten megabytes without a line end give one overlong line, and then the file goes on."""
    with feed.open("wb") as file:
        file.write(b"x" * 10_000_000 + b"\nnext\n")
    lines = [line for batch in read_all(restart(feed, None)) for line in batch.lines]
    assert [len(line.content) > 64 * 1024 for line in lines] == [True, False]
    assert lines[1].content == b"next"


def test_a_folder_behind_the_path_is_an_error_that_passes(tmp_path: Path) -> None:
    """What cannot be read is reported by kind, without its content."""
    source = restart(tmp_path, None)
    with pytest.raises(SourceError, match="IsADirectoryError"):
        source.read(max_bytes=10)


@pytest.mark.parametrize("cut", [1, 20, 300])
def test_a_header_in_which_the_window_begins_is_shown(tmp_path: Path, cut: int) -> None:
    """The window of the lines before may begin within the file's first line; no line is missing, none shown twice."""
    feed = tmp_path / "Master.csv"
    header = b"h" * 399 + b"\n"
    row = b"r" * 99 + b"\n"
    rows = (LOOK_BACK_BYTES + cut - len(header)) // len(row) + 1
    filler = LOOK_BACK_BYTES + cut - len(header) - (rows - 1) * len(row)
    feed.write_bytes(header + row * (rows - 1) + (b"x" * (filler - 1) + b"\n" if filler else b""))
    position = list(read_all(restart(feed, None)))[-1].position
    with feed.open("ab") as file:
        file.write(b"next\n")
    (batch,) = read_all(restart(feed, position))
    offsets = [line.offset for line in batch.preceding]
    assert offsets[0] == 0
    assert offsets == sorted(set(offsets))
    assert offsets[-1] < feed.stat().st_size - len(b"next\n") == batch.lines[0].offset
    assert sum(len(line.content) + 1 for line in batch.preceding) == batch.lines[0].offset
