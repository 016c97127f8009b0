"""The dialect ``generic_fixed_width``: places, ends of lines, characters, and what is no record."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import Layout
from appliance.cdr.record import CallRecord
from appliance.errors import SettingsError
from tests.support import reading

LAYOUT = Layout(
    columns=("-", "start", "calling", "called", "talk", "disposition"),
    widths=(4, 20, 12, 12, 5, 10),
)
STARTED = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
START = "2026-10-19 08:00:00"


def line(*cells: str) -> str:
    """The cells in their places, without blanks at the end."""
    return "".join(cell.ljust(width) for cell, width in zip(cells, LAYOUT.widths, strict=False)).rstrip()


GOOD = line("C01", START, "0470112233", "201", "60", "ok")


def labels(*lines: str, layout: Layout = LAYOUT) -> list[str]:
    """What became of each line."""
    return reading.labels("generic_fixed_width", "\n".join([*lines, ""]).encode(), layout=layout)


def mistakes(layout: Layout) -> list[str]:
    """What is wrong with a layout."""
    with pytest.raises(SettingsError) as caught:
        labels(GOOD, layout=layout)
    return caught.value.mistakes


def test_a_line_is_read_by_its_places() -> None:
    """Blanks around a cell are not part of it."""
    record = reading.only("generic_fixed_width", GOOD.encode(), layout=LAYOUT)
    assert (record.calling, record.called, record.started_at) == ("0470112233", "201", STARTED)
    assert (record.talk_seconds, record.natural_key) == (60, b"line\0" + GOOD.encode() + b"\x001")


def test_columns_without_a_blank_between_them() -> None:
    """Only the widths part them."""
    layout = Layout(columns=("start", "calling", "called", "duration"), widths=(14, 10, 4, 4))
    record = reading.only("generic_fixed_width", b"20261019080000" + b"0470112233" + b"0201" + b"0065", layout=layout)
    assert (record.started_at, record.calling, record.called, record.total_seconds) == (
        STARTED,
        "0470112233",
        "0201",
        65,
    )


def test_a_line_may_lack_the_blanks_at_its_end() -> None:
    """And columns that may be empty; not those that a call must have."""
    short = line("C01", START, "0470112233", "201", "60")
    cut = line("C01", START, "0470112233", "201")
    assert labels(short, GOOD + " " * 40, cut, cut[:20]) == ["record", "record", "column_count", "column_count"]


def test_a_line_longer_than_the_layout_is_refused() -> None:
    """Something was put in, and places cannot be trusted."""
    assert labels(GOOD.ljust(63) + "x") == ["column_count"]


def test_a_cell_of_the_wrong_type_refuses_the_line() -> None:
    """A shifted line has no date where one must be."""
    assert labels("xxxx" + GOOD, GOOD.replace("60", "6x"), GOOD.replace("ok", "0470112233")) == ["type_signature"] * 3


@pytest.mark.parametrize(
    "text",
    [
        *("HDR0001 SITE 1 20261019", "TRL0001000033", "Trailer 33 calls", "HEADER", "EOF", "TOTAL 33", "  END 33"),
        *("", "   ", "-----  ------", "=====", "Date      Caller     Called", "No  Start | Caller | Duration"),
    ],
)
def test_what_is_known_to_be_no_record_is_ignored(text: str) -> None:
    """Markers, blank lines, dashes, titles of columns."""
    assert labels(text, GOOD) == ["ignored", "record"]


@pytest.mark.parametrize("text", ["ENDERS 0470112233", "Ann", "Calls of 2026", "HDRX 1", "x" * 200])
def test_anything_else_is_refused_and_counted(text: str) -> None:
    """A name that begins like a marker is none."""
    assert labels(text) == ["column_count"]


def test_a_line_with_a_marker_that_fits_is_a_record() -> None:
    """Some files begin each record with a word; and one with a wrong date is refused, not ignored."""
    marked, wrong = line("END", START, "0470112233", "201", "60"), line("END", "2026-02-30 08:00:00", "1", "201", "60")
    assert labels(marked, wrong) == ["record", "date_invalid"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_with_accents_do_not_move_the_columns(encoding: str) -> None:
    """Widths are characters, of whichever encoding."""
    text = line("Zoé", START, "0470112233", "201", "60", "ok")
    record = reading.only("generic_fixed_width", text.encode(encoding), layout=LAYOUT)
    assert (record.calling, record.called) == ("0470112233", "201")


def test_a_writer_that_counts_bytes_is_believed_where_the_length_says_so() -> None:
    """The line has the declared width in bytes, and one less in characters."""
    cells = zip(("Zoé", START, "0470112233", "201", "60", "ok"), LAYOUT.widths, strict=True)
    data = b"".join(cell.encode().ljust(width) for cell, width in cells)
    assert len(data) == sum(LAYOUT.widths)
    record = reading.only("generic_fixed_width", data, layout=LAYOUT)
    assert (record.calling, record.called) == ("0470112233", "201")


def test_a_layout_is_checked_when_the_feed_is_opened() -> None:
    """Every mistake at once."""
    assert mistakes(Layout(columns=("start", "calling"), widths=(19,))) == [
        "layout.widths: as many are needed as there are columns"
    ]
    assert mistakes(Layout(widths=(19,))) == ["layout.columns: is missing, and a fixed width needs it"]
    assert mistakes(Layout(columns=("start", "calling"))) == ["layout.widths: is missing, and a fixed width needs it"]
    assert mistakes(Layout(columns=("start",))) == [
        "layout.widths: is missing, and a fixed width needs it",
        "layout.columns: no column is `calling` or `called`",
    ]
    assert len(mistakes(Layout())) == 2


def test_equal_lines_stay_two() -> None:
    """Two calls of no length in one second."""
    found = reading.records("generic_fixed_width", f"{GOOD}\n{GOOD}\n".encode(), layout=LAYOUT)
    assert len({record.natural_key for record in found}) == 2


@given(st.integers(4, 22), st.integers(1, 30))
def test_a_line_with_something_in_its_date_is_never_a_record(place: int, more: int) -> None:
    """What moves the columns behind the date moves the date as well."""
    shifted = GOOD[:place] + "x" * more + GOOD[place:]
    [outcome] = reading.read("generic_fixed_width", shifted.encode(), layout=LAYOUT)
    assert not isinstance(outcome, CallRecord)
