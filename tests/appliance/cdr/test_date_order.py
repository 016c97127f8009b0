"""In which order year, month and day stand: what is declared, learned, or usual."""

from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.date_order import Date, DateOrder
from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES
from appliance.cdr.record import Line

LINE = 100
"""How many bytes apart the lines of these files start."""


def order(country: str = "BE", declared: str | None = None) -> DateOrder:
    """At the beginning of a file."""
    layout = msgspec.convert({"date_order": declared}, Layout)
    return DateOrder(FeedContext(zone=ZoneInfo("Europe/Brussels"), country=country, layout=layout))


def at(offset: int) -> Line:
    """A line that starts there."""
    return Line(offset, b"")


DAY_FIRST: Date = (2026, 10, 5)
MONTH_FIRST: Date = (2026, 5, 10)


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        *((country, [DAY_FIRST]) for country in ("BE", "NL", "FR", "DE", "GB", "XX")),
        *((country, [MONTH_FIRST]) for country in ("US", "PH", "PR")),
        *((country, [DAY_FIRST, MONTH_FIRST]) for country in ("CA", "ZA")),
    ],
)
def test_the_country_decides_where_nothing_else_does(country: str, expected: list[Date]) -> None:
    """Where both orders are usual there are two dates, and the record is refused."""
    assert order(country).read(at(0), 5, 10, 26) == expected


@pytest.mark.parametrize("country", ["HU", "JP", "SE"])
def test_countries_that_begin_with_the_year(country: str) -> None:
    """Unless another order is declared."""
    assert order(country).read(at(0), 26, 10, 5) == [DAY_FIRST]
    assert order(country, "dmy").read(at(0), 5, 10, 26) == [DAY_FIRST]


@pytest.mark.parametrize(("declared", "numbers"), [("dmy", (5, 10, 26)), ("mdy", (10, 5, 26)), ("ymd", (26, 10, 5))])
@pytest.mark.parametrize("country", ["BE", "US", "CA", "JP"])
def test_a_declared_order_is_all_that_counts(country: str, declared: str, numbers: tuple[int, int, int]) -> None:
    """Whatever was seen before, and wherever the site is."""
    one = order(country, declared)
    for seen in ((20, 10, 26), (10, 20, 26)):
        one.read(at(0), *seen)
    assert one.read(at(LINE), *numbers) == [DAY_FIRST]


@pytest.mark.parametrize("numbers", [(2026, 10, 5), (5, 10, 2026)])
def test_years_of_four_digits(numbers: tuple[int, int, int]) -> None:
    """In front they say everything; behind, as much as two digits."""
    assert order().read(at(0), *numbers) == [DAY_FIRST]


def test_equal_day_and_month_are_one_date() -> None:
    """In every country."""
    assert order("CA").read(at(0), 5, 5, 26) == [(2026, 5, 5)]


@pytest.mark.parametrize(
    ("seen", "expected"), [((20, 10, 26), DAY_FIRST), ((10, 20, 26), MONTH_FIRST), ((5, 13, 26), MONTH_FIRST)]
)
def test_a_date_beyond_doubt_teaches(seen: tuple[int, int, int], expected: Date) -> None:
    """More than the country does."""
    for country in ("BE", "US", "CA"):
        one = order(country)
        one.read(at(0), *seen)
        assert one.read(at(LINE), 5, 10, 26) == [expected]


@pytest.mark.parametrize("seen", [(32, 10, 26), (10, 32, 26), (13, 14, 26), (99, 99, 99), (5, 5, 26), (2026, 20, 10)])
def test_what_is_no_date_or_not_beyond_doubt_teaches_nothing(seen: tuple[int, int, int]) -> None:
    """The country still decides."""
    one = order("US")
    one.read(at(0), *seen)
    assert one.read(at(LINE), 5, 10, 26) == [MONTH_FIRST]


def test_the_nearest_lines_go_before_the_head() -> None:
    """A head of another order is one that was set before."""
    one = order()
    one.read(at(0), 10, 20, 26)
    far = HEAD_BYTES + REWIND_BYTES
    one.read(at(far), 20, 10, 26)
    assert one.read(at(far + REWIND_BYTES), 5, 10, 26) == [DAY_FIRST]
    assert one.read(at(far + REWIND_BYTES + 1), 5, 10, 26) == [MONTH_FIRST]


DATES = st.tuples(st.integers(1, 31), st.integers(1, 31), st.just(26))


@given(
    dates=st.lists(DATES, min_size=1, max_size=40),
    gap=st.integers(1, REWIND_BYTES),
    country=st.sampled_from(["BE", "US", "CA"]),
)
def test_a_reader_that_starts_in_the_middle_reads_the_same(dates: list[Date], gap: int, country: str) -> None:
    """If it is shown the lines of the head and those of the last 64 KiB, as ``rewind`` is."""
    whole = order(country)
    readings = [whole.read(at(place * gap), *date) for place, date in enumerate(dates)]
    for start in range(len(dates)):
        late = order(country)
        for place, date in enumerate(dates[:start]):
            offset = place * gap
            if offset < HEAD_BYTES or offset >= start * gap - REWIND_BYTES:
                late.read(at(offset), *date)
        assert late.read(at(start * gap), *dates[start]) == readings[start]


@given(dates=st.lists(DATES, min_size=2, max_size=20))
def test_a_file_of_one_order_is_never_ambiguous_after_a_sure_date(dates: list[Date]) -> None:
    """From then on every date has one reading, the right one."""
    one, sure = order("CA"), False
    for place, (day, month, year) in enumerate(dates):
        if month > 12:
            continue
        found = one.read(at(place * LINE), day, month, year)
        sure = sure or day > 12
        assert (2000 + year, month, day) in found
        assert len(found) == 1 or not sure
