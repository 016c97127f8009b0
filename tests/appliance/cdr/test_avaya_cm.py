"""The dialect ``avaya_cm``: declared and standard layouts, date records, condition codes, and what it refuses."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, Layout, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import REWIND_BYTES
from appliance.cdr.record import CallRecord, Line
from appliance.errors import SettingsError
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.communication_manager import ITEMS, STANDARD, UNDATED, layout, line, standard

ENDED = datetime(2026, 10, 20, 7, 1, tzinfo=UTC)
DATE = b"00:00 10/20\r\n"
SHIPPED: dict[str, Any] = {"date_order": "mdy"}


def parser(declared: dict[str, Any]) -> LineParser:
    """A parser at the beginning of a file."""
    context = FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=msgspec.convert(declared, Layout))
    return find_dialect("avaya_cm").open(context)


def parse(data: bytes, declared: dict[str, Any] | None = None) -> list[CallRecord | str]:
    """Each line's record, or why there is none."""
    found = outcomes(parser(layout() if declared is None else declared), frame(data))
    return [outcome if isinstance(outcome, CallRecord) else reason(outcome) for outcome in found]


def record_of(data: bytes, declared: dict[str, Any] | None = None) -> CallRecord:
    """The record of a file of one line, or of a date record and a line."""
    outcome = parse(data, declared)[-1]
    assert isinstance(outcome, CallRecord), outcome
    return outcome


def test_a_customized_line_with_a_date_needs_nothing_else() -> None:
    """The time is that of the end, without seconds; the duration goes before it."""
    record = record_of(line())
    assert (record.calling, record.called, record.forwarded_to) == ("0470112233", "2101", "")
    assert (record.started_at, record.ended_at) == (ENDED - timedelta(seconds=60), ENDED)
    assert record.answered_at == record.started_at
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (0, 60, 60)
    assert (record.direction, record.disposition) == (Direction.INBOUND, Disposition.ANSWERED)


@pytest.mark.parametrize("spelling", [b"00:00 10/20", b"1020", b"10 20", b"10/20", b"  10 20  ", b"23:59 1020"])
def test_a_date_record_dates_what_follows(spelling: bytes) -> None:
    """In each of its spellings, with NULs behind it."""
    first, second = parse(spelling + b"\r\n\0\0\0" + line(items=UNDATED), layout(UNDATED))
    assert first == "ignored"
    assert isinstance(second, CallRecord)
    assert second.ended_at == ENDED


def test_a_line_before_any_date_record_is_refused() -> None:
    """On which day it was cannot be told; the day of reading may be months later."""
    assert parse(line(items=UNDATED), layout(UNDATED)) == ["date_ambiguous"]


@pytest.mark.parametrize(
    ("order", "data", "day"),
    [
        ("mdy", b"05/10\r\n", (5, 10)),
        ("dmy", b"05/10\r\n", (10, 5)),
        (None, b"05/10\r\n", None),
        (None, b"06/06\r\n", (6, 6)),
        (None, b"10/20\r\n", (10, 20)),
        (None, b"20/10\r\n", (10, 20)),
        (None, b"10/20\r\n05/10\r\n", (5, 10)),
        (None, b"20/10\r\n05/10\r\n", (10, 5)),
    ],
)
def test_day_and_month_stand_as_declared_or_as_another_date_record_proves(
    order: str | None, data: bytes, day: tuple[int, int] | None
) -> None:
    """By no custom of the country: it is a setting of the PBX."""
    outcome = parse(data + line(items=UNDATED), layout(UNDATED, order))[-1]
    if day is None:
        assert outcome == "date_ambiguous"
    else:
        assert isinstance(outcome, CallRecord)
        assert (outcome.ended_at.month, outcome.ended_at.day) == day


def test_the_date_column_is_read_in_the_declared_order() -> None:
    """Six digits, the year last."""
    assert record_of(line({"date": "051026"}), layout(date_order="dmy")).ended_at.month == 10
    assert record_of(line({"date": "051026"}), layout(date_order="mdy")).ended_at.month == 5
    assert parse(line({"date": "051026"}), layout(date_order=None)) == ["date_ambiguous"]


def test_a_restart_keeps_the_date_record_however_far_back() -> None:
    """It is held; an older one in the file's head does not take its place."""
    filler = line({"time": "0900"}, UNDATED) * (REWIND_BYTES // len(line(items=UNDATED)) + 2)
    lines = frame(b"10 19\r\n" + filler + b"10 20\r\n" + filler + line(items=UNDATED))
    one, other = parser(layout(UNDATED)), parser(layout(UNDATED))
    one.parse(lines[:-1], now=NOW)
    [held] = one.held()
    assert held.content == b"10 20"
    near = [item for item in lines[:-1] if item.offset > lines[-1].offset - REWIND_BYTES]
    other.rewind([*lines[:10], *near], held=[held])
    assert other.parse(lines[-1:], now=NOW) == one.parse(lines[-1:], now=NOW)
    assert one.parse(lines[-1:], now=NOW).records[0].ended_at.day == 20


def test_a_new_file_goes_on_with_the_last_date() -> None:
    """Files are rotated at any time of the day; the next date record counts, whatever its offset."""
    one = parser(layout(UNDATED))
    assert one.held() == ()
    one.rewind((), held=[Line(900_000, b"10 19")])
    [record] = one.parse(frame(line(items=UNDATED)), now=NOW).records
    assert record.ended_at.day == 19
    [record] = one.parse(frame(b"10 20\r\n" + line(items=UNDATED)), now=NOW).records
    assert record.ended_at.day == 20


@pytest.mark.parametrize("name", STANDARD)
def test_each_standard_format_gives_the_same_call(name: str) -> None:
    """Without a declaration."""
    record = record_of(DATE + standard(name), SHIPPED)
    assert (record.calling, record.called, record.direction) == ("2101", "00470112233", Direction.OUTBOUND)
    assert (record.ended_at, record.talk_seconds) == (ENDED, 60)


@pytest.mark.parametrize("name", STANDARD)
def test_a_standard_line_of_another_width_is_refused(name: str) -> None:
    """Columns that slid, a line that was torn, and what is longer than its format."""
    data = standard(name, {"calling-num": "2101"}).rstrip(b"\r\n")
    for wrong in (data[2:], data[:25], data + b" " * 80, b" " + data, data.replace(b"2101", b" Ann")):
        assert parse(DATE + wrong, SHIPPED)[-1] == "type_signature", wrong


def test_a_line_that_fits_two_formats_differently_is_refused() -> None:
    """Cut off behind the calling number, an expanded line looks like an enhanced printer's without a caller."""
    cut = standard("expanded").rstrip()
    assert parse(DATE + cut, SHIPPED)[-1] == "type_signature"


@pytest.mark.parametrize(
    ("code", "direction", "disposition", "parts"),
    [
        ("0", Direction.INTERNAL, Disposition.ANSWERED, (0, 60)),
        ("1", Direction.UNKNOWN, Disposition.ANSWERED, (0, 60)),
        ("4", Direction.UNKNOWN, Disposition.ANSWERED, (0, 60)),
        ("6", Direction.UNKNOWN, Disposition.FAILED, (60, 0)),
        ("7", Direction.OUTBOUND, Disposition.ANSWERED, (0, 60)),
        ("8", Direction.OUTBOUND, Disposition.ANSWERED, (0, 60)),
        ("9", Direction.INBOUND, Disposition.ANSWERED, (0, 60)),
        ("A", Direction.OUTBOUND, Disposition.ANSWERED, (0, 60)),
        ("B", Direction.OUTBOUND, Disposition.ANSWERED, (0, 60)),
        ("C", Direction.UNKNOWN, Disposition.ANSWERED, (0, 60)),
        ("E", Direction.UNKNOWN, Disposition.FAILED, (60, 0)),
        ("F", Direction.UNKNOWN, Disposition.FAILED, (60, 0)),
        ("G", Direction.INBOUND, Disposition.ANSWERED, (60, 0)),
        ("H", Direction.INBOUND, Disposition.NO_ANSWER, (60, 0)),
        ("I", Direction.INBOUND, Disposition.BUSY, (60, 0)),
        ("J", Direction.INBOUND, Disposition.ANSWERED, (0, 60)),
        ("K", Direction.OUTBOUND, Disposition.ANSWERED, (0, 60)),
        ("M", Direction.OUTBOUND, Disposition.ANSWERED, (0, 60)),
        ("Z", Direction.UNKNOWN, Disposition.ANSWERED, (0, 60)),
    ],
)
def test_condition_codes(code: str, direction: Direction, disposition: Disposition, parts: tuple[int, int]) -> None:
    """What kind of call it was, and whether the duration is of the ringing."""
    record = record_of(line({"cond-code": code}))
    assert (record.direction, record.disposition) == (direction, disposition)
    assert (record.ring_seconds, record.talk_seconds) == parts
    assert record.answered_at in {None, record.started_at + timedelta(seconds=parts[0])}
    assert (record.answered_at is not None) == (disposition is Disposition.ANSWERED)


@pytest.mark.parametrize(
    ("changes", "calling", "direction"),
    [
        ({"calling-num": ""}, "anonymous", Direction.INBOUND),
        ({"calling-num": "801"}, "trunk", Direction.INBOUND),
        ({"calling-num": "802"}, "802", Direction.INBOUND),
        ({"calling-num": "802", "in-trk-code": ""}, "trunk", Direction.INBOUND),
        ({"calling-num": "80211", "in-trk-code": ""}, "80211", Direction.INBOUND),
        ({"out-crt-id": "007"}, "0470112233", Direction.TRANSIT),
        ({"out-crt-id": "000"}, "0470112233", Direction.INBOUND),
        ({"calling-num": "801", "cond-code": "7"}, "801", Direction.OUTBOUND),
        ({"calling-num": "", "cond-code": "7"}, "trunk", Direction.OUTBOUND),
    ],
)
def test_an_access_code_is_no_caller(changes: dict[str, str], calling: str, direction: Direction) -> None:
    """Where no number came with a call, the trunk's access code stands in its place, and looks like an extension."""
    record = record_of(line(changes))
    assert (record.calling, record.direction) == (calling, direction)


@pytest.mark.parametrize(
    ("duration", "total"), [("0000", 0), ("0001", 6), ("0105", 630), ("1000", 3600), ("9595", 35_970)]
)
def test_durations_are_hours_minutes_and_tenths_of_a_minute(duration: str, total: int) -> None:
    """One digit, two, one."""
    assert record_of(DATE + line({"duration": duration}, UNDATED), layout(UNDATED)).total_seconds == total


@given(length=st.integers(0, 99_999), hour=st.integers(0, 23), minute=st.integers(0, 59))
def test_the_end_is_what_the_line_says(length: int, hour: int, minute: int) -> None:
    """Whatever the length: start and end lie as far apart as the duration says."""
    record = record_of(line({"sec-dur": str(length), "time": f"{hour:02}{minute:02}"}))
    assert record.ended_at == datetime(2026, 10, 20, hour, minute, tzinfo=UTC) - timedelta(hours=2)
    assert record.ended_at - record.started_at == timedelta(seconds=length)
    assert (record.disposition is Disposition.UNKNOWN) == (length == 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"time": "2400"}, "date_invalid"),
        ({"time": "0960"}, "date_invalid"),
        ({"date": "133126"}, "date_invalid"),
        ({"date": "032926", "time": "0230"}, "local_time_nonexistent"),
        ({"date": "110426"}, "date_out_of_range"),
        ({"time": "9:01"}, "type_signature"),
        ({"time": ""}, "type_signature"),
        ({"date": "10/20"}, "type_signature"),
        ({"sec-dur": ""}, "type_signature"),
        ({"sec-dur": "6x"}, "type_signature"),
        ({"cond-code": ""}, "type_signature"),
        ({"cond-code": "?"}, "type_signature"),
        ({"calling-num": "Ann"}, "type_signature"),
        ({"calling-num": "04701 12233"}, "type_signature"),
        ({"dialed-num": "Bart"}, "type_signature"),
        ({"auth-code": "Zoe?"}, "type_signature"),
        ({"in-trk-code": "x"}, "type_signature"),
    ],
)
def test_a_column_of_another_type_is_refused(changes: dict[str, str], code: str) -> None:
    """And no column is shifted to make it fit."""
    assert parse(line(changes)) == [code]


def test_a_call_cut_by_a_change_of_the_clock_is_refused() -> None:
    """Its duration is 9999: it is not known."""
    assert parse(DATE + line({"duration": "9999"}, UNDATED), layout(UNDATED))[-1] == "type_signature"
    long = (("time", 4), ("sec-dur", 9), ("calling-num", 5), ("dialed-num", 5), ("cond-code", 1))
    assert parse(DATE + line({"sec-dur": "999999999", "calling-num": "1"}, long), layout(long))[-1] == "type_signature"


@given(place=st.integers(0, 94), piece=st.sampled_from([b" ", b"", b"A", b"7", b","]))
def test_columns_never_slide(place: int, piece: bytes) -> None:
    """A character more or less: the line is refused, or both parties are what they were, up to the damage itself."""
    data = line({"auth-code": "4711"}).rstrip(b"\r\n")
    [outcome] = parse(data[:place] + piece + data[place:]) if piece else parse(data[:place] + data[place + 1 :])
    if isinstance(outcome, CallRecord):
        assert outcome.called in {"2101", "72101", "21017", "27101", "21701", "21071", "A2101", "2101A"} | {
            "2A101",
            "21A01",
            "210A1",
        }
        assert outcome.calling.replace("7", "") in {"0470112233".replace("7", ""), "470112233".replace("7", "")}


def test_an_outage_is_no_call() -> None:
    """A record of condition 6 without parties says how long nothing was recorded."""
    assert parse(line({"cond-code": "6", "calling-num": "", "dialed-num": "", "in-trk-code": ""})) == ["ignored"]


def test_equal_lines_are_different_calls_and_days_differ() -> None:
    """The same line on the next day is another call; each keeps its key at each reading."""
    data = DATE + line(items=UNDATED) * 2 + b"00:00 10/21\r\n" + line(items=UNDATED)
    records = [item for item in parse(data, layout(UNDATED)) if isinstance(item, CallRecord)]
    assert len({record.natural_key for record in records}) == 3
    assert [record.leg for record in records] == [1, 1, 1]
    assert [item for item in parse(data, layout(UNDATED)) if isinstance(item, CallRecord)] == records


def test_records_with_one_ucid_are_legs() -> None:
    """Zeros are no UCID."""
    with_ucid = line({"ucid": "00001012341234567890"}, UNDATED)
    first, second, third, fourth = (
        item
        for item in parse(DATE + with_ucid * 2 + line({"ucid": "0" * 20}, UNDATED) * 2, layout(UNDATED))
        if isinstance(item, CallRecord)
    )
    assert first.call_key == second.call_key
    assert (first.leg, second.leg) == (1, 2)
    assert third.call_key != fourth.call_key


@pytest.mark.parametrize(
    ("items", "mistake"),
    [
        ((("time", 4), ("calling-num", 5), ("dialed-num", 5)), "one of `duration` and `sec-dur` is needed"),
        ((*ITEMS, ("duration", 4)), "one of `duration` and `sec-dur` is needed"),
        ((("dur", 4), ("calling-num", 5), ("dialed-num", 5)), "`time` is missing"),
        ((("time", 4), ("dur", 4), ("dialed-num", 5)), "one of `calling-num` and `clg-num-in-tac` is needed"),
        ((("time", 4), ("dur", 4), ("calling-num", 5)), "`dialed-num` is missing"),
        ((*ITEMS, ("time", 4)), "stands there twice"),
        ((*ITEMS, ("caller-name", 9)), "is no data item"),
        ((("time", 5), *ITEMS[:2], *ITEMS[4:]), "`time` has 4 characters"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(items: tuple[tuple[str, int], ...], mistake: str) -> None:
    """When the settings are read, not when lines come."""
    with pytest.raises(SettingsError, match=mistake):
        parser(layout(items))


def test_widths_and_order_must_fit_the_columns() -> None:
    """As many widths as columns; no year stands first."""
    with pytest.raises(SettingsError, match="as many are needed"):
        parser(layout() | {"widths": [1, 2]})
    with pytest.raises(SettingsError, match="mdy"):
        parser({"date_order": "ymd"})


def test_blanks_behind_a_customized_line_are_nothing() -> None:
    """And those at its end may be missing."""
    data = line(items=UNDATED).rstrip()
    for spaced in (data, data + b" " * 90):
        assert record_of(DATE + spaced, layout(UNDATED)).called == "2101"


def test_what_is_no_line_of_the_feed_is_refused() -> None:
    """Noise from an open port, and blank lines, which are nothing."""
    assert parse(b"GET / HTTP/1.1\r\n\r\n   \r\n") == ["type_signature", "ignored", "ignored"]
    assert parse(b"GET / HTTP/1.1\r\n", SHIPPED) == ["type_signature"]
