"""The dialect ``cisco_cube``: detailed and compact rows, features, drift, identity, times, causes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.cube_rows import BEGIN, COMPACT, DETAILED, changed, leg
from tests.support.feeds.cisco_cube import written

PARTIES = ("+32470112233", "024445566", "")
SECRETS = ("99887766", "55443322", "SEP0011", "normal call clearing")


def parser(zone: str = "Europe/Brussels") -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect("cisco_cube").open(FeedContext(zone=ZoneInfo(zone)))


def parse(data: bytes, *, zone: str = "Europe/Brussels") -> list[Outcome]:
    """The outcomes of a whole file."""
    return outcomes(parser(zone), frame(data))


def only_record(data: bytes) -> CallRecord:
    """The one record of a file."""
    [record] = [outcome for outcome in parse(data) if isinstance(outcome, CallRecord)]
    return record


@pytest.mark.parametrize("width", [COMPACT, 124, 129, DETAILED, 131, 160])
def test_detailed_and_compact_rows_say_the_same(width: int) -> None:
    """The first columns are the same, and the feature's stand where the format has them."""
    record = only_record(leg(width=width))
    assert record.started_at == datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
    assert record.answered_at == datetime(2026, 10, 20, 7, 0, 5, tzinfo=UTC)
    assert record.ended_at == datetime(2026, 10, 20, 7, 1, 5, tzinfo=UTC)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.calling, record.called, record.forwarded_to) == PARTIES
    assert (record.direction, record.disposition) == (Direction.UNKNOWN, Disposition.ANSWERED)
    assert record.natural_key == only_record(leg()).natural_key


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (BEGIN, "ignored"),
        (b"\n", "ignored"),
        (b"," * 129 + b"\n", "ignored"),
        (leg(fn='"HOLD"'), "ignored"),
        (leg(fn='"RESUME"'), "ignored"),
        (leg(fn='"CFNA"', width=COMPACT), "ignored"),
        (leg(width=COMPACT).rstrip(b"\n") + b',"",\n', "record"),
        (leg().replace(b"\n", b"\r\n"), "record"),
        (leg().replace(b'"', b""), "record"),
        (leg(width=COMPACT).replace(b'"', b""), "record"),
        (b"\xef\xbb\xbf" + leg(), "record"),
        (leg(h323_conf_id='"9364550FD96211E28F0D9C9C52CD806F"'), "record"),
        (leg(h323_conf_id='"F D96211E2 0 52CD806F"'), "record"),
        (leg(h323_call_origin='"originate"'), "record"),
        (leg(h323_call_origin='"callback"'), "record"),
        (leg(fid=""), "record"),
        (b"1792479666\n", "column_count"),
        (b"x" * 200 + b"\n", "column_count"),
        (leg(width=COMPACT).rstrip(b"\n") + b",1\n", "column_count"),
        (leg(width=161), "column_count"),
        (changed(leg(width=COMPACT), 10, remove=20), "column_count"),
        (b'"open\n', "line_torn"),
    ],
)
def test_which_rows_are_records(line: bytes, found: str) -> None:
    """One a leg; rows about features are more about a leg that has its own."""
    assert [reason(outcome) for outcome in parse(line)] == [found]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"unix_time": ""}, "type_signature"),
        ({"unix_time": "17924796661"}, "type_signature"),
        ({"call_id": "Ann"}, "type_signature"),
        ({"cdr_type": "3"}, "type_signature"),
        ({"leg_type": "0"}, "type_signature"),
        ({"h323_conf_id": '"Ann"'}, "type_signature"),
        ({"h323_conf_id": '""'}, "type_signature"),
        ({"h323_setup_time": '""'}, "type_signature"),
        ({"h323_setup_time": '"2026-10-20 07:00:00"'}, "type_signature"),
        ({"h323_connect_time": '"soon"'}, "type_signature"),
        ({"h323_disconnect_time": '""'}, "type_signature"),
        ({"h323_disconnect_cause": '"busy"'}, "type_signature"),
        ({"h323_call_origin": '""'}, "type_signature"),
        ({"paks_out": "Ann"}, "type_signature"),
        ({"bytes_in": "Ann"}, "type_signature"),
        ({"fn": '""'}, "type_signature"),
        ({"fn": '"0470112233"'}, "type_signature"),
        ({"fid": "Ann"}, "type_signature"),
        ({"h323_setup_time": '"*07:00:00.000 UTC Mon Feb 30 2026"'}, "date_invalid"),
        ({"h323_connect_time": '"*24:00:05.000 UTC Tue Oct 20 2026"'}, "date_invalid"),
        ({"h323_disconnect_time": '"*07:61:05.000 UTC Tue Oct 20 2026"'}, "date_invalid"),
        ({"h323_setup_time": '"*07:00:00.000 UTC Mon Jan 1 1900"'}, "date_out_of_range"),
        ({"h323_disconnect_time": '"*07:00:00.000 UTC Thu Dec 24 2026"'}, "date_out_of_range"),
        ({"h323_disconnect_time": '"*06:59:00.000 UTC Tue Oct 20 2026"'}, "time_order"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(columns: dict[str, Any], code: str) -> None:
    """Each column of a certain type is checked on each row."""
    assert [reason(outcome) for outcome in parse(leg(**columns))] == [code]


@pytest.mark.parametrize("width", [COMPACT, DETAILED])
@pytest.mark.parametrize("place", range(23))
def test_no_other_column_becomes_a_party(width: int, place: int) -> None:
    """One column more, or one less, anywhere in front of the numbers or at them."""
    row = leg(width=width)
    for keep in (width, 200):
        for cell in (b'"55443322"', b'"Ann"', b'""'):
            assert reason(parse(changed(row, place, cell, keep=keep))[0]) in {"type_signature", "column_count"}
    assert reason(parse(changed(row, place, remove=1))[0]) in {"type_signature", "column_count"}


def test_the_legs_of_a_call_share_its_key() -> None:
    """By the conference id; each leg is a record of its own, and the same one in a second export."""
    rows = leg(call_id="1") + leg(call_id="2", h323_call_origin='"originate"') + leg(call_id="2", fid="190")
    other = leg(call_id="1", h323_conf_id='"1 2 3 4"')
    records = [outcome for outcome in parse(rows + other + leg(call_id="1")) if isinstance(outcome, CallRecord)]
    assert [record.leg for record in records] == [1, 2, 3, 1, 4]
    assert len({record.call_key for record in records}) == 2
    assert len({record.natural_key for record in records}) == 4
    assert records[0].natural_key == records[4].natural_key


def test_keys_do_not_depend_on_the_day_of_reading() -> None:
    """A row that is refused today for its date was counted all the same."""
    lines = frame(leg(call_id="1", h323_disconnect_time='"07:00:00.000 UTC Thu Dec 24 2026"') + leg(call_id="2"))
    early = parser().parse(lines, now=NOW).records
    late = parser().parse(lines, now=NOW + timedelta(days=90)).records
    assert early[-1] == late[-1]


@pytest.mark.parametrize(
    ("cause", "disposition"),
    [
        ("10  ", Disposition.NO_ANSWER),
        ("11", Disposition.BUSY),
        ("1", Disposition.FAILED),
        ("22", Disposition.CONGESTION),
        ("2a", Disposition.CONGESTION),
        ("0", Disposition.UNKNOWN),
        ("", Disposition.UNKNOWN),
        ("FFFF", Disposition.UNKNOWN),
    ],
)
def test_the_cause_is_hexadecimal(cause: str, disposition: Disposition) -> None:
    """10 is sixteen, the plain end; it says nothing of a call that was answered."""
    cell = f'"{cause}"'
    assert only_record(leg(h323_disconnect_cause=cell)).disposition is Disposition.ANSWERED
    record = only_record(leg(h323_connect_time='""', h323_disconnect_cause=cell))
    assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (None, 65, 0)
    assert record.disposition is disposition


def test_the_clocks_zero_is_no_answer() -> None:
    """Some releases write it where the time did not come."""
    assert only_record(leg(h323_connect_time='"*00:00:00.000 UTC Mon Jan 1 1900"')).answered_at is None


@pytest.mark.parametrize("mark", ["", "*", "."])
def test_the_clocks_mark_is_read_over(mark: str) -> None:
    """A clock that NTP does not set is the only one there is."""
    record = only_record(leg(h323_setup_time=f'"{mark}07:00:00.000 UTC Tue Oct 20 2026"'))
    assert record.started_at == datetime(2026, 10, 20, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("letters", "made", "started_at"),
    [
        ("CEST", 1792888265, "2026-10-25T00:30"),
        ("CET", 1792891865, "2026-10-25T01:30"),
        ("BRU", 1792888265, "2026-10-25T00:30"),
        ("BRU", 1792891865, "2026-10-25T01:30"),
    ],
)
def test_the_records_epoch_decides_the_hour_that_occurs_twice(letters: str, made: int, started_at: str) -> None:
    """Where the zone's letters do not: a gateway calls its zone what its administrator liked."""
    record = only_record(
        leg(
            unix_time=str(made),
            h323_setup_time=f'"02:30:00.000 {letters} Sun Oct 25 2026"',
            h323_connect_time=f'"02:30:05.000 {letters} Sun Oct 25 2026"',
            h323_disconnect_time=f'"02:31:05.000 {letters} Sun Oct 25 2026"',
        )
    )
    assert record.started_at == datetime.fromisoformat(started_at).replace(tzinfo=UTC)
    assert record.total_seconds == 65


@pytest.mark.parametrize("column", ["h323_setup_time", "h323_connect_time", "h323_disconnect_time"])
def test_a_time_that_the_site_skips_needs_another_near_it(column: str) -> None:
    """In the hour that does not exist, with letters that mean nothing, and all else days away: refused."""
    columns = ("h323_setup_time", "h323_connect_time", "h323_disconnect_time")
    times: dict[str, Any] = dict.fromkeys(columns, '"02:30:00.000 UTC Fri Mar 20 2026"')
    times[column] = '"02:30:00.000 BRU Sun Mar 29 2026"'
    assert reason(parse(leg(**times, unix_time="1773973800"))[0]) == "local_time_nonexistent"


def test_the_zone_in_the_row_goes_before_the_sites() -> None:
    """The same instants at a site elsewhere."""
    assert parse(leg(), zone="America/Chicago") == parse(leg())


def test_nothing_but_keys_parties_and_times_is_in_a_record() -> None:
    """User names, codes and telephones are not carried along."""
    record = only_record(leg())
    held = repr([getattr(record, field) for field in record.__struct_fields__])
    assert not [secret for secret in SECRETS if secret in held]


@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2026, 10, 20)),  # noqa: DTZ001 - made aware below
    st.integers(0, 90_000),
    st.integers(0, 9_000_000),
)
def test_times_are_read_to_the_second(moment: datetime, rung: int, talked: int) -> None:
    """What was written comes back without its fraction, and the parts make the whole."""
    begun = moment.replace(tzinfo=UTC)
    answer = begun + timedelta(milliseconds=rung)
    end = answer + timedelta(milliseconds=talked)
    times = {"h323_setup_time": begun, "h323_connect_time": answer, "h323_disconnect_time": end}
    cells: dict[str, Any] = {name: f'"{written(time)}"' for name, time in times.items()}
    record = only_record(leg(**cells))
    whole = [time.replace(microsecond=0) for time in (begun, answer, end)]
    assert [record.started_at, record.answered_at, record.ended_at] == whole
    assert record.total_seconds == record.ring_seconds + record.talk_seconds


@given(st.binary(max_size=300), st.integers(0, 129))
def test_no_bytes_in_a_cell_raise(cell: bytes, place: int) -> None:
    """Whatever stands in a column: each line is a record, refused, or no record."""
    lines = frame(changed(leg(), place, cell, remove=1) + leg())
    parsed = parser().parse(lines, now=NOW)
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(lines)
