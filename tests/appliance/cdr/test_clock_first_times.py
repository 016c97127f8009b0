"""Times with the clock first and the zone by its letters."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.clock_first_times import ClockFirstTimes
from appliance.cdr.local_time import Uncertain
from appliance.cdr.record import QuarantineReason

BRUSSELS = ClockFirstTimes(ZoneInfo("Europe/Brussels"))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("15:54:56.868 PST DEC 18 2017", "2017-12-18T23:54:56"),
        ("15:54:56 pst dec 18 2017", "2017-12-18T23:54:56"),
        ("*13:54:36.003 EST Fri Dec 24 2010", "2010-12-24T18:54:36"),
        (".13:54:36.003 UTC Fri Dec 24 2010", "2010-12-24T13:54:36"),
        ("3:04:05.6 GMT Thu May  1 2025", "2025-05-01T03:04:05"),
        ("13:54:36.003999 CEST Tue Oct 20 2026", "2026-10-20T11:54:36"),
        ("12:00:00.000 BST Jul 01 2026", "2026-07-01T11:00:00"),
        ("12:00:00.000 EEST Jul 01 2026", "2026-07-01T09:00:00"),
        ("12:00:00.000 MST Jul 01 2026", "2026-07-01T19:00:00"),
        ("12:00:00.000 MDT Jul 01 2026", "2026-07-01T18:00:00"),
        ("12:00:00.000 CDT Jul 01 2026", "2026-07-01T17:00:00"),
        ("12:00:00.000 WEST Jul 01 2026", "2026-07-01T11:00:00"),
        ("23:30:00.000 PDT Dec 31 2025", "2026-01-01T06:30:00"),
        ("12:00:00.000 XYZ Jul 01 2026", "2026-07-01T10:00:00"),
        ("12:00:00.000 CET Jul 01 2026", "2026-07-01T11:00:00"),
    ],
)
def test_letters_place_a_time(text: str, instant: str) -> None:
    """To the second; letters that nobody knows leave the site's zone."""
    assert BRUSSELS.read(text) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "instant"),
    [("Asia/Shanghai", "2026-07-01T04:00:00"), ("America/Chicago", "2026-07-01T18:00:00")],
)
def test_the_sites_own_name_for_its_time_goes_first(zone: str, instant: str) -> None:
    """CST at a site in China; a site in Chicago that writes CST in summer means its winter time."""
    read = ClockFirstTimes(ZoneInfo(zone)).read("12:00:00.000 CST Jul 01 2026")
    assert read == datetime.fromisoformat(instant).replace(tzinfo=UTC)


def test_letters_tell_the_hour_that_occurs_twice() -> None:
    """CEST first, then CET; an abbreviation that is not known leaves both."""
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second = first + timedelta(hours=1)
    assert BRUSSELS.read("02:30:00.250 CEST Oct 25 2026") == first
    assert BRUSSELS.read("02:30:00.250 CET Oct 25 2026") == second
    assert BRUSSELS.read("02:30:00.250 XYZ Oct 25 2026") == Uncertain((first, second), None)


def test_an_hour_that_the_site_skips_may_be_another_zones() -> None:
    """There is 02:30 UTC in the night that the clock goes forward; without a known zone there is not."""
    assert BRUSSELS.read("02:30:00.000 UTC Mar 29 2026") == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
    unknown = BRUSSELS.read("02:30:00.000 XYZ Mar 29 2026")
    assert isinstance(unknown, Uncertain)
    assert unknown.reason is QuarantineReason.LOCAL_TIME_NONEXISTENT


@pytest.mark.parametrize("text", ["24:00:00 UTC Jul 01 2026", "12:60:00 UTC Jul 01 2026", "12:00:00 UTC Feb 30 2026"])
def test_what_no_calendar_has_is_no_instant(text: str) -> None:
    """No such day, or no such time of day."""
    assert BRUSSELS.read(text) == Uncertain((), QuarantineReason.DATE_INVALID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "Ann",
        "12:00:00 Jul 01 2026",
        "12:00:00 UTC Foo 01 2026",
        "2026-07-01 12:00:00",
        "12:00:00 UTC Jul 1 26",
    ],
)
def test_other_text_is_no_time(text: str) -> None:
    """Another format's dates, and words."""
    assert BRUSSELS.read(text) is None


def test_the_memory_is_bounded() -> None:
    """However many hours a feed has, each is read the same as before."""
    one = ClockFirstTimes(ZoneInfo("Europe/Brussels"))
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for hour in range(5000):
        instant = start + timedelta(hours=hour)
        assert one.read(f"{instant:%H:%M:%S} UTC {instant:%b %d %Y}") == instant


@given(st.datetimes(datetime(1999, 1, 1), datetime(2090, 1, 1)), st.sampled_from(["*", ".", ""]))  # noqa: DTZ001 - text
def test_a_written_instant_is_read_back(moment: datetime, mark: str) -> None:
    """In UTC, whatever the site."""
    written = f"{mark}{moment:%H:%M:%S}.{moment.microsecond:06} UTC {moment:%a %b %d %Y}"
    assert BRUSSELS.read(written) == moment.replace(microsecond=0, tzinfo=UTC)
