"""The console's screen: its size, its pages, and its QR code."""

from datetime import UTC, datetime

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from appliance.console_screen import HEIGHT, SUPPORT_QR, SUPPORT_URL, WIDTH, Screen, render

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PIXELS = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
"""Light is drawn, dark is left out; the upper and the lower module."""


def screen(*tasks: str, rows: tuple[tuple[str, str], ...] = (("Appliance", "edge-a"),), turn: int = 0) -> list[str]:
    """What is shown."""
    return render(Screen(now=NOW, rows=rows, tasks=tasks), turn=turn)


def test_it_is_80_by_24() -> None:
    """As every terminal and serial line has it."""
    lines = screen("Do this.")
    assert (len(lines), {len(line) for line in lines}) == (HEIGHT, {WIDTH})


@given(
    st.lists(st.tuples(st.text(max_size=13), st.text(max_size=200)), max_size=20),
    st.lists(st.text(max_size=300), max_size=20),
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
)
def test_whatever_it_shows_it_has_that_size(rows: list[tuple[str, str]], tasks: list[str], now: datetime) -> None:
    """And moves no cursor: nothing but printable characters."""
    lines = render(Screen(now=now, rows=rows, tasks=tasks))
    assert (len(lines), {len(line) for line in lines}) == (HEIGHT, {WIDTH})
    assert all(line.isprintable() for line in lines)


def test_name_and_time_stand_on_top() -> None:
    """So a screen that hangs shows."""
    assert screen()[0] == f"{'Natalia appliance':<57}2026-03-01 12:00:00 UTC"


def test_a_row_has_its_label_and_text() -> None:
    """A long text goes on in a second line, and no further."""
    lines = screen(rows=(("One", "word " * 30), ("Two", "text")))
    assert lines[2].startswith("One          word word")
    assert lines[3][:50].rstrip().endswith("word ...")
    assert lines[4].startswith("Two          text ")


def test_an_empty_text_is_an_empty_row() -> None:
    """It keeps its label."""
    assert screen(rows=(("One", ""), ("Two", "text")))[2][:50].rstrip() == "One"


def test_without_anything_to_do_it_says_so() -> None:
    """In place of an empty box."""
    assert screen()[-6:] == [f"{'* Nothing to do.':<80}", *[" " * 80] * 5]
    assert screen()[-7] == "-- What to do ".ljust(80, "-")


def test_what_does_not_fit_comes_in_turn() -> None:
    """From the first page to the last, and again."""
    tasks = [f"Task {number}." for number in range(14)]
    pages = [screen(*tasks, turn=turn) for turn in range(4)]
    shown = [[line.strip() for line in page[-6:] if line.strip()] for page in pages[:3]]
    heads = [page[-7].split("--")[1].strip() for page in pages]
    assert heads[:3] == [f"What to do ({number} of 3)" for number in (1, 2, 3)]
    assert [line for page in shown for line in page] == [f"* {task}" for task in tasks]
    assert heads[3] == heads[0]


def test_a_long_task_is_wrapped_with_its_lines_below_one_another() -> None:
    """Only its first line has the mark."""
    lines = screen("word " * 30)[-6:]
    assert [line[:6] for line in lines[:2]] == ["* word", "  word"]


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\nb", "a\x07b", "a\u202eb", "a\x9bb"], ids=ascii)
def test_a_value_cannot_draw(text: str) -> None:
    """A terminal's sequences, line ends and bells become question marks."""
    lines = screen(text, rows=(("Appliance", text),))
    assert lines[2].startswith("Appliance    a?")
    assert lines[-6].startswith("* a?")


def test_the_code_is_the_support_pages() -> None:
    """Dot for dot what an independent encoder makes of the address."""
    wanted = [list(row) for row in segno.make(SUPPORT_URL.upper(), error="m", boost_error=False).matrix_iter(border=2)]
    drawn = [[PIXELS[letter][half] for letter in line] for line in SUPPORT_QR for half in (0, 1)]
    assert drawn[: len(wanted)] == [[int(bool(module)) for module in row] for row in wanted]
    assert len(drawn) - len(wanted) == 1


def test_the_code_stands_whole_on_the_screen() -> None:
    """Whatever stands beside it."""
    lines = screen(rows=tuple((f"Row {number}", "word " * 30) for number in range(20)))
    assert tuple(line[51:] for line in lines[2:17]) == SUPPORT_QR
