"""Bytes to lines: line ends, marks, limits, and the same result however the bytes are cut."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.framing import MAX_LINE_BYTES, LineFramer
from appliance.cdr.record import Line

PIECES = st.lists(
    st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"\0", b"\xef\xbb\xbf", b'"', b","]), max_size=40
)


def chunked(data: bytes, cuts: list[int]) -> tuple[list[Line], Line | None]:
    """Feed ``data`` cut at ``cuts``."""
    framer = LineFramer()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    lines = [line for start, end in itertools.pairwise(edges) for line in framer.feed(data[start:end])]
    return lines, framer.finish()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_line_end_ends_a_line(end: bytes) -> None:
    """LF, CRLF and a lone CR give the same content; the offset is where the line starts."""
    lines = LineFramer().feed(b"ab" + end + b"" + end + b"c" + end + b"d")
    assert [line.content for line in lines] == [b"ab", b"", b"c"]
    assert [line.offset for line in lines] == [0, 2 + len(end), 2 + 2 * len(end)]


def test_an_unfinished_line_is_held_back() -> None:
    """What has no line end is not given out, and counted as pending; ``offset`` is where it starts."""
    framer = LineFramer()
    assert framer.feed(b"one\ntw") == [Line(0, b"one")]
    assert (framer.pending, framer.offset) == (2, 4)
    assert framer.feed(b"o\n") == [Line(4, b"two")]
    assert (framer.pending, framer.offset) == (0, 8)


def test_finish_gives_the_last_line_without_its_end() -> None:
    """A finished file's last line is given once."""
    framer = LineFramer(100)
    framer.feed(b"torn")
    assert framer.finish() == Line(100, b"torn")
    assert framer.finish() is None
    assert framer.offset == 104


def test_a_carriage_return_at_the_edge_waits_for_what_follows() -> None:
    """A CRLF cut in two chunks is one line end, not two."""
    framer = LineFramer()
    assert framer.feed(b"ab\r") == []
    assert framer.pending == 3
    assert framer.feed(b"\ncd\n") == [Line(0, b"ab"), Line(4, b"cd")]


def test_a_carriage_return_at_the_very_end_is_a_line_end() -> None:
    """The last line of a Mac export ends in CR; nothing of it is lost when the file is finished."""
    framer = LineFramer()
    framer.feed(b"ab\r")
    assert framer.finish() == Line(0, b"ab")


def test_a_byte_order_mark_is_no_content() -> None:
    """It is taken off the first line of a file, and only there."""
    framer = LineFramer()
    lines = framer.feed(b"\xef\xbb") + framer.feed(b"\xbfa\n\xef\xbb\xbfb\n")
    assert lines == [Line(0, b"a"), Line(5, b"\xef\xbb\xbfb")]


def test_nuls_before_a_line_are_no_content() -> None:
    """They are taken off its start, not out of its middle; the offset counts them."""
    assert LineFramer(10).feed(b"\0\0a\0b\nc\n") == [Line(10, b"a\0b"), Line(16, b"c")]


def test_the_longest_line_is_whole() -> None:
    """A line of exactly the bound is not cut; one byte more shows by its length."""
    at_bound, over = b"x" * MAX_LINE_BYTES, b"x" * (MAX_LINE_BYTES + 1)
    lines = LineFramer(1).feed(at_bound + b"\n" + over + b"y\nz\n")
    assert [len(line.content) for line in lines] == [MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 1]
    assert lines[2].offset == 1 + 2 * MAX_LINE_BYTES + 1 + 3


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_reading_goes_on_after_a_line_too_long(end: bytes) -> None:
    """Chunks of an endless line give nothing, then one cut line, then the next line at its true offset."""
    framer = LineFramer()
    size = 200 * 1024
    for _ in range(3):
        assert framer.feed(b"x" * size) == []
    assert framer.pending == 3 * size
    lines = framer.feed(end + b"next" + end + b"t")
    assert [line.offset for line in lines] == [0, 3 * size + len(end)]
    assert len(lines[0].content) == MAX_LINE_BYTES + 1
    assert lines[1].content == b"next"


def test_an_endless_line_costs_bounded_memory() -> None:
    """10 MB without a line end hold no more than the bound (and one chunk)."""
    framer = LineFramer()
    chunk = b"x" * (256 * 1024)
    tracemalloc.start()
    for _ in range(40):
        framer.feed(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert framer.pending == 40 * len(chunk)
    assert peak < 2 * 1024 * 1024


def test_a_torn_endless_line_is_given_cut_at_the_end() -> None:
    """A file that ends within a line too long gives that line, cut."""
    framer = LineFramer()
    framer.feed(b"x" * 300_000)
    line = framer.finish()
    assert line is not None
    assert (line.offset, len(line.content), framer.offset) == (0, MAX_LINE_BYTES + 1, 300_000)


@given(PIECES, st.lists(st.integers(0, 200), max_size=6))
def test_cutting_into_chunks_changes_nothing(pieces: list[bytes], cuts: list[int]) -> None:
    """The lines depend on the bytes alone."""
    data = b"".join(pieces)
    assert chunked(data, cuts) == chunked(data, [])


@given(PIECES, st.integers(0, 200))
def test_a_new_framer_goes_on_from_the_offset(pieces: list[bytes], cut: int) -> None:
    """Reading again from ``offset`` gives the lines that were still to come."""
    data = b"".join(pieces)
    whole, last = chunked(data, [])
    first = LineFramer()
    before = first.feed(data[: cut % (len(data) + 1)])
    second = LineFramer(first.offset)
    after = second.feed(data[first.offset :])
    assert before + after == whole
    assert second.finish() == last


@given(PIECES)
def test_every_line_stands_where_it_says(pieces: list[bytes]) -> None:
    """Offsets rise, and the bytes at each are those of the line (after a mark or NULs)."""
    data = b"".join(pieces)
    lines, last = chunked(data, [])
    every = [*lines, last] if last else lines
    assert [line.offset for line in every] == sorted({line.offset for line in every})
    for line in every:
        rest = data[line.offset :].removeprefix(b"\xef\xbb\xbf") if line.offset == 0 else data[line.offset :]
        assert rest.lstrip(b"\0").startswith(line.content)
