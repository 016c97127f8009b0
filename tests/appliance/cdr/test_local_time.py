"""Wall-clock text to UTC: the nights of the year, dates in either order, and no time at all."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.local_time import _HOURS_KEPT, LocalTimes, Uncertain, decide
from appliance.cdr.record import QuarantineReason

BRUSSELS = ZoneInfo("Europe/Brussels")


def uncertain(text: str) -> Uncertain:
    """Read what needs evidence."""
    reading = LocalTimes(BRUSSELS).read(text)
    assert isinstance(reading, Uncertain)
    return reading


def at(text: str) -> datetime:
    """An instant, from ISO 8601 without a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_summer_and_winter_time() -> None:
    """The zone's offset of the day holds; reading twice (from the memo) gives the same."""
    times = LocalTimes(BRUSSELS)
    for _ in range(2):
        assert times.read("2026-07-01 12:00:59") == at("2026-07-01T10:00:59")
        assert times.read("2026-12-01T12:00:00") == at("2026-12-01T11:00:00")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-10-20", "2026-10-20 9", "09:00:00", "2026-10/20 09:00:00"])
def test_what_is_no_time_is_none(text: str) -> None:
    """It is for the layout to say what that means."""
    assert LocalTimes(BRUSSELS).read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("2026-10-20 21:05", "2026/10/20 21:05", "2026-10-20T21:05:00", "20.10.2026 21:05", "20-10-2026 21:05:00"),
        *("20/10/2026 21:05", "10/20/2026 9:05 PM", "10/20/2026 09:05:00 pm"),
    ],
)
def test_spreadsheets_write_times_in_their_own_way(text: str) -> None:
    """Without seconds, without zeros, with their country's separators or clock."""
    assert LocalTimes(BRUSSELS).read(text) == at("2026-10-20T19:05:00")


def test_days_of_one_digit() -> None:
    """Zeros in front are a matter of taste; what follows the hour is not remembered with them."""
    times = LocalTimes(BRUSSELS)
    for _ in range(2):
        assert times.read("2026-10-2 9:00:00") == at("2026-10-02T07:00:00")
        assert times.read("2026-1-20 9:00:00") == at("2026-01-20T08:00:00")
        assert times.read("2026-10-20 9:00:00") == at("2026-10-20T07:00:00")
        assert times.read("2026-10-20 9::00:00") is None
    assert times.read("1.10.2026 9:00") == at("2026-10-01T07:00:00")


@pytest.mark.parametrize(("text", "hour"), [("12:05 AM", 22), ("12:05 PM", 10), ("1:05 am", 23), ("11:05 PM", 21)])
def test_a_clock_of_twelve_hours(text: str, hour: int) -> None:
    """Twelve is the hour before one."""
    read = LocalTimes(BRUSSELS).read(f"10/20/2026 {text}")
    assert isinstance(read, datetime)
    assert read.hour == hour


@pytest.mark.parametrize("text", ["0:05 AM", "13:05 PM"])
def test_an_hour_that_such_a_clock_does_not_have(text: str) -> None:
    """It is no time of day."""
    assert uncertain(f"10/20/2026 {text}").reason is QuarantineReason.DATE_INVALID


@pytest.mark.parametrize(
    "text",
    ["2026-13-01 00:00:00", "2026-02-30 00:00:00", "2026-10-20 24:00:00", "2026-10-20 09:60:00", "2026-10-20 09:00:60"],
)
def test_no_such_time_is_invalid(text: str) -> None:
    """No evidence can make it one."""
    reading = uncertain(text)
    assert decide(reading, near=at("2026-10-20T09:00:00")) is QuarantineReason.DATE_INVALID


def test_seconds_are_checked_after_the_minute_is_known() -> None:
    """The memo of the minute does not let a 61st second through."""
    times = LocalTimes(BRUSSELS)
    times.read("2026-10-20 09:00:00")
    assert isinstance(times.read("2026-10-20 09:00:61"), Uncertain)


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "9999-12-31 23:59:59"])
def test_the_ends_of_the_calendar_are_no_error(text: str) -> None:
    """Converting them would leave the calendar."""
    zone = ZoneInfo("Asia/Tokyo" if text.startswith("0") else "America/New_York")
    reading = LocalTimes(zone).read(text)
    assert isinstance(reading, Uncertain)
    assert reading.reason is QuarantineReason.DATE_INVALID


def test_a_time_that_occurs_twice_is_decided_by_what_is_near() -> None:
    """Either side of the fold, and the first where nothing is known."""
    fold = uncertain("2026-10-25 02:30:00")
    assert decide(fold, near=at("2026-10-25T00:29:00")) == at("2026-10-25T00:30:00")
    assert decide(fold, near=at("2026-10-25T01:31:00")) == at("2026-10-25T01:30:00")
    assert decide(fold, near=None) == at("2026-10-25T00:30:00")


def test_a_time_that_does_not_exist_needs_evidence() -> None:
    """With an epoch near it stands; without one, or far from it, it does not."""
    gap = uncertain("2026-03-29 02:30:00")
    assert decide(gap, near=at("2026-03-29T01:29:00")) == at("2026-03-29T01:30:00")
    assert decide(gap, near=at("2026-03-29T00:31:00")) == at("2026-03-29T00:30:00")
    assert decide(gap, near=None) is QuarantineReason.LOCAL_TIME_NONEXISTENT
    assert decide(gap, near=at("2026-04-09T00:30:00")) is QuarantineReason.LOCAL_TIME_NONEXISTENT


def test_day_and_month_in_either_order_need_evidence() -> None:
    """The epoch decides which is which; without one the date is ambiguous."""
    either = uncertain("1/9/2017 16:33:01")
    assert decide(either, near=at("2017-09-01T14:33:00")) == at("2017-09-01T14:33:01")
    assert decide(either, near=at("2017-01-09T15:33:00")) == at("2017-01-09T15:33:01")
    assert decide(either, near=None) is QuarantineReason.DATE_AMBIGUOUS
    assert decide(either, near=at("2017-05-05T00:00:00")) is QuarantineReason.DATE_AMBIGUOUS


@pytest.mark.parametrize("text", ["25/9/2017 16:33:01", "9/25/2017 16:33:01"])
def test_an_impossible_month_decides_the_order(text: str) -> None:
    """There is no 25th month."""
    assert LocalTimes(BRUSSELS).read(text) == at("2017-09-25T14:33:01")


def test_equal_day_and_month_need_no_order() -> None:
    """9/9 is the ninth of September either way; seconds may be missing."""
    assert LocalTimes(BRUSSELS).read("9/9/2017 6:05") == at("2017-09-09T04:05:00")


def test_a_slashed_date_that_no_calendar_has_is_invalid() -> None:
    """Neither order exists."""
    assert uncertain("31/31/2017 10:00:00").reason is QuarantineReason.DATE_INVALID


def test_the_memo_is_bounded() -> None:
    """Hours of years do not pile up."""
    times, start = LocalTimes(UTC), at("2025-01-01T00:00:00")
    for hour in range(_HOURS_KEPT + 10):
        moment = start + timedelta(hours=hour)
        assert times.read(f"{moment:%Y-%m-%d %H:%M:%S}") == moment
    assert 0 < len(times._hours) <= _HOURS_KEPT


@pytest.mark.parametrize(
    ("name", "night"),
    [
        ("Europe/Brussels", "2026-10-25"),
        ("Europe/Brussels", "2026-03-29"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
    ],
)
def test_what_is_remembered_of_an_hour_never_decides_an_uncertain_time(name: str, night: str) -> None:
    """Over the nights of a change, of half an hour too, a reader that has read much reads as a fresh one."""
    zone = ZoneInfo(name)
    used = LocalTimes(zone)
    for minute in range(0, 6 * 60, 5):
        text = f"{night} {minute // 60:02}:{minute % 60:02}:07"
        assert used.read(text) == LocalTimes(zone).read(text)
    for minute in range(0, 6 * 60, 5):
        text = f"{night} {minute // 60:02}:{minute % 60:02}:59"
        assert used.read(text) == LocalTimes(zone).read(text)


ZONES = st.sampled_from(["Europe/Brussels", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])


@given(st.datetimes(datetime(2000, 1, 2), datetime(2037, 1, 1)), ZONES)  # noqa: DTZ001 - instants are made below
def test_every_instant_is_found_again_with_evidence(moment: datetime, name: str) -> None:
    """What a clock in the zone shows, decided by the epoch, is the instant, on every night of the year."""
    instant = moment.replace(microsecond=0, tzinfo=UTC)
    shown = f"{instant.astimezone(ZoneInfo(name)):%Y-%m-%d %H:%M:%S}"
    times = LocalTimes(ZoneInfo(name))
    for _ in range(2):
        reading = times.read(shown)
        assert reading is not None
        assert decide(reading, near=instant) == instant


@given(st.text(max_size=25))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """It gives a time, an uncertain one, or None."""
    LocalTimes(BRUSSELS).read(text)
