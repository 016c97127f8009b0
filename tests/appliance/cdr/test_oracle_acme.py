"""The dialect ``oracle_acme``: kinds and releases of rows, quotes within quotes, drift, times, parties."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import MAX_LINE_BYTES
from appliance.cdr.line_parser import Outcome
from appliance.cdr.oracle_acme import cells_of, party
from appliance.cdr.record import CallRecord
from appliance.wire.call import Direction, Disposition
from tests.support.acme_rows import ANN, RELEASES, changed, start, stop
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.feeds.oracle_acme import written

PARTIES = ("+32470112233", "+3224445566", "")
SECRETS = ("Maes", "99887766", "realm", '192.0.2.1"', "Build", "+32499000000")


def parser(zone: str = "Europe/Brussels") -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect("oracle_acme").open(FeedContext(zone=ZoneInfo(zone)))


def parse(data: bytes) -> list[Outcome]:
    """The outcomes of a whole file."""
    return outcomes(parser(), frame(data))


def only_record(data: bytes) -> CallRecord:
    """The one record of a file."""
    [record] = [outcome for outcome in parse(data) if isinstance(outcome, CallRecord)]
    return record


def parties(record: CallRecord) -> tuple[str, str, str]:
    """Caller, called and forwarded-to as they are given on."""
    return record.calling, record.called, record.forwarded_to


@pytest.mark.parametrize("release", RELEASES)
def test_each_release_is_read(release: str) -> None:
    """With or without the column for forked calls, and whatever stands behind."""
    record = only_record(stop(release=release))
    assert record.started_at == datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
    assert record.answered_at == datetime(2026, 10, 20, 7, 0, 5, tzinfo=UTC)
    assert record.ended_at == datetime(2026, 10, 20, 7, 1, 5, tzinfo=UTC)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert parties(record) == PARTIES
    assert (record.direction, record.disposition) == (Direction.UNKNOWN, Disposition.ANSWERED)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (start(), "ignored"),
        (start(kind="3"), "ignored"),
        (start(kind='"1"'), "ignored"),
        (start(kind="Start"), "ignored"),
        (start(kind="Interim-Update"), "ignored"),
        (start(kind="2"), "ignored"),
        (b"7,192.0.2.1\n", "ignored"),
        (b"\n", "ignored"),
        (b",,\n", "ignored"),
        (stop(), "record"),
        (stop(kind="4"), "record"),
        (stop(kind='"2"'), "record"),
        (stop(kind="Stop"), "record"),
        (stop().replace(b"\n", b"\r\n"), "record"),
        (start(kind="2", called='"Ann"'), "type_signature"),
        (start(kind="4"), "type_signature"),
        (stop(kind="5"), "type_signature"),
        (b"hello\n", "type_signature"),
        (b"2,192.0.2.1,0\n", "column_count"),
        (b"2,192.0.2.1,0,a,b,c,d,e,f,g,h,i,j,k,l\n", "type_signature"),
        (b'2,"192.0.2.1\n', "line_torn"),
        (b'2,"\n', "line_torn"),
        (b'2,"a,b\n', "line_torn"),
    ],
)
def test_which_rows_are_records(line: bytes, found: str) -> None:
    """Starts and interim rows are passed over, also those that Diameter numbers otherwise."""
    assert [reason(outcome) for outcome in parse(line)] == [found]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("2,a,", ["2", "a", ""]),
        ('2,"a","",""', ["2", "a", "", ""]),
        ('2,""Maes, An" <sip:1@h>;tag=1",b', ["2", '"Maes, An" <sip:1@h>;tag=1', "b"]),
        ('2,"" <sip:1@h>",b', ["2", '" <sip:1@h>', "b"]),
        ('2,"\\"An\\" <sip:1@h>"', ["2", '\\"An\\" <sip:1@h>']),
        ('2,"""An"" <sip:1@h>",b', ["2", '""An"" <sip:1@h>', "b"]),
        ('2,a"b,c', ["2", 'a"b', "c"]),
        ('2,"a,b",c', ["2", "a,b", "c"]),
        ('2,",",c', ["2", ",", "c"]),
        ('"2"', ["2"]),
        ('2,"open', None),
        ('2,"', None),
        ('2,"a,b', None),
    ],
)
def test_a_quoted_column_ends_at_a_quote_before_a_comma(text: str, cells: list[str] | None) -> None:
    """Whatever quotes stand within."""
    assert cells_of(text) == cells


def test_only_the_leading_columns_are_cut() -> None:
    """A torn end behind them, or a very long row, costs nothing."""
    assert cells_of("2," * 30 + '"open') == ["2"] * 20
    quoted = '2,"' + "a," * (MAX_LINE_BYTES // 2)
    assert cells_of(quoted) is None
    many = ",".join(f'"{place}, of, many, parts"' for place in range(30))
    assert cells_of(many) == [f"{place}, of, many, parts" for place in range(20)]
    assert cells_of(many[:400]) is None
    assert only_record(stop().rstrip(b"\n") + b',"open').talk_seconds == 60


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ('"Maes, An" <sip:+32470112233@192.0.2.1;user=phone>;tag=1', "+32470112233"),
        ('\\"Maes, An\\" <sip:+32470112233@192.0.2.1>', "+32470112233"),
        ('""Maes, An"" <sip:+32470112233@192.0.2.1>', "sip:+32470112233@192.0.2.1"),
        ("An <SIP:201@pbx>", "201"),
        ("<sip:201@pbx>", "201"),
        ("<sip:ann@pbx>", "sip:ann@pbx"),
        ("<sip:*60@pbx>", "sip:*60@pbx"),
        ("<sip:201>", "sip:201"),
        ('""Anonymous"" <sip:+32470112233@192.0.2.1>', "anonymous"),
        ("sip:201@pbx;tag=1", "sip:201@pbx"),
        ("sips:201@pbx", "sips:201@pbx"),
        ("tel:+32470112233", "tel:+32470112233"),
        ("<tel:+32470112233;phone-context=be>", "tel:+32470112233;phone-context=be"),
        ('"A <b>" <sip:201@pbx>', "sip:201@pbx"),
        ("'An'<sip:201@pbx>", "201"),
        ("+32470112233", "+32470112233"),
        ("*60", "*60"),
        ("", None),
        ("anonymous", None),
        ("<sip:anonymous@anonymous.invalid>", "sip:anonymous@anonymous.invalid"),
        ('"Anonymous" <sip:+32470112233@192.0.2.1>', "anonymous"),
        ('\\"Private\\" <sip:+32470112233@192.0.2.1>', "anonymous"),
        ("Ann Maes", None),
        ("Ann", None),
        ("<Ann Maes>", None),
        ("<sip:Ann Maes@pbx>", None),
        ("sip:", None),
    ],
)
def test_a_party_is_the_address_in_the_brackets(text: str, address: str | None) -> None:
    """A name is no party; it says no more than that the caller withheld the number."""
    assert party(text) == address


@pytest.mark.parametrize("release", ["C610", "C640"])
@pytest.mark.parametrize("place", range(18))
def test_no_other_column_becomes_a_party(release: str, place: int) -> None:
    """One column more, or one less, anywhere in front: the parties are found all the same, or the row is refused."""
    row = stop(release=release)
    for shifted in (
        changed(row, place, "55443322"),
        changed(row, place, '"Ann"'),
        changed(row, place, '""'),
        changed(row, place, remove=1),
    ):
        for outcome in parse(shifted):
            if isinstance(outcome, CallRecord):
                assert parties(outcome) == PARTIES


def test_rows_without_empty_columns_are_read() -> None:
    """Where ``cdr-output-inclusive`` is off, columns without a value are not written, the connect time among them."""
    record = only_record(changed(stop(), 7, remove=1))
    assert (parties(record), record.talk_seconds) == (PARTIES, 60)
    busy = only_record(changed(stop(talk="0", cause="17"), 14, remove=1))
    assert (busy.answered_at, busy.ring_seconds, busy.disposition) == (None, 65, Disposition.BUSY)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"calling": '"Ann"'}, "type_signature"),
        ({"called": "Bart"}, "type_signature"),
        ({"session": ""}, "type_signature"),
        ({"talk": ""}, "type_signature"),
        ({"talk": "1:00"}, "type_signature"),
        ({"talk": "9999999"}, "type_signature"),
        ({"terminated": "+32470112233"}, "type_signature"),
        ({"setup": '"20/10/2026"'}, "type_signature"),
        ({"setup": '"09:00:00.000 CEST FOO 20 2026"'}, "type_signature"),
        ({"connect": '"soon"'}, "type_signature"),
        ({"connect": '"09:00:05.500 whenever"'}, "type_signature"),
        ({"disconnect": '""'}, "type_signature"),
        ({"disconnect": '"09:01:05.750 CEST"'}, "type_signature"),
        ({"cause": "normal call clearing"}, "type_signature"),
        ({"setup": '"09:00:00.000 CEST FEB 30 2026"'}, "date_invalid"),
        ({"connect": '"09:00:05.000 CEST FEB 30 2026"'}, "date_invalid"),
        ({"disconnect": '"24:01:05.000 CEST OCT 20 2026"'}, "date_invalid"),
        ({"setup": '"00:00:00.000 UTC JAN 01 1970"'}, "date_out_of_range"),
        ({"disconnect": '"09:00:00.000 CEST DEC 20 2026"'}, "date_out_of_range"),
        ({"disconnect": '"08:59:59.000 CEST OCT 20 2026"'}, "time_order"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(columns: dict[str, Any], code: str) -> None:
    """Each column of a certain type is checked on each row."""
    assert [reason(outcome) for outcome in parse(stop(**columns))] == [code]


def test_bare_numbers_are_believed_where_all_columns_stand() -> None:
    """H.323 has no addresses: then nothing but their place tells numbers from other digits."""
    calling, called = "+32470112233", "201"
    assert parties(only_record(stop(calling=calling, called=called))) == (calling, called, "")
    assert reason(parse(stop(release="C610", calling=calling, called=called))[0]) == "type_signature"
    assert reason(parse(stop(calling=calling))[0]) == reason(parse(stop(called=called))[0]) == "type_signature"


@pytest.mark.parametrize(
    ("connect", "cause", "disposition"),
    [
        ('""', "16", Disposition.NO_ANSWER),
        ("", "17", Disposition.BUSY),
        ("0", "1", Disposition.FAILED),
        ('"00:00:00.000 UTC JAN 01 1970"', "34", Disposition.CONGESTION),
        ('""', "", Disposition.UNKNOWN),
        ('""', "1F", Disposition.UNKNOWN),
    ],
)
def test_a_call_without_a_connect_time_was_not_answered(connect: str, cause: str, disposition: Disposition) -> None:
    """Empty, 0 or the clock's zero."""
    record = only_record(stop(connect=connect, cause=cause, talk="0"))
    assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (None, 65, 0)
    assert record.disposition is disposition


def test_talk_may_have_a_fraction() -> None:
    """Where the controller counts milliseconds, whole seconds are kept."""
    assert only_record(stop(talk="60.250")).talk_seconds == 60


def test_rows_are_told_apart_by_their_bytes() -> None:
    """A call that passes twice has one session id and two rows; equal rows stay two, the same at each reading."""
    data = stop() + stop(called=ANN) + stop() + stop(session='"other"')
    records = [outcome for outcome in parse(data) if isinstance(outcome, CallRecord)]
    assert len({record.natural_key for record in records}) == 4
    assert [record.leg for record in records] == [1, 2, 3, 1]
    assert len({record.call_key for record in records}) == 2
    assert parse(data) == parse(data)


def test_keys_do_not_depend_on_the_day_of_reading() -> None:
    """A row that is refused today for its date was counted all the same."""
    lines = frame(stop(disconnect='"09:00:00.000 CEST DEC 20 2026"', talk="1") + stop())
    early = parser().parse(lines, now=NOW).records
    late = parser().parse(lines, now=NOW + timedelta(days=90)).records
    assert early[-1] == late[-1]


@pytest.mark.parametrize(
    ("letters", "started_at"),
    [("CEST", "2026-10-25T00:30"), ("CET", "2026-10-25T01:30"), ("UTC", "2026-10-25T02:30"), ("X", "2026-10-25T00:30")],
)
def test_the_zones_letters_tell_the_hour_that_occurs_twice(letters: str, started_at: str) -> None:
    """And where they mean nothing, it is the first."""
    times = {
        "setup": f'"02:30:00.000 {letters} OCT 25 2026"',
        "connect": f'"02:30:05.000 {letters} OCT 25 2026"',
        "disconnect": f'"02:31:05.000 {letters} OCT 25 2026"',
    }
    record = only_record(stop(**times))
    assert record.started_at == datetime.fromisoformat(started_at).replace(tzinfo=UTC)
    assert record.total_seconds == 65


@pytest.mark.parametrize(
    ("times", "started_at"),
    [
        (("02:50:00", "02:50:05", "03:10:05"), "2026-10-25T01:50"),
        (("01:50:00", "01:50:05", "02:10:05"), "2026-10-24T23:50"),
        (("02:10:00", "", "03:10:00"), "2026-10-25T01:10"),
    ],
)
def test_the_other_times_decide_where_letters_do_not(times: tuple[str, str, str], started_at: str) -> None:
    """The unknown zone's hour that occurs twice lies near the times that are certain."""
    setup, connect, disconnect = (f'"{time} XYZ OCT 25 2026"' if time else '""' for time in times)
    record = only_record(stop(setup=setup, connect=connect, disconnect=disconnect, talk="1200"))
    assert record.started_at == datetime.fromisoformat(started_at).replace(tzinfo=UTC)


@pytest.mark.parametrize("column", ["setup", "connect", "disconnect"])
def test_a_time_that_the_site_skips_needs_another_near_it(column: str) -> None:
    """In the hour that does not exist, with letters that mean nothing, and the others days away: refused."""
    times = dict.fromkeys(("setup", "connect", "disconnect"), '"02:30:00.000 UTC MAR 20 2026"')
    times |= {column: '"02:30:00.000 XYZ MAR 29 2026"'}
    assert reason(parse(stop(**times))[0]) == "local_time_nonexistent"


def test_nothing_but_keys_parties_and_times_is_in_a_record() -> None:
    """Names, realms, flows and asserted identities are not carried along."""
    record = only_record(stop())
    held = repr([record.calling, record.called, record.forwarded_to, record.call_key])
    assert not [secret for secret in SECRETS if secret in held]
    assert "192.0.2" not in repr([record.calling, record.called])


@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2026, 10, 20)),  # noqa: DTZ001 - made aware below
    st.integers(0, 90_000),
    st.integers(0, 9_000_000),
)
def test_times_are_read_to_the_second(moment: datetime, rung: int, talked: int) -> None:
    """What was written comes back without its fraction, across changes of the clock."""
    begun = moment.replace(tzinfo=UTC)
    answer = begun + timedelta(milliseconds=rung)
    end = answer + timedelta(milliseconds=talked)
    row = stop(setup=written(begun), connect=written(answer), disconnect=written(end), talk=str(talked // 1000))
    record = only_record(row)
    whole = [time.replace(microsecond=0) for time in (begun, answer, end)]
    assert [record.started_at, record.answered_at, record.ended_at] == whole
    assert -1 <= record.total_seconds - record.ring_seconds - record.talk_seconds <= 1


@given(st.binary(max_size=300), st.integers(0, 20))
def test_no_bytes_in_a_cell_raise(cell: bytes, place: int) -> None:
    """Whatever stands in a column: each line is a record, refused, or no record."""
    lines = frame(changed(stop(), place, cell.decode("latin-1"), remove=1) + stop())
    parsed = parser().parse(lines, now=NOW)
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(lines)
