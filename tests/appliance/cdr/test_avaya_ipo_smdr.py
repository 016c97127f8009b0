"""The dialect ``avaya_ipo_smdr``: column sets, segments, times, parties, and what it refuses."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.record import CallRecord
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason

STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
COLUMNS = (
    *("start", "connected", "ring", "caller", "direction", "called", "dialled", "account", "internal", "call_id"),
    *("continuation", "party1", "name1", "party2", "name2", "hold", "park", "auth_valid", "auth_code"),
    *("user", "charge", "currency", "amount", "units", "units_before", "unit_cost", "mark_up"),
    *("cause", "targeter", "targeted", "calling_ip", "calling_id", "called_ip", "called_id", "recorded"),
    *("consent", "verification"),
)
VALUES = dict.fromkeys(COLUMNS, "") | {
    "start": "2026/10/20 09:00:00",
    "connected": "00:01:00",
    "ring": "5",
    "caller": "0470112233",
    "direction": "I",
    "called": "201",
    "dialled": "024445501",
    "internal": "0",
    "call_id": "1000101",
    "continuation": "0",
    "party1": "E201",
    "name1": "Ann",
    "party2": "T9001",
    "name2": "Line 1.1",
    "hold": "0",
    "park": "0",
}


def smdr(changes: dict[str, str] | None = None, *, keep: int = 30, more: str = "") -> bytes:
    """One row of the first ``keep`` columns, those of ``changes`` replaced, nothing quoted."""
    return ",".join([*(VALUES | (changes or {})).values()][:keep]).encode() + more.encode() + b"\r\n"


def parser(zone: str = "Europe/Brussels") -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect("avaya_ipo_smdr").open(FeedContext(zone=ZoneInfo(zone)))


def parse(data: bytes) -> list[CallRecord | str]:
    """Each line's record, or why there is none."""
    found = outcomes(parser(), frame(data))
    return [outcome if isinstance(outcome, CallRecord) else reason(outcome) for outcome in found]


def record_of(data: bytes) -> CallRecord:
    """The record of a file of one row."""
    [outcome] = parse(data)
    assert isinstance(outcome, CallRecord), outcome
    return outcome


@pytest.mark.parametrize("keep", [17, 19, 27, 30, 35, 37])
@pytest.mark.parametrize("more", ["", ","])
def test_every_release_gives_the_same_call(keep: int, more: str) -> None:
    """From the Delta Server's 17 columns to R11.1's 37, with or without an empty column more."""
    record = record_of(smdr(keep=keep, more=more))
    assert record == record_of(smdr())
    assert (record.calling, record.called, record.forwarded_to) == ("0470112233", "201", "")
    assert (record.started_at, record.answered_at) == (STARTED, STARTED + timedelta(seconds=5))
    assert record.ended_at == STARTED + timedelta(seconds=65)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.direction, record.disposition) == (Direction.INBOUND, Disposition.ANSWERED)


@pytest.mark.parametrize("keep", [*range(1, 17), 21, 26, 29, 32, 33, 34])
def test_any_other_number_of_columns_is_refused(keep: int) -> None:
    """A release that nobody has seen must not be guessed at."""
    assert parse(smdr(keep=keep)) == ["column_count"]
    assert parse(smdr(keep=37, more=",,")) == ["column_count"]


@pytest.mark.parametrize(
    "header",
    [
        b"Call Start,Connected Time,Ring Time,Caller,Direction\r\n",
        b"Call Start Time,Connected Time\n",
        b"call start, Call Duration, Ring Duration\n",
        b'"CallStart","Connected"\n',
        b"\n",
        b",,,,,,,,,\n",
    ],
)
def test_headers_and_empty_rows_are_no_records(header: bytes) -> None:
    """The Delta Server and several collectors write a header."""
    assert parse(header) == ["ignored"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name1": "Peeters, Ann"},
        {"name1": "Peeters, E202"},
        {"name2": "Peeters, Ann"},
        {"name2": "Peeters, 7"},
        {"name2": "Peeters, 7, 5"},
        {"name2": "Peeters, 7", "auth_valid": "0", "auth_code": "n/a"},
        {"account": "a,b"},
        {"caller": "0470112233,x"},
    ],
)
@pytest.mark.parametrize("keep", [17, 19, 30, 35])
def test_a_comma_in_a_field_is_refused_and_shifts_nothing(changes: dict[str, str], keep: int) -> None:
    """Devices, seconds and numbers must stand in their own columns."""
    assert parse(smdr(changes, keep=keep)) in (["type_signature"], ["column_count"])


@pytest.mark.parametrize("number", ["", "0470998877"])
def test_a_comma_in_the_name_of_a_forwarding_group_is_refused(number: str) -> None:
    """Its rest would stand where the number does that was dialled for it."""
    changes = {"targeter": "Sales, Ghent", "targeted": number}
    assert [parse(smdr(changes, keep=keep)) for keep in (30, 35)] in (
        [["type_signature"], ["type_signature"]],
        [["type_signature"], ["column_count"]],
    )


@given(name=st.text("ab ,;\"'0123456789E", max_size=12), where=st.sampled_from(["name1", "name2"]))
def test_no_name_ever_changes_what_leaves(name: str, where: str) -> None:
    """Whatever an unquoted name holds: the row is refused, or gives just what it gives with another name."""
    [outcome] = parse(smdr({where: name}))
    assert isinstance(outcome, str) or outcome == record_of(smdr())


@pytest.mark.parametrize(
    "changes",
    [
        *({"connected": text} for text in ("", "60", "00:01:60", "-00:01:00", "00:01:0x", "²:00:00")),
        *({"ring": text} for text in ("", "-1", "5.0", "9" * 5000)),
        *({"hold": text} for text in ("", "x")),
        *({"park": text} for text in ("", "x")),
        *({"direction": text} for text in ("", "i", "X", "IO", "I|0")),
        *({"internal": text} for text in ("", "2", "00")),
        *({"call_id": text} for text in ("", "x1", "1" * 21)),
        *({"continuation": text} for text in ("", "2")),
        *({"party1": text} for text in ("Ann", "201", "E", "X201")),
        *({"party2": text} for text in ("Line 1.1", "T90x1", "T" + "9" * 99)),
        *({"targeted": text} for text in ("Bart", "04 70", "@", "a@b@c")),
        *({"start": text} for text in ("", "soon", "2026/10/20", "20/10/26 09:00", "2026.10.20 09:00:00")),
        {"recorded": "soon"},
    ],
)
def test_a_column_of_another_type_is_refused(changes: dict[str, str]) -> None:
    """None of these was ever written by an IP Office."""
    assert parse(smdr(changes, keep=35)) == ["type_signature"]


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("2026/13/20 09:00:00", "date_invalid"),
        ("2026/10/20 24:00:00", "date_invalid"),
        ("2026/03/29 02:30:00", "local_time_nonexistent"),
        ("20/20/2026 09:00:00", "date_invalid"),
        ("1999/10/20 09:00:00", "date_out_of_range"),
        ("2026/11/04 09:00:00", "date_out_of_range"),
    ],
)
def test_a_start_that_cannot_be(start: str, code: str) -> None:
    """No calendar has it, no clock showed it, or it can be read in two ways."""
    assert parse(smdr({"start": start})) == [code]


@pytest.mark.parametrize("start", ["2026/10/20 09:00", "20/10/2026 09:00:00", "2026-10-20 09:00:00"])
def test_other_spellings_of_the_start(start: str) -> None:
    """The manual's own examples stop at the minute; spreadsheets turn the date around."""
    assert record_of(smdr({"start": start})).started_at == STARTED


@pytest.mark.parametrize(("country", "month"), [("BE", 10), ("US", 5)])
def test_a_spreadsheet_writes_dates_as_its_country_does(country: str, month: int) -> None:
    """Unless another date or the layout says otherwise."""
    context = FeedContext(zone=ZoneInfo("Europe/Brussels"), country=country)
    one = find_dialect("avaya_ipo_smdr").open(context)
    [outcome] = outcomes(one, frame(smdr({"start": "5/10/2026 9:00"})))
    assert isinstance(outcome, CallRecord)
    assert outcome.started_at.month == month


def test_blanks_around_columns_are_nothing() -> None:
    """Copied from a web page."""
    assert record_of(smdr(keep=17).replace(b",", b", ").rstrip() + b" \r\n").called == "201"


def test_the_first_of_two_equal_hours() -> None:
    """Nothing in a row says which of them it was."""
    assert record_of(smdr({"start": "2026/10/25 02:30:00"})).started_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_segments_share_the_call_and_are_numbered() -> None:
    """A transfer to voicemail: Call ID and start agree, the continuation says that more follows."""
    data = smdr({"continuation": "1", "hold": "11"}) + smdr({"ring": "0", "party1": "V9501"})
    legs = [item for item in parse(data) if isinstance(item, CallRecord)]
    assert [leg.leg for leg in legs] == [1, 2]
    assert len({leg.call_key for leg in legs}) == 1
    assert len({leg.natural_key for leg in legs}) == 2
    assert [leg.total_seconds for leg in legs] == [76, 60]


def test_call_ids_begin_again_after_a_reboot() -> None:
    """The same Call ID at another time is another call."""
    first, second = (record_of(smdr({"start": f"2026/10/{day} 09:00:00"})) for day in (19, 20))
    assert first.call_key != second.call_key
    assert first.natural_key != second.natural_key


def test_equal_segments_stay_two_and_keep_their_keys() -> None:
    """However often the file is read, and however many columns or quotes an export has."""
    records = [item for item in parse(smdr() * 3) if isinstance(item, CallRecord)]
    assert len({record.natural_key for record in records}) == 3
    assert parse(smdr() * 3) == records
    quoted = b'"' + smdr(keep=37).strip().replace(b",", b'","') + b'"\n'
    assert record_of(quoted).natural_key == records[0].natural_key


@pytest.mark.parametrize(
    ("changes", "direction"),
    [
        ({"direction": "I", "internal": "0"}, Direction.INBOUND),
        ({"direction": "O", "internal": "0"}, Direction.OUTBOUND),
        ({"direction": "O", "internal": "1"}, Direction.INTERNAL),
        ({"direction": "I", "internal": "1"}, Direction.INTERNAL),
        ({"direction": "O", "internal": "I"}, Direction.INTERNAL),
    ],
)
def test_direction_is_what_the_row_says(changes: dict[str, str], direction: Direction) -> None:
    """Internal calls are written as outgoing ones."""
    assert record_of(smdr(changes)).direction is direction


@pytest.mark.parametrize(
    ("changes", "calling", "called", "forwarded_to"),
    [
        ({"caller": ""}, "anonymous", "201", ""),
        ({"called": "", "dialled": "024445501"}, "0470112233", "024445501", ""),
        ({"direction": "O", "caller": "", "party1": "E202"}, "202", "201", ""),
        ({"direction": "O", "caller": "", "party1": "V11002"}, "V11002", "201", ""),
        ({"direction": "O", "caller": "", "party1": ""}, "", "201", ""),
        ({"cause": "U fu", "targeter": "Ann", "targeted": "00470998877"}, "0470112233", "201", "00470998877"),
        ({"targeted": "0470998877@203.0.113.9"}, "0470112233", "201", "0470998877@203.0.113.9"),
    ],
)
def test_parties(changes: dict[str, str], calling: str, called: str, forwarded_to: str) -> None:
    """The number called, not the number dialled in; what an external forward dialled is a party of its own."""
    record = record_of(smdr(changes))
    assert (record.calling, record.called, record.forwarded_to) == (calling, called, forwarded_to)


@pytest.mark.parametrize(
    ("changes", "disposition", "ring", "total"),
    [
        ({"connected": "00:00:00", "ring": "9"}, Disposition.NO_ANSWER, 9, 9),
        ({"connected": "00:00:00", "ring": "0"}, Disposition.UNKNOWN, 0, 0),
        ({"connected": "00:00:00", "ring": "2", "park": "4"}, Disposition.ANSWERED, 2, 6),
        ({"connected": "00:00:01", "ring": "2", "hold": "3", "park": "4"}, Disposition.ANSWERED, 2, 10),
    ],
)
def test_what_became_of_the_call(changes: dict[str, str], disposition: Disposition, ring: int, total: int) -> None:
    """A call of no length was lost or failed; only an answered one can be parked."""
    record = record_of(smdr(changes))
    assert (record.disposition, record.ring_seconds, record.total_seconds) == (disposition, ring, total)
    assert (record.answered_at is None) is (disposition is not Disposition.ANSWERED)


@given(talk=st.integers(0, 86_399), ring=st.integers(0, 7199), hold=st.integers(0, 7199), park=st.integers(0, 7199))
def test_total_is_the_sum_of_its_parts(talk: int, ring: int, hold: int, park: int) -> None:
    """Manual: connected + ring + hold + park; and the times of day agree with it."""
    connected = f"{talk // 3600:02}:{talk // 60 % 60:02}:{talk % 60:02}"
    record = record_of(smdr({"connected": connected, "ring": str(ring), "hold": str(hold), "park": str(park)}))
    assert record.total_seconds == talk + ring + hold + park
    assert record.ended_at - record.started_at == timedelta(seconds=record.total_seconds)
    assert record.answered_at is None or record.answered_at - record.started_at == timedelta(seconds=ring)


def test_nulls_before_a_row_are_no_content() -> None:
    """Seen in TCP captures."""
    assert record_of(b"\0\0\0" + smdr()).called == "201"


def test_a_restart_numbers_the_segments_as_before() -> None:
    """A new parser that is shown the line before gives what the first one would have."""
    lines = frame(smdr({"continuation": "1"}) + smdr())
    one, other = parser(), parser()
    one.parse(lines[:1], now=NOW)
    other.rewind(lines[:1])
    assert other.parse(lines[1:], now=NOW) == one.parse(lines[1:], now=NOW)
