"""Times and durations in the spellings of exports."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.local_time import Reading, Uncertain, decide
from appliance.cdr.record import QuarantineReason
from appliance.cdr.written_times import WrittenTimes, written_seconds

BRUSSELS = ZoneInfo("Europe/Brussels")
MORNING = datetime(2026, 10, 19, 6, 5, 9, tzinfo=UTC)


def read(text: str, order: str | None = None) -> Reading | None:
    """What a fresh reader makes of a text."""
    return WrittenTimes(BRUSSELS, order).read(text)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-10-19 08:05:09", "2026-10-19T08:05:09", "2026/10/19 08:05:09", "2026.10.19 08:05:09"),
        *("2026-10-19T06:05:09Z", "2026-10-19 06:05:09 UTC", "2026-10-19 06:05:09 +0000 UTC", "2026-10-19 06:05:09+00"),
        *("2026-10-19T08:05:09+02:00", "2026-10-19 01:05:09 -0500", "2026-10-19 08:05:09 +0200 (CEST)"),
        *(
            "19.10.2026 08:05:09",
            "19.10.26 08.05.09",
            "19-10-2026, 08:05:09",
            "10/19/2026 8:05:09 am",
            "19.10.2026 080509",
        ),
        *("19 Oct 2026 08:05:09", "19-Oct-26 08:05:09", "Oct 19 2026 08:05:09", "October 19, 2026 08:05:09"),
        *("Mon, 19 Oct 2026 06:05:09 GMT", "Monday 19 October 2026 08:05:09", "20261019 080509", "20261019T060509Z"),
        *("1792389909", "1792389909000", "1792389909000000", "1792389909.0", "20261019080509", "261019080509"),
    ],
)
def test_one_instant_in_many_spellings(text: str) -> None:
    """Each says the same second, in no more than one way."""
    assert read(text) == MORNING


def test_minutes_suffice() -> None:
    """What a spreadsheet shows has no seconds."""
    minute = MORNING.replace(second=0)
    assert [read(text) for text in ("2026-10-19 8:05", "202610190805", "19.10.2026 0805")] == [minute] * 3


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-19 08:05:09.554",
        "2026-10-19 08:05:09,5549 +0200",
        "1792389909554",
        "1792389909.5541",
        "1792389909554999",
    ],
)
def test_a_fraction_of_a_second_is_cut_off(text: str) -> None:
    """It would tell one call from all others, and nothing depends on it."""
    assert read(text) == MORNING


@pytest.mark.parametrize(
    ("text", "order", "month", "day"),
    [
        *(("03/04/2026 08:05:09", "dmy", 4, 3), ("03/04/2026 08:05:09", "mdy", 3, 4)),
        *(("03-04-26 08:05:09", "dmy", 4, 3), ("26-04-03 08:05:09", "ymd", 4, 3), ("26/04/03 08:05:09", "ymd", 4, 3)),
        *(("25/04/2026 08:05:09", None, 4, 25), ("04/25/2026 08:05:09", None, 4, 25)),
        *(
            ("04/04/2026 08:05:09", None, 4, 4),
            ("03.04.2026 08:05:09", None, 4, 3),
            ("03.04.2026 08:05:09", "mdy", 3, 4),
        ),
    ],
)
def test_the_order_decides_what_the_text_does_not(text: str, order: str | None, month: int, day: int) -> None:
    """Dots mean day.month.year unless the layout says otherwise; a day over 12 speaks for itself."""
    assert read(text, order) == datetime(2026, month, day, 8, 5, 9, tzinfo=BRUSSELS)


@pytest.mark.parametrize("text", ["03/04/2026 08:05", "03-04-2026 08:05", "03/04/26 08:05", "10/11/12 08:05"])
def test_two_readings_stay_uncertain(text: str) -> None:
    """Without an order nobody can tell, and nothing is guessed."""
    reading = read(text)
    assert isinstance(reading, Uncertain)
    assert decide(reading, near=None) is QuarantineReason.DATE_AMBIGUOUS


def test_an_order_of_years_first_does_not_tell_day_from_month() -> None:
    """A year of four digits at the end contradicts it."""
    reading = read("03/04/2026 08:05", "ymd")
    assert isinstance(reading, Uncertain)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-30 08:05", "2026-10-19 24:00", "2026-10-19 08:60", "13:00 pm", "2026-10-19 13:00 pm"),
        *(
            "1900-01-01 00:00:00",
            "9999-12-31 23:59:59 -1400",
            "20261319080509",
            "19 Foo 2026 08:05",
            "25/04/2026 08:05",
        ),
        *("123/4/2026 08:05", "1/4/126 08:05"),
    ],
)
def test_no_calendar_or_clock_has_it(text: str) -> None:
    """It has the form of a time and is none."""
    reading = read(text, "mdy")
    if text == "13:00 pm":
        assert reading is None
    else:
        assert isinstance(reading, Uncertain)
        assert decide(reading, near=MORNING) is QuarantineReason.DATE_INVALID


@pytest.mark.parametrize(
    "text",
    [
        *("", "Ann", "2026-10-19", "08:05:09", "0470112233201", "12345678", "9" * 60, "2026-10/19 08:05"),
        *("2026-10-19 08:05:09 " + "x" * 60, "0470112233", "\u0662\u0660\u0662\u0666-10-19 08:05:09"),
        *("12345678901234567", "2026\u00b2\u00b2\u00b2\u00b2\u00b2", "\u0661" * 14),
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    """A name or a number that slid into the column."""
    assert read(text) is None


def test_the_memo_changes_nothing() -> None:
    """A second reading of an hour is as the first, in whatever spelling, and over more hours than are kept."""
    times = WrittenTimes(BRUSSELS, "dmy")
    for form in ("{}/10/2026 {}:30:{:02} ", "2026-10-{:02} {:02}:30:{:02}", "{}.10.2026 {}:30:{:02} AM"):
        for second in (1, 2, 3):
            text = form.format(20, 9, second).strip()
            assert times.read(text) == datetime(2026, 10, 20, 7, 30, second, tzinfo=UTC)
    for hour in range(5000):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        assert times.read(f"{moment:%Y-%m-%d %H}:00:00Z") == moment
    assert len(times._hours) <= 4096


def test_the_hour_that_comes_twice_is_never_remembered() -> None:
    """Nor is the one that does not come."""
    times = WrittenTimes(BRUSSELS, None)
    for text in ("2026-10-25 02:30:00", "2026-10-25 02:30:00", "2026-03-29 02:30:00", "2026-03-29 02:30:00"):
        assert isinstance(times.read(text), Uncertain)


def test_an_hour_of_which_a_part_comes_twice_is_not_remembered() -> None:
    """On Lord Howe Island the clock goes back by half an hour."""
    times = WrittenTimes(ZoneInfo("Australia/Lord_Howe"), None)
    assert times.read("2026-04-05 01:15:00") == datetime(2026, 4, 4, 14, 15, tzinfo=UTC)
    assert isinstance(times.read("2026-04-05 01:45:00"), Uncertain)


@pytest.mark.parametrize("form", ["2026-10-19 08:05:09.{} +0200", "2026-10-19 06:05:09.{}Z", "2026-10-19 08:05:09,{}"])
def test_fractions_are_read_from_the_memo(form: str) -> None:
    """The same as without it, however many digits they have."""
    times = WrittenTimes(BRUSSELS, None)
    for digits in ("554", "5549", "5", "000001"):
        assert times.read(form.format(digits)) == MORNING
    assert len(times._hours) == 1


def test_ambiguous_dates_with_an_offset_stay_ambiguous() -> None:
    """The offset says nothing of the date."""
    reading = read("03/04/2026 08:05:00 +0200")
    assert isinstance(reading, Uncertain)
    assert reading.candidates[0] == datetime(2026, 4, 3, 6, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-19 08:10:00", datetime(2026, 10, 19, 6, 10, tzinfo=UTC)),
        ("08:10:00", datetime(2026, 10, 19, 6, 10, tzinfo=UTC)),
        ("0810", datetime(2026, 10, 19, 6, 10, tzinfo=UTC)),
        ("8:10 pm", datetime(2026, 10, 19, 18, 10, tzinfo=UTC)),
        ("08:00:00", datetime(2026, 10, 19, 6, 0, tzinfo=UTC)),
        ("noon", None),
        ("x" * 60, None),
    ],
)
def test_a_time_of_day_is_of_the_day_of_the_start(text: str, expected: datetime | None) -> None:
    """One a little earlier than the start is left so, for the order of times to refuse."""
    assert WrittenTimes(BRUSSELS, None).read_after(text, MORNING) == expected


def test_a_time_of_day_after_midnight_is_of_the_next_day() -> None:
    """A call that began before."""
    late = datetime(2026, 10, 31, 22, 59, 50, tzinfo=UTC)
    assert WrittenTimes(BRUSSELS, None).read_after("00:00:10", late) == late + timedelta(seconds=20)
    assert isinstance(WrittenTimes(BRUSSELS, None).read_after("25:00:10", late), Uncertain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("0", 0), ("65", 65), ("7201", 7201), ("65.9", 65), ("65,9", 65), ("0:01:05", 65), ("00:01:05", 65)),
        *(("01:05", 65), ("1:05", 65), ("00:01:05.250", 65), ("99:59:59", 359_999), ("10s", 10), ("1m20s", 80)),
        *(("1m", 60), ("2h", 7200), ("1h2m3s", 3723), ("1 h 2 min 3 sec", 3723), ("65 seconds", 65), ("5 Min", 300)),
        *(("65.5s", 65), ("", None), ("s", None), ("h", None), ("-5", None), ("Ann", None), ("1:5", None)),
        *(("00:01:05.x", None), ("99999999999", None), ("1" * 60, None), ("800h", None), ("\u0665", None)),
    ],
)
def test_durations(text: str, expected: int | None) -> None:
    """By the clock, in seconds, or with letters."""
    assert written_seconds(text) == expected


@given(st.datetimes(datetime(2001, 9, 10), datetime(2100, 1, 1)))  # noqa: DTZ001 - Hypothesis makes wall-clock times
def test_writing_and_reading_are_inverse(moment: datetime) -> None:
    """In every spelling that says its offset."""
    moment = moment.replace(tzinfo=UTC, microsecond=0)
    times = WrittenTimes(BRUSSELS, "dmy")
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %I:%M:%S %p UTC", "%d.%m.%Y %H:%M:%S +0000", "%d %b %Y %H.%M.%SZ"):
        assert times.read(moment.strftime(form)) == moment
    assert times.read(str(int(moment.timestamp()))) == moment


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    """Whatever slid into a column of times."""
    times = WrittenTimes(BRUSSELS, None)
    times.read(text)
    times.read_after(text, MORNING)
    written_seconds(text)
