"""The dialect ``panasonic_smdr``: columns and tokens, the clock, numbers, and rows that are no calls."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES
from appliance.cdr.written_number import UNNUMBERED
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.feeds.panasonic_smdr import row
from tests.support.reading import labels, only, read, records

NAME = "panasonic_smdr"
STAMP = "20/10/26 09:00AM"
ENDED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)


def line(text: str) -> bytes:
    """One line with its end."""
    return text.encode("latin-1") + b"\r\n"


def incoming(dial: str, *, extension: str = "201") -> bytes:
    """An answered incoming call."""
    return line(row(STAMP, extension, "01", dial, ring="0'05", duration="00:01'05"))


def outgoing(dial: str, *, extension: str = "201", stamp: str = STAMP, code: str = "") -> bytes:
    """An outgoing call of 65 seconds."""
    return line(row(stamp, extension, "01", dial, duration="00:01'05", code=code))


def test_the_clock_shows_when_the_call_ended() -> None:
    """It began as long before as it rang and lasted."""
    record = only(NAME, incoming("<I>0470112233"))
    assert record.ended_at == ENDED
    assert record.answered_at == ENDED - timedelta(seconds=65)
    assert record.started_at == ENDED - timedelta(seconds=70)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 65, 70)
    assert (record.direction, record.disposition) == (Direction.INBOUND, Disposition.ANSWERED)
    assert (record.calling, record.called, record.forwarded_to, record.leg) == ("0470112233", "201", "", 1)


def test_an_outgoing_call_has_no_ring() -> None:
    """The PBX counts from the end of dialling."""
    record = only(NAME, outgoing("0470112233"))
    assert (record.direction, record.calling, record.called) == (Direction.OUTBOUND, "201", "0470112233")
    assert record.answered_at == record.started_at == ENDED - timedelta(seconds=65)


def test_an_internal_call_has_no_trunk() -> None:
    """The extension that was called follows ``EXT``."""
    record = only(NAME, line(row(STAMP, "201", "", "EXT1202", duration="00:12'05", acc="98765")))
    assert (record.direction, record.calling, record.called) == (Direction.INTERNAL, "201", "1202")


@pytest.mark.parametrize(
    ("ring", "duration", "code", "seconds"),
    [
        *(("0'22", "00:00'00", "NA", 22), ("5'15", "00:00'00", "", 315), ("0'45", "", "NA", 45), ("", "", "NA", 0)),
        ("0'10", "00:00'05", "NA", 15),
    ],
)
def test_a_call_that_nobody_answered(ring: str, duration: str, code: str, seconds: int) -> None:
    """The condition code or the duration says so; all of it was ringing."""
    record = only(NAME, line(row(STAMP, "201", "01", "<I>0470112233", ring=ring, duration=duration, code=code)))
    assert (record.answered_at, record.disposition) == (None, Disposition.NO_ANSWER)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (seconds, 0, seconds)
    assert record.started_at == ENDED - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "direction", "calling", "called"),
    [
        (STAMP + " 204 01 <I>0470112233 0'12 00:03'45 AN", Direction.INBOUND, "0470112233", "204"),
        (STAMP + " 204 01 0470112233 0'12 00:03'45 AN", Direction.UNKNOWN, "0470112233", "204"),
        (STAMP + " 204 01 \\ 0'05 00:00'10", Direction.UNKNOWN, "anonymous", "204"),
        (STAMP + " 204 0102 0470112233 0'00 00:06'30 O", Direction.OUTBOUND, "204", "0470112233"),
        (STAMP + " 204 EXT205 00:06'30", Direction.INTERNAL, "204", "205"),
        (STAMP + " 204 <I>0470112233 0'12 00:03'45", Direction.INBOUND, "0470112233", "204"),
        (
            "  20/10/26   09:00 AM  204   01   0470112233   00:00:10  12.50EUR  4711  TR",
            Direction.OUTBOUND,
            "204",
            None,
        ),
    ],
)
def test_a_capture_with_squeezed_blanks(text: str, direction: Direction, calling: str, called: str | None) -> None:
    """Columns one after the other; a ring without ``<I>`` is an incoming call all the same."""
    record = only(NAME, line(text))
    assert (record.direction, record.calling, record.called) == (direction, calling, called or "0470112233")


@pytest.mark.parametrize(
    ("clock", "hour", "minute", "second"),
    [
        *(("12:30AM", 0, 30, 0), ("12:30PM", 12, 30, 0), ("01:07pm", 13, 7, 0), ("23:59", 23, 59, 0)),
        *(("9:05", 9, 5, 0), ("14:32:10", 14, 32, 10), ("02:03:04P", 14, 3, 4)),
    ],
)
def test_clocks_of_12_and_24_hours(clock: str, hour: int, minute: int, second: int) -> None:
    """With and without seconds."""
    record = only(NAME, line(f"20/10/26 {clock} 201 01 0470112233 00:01'05"))
    assert record.ended_at == datetime(2026, 10, 20, hour, minute, second, tzinfo=ZoneInfo("Europe/Brussels"))


@pytest.mark.parametrize(
    ("dial", "called"),
    [
        *(("0470112233", "0470112233"), ("=0P470112233F", "0470112233"), ("*31#0470112233", "*31#0470112233")),
        *(("123..............", ""), ("0470112XXX", ""), ("\\", ""), ("0470112233-8262", "0470112233")),
        *(("ANN0470112233", "0470112233"), ("ANN", UNNUMBERED), ("", "")),
    ],
)
def test_a_dialled_number(dial: str, called: str) -> None:
    """Hidden digits make it no number; what was keyed after a transfer is none of it."""
    assert only(NAME, outgoing(dial)).called == called


@pytest.mark.parametrize(
    ("dial", "calling"),
    [
        *(("<I>0470112233", "0470112233"), ("<I>+32470112233", "+32470112233"), ("<I>", "anonymous")),
        *(("<I>PRIVATE", "anonymous"), ("<I>\\", "anonymous"), ("<I>ABC COMPANY12345678", "12345678")),
        *(("<I>0470112233 BART", "0470112233"), ("<I>BART 0470112233", "0470112233"), ("<I>BART", UNNUMBERED)),
        *(
            ("<I>123 SHOP 456", UNNUMBERED),
            ("<D>024445566<I>0470112233", "0470112233"),
            ("<D>SALES<I>Q COMPANY", UNNUMBERED),
        ),
        ("<I>ANN VAN DEN BER0470112", UNNUMBERED),
    ],
)
def test_a_caller(dial: str, calling: str) -> None:
    """A name is never taken, nor a number that the column's end may have cut."""
    assert only(NAME, incoming(dial)).calling == calling


@pytest.mark.parametrize(
    ("extension", "number"), [("1201", "1201"), ("*123", UNNUMBERED), ("D001", UNNUMBERED), ("T012", UNNUMBERED)]
)
def test_what_stands_for_the_extension(extension: str, number: str) -> None:
    """A verified code is a secret; doorphones and tie lines are no extensions."""
    assert only(NAME, outgoing("0470112233", extension=extension)).calling == number
    assert only(NAME, incoming("<I>0470112233", extension=extension)).called == number


@pytest.mark.parametrize(
    ("dial", "called"), [("<D>024445566<I>", "024445566"), ("<D>SALES445566<I>", "445566"), ("<I>", "")]
)
def test_the_number_called_from_outside_stands_in_for_an_extension(dial: str, called: str) -> None:
    """Where no extension took the call."""
    assert only(NAME, incoming(dial, extension="")).called == called


def test_a_forward_to_outside_names_its_target() -> None:
    """``FW``: the extension did not dial, it passed a call on."""
    record = only(NAME, outgoing("0470112244", code="FW"))
    assert (record.calling, record.called, record.forwarded_to) == ("201", "0470112244", "0470112244")
    assert only(NAME, outgoing("0470112244", code="TR")).forwarded_to == ""


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "-" * 80, "\f" + "-" * 80, "SMDR", "Enter Password:*******"),
        "  Date     Time    Ext CO        Dial Number        Ring Duration  Acc code  CD",
        *(row(STAMP, "201", "", text) for text in ("LOG IN", "LOG OUT", "In the office", "Check in", "<I>S003")),
        row(STAMP, "201", "", "Timed Reminder/No Answer"),
        row(STAMP, "201", "01", "<I>0470112233", code="RC"),
        row(STAMP, "201", "01", "<I>0470112233", ring="0'20", code="AN"),
    ],
)
def test_what_is_no_call(text: str) -> None:
    """Page heads, what people did with their telephones, and notes of calls whose own rows follow."""
    assert labels(NAME, line(text)) == ["ignored"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("**/**/** **:****   201 01 0470112233                     00:01'05", "date_invalid"),
        (row("20/10/26 13:00PM", "201", "01", "0470112233", duration="00:01'05"), "date_invalid"),
        (row("20/10/26 0:00AM", "201", "01", "0470112233", duration="00:01'05"), "date_invalid"),
        (row("20/10/26 25:00", "201", "01", "0470112233", duration="00:01'05"), "date_invalid"),
        (row("32/10/26 09:00", "201", "01", "0470112233", duration="00:01'05"), "date_invalid"),
        (row("20/10/99 09:00", "201", "01", "0470112233", duration="00:01'05"), "date_out_of_range"),
        (row(STAMP, "201", "01", "0470112233", duration="00:01'05") + " Ann", "type_signature"),
        (row(STAMP, "201", "01", "<I>0470112233", ring="0'05", duration="00:01'05")[:56], "type_signature"),
        (row(STAMP, "201", "01", "0470112233")[:30], "type_signature"),
        *((text, "type_signature") for text in (STAMP, STAMP + " 00:01'05", "Ann Peeters", STAMP + " 201 EXT202")),
        (STAMP + " 201 0470112233 00:01'05", "type_signature"),
        *((f"{STAMP} {extension} 00:01'05", "type_signature") for extension in ("201", "20100000000")),
        ("\x1b[2J", "binary"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(text: str, code: str) -> None:
    """Torn, shifted, without a time that exists: never a record."""
    assert labels(NAME, line(text)) == [code]


def test_a_name_cannot_pass_for_the_columns_behind_it() -> None:
    """They are read from the right."""
    record = only(NAME, line(row(STAMP, "201", "01", "<I>X 0'01 00:00'01 NA", ring="0'05", duration="00:01'05")))
    assert (record.calling, record.ring_seconds, record.talk_seconds) == (UNNUMBERED, 5, 65)


def test_equal_rows_stay_two_and_overlapping_prints_agree() -> None:
    """Two calls of one minute are two; the same print gives the same keys."""
    one = outgoing("0470112233") * 2
    first, second = records(NAME, one)
    assert first.natural_key != second.natural_key
    assert [record.natural_key for record in records(NAME, one)] == [first.natural_key, second.natural_key]
    assert first.call_key == first.natural_key


AMBIGUOUS = "05/10/26 09:00AM"


def ended(data: bytes, *, country: str = "BE", layout: Layout | None = None) -> list[tuple[int, int] | str]:
    """Month and day of each row."""
    found = read(NAME, data, country=country, layout=layout)
    return [item if isinstance(item, str) else (item.ended_at.month, item.ended_at.day) for item in found]


@pytest.mark.parametrize(
    ("country", "order", "stamp", "expected"),
    [
        *(
            ("BE", None, AMBIGUOUS, (10, 5)),
            ("US", None, AMBIGUOUS, (5, 10)),
            ("CA", None, AMBIGUOUS, "date_ambiguous"),
        ),
        *(
            ("BE", "mdy", AMBIGUOUS, (5, 10)),
            ("US", "dmy", AMBIGUOUS, (10, 5)),
            ("SE", None, "26/10/05 09:00", (10, 5)),
        ),
        *(("BE", "ymd", "26/10/05 09:00", (10, 5)), ("BE", "mdy", "20/10/26 09:00", "date_invalid")),
        *(("BE", None, "2026/10/05 09:00", (10, 5)), ("BE", None, "05/10/2026 09:00", (10, 5))),
        *(("CA", None, "05/05/26 09:00", (5, 5)), ("CA", None, "10/20/26 09:00", (10, 20))),
    ],
)
def test_the_order_of_day_and_month(country: str, order: str | None, stamp: str, expected: object) -> None:
    """Declared, or beyond doubt, or usual in the country."""
    layout = msgspec.convert({"date_order": order}, Layout)
    assert ended(outgoing("0470112233", stamp=stamp), country=country, layout=layout) == [expected]


def test_the_order_is_learned_from_a_date_beyond_doubt() -> None:
    """The month stands first here, whatever is usual in Belgium."""
    sure = outgoing("0470112233", stamp="10/20/26 09:00AM")
    assert ended(sure + outgoing("0470112233", stamp=AMBIGUOUS)) == [(10, 20), (5, 10)]


def test_contradicting_lines_decide_nothing() -> None:
    """Until the older of them is out of sight; then the newer counts."""
    old, new = outgoing("0470112233", stamp="20/10/26 09:00AM"), outgoing("0470112233", stamp="10/20/26 09:00AM")
    asked = outgoing("0470112233", stamp=AMBIGUOUS)
    filler = line("-" * 80)
    near, far = filler * 10, filler * (REWIND_BYTES // len(filler))
    assert ended(old + near + new + asked)[-1] == "date_ambiguous"
    assert ended(old + far + new + asked)[-1] == (5, 10)


def test_the_head_of_the_file_decides_where_nothing_nearer_does() -> None:
    """A restarted parser is shown the head, but nothing between it and the last 64 KiB."""
    sure, asked = outgoing("0470112233", stamp="10/20/26 09:00AM"), outgoing("0470112233", stamp=AMBIGUOUS)
    filler = line("-" * 80)
    far, past_head = filler * (REWIND_BYTES // len(filler) + 1), filler * (HEAD_BYTES // len(filler) + 1)
    assert ended(sure + far + asked)[-1] == (5, 10)
    assert ended(past_head + sure + far + asked)[-1] == (10, 5)


def test_an_impossible_date_teaches_nothing() -> None:
    """32 is no day, and the 13th month no month."""
    for stamp in ("10/32/26 09:00AM", "13/14/26 09:00AM", "100/10/26 09:00AM"):
        data = outgoing("0470112233", stamp=stamp) + outgoing("0470112233", stamp=AMBIGUOUS)
        assert ended(data) == ["date_invalid", (10, 5)]


@given(ring=st.integers(0, 599), talk=st.integers(1, 359_999), code=st.sampled_from(["", "TR", "VA"]))
def test_start_ring_and_talk_make_the_end(ring: int, talk: int, code: str) -> None:
    """Whatever the durations: they add up, and the end is what was printed."""
    duration = f"{talk // 3600:02}:{talk // 60 % 60:02}'{talk % 60:02}"
    text = row(STAMP, "201", "01", "<I>0470112233", ring=f"{ring // 60}'{ring % 60:02}", duration=duration, code=code)
    record = only(NAME, line(text))
    assert record.ended_at - record.started_at == timedelta(seconds=ring + talk)
    assert record.total_seconds == record.ring_seconds + record.talk_seconds == ring + talk


@given(text=st.text(st.characters(codec="latin-1"), max_size=60))
def test_nothing_that_a_caller_sends_raises_or_shifts(text: str) -> None:
    """A caller's name of any kind stays in its column."""
    dial = "<I>" + "".join(character for character in text if character.isprintable())[:22]
    one = find_dialect(NAME).open(FeedContext(zone=ZoneInfo("Europe/Brussels")))
    data = line(row(STAMP, "201", "01", dial, ring="0'05", duration="00:01'05"))
    [outcome] = outcomes(one, frame(data), now=NOW)
    assert reason(outcome) == "record"
    assert only(NAME, data).called == "201"
