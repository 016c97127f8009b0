"""What FreeSWITCH's variables say of a leg, whatever they are written in."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.freeswitch_leg import (
    ID,
    Moment,
    Span,
    call_of,
    direction_of,
    is_withheld,
    read_moment,
    settle,
    spanned,
)
from appliance.cdr.local_time import LocalTimes, Uncertain
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction

TIMES = LocalTimes(ZoneInfo("Europe/Brussels"))
START = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
ANSWER = START + timedelta(seconds=5)
END = START + timedelta(seconds=65)
BOTH = (65, 60)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (Moment("2026-10-20 09:00:00", "", ""), START),
        (Moment("2026-10-20 11:00:00", "1792479600", ""), START),
        (Moment("2026-10-20 11:00:00", "1792479999", "1792479600999999"), START),
        (Moment("2026-10-20 11:00:00", "0", ""), None),
        (Moment("2026-10-20 11:00:00", "1792479600", "0"), None),
        (Moment("2026-10-20 11:00:00", "", "00"), None),
        (Moment("", "", ""), None),
        (Moment("yesterday", "", ""), Reason.TYPE_SIGNATURE),
        (Moment("2026-10-20 09:00:00", "soon", ""), Reason.TYPE_SIGNATURE),
        (Moment("2026-10-20 09:00:00", "-1", ""), Reason.TYPE_SIGNATURE),
        (Moment("2026-10-20 09:00:00", "1792479600.5", ""), Reason.TYPE_SIGNATURE),
        (Moment("2026-10-20 09:00:00", "", "1792479600"), Reason.TYPE_SIGNATURE),
        (Moment("2026-10-20 09:00:00", "1" * 5000, ""), Reason.TYPE_SIGNATURE),
        (Moment("2026-10-20 09:00:00", "١٧٩٢٤٧٩٦٠٠", ""), Reason.TYPE_SIGNATURE),
    ],
)
def test_the_best_spelling_of_a_time_is_read(moment: Moment, expected: datetime | Reason | None) -> None:
    """Microseconds, then seconds, then the stamp; zero says that it never came."""
    assert read_moment(TIMES, moment) == expected


@given(st.integers(10**15, 9_999_999_999_999_999))
def test_microseconds_are_cut_to_seconds(value: int) -> None:
    """As FreeSWITCH cuts them for its own durations."""
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value // 1_000_000)
    assert read_moment(TIMES, Moment("", "", str(value))) == expected


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_text_raises(stamp: str, epoch: str, uepoch: str) -> None:
    """It is a time, uncertain, none, or refused."""
    made = read_moment(TIMES, Moment(stamp, epoch, uepoch))
    assert made is None or isinstance(made, datetime | Uncertain | Reason)


@pytest.mark.parametrize(
    ("start", "answer", "end", "lengths", "expected"),
    [
        (START, ANSWER, END, BOTH, Span(START, ANSWER, END, 5, 60, 65)),
        (START, None, None, BOTH, Span(START, ANSWER, END, 5, 60, 65)),
        (None, None, END, BOTH, Span(START, ANSWER, END, 5, 60, 65)),
        (None, ANSWER, END, (None, 60), Span(ANSWER, ANSWER, END, 0, 60, 60)),
        (None, None, END, (None, 0), Span(END, None, END, 0, 0, 0)),
        (None, None, END, (None, None), Span(END, None, END, 0, 0, 0)),
        (START, None, END, (None, None), Span(START, None, END, 65, 0, 65)),
        (START, ANSWER, END, (None, None), Span(START, ANSWER, END, 5, 60, 65)),
        (START, None, END, (65, 0), Span(START, None, END, 65, 0, 65)),
        (START, None, None, (None, None), Span(START, None, START, 0, 0, 0)),
    ],
)
def test_what_is_not_written_is_worked_out(
    start: datetime | None,
    answer: datetime | None,
    end: datetime | None,
    lengths: tuple[int | None, int | None],
    expected: Span,
) -> None:
    """From what is; without a start no ringing is made up."""
    assert settle(start, answer, end, lengths) == expected


def test_a_leg_without_times_is_none() -> None:
    """There is nothing to work anything out of."""
    assert settle(None, ANSWER, None, BOTH) is Reason.TYPE_SIGNATURE


TWICE = Uncertain((START, START + timedelta(hours=1)), None)
NEVER = Uncertain((), Reason.DATE_INVALID)


@pytest.mark.parametrize(
    ("start", "answer", "end", "expected"),
    [
        (TWICE, None, START + timedelta(seconds=65), START),
        (TWICE, None, START + timedelta(seconds=3665), START + timedelta(hours=1)),
        (TWICE, None, TWICE, START),
        (TWICE, TWICE, None, START),
        (START, None, TWICE, START),
        (None, None, TWICE, START),
    ],
)
def test_an_hour_that_occurs_twice_is_decided_by_the_others(
    start: datetime | Uncertain | None,
    answer: datetime | Uncertain | None,
    end: datetime | Uncertain | None,
    expected: datetime,
) -> None:
    """By the durations, and the first of the two where nothing decides."""
    span = settle(start, answer, end, (65, 0))
    assert isinstance(span, Span)
    assert span.started_at == expected


@pytest.mark.parametrize("place", range(3))
def test_a_time_that_no_calendar_has_refuses_the_leg(place: int) -> None:
    """Whichever of the three it is."""
    times: list[datetime | Uncertain | None] = [START, ANSWER, END]
    times[place] = NEVER
    assert settle(times[0], times[1], times[2], BOTH) is Reason.DATE_INVALID


def test_times_in_the_wrong_order_have_no_seconds() -> None:
    """The shared bounds refuse them; a count below zero is not even made."""
    span = spanned(END, START, START, (None, None))
    assert (span.ring_seconds, span.talk_seconds, span.total_seconds) == (0, 0, 0)


@pytest.mark.parametrize(
    ("call_uuid", "parents", "expected"),
    [
        ("", (), "leg"),
        ("leg", (), "leg"),
        ("call", (), "call"),
        ("call", ("parent",), "call"),
        ("leg", ("parent",), "parent"),
        ("leg", ("", "older"), "older"),
        ("", ("", ""), "leg"),
    ],
)
def test_the_call_is_the_first_legs(call_uuid: str, parents: tuple[str, ...], expected: str) -> None:
    """What the legs share goes before who originated them, and that before the leg itself."""
    assert call_of("leg", call_uuid, *parents) == expected


@pytest.mark.parametrize(
    ("privacy", "hide", "expected"),
    [
        ("id", "", True),
        ("ID", "", True),
        ("user", "", True),
        ("full", "", True),
        ("header;id;critical", "", True),
        ("header, id", "", True),
        ("header", "", False),
        ("none", "", False),
        ("none", "true", False),
        ("", "true", True),
        ("", "TRUE", True),
        ("", "1", True),
        ("", "false", False),
        ("", "", False),
        ("idle", "", False),
    ],
)
def test_privacy_is_what_the_caller_asked_for(privacy: str, hide: str, *, expected: bool) -> None:
    """What the message says goes before what the switch has set."""
    assert is_withheld(privacy, hide) is expected


@pytest.mark.parametrize(
    ("call_direction", "context", "direction", "expected"),
    [
        ("inbound", "", "", Direction.INBOUND),
        ("outbound", "public", "inbound", Direction.OUTBOUND),
        ("local", "public", "inbound", Direction.INTERNAL),
        ("sideways", "default", "", Direction.UNKNOWN),
        ("", "public", "", Direction.INBOUND),
        ("", "public", "inbound", Direction.INBOUND),
        ("", "public", "outbound", Direction.UNKNOWN),
        ("", "default", "inbound", Direction.UNKNOWN),
        ("", "", "", Direction.UNKNOWN),
    ],
)
def test_the_direction_of_the_call_is_not_that_of_the_leg(
    call_direction: str, context: str, direction: str, expected: Direction
) -> None:
    """An extension's own call comes into the switch as well."""
    assert direction_of(call_direction, context, direction) is expected


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("99205d8f-5ec4-402e-b174-7a8bb8c23a61", True),
        ("818e26f8@0:0:0:0", True),
        ("", True),
        ("two words", False),
        ("line\nend", False),
        ("é", False),
        ("x" * 257, False),
    ],
)
def test_an_id_is_one_word(text: str, *, fits: bool) -> None:
    """A uuid, or the Call-ID that a SIP peer chose."""
    assert bool(ID.fullmatch(text)) is fits
