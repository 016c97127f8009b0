"""Dates without a year are of the latest year that the clock allows."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.local_time import LocalTimes, Uncertain
from appliance.cdr.record import QuarantineReason
from appliance.cdr.yearless_dates import latest

BRUSSELS = LocalTimes(ZoneInfo("Europe/Brussels"))
NOON = (12, 0, 0)


@pytest.mark.parametrize(
    ("month", "day", "now", "year"),
    [
        (12, 31, datetime(2027, 1, 1, 0, 30, tzinfo=UTC), 2026),
        (1, 1, datetime(2027, 1, 1, 0, 30, tzinfo=UTC), 2027),
        (1, 1, datetime(2026, 12, 31, 23, 30, tzinfo=UTC), 2027),
        (1, 3, datetime(2026, 12, 31, 23, 30, tzinfo=UTC), 2026),
        (11, 2, datetime(2026, 11, 1, tzinfo=UTC), 2026),
        (11, 4, datetime(2026, 11, 1, tzinfo=UTC), 2025),
        (2, 29, datetime(2026, 11, 1, tzinfo=UTC), 2024),
        (2, 29, datetime(2103, 11, 1, tzinfo=UTC), 2096),
    ],
)
def test_the_year_is_the_latest_that_is_not_ahead(month: int, day: int, now: datetime, year: int) -> None:
    """Over the turn of the year, over a leap year, and two days ahead at most."""
    reading = latest(BRUSSELS, month, day, NOON, now=now)
    assert isinstance(reading, datetime)
    assert reading.year == year


def test_zones_ahead_of_utc_have_the_new_year_first() -> None:
    """It is 31 December in UTC, two days ahead of the clock, and 1 January in Auckland."""
    auckland = LocalTimes(ZoneInfo("Pacific/Auckland"))
    now = datetime(2026, 12, 29, 23, 30, tzinfo=UTC)
    assert latest(auckland, 1, 1, (8, 0, 0), now=now) == datetime(2026, 12, 31, 19, tzinfo=UTC)


def test_a_time_that_occurs_twice_stays_uncertain() -> None:
    """The year says nothing of the fold."""
    reading = latest(BRUSSELS, 10, 25, (2, 30, 0), now=datetime(2026, 11, 1, tzinfo=UTC))
    assert isinstance(reading, Uncertain)
    assert len(reading.candidates) == 2


def test_no_year_has_the_date() -> None:
    """30 February, or an hour 25."""
    for month, day, time in ((2, 30, NOON), (13, 1, NOON), (1, 1, (25, 0, 0))):
        reading = latest(BRUSSELS, month, day, time, now=datetime(2026, 11, 1, tzinfo=UTC))
        assert reading == Uncertain((), QuarantineReason.DATE_INVALID)


@given(at=st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1)), age=st.integers(-1, 360))  # noqa: DTZ001 - aware below
def test_a_feed_that_is_read_within_the_year_gets_its_year(at: datetime, age: int) -> None:
    """Whatever the day on which it is read."""
    call = at.replace(tzinfo=UTC, microsecond=0)
    now = call + timedelta(days=age)
    reading = latest(LocalTimes(UTC), call.month, call.day, (call.hour, call.minute, call.second), now=now)
    assert reading == call or (call.month, call.day) == (2, 29)
