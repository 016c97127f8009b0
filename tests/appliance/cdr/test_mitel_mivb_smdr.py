"""The dialect ``mitel_mivb_smdr``: option sets, trunks and parties, clocks, and what it refuses."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import REWIND_BYTES
from appliance.cdr.record import CallRecord
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.mitel_lines import Options, line

STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
NUMBERS = Options(numbers=True)
EXTENDED = Options(extended=True)
OPTION_SETS = {
    90: Options(),
    112: NUMBERS,
    131: Options(numbers=True, network=True),
    101: EXTENDED,
    120: Options(extended=True, numbers=True),
    139: Options(extended=True, numbers=True, network=True),
    168: Options(extended=True, numbers=True, network=True, reporting=1),
    171: Options(extended=True, numbers=True, network=True, reporting=2),
}
OUTGOING = {"calling": "214", "answer": "", "digits": "00470112233", "completion": "A", "called": "T054"}
INTERNAL = {"calling": "201", "answer": "", "digits": "202", "completion": "I", "called": "202"}


def parser() -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect("mitel_mivb_smdr").open(FeedContext(zone=ZoneInfo("Europe/Brussels")))


def parse(data: bytes, *, now: datetime = NOW) -> list[CallRecord | str]:
    """Each line's record, or why there is none."""
    found = outcomes(parser(), frame(data), now=now)
    return [outcome if isinstance(outcome, CallRecord) else reason(outcome) for outcome in found]


def record_of(data: bytes, *, now: datetime = NOW) -> CallRecord:
    """The record of a file of one line."""
    [outcome] = parse(data, now=now)
    assert isinstance(outcome, CallRecord), outcome
    return outcome


@pytest.mark.parametrize("width", OPTION_SETS)
def test_every_option_set_gives_the_same_call(width: int) -> None:
    """The widths are those of the manual; the presented number is there where the option is on."""
    options = OPTION_SETS[width]
    data = line(options=options)
    assert len(data.rstrip(b"\r\n")) == width
    record = record_of(data)
    assert (record.calling, record.called) == ("0470112233" if options.numbers else "T102", "201")
    assert (record.started_at, record.answered_at) == (STARTED, STARTED + timedelta(seconds=5))
    assert record.ended_at == STARTED + timedelta(seconds=65)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.direction, record.disposition) == (Direction.INBOUND, Disposition.ANSWERED)


@pytest.mark.parametrize("width", OPTION_SETS)
def test_blanks_at_the_ends_may_be_missing(width: int) -> None:
    """Collectors cut them off; the numbers that are reported still stand at the end."""
    data = line(options=OPTION_SETS[width])
    whole = record_of(data)
    for cut in (data.rstrip(), data.strip(), data.rstrip() + b" \r\n"):
        record = record_of(cut)
        assert (record.calling, record.called) == (whole.calling, whole.called)
        assert (record.started_at, record.ended_at) == (whole.started_at, whole.ended_at)


def test_the_reported_number_has_twenty_digits_with_extended_reporting() -> None:
    """And stands behind a column for the number that reached the attendant."""
    changes = {"ani": "00442079460123", "ldn": "6200", "suite": "6000", "seconds": "45", "call_id": "M0100376"}
    record = record_of(line(changes, OPTION_SETS[171]))
    assert (record.calling, record.started_at) == ("00442079460123", STARTED + timedelta(seconds=45))
    assert record.call_key.startswith(b"call\0M0100376\0")


@pytest.mark.parametrize(
    ("changes", "direction", "calling", "called", "forwarded_to"),
    [
        ({}, Direction.INBOUND, "0470112233", "201", ""),
        ({"ani": ""}, Direction.INBOUND, "anonymous", "201", ""),
        ({"digits": "63", "called": "224"}, Direction.INBOUND, "0470112233", "224", ""),
        ({"digits": "63", "called": "224", "speed": "F"}, Direction.INBOUND, "0470112233", "63", "224"),
        ({"digits": "", "called": "224", "speed": "F"}, Direction.INBOUND, "0470112233", "224", ""),
        ({"digits": "", "called": "", "answer": "***"}, Direction.INBOUND, "0470112233", "4501", ""),
        ({"calling": "X9", "digits": "4207 2301", "ani": ""}, Direction.INBOUND, "4207", "201", ""),
        ({"called": "T3", "digits": "00470998877"}, Direction.TRANSIT, "0470112233", "00470998877", ""),
        (OUTGOING, Direction.OUTBOUND, "214", "00470112233", ""),
        (OUTGOING | {"digits": "8133 8024", "called": "X999"}, Direction.OUTBOUND, "214", "8024", ""),
        (OUTGOING | {"digits": "00470112233", "pulses": "00012"}, Direction.OUTBOUND, "214", "00470112233", ""),
        (OUTGOING | {"digits": "", "dnis": ""}, Direction.OUTBOUND, "214", "", ""),
        (OUTGOING | {"called": ""}, Direction.UNKNOWN, "214", "00470112233", ""),
        (INTERNAL, Direction.INTERNAL, "201", "202", ""),
        (INTERNAL | {"called": "ATT1"}, Direction.INTERNAL, "201", "ATT1", ""),
        ({"transfer": "T", "third": "215"}, Direction.INBOUND, "0470112233", "201", "215"),
        ({"transfer": "X", "third": "215"}, Direction.INBOUND, "0470112233", "201", "215"),
        ({"transfer": "C", "third": "215"}, Direction.INBOUND, "0470112233", "201", ""),
        ({"transfer": "T", "third": "T3"}, Direction.INBOUND, "0470112233", "201", ""),
    ],
)
def test_trunks_tell_the_direction_and_are_no_parties(
    changes: dict[str, str], direction: Direction, calling: str, called: str, forwarded_to: str
) -> None:
    """Calling a trunk: in; called a trunk: out; both: through; neither: inside."""
    record = record_of(line(changes, NUMBERS))
    assert record.direction is direction
    assert (record.calling, record.called, record.forwarded_to) == (calling, called, forwarded_to)


@pytest.mark.parametrize(
    ("changes", "disposition", "seconds"),
    [
        ({"answer": "***", "duration": "00:00:00", "called": ""}, Disposition.NO_ANSWER, (0, 0, 0)),
        ({"answer": "***", "flag": "*", "duration": "00:00:00", "called": ""}, Disposition.NO_ANSWER, (0, 0, 0)),
        ({"answer": "*?*", "duration": "00:00:20", "called": ""}, Disposition.NO_ANSWER, (20, 0, 20)),
        ({"answer": "012", "flag": "*"}, Disposition.ANSWERED, (12, 60, 72)),
        ({"answer": "", "flag": "*"}, Disposition.ANSWERED, (0, 60, 60)),
        ({"answer": "", "duration": "00:00:00"}, Disposition.UNKNOWN, (0, 0, 0)),
        ({"called": "T3"}, Disposition.ANSWERED, (5, 60, 65)),
        ({"completion": "B"}, Disposition.BUSY, (60, 0, 60)),
        ({"completion": "E", "answer": "***", "called": ""}, Disposition.FAILED, (60, 0, 60)),
        ({"completion": "T"}, Disposition.ANSWERED, (5, 60, 65)),
        ({"completion": "A"}, Disposition.ANSWERED, (5, 60, 65)),
        (OUTGOING, Disposition.ANSWERED, (0, 60, 60)),
        (OUTGOING | {"completion": ""}, Disposition.UNKNOWN, (0, 60, 60)),
        (OUTGOING | {"completion": "T"}, Disposition.FAILED, (60, 0, 60)),
        (OUTGOING | {"completion": "T", "called": ""}, Disposition.FAILED, (60, 0, 60)),
        (INTERNAL, Disposition.ANSWERED, (0, 60, 60)),
        (INTERNAL | {"completion": "O"}, Disposition.BUSY, (60, 0, 60)),
        (INTERNAL | {"completion": "D"}, Disposition.NO_ANSWER, (60, 0, 60)),
        (INTERNAL | {"completion": "S"}, Disposition.FAILED, (60, 0, 60)),
        (INTERNAL | {"completion": "U"}, Disposition.NO_ANSWER, (60, 0, 60)),
    ],
)
def test_what_became_of_the_call(
    changes: dict[str, str], disposition: Disposition, seconds: tuple[int, int, int]
) -> None:
    """By the completion code, then the time to answer; an outgoing trunk without supervision does not tell."""
    record = record_of(line(changes, NUMBERS))
    assert record.disposition is disposition
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == seconds
    assert record.ended_at - record.started_at == timedelta(seconds=seconds[2])
    assert (record.answered_at is None) == (record.talk_seconds == 0)


@pytest.mark.parametrize(
    ("date", "now", "year"),
    [("12/31", datetime(2027, 1, 1, 6, tzinfo=UTC), 2026), ("01/01", datetime(2027, 1, 1, 6, tzinfo=UTC), 2027)],
)
def test_the_year_is_the_latest_that_the_clock_allows(date: str, now: datetime, year: int) -> None:
    """On New Year's morning, a call of the night before is of the old year."""
    assert record_of(line({"date": date}), now=now).started_at.year == year


def test_the_same_line_a_year_later_is_another_call() -> None:
    """Month and day come back; the year is part of the identity."""
    first, second = (record_of(line(), now=NOW + timedelta(days=days)) for days in (0, 365))
    assert first.natural_key != second.natural_key
    assert record_of(line(), now=NOW + timedelta(days=30)) == first


def test_equal_lines_are_different_calls() -> None:
    """Two calls in one minute can look alike; each has its own key, the same at each reading."""
    records = [item for item in parse(line() * 3) if isinstance(item, CallRecord)]
    assert len({record.natural_key for record in records}) == 3
    assert len({record.call_key for record in records}) == 3
    assert parse(line() * 3) == records


def test_records_with_one_call_identifier_are_legs() -> None:
    """With network OLI; on another day the identifier is another call's."""
    options = OPTION_SETS[139]
    days = [("10/20", "A"), ("10/20", "B"), ("10/21", "A")]
    data = b"".join(line({"date": day, "call_id": "M0100376", "sequence": letter}, options) for day, letter in days)
    first, second, third = (item for item in parse(data) if isinstance(item, CallRecord))
    assert first.call_key == second.call_key != third.call_key
    assert (first.leg, second.leg, third.leg) == (1, 2, 1)


@pytest.mark.parametrize(
    ("time", "marker", "hour"),
    [
        ("03:10", "P", 15),
        ("03:10", "p", 15),
        ("12:10", "P", 12),
        ("12:10", "A", 0),
        ("03:10", "", 3),
        ("12:10", "", 12),
    ],
)
def test_clocks_of_twelve_hours_mark_the_afternoon(time: str, marker: str, hour: int) -> None:
    """A clock of 24 hours marks nothing."""
    started_at = record_of(line({"time": time, "marker": marker})).started_at
    assert started_at == datetime(2026, 10, 20, hour, 10, tzinfo=UTC) - timedelta(hours=2)


def test_half_past_twelve_is_past_midnight_where_afternoons_are_marked() -> None:
    """As far as the mark is near: a restart must see it."""
    marked, twelve = line({"time": "03:10", "marker": "P"}), line({"time": "12:30", "date": "10/21"})
    near, far = parse(marked + twelve)[1], parse(marked + line() * (REWIND_BYTES // len(line()) + 2) + twelve)[-1]
    assert isinstance(near, CallRecord)
    assert isinstance(far, CallRecord)
    assert near.started_at == datetime(2026, 10, 20, 22, 30, tzinfo=UTC)
    assert far.started_at == datetime(2026, 10, 21, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"date": "13/20"}, "date_invalid"),
        ({"date": "02/30"}, "date_invalid"),
        ({"time": "24:00"}, "date_invalid"),
        ({"time": "13:00", "marker": "P"}, "date_invalid"),
        ({"time": "00:30", "marker": "P"}, "date_invalid"),
        ({"date": "03/29", "time": "02:30"}, "local_time_nonexistent"),
        ({"duration": "99:99:99"}, "type_signature"),
        ({"calling": ""}, "type_signature"),
        ({"calling": "Ann"}, "type_signature"),
        ({"calling": "ANN"}, "type_signature"),
        ({"called": "BART"}, "type_signature"),
        ({"third": "ZOE"}, "type_signature"),
        ({"answer": "x05"}, "type_signature"),
        ({"answer": "5*5"}, "type_signature"),
        ({"digits": "201 202 203"}, "type_signature"),
        ({"completion": "Z"}, "type_signature"),
        ({"ani": "Ann"}, "type_signature"),
        ({"ani": "0470 1122"}, "type_signature"),
        ({"dnis": "45 01"}, "type_signature"),
        ({"system": "0x0"}, "type_signature"),
        ({"called": ""}, "type_signature"),
        ({"long": "x"}, "type_signature"),
    ],
)
def test_a_column_of_another_type_is_refused(changes: dict[str, str], code: str) -> None:
    """No name, no letter and no blank stands where a number belongs."""
    assert parse(line(changes, NUMBERS)) == [code]


@given(place=st.integers(8, 88), width=st.sampled_from(sorted(OPTION_SETS)))
def test_a_blank_that_is_missing_shifts_no_party(place: int, width: int) -> None:
    """The line is refused, or still gives both numbers: columns that slid never become a party."""
    data = line({"call_id": "M0100376", "sequence": "A"}, OPTION_SETS[width]).rstrip(b"\r\n")
    assume(data[place : place + 1] == b" ")
    [outcome] = parse(data[:place] + data[place + 1 :])
    whole = record_of(data)
    assert isinstance(outcome, str) or outcome.called == whole.called
    assert isinstance(outcome, str) or outcome.calling in {whole.calling, "T102", "anonymous"}


@pytest.mark.parametrize(
    ("text", "calling", "called", "direction"),
    [
        (b"10/20 09:00:00 00:01:00 1011 00470112233 T001 A", "1011", "00470112233", Direction.OUTBOUND),
        (b"%10/20 09:00 0000:01:00 ATT1 6204 A", "ATT1", "6204", Direction.INTERNAL),
        (b"10/20 09:00a 00:01:00 3001 3002 A CID:77 SEQ:3", "3001", "3002", Direction.INTERNAL),
        (b"2026-10-20 09:00:00 00:01:00 T001 3002 A", "T001", "3002", Direction.INBOUND),
        (b"102026 090000 000100 4001 00470112233 T2 ACC:4401 A OLI:1", "4001", "00470112233", Direction.OUTBOUND),
        (b"10/20 09:00:00 0000:01:00 2002 0000 2001 I 2001 000", "2002", "2001", Direction.INTERNAL),
        (
            *(b"10/20 09:00:00 0000:01:00 T1 0000 0470112233 4216 T3 010 0470112233 4216 M0100376 A", "0470112233"),
            *("4216", Direction.TRANSIT),
        ),
        (b"10/20 09:00:00 0000:01:00 T1 0000 4207 2301 2301 010", "4207", "2301", Direction.INBOUND),
    ],
)
def test_squeezed_lines_are_read_where_each_word_is_certain(
    text: bytes, calling: str, called: str, direction: Direction
) -> None:
    """Words that repeat each other, or few words and marked ones."""
    record = record_of(text)
    assert (record.calling, record.called, record.direction) == (calling, called, direction)
    assert (record.started_at, record.talk_seconds) == (STARTED, 60)


@pytest.mark.parametrize(
    "text",
    [
        b"10/20 09:00:00 0000:01:00 8133 8133 8024 A T3",
        b"10/20 09:00:00 0000:01:00 201 201 8024 A T3",
        b"10/20 09:00:00 00:01:00 8133 8024",
        b"10/20 09:00:00 00:01:00 8133 8024 T3 CID:77",
        b"10/20 09:00:00 00:01:00 T1 0000 4216 4217 010",
        b"10/20 09:00:00 00:01:00 201 202 203 204 A",
        b"10/20 09:00:00 00:01:00 Ann 201 A",
        b"10/20 09:00:00 00:01:00 201 202 Z",
        b"10/20 09:00:00 00:01:00 1234567890 202 A",
        b"10/20 09:00:00 soon 201 202 A",
        b"10-20 11:25 00:00:03 1411 -DATA DTRX",
        b"MALFORMED INPUT",
        b"**/** CLOCK MALFUNCTION",
        b"GET / HTTP/1.1",
    ],
)
def test_squeezed_lines_that_can_be_read_in_two_ways_are_refused(text: bytes) -> None:
    """A number might be a time to answer, an extension or an account code."""
    assert parse(text) == ["type_signature"]


def test_rests_of_wrapped_lines_and_blank_lines_are_no_records() -> None:
    """A terminal of 80 columns puts what is left, an account code among it, on a line of its own."""
    whole = line({"account": "110110"}, OPTION_SETS[171]).rstrip(b"\r\n")
    first, second, third = parse(whole[:80] + b"\r\n" + b" " * 20 + b"110110 000\r\n\r\n")
    assert isinstance(first, CallRecord)
    assert (second, third) == ("ignored", "ignored")
    assert parse(b"      Ann, 0470112233\r\n") == ["type_signature"]
