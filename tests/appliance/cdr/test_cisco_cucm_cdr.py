"""The dialect ``cisco_cucm_cdr``: headers, column drift, identity, times, causes and parties."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.cisco_cucm_layout import CALL_COLUMNS, QUALITY_COLUMNS
from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES
from appliance.cdr.line_parser import Outcome
from appliance.cdr.q850 import unanswered
from appliance.cdr.record import CallRecord
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.cucm_rows import CALL_COLUMN_COUNTS, cdr, cmr, names, pkid, types

STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
SECRETS = (b"bmaes", b"SEP0011", b"99887766", b"55443322", b"192.0.2.14", b"-1139627840", b"Ann")


def parser(zone: str = "Europe/Brussels") -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect("cisco_cucm_cdr").open(FeedContext(zone=ZoneInfo(zone)))


def parse(data: bytes) -> list[Outcome]:
    """The outcomes of a whole file."""
    return outcomes(parser(), frame(data))


def only_record(data: bytes) -> CallRecord:
    """The one record of a file."""
    [record] = [outcome for outcome in parse(data) if isinstance(outcome, CallRecord)]
    return record


def inserted(row: bytes, place: int, *cells: bytes, keep: int = 133) -> bytes:
    """A row with more cells at ``place``, cut to so many."""
    parts = row.rstrip(b"\n").split(b",")
    return b",".join([*parts[:place], *cells, *parts[place:]][:keep]) + b"\n"


@pytest.mark.parametrize("width", [*CALL_COLUMN_COUNTS, 118, 134])
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("header", ["both", "names", "types", "strings", "none"])
def test_each_release_is_read_with_any_header(width: int, quoted: bool, header: str) -> None:  # noqa: FBT001 - table
    """Names and types, either, or neither; text in quotes or bare; columns of later releases at the end."""
    columns = (*CALL_COLUMNS, "laterColumn")[:width]
    lines = {
        "both": names(columns, quoted=quoted) + types(columns),
        "names": names(columns, quoted=quoted),
        "types": types(columns),
        "strings": types(columns, text="STRING"),
        "none": b"",
    }
    row = cdr(width=width, quoted=quoted).rstrip(b"\n") + b",1" * max(0, width - 133) + b"\n"
    record = only_record(lines[header] + row)
    assert (record.started_at, record.talk_seconds) == (STARTED, 60)
    assert (record.calling, record.called, record.forwarded_to) == ("201", "202", "")


def test_names_in_another_order_are_followed() -> None:
    """A collector may have sorted the columns; what they are called decides."""
    columns = sorted(CALL_COLUMNS)
    cells = dict(zip(CALL_COLUMNS, cdr().decode().rstrip("\n").split(","), strict=True))
    row = ",".join(cells[name] for name in columns).encode()
    assert only_record(names(columns) + types(columns) + row) == only_record(cdr())


def test_names_are_told_by_their_letters_alone() -> None:
    """Spaces and capitals differ between collectors."""
    assert only_record(names(CALL_COLUMNS).upper().replace(b'","', b'"," ') + cdr()) == only_record(cdr())


def test_rows_go_by_the_header_before_them() -> None:
    """An upgrade in the middle of a feed: more columns from then on, and no row of the old kind after it."""
    old, new = cdr(width=123), cdr(width=133)
    data = names(CALL_COLUMNS[:123]) + old + new + names(CALL_COLUMNS) + new + old + types(CALL_COLUMNS[:123]) + old
    found = [reason(outcome) for outcome in parse(data)]
    assert found == ["ignored", "record", "column_count", "ignored", "record", "column_count", "ignored", "record"]


def test_types_below_names_do_not_undo_their_order() -> None:
    """The second header line repeats the number of columns, and says nothing of the order."""
    columns = tuple(reversed(CALL_COLUMNS))
    row = b",".join(reversed(cdr().rstrip(b"\n").split(b",")))
    assert [reason(o) for o in parse(names(columns) + types(columns) + row)] == ["ignored", "ignored", "record"]


def test_a_header_in_the_middle_outlives_a_restart() -> None:
    """It stands behind the file's head and longer ago than the rows that a restart is shown."""
    moved = ("comment", *(name for name in CALL_COLUMNS if name != "comment"))
    cells = cdr().rstrip(b"\n").split(b",")
    later = b",".join([cells[CALL_COLUMNS.index("comment")], *(c for i, c in enumerate(cells) if i != 67)]) + b"\n"
    lines = frame(names(CALL_COLUMNS) + cdr() * 10 + names(moved) + later * 200)
    assert lines[11].offset > HEAD_BYTES
    one = parser()
    one.parse(lines[:-1], now=NOW)
    [held] = one.held()
    assert held == lines[11]
    near = [line for line in lines[:-1] if line.offset < HEAD_BYTES or line.offset > lines[-1].offset - REWIND_BYTES]
    two = parser()
    two.rewind(near, held=[held])
    assert two.parse(lines[-1:], now=NOW) == one.parse(lines[-1:], now=NOW)
    assert list(two.held()) == [held]


def test_a_header_in_the_files_head_is_not_held() -> None:
    """A restart is shown the head anyway, and the next file has a header of its own."""
    one = parser()
    one.parse(frame(names(CALL_COLUMNS) + types(CALL_COLUMNS) + cdr()), now=NOW)
    assert list(one.held()) == []


@pytest.mark.parametrize("place", [0, 5, 8, 9, 30, 45, 50])
@pytest.mark.parametrize("header", [b"", names(CALL_COLUMNS)])
def test_a_shifted_row_is_refused(place: int, header: bytes) -> None:
    """One column more in front of those that are read: whatever the width, no name slides into a number."""
    for row in (inserted(cdr(), place, b'"Ann"'), inserted(cdr(), place, b'"Ann"', keep=200)):
        assert reason(parse(header + row)[-1]) in {"type_signature", "column_count"}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"dateTimeOrigination": ""}, "type_signature"),
        ({"dateTimeOrigination": "2026-10-20"}, "type_signature"),
        ({"dateTimeOrigination": "17924796001"}, "type_signature"),
        ({"dateTimeConnect": ""}, "type_signature"),
        ({"dateTimeConnect": "x"}, "type_signature"),
        ({"dateTimeDisconnect": "-5"}, "type_signature"),
        ({"duration": ""}, "type_signature"),
        ({"duration": "1.5"}, "type_signature"),
        ({"pkid": ""}, "type_signature"),
        ({"pkid": "00000000-0000-4000-8000-00000000000g"}, "type_signature"),
        ({"globalCallID_callId": "Ann"}, "type_signature"),
        ({"globalCallID_callManagerId": ""}, "type_signature"),
        ({"origCause_value": "Ann"}, "type_signature"),
        ({"destCause_value": "1 6"}, "type_signature"),
        ({"cdrRecordType": "0"}, "type_signature"),
        ({"cdrRecordType": "Ann"}, "type_signature"),
        ({"dateTimeOrigination": "0"}, "date_out_of_range"),
        ({"dateTimeDisconnect": "1999999999"}, "date_out_of_range"),
        ({"dateTimeDisconnect": "1792479600"}, "time_order"),
        ({"dateTimeConnect": "1792479599"}, "time_order"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(columns: dict[str, Any], code: str) -> None:
    """Each column of a certain type is checked on each row."""
    assert [reason(outcome) for outcome in parse(cdr(**columns))] == [code]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\n", "ignored"),
        (b"," * 132 + b"\n", "ignored"),
        (cdr().rstrip(b"\n") + b',,""\n', "record"),
        (cdr().replace(b"\n", b"\r\n"), "record"),
        (cdr(comment='Maes, ""An""'), "record"),
        (b"\xef\xbb\xbf" + cdr(), "record"),
        (cdr(pkid="{00000000-0000-4000-8000-00000000000A}"), "record"),
        (names(CALL_COLUMNS[:8]), "column_count"),
        (names(CALL_COLUMNS).replace(b"dateTimeConnect", b"somethingElse"), "type_signature"),
        (types(CALL_COLUMNS[:10]), "column_count"),
        (b"INTEGER," * 250 + b"INTEGER\n", "column_count"),
        (b"hello\n", "column_count"),
        (cdr(width=133)[:-60], "line_torn"),
    ],
)
def test_odd_lines(data: bytes, found: str) -> None:
    """What is known to be no record is passed over, harmless variants are read, the rest is refused."""
    assert reason(parse(data)[-1]) == found


def test_a_row_that_does_not_fit_the_header_is_refused() -> None:
    """Also where no header would have let it pass."""
    assert reason(parse(cdr(width=129))[-1]) == "record"
    assert reason(parse(names(CALL_COLUMNS) + cdr(width=129))[-1]) == "column_count"


def test_pkid_is_the_identity_in_any_spelling() -> None:
    """Capitals and braces differ between the file and exports of the database."""
    spellings = ["0000abcd-0000-4000-8000-000000000001", "{0000ABCD-0000-4000-8000-000000000001}"]
    one, other = (
        only_record(cdr(pkid=spelling, width=width)) for spelling, width in zip(spellings, (133, 94), strict=True)
    )
    assert one.natural_key == other.natural_key == b"pkid\x000000abcd-0000-4000-8000-000000000001"
    assert only_record(cdr(pkid=pkid(9))).natural_key != one.natural_key


def test_legs_of_a_call_share_cluster_node_and_number() -> None:
    """Another cluster or node counts its own calls; a CMR is a leg of the same call."""
    data = cdr() + cdr(pkid=pkid(5)) + cmr() + cdr(globalCallId_ClusterID="Gent") + cdr(globalCallID_callManagerId="3")
    records = [outcome for outcome in parse(data) if isinstance(outcome, CallRecord)]
    assert [record.leg for record in records] == [1, 2, 3, 1, 1]
    assert len({record.call_key for record in records}) == 3
    assert {record.call_key for record in records[:3]} == {b"cucm\x00Leuven\x002\x004711"}


def test_a_cdr_feed_reads_cmr_rows_by_their_own_header() -> None:
    """The two kinds of header do not disturb each other."""
    data = names(CALL_COLUMNS) + cdr() + names(QUALITY_COLUMNS) + types(QUALITY_COLUMNS) + cmr() + cdr() + cmr(width=30)
    found = [reason(outcome) for outcome in parse(data)]
    assert found == ["ignored", "record", "ignored", "ignored", "record", "record", "column_count"]


def test_times_are_epochs_whatever_the_zone() -> None:
    """A server in another zone, or a night with a change of the clock, matters nothing."""
    row = cdr(dateTimeOrigination="1792889990", dateTimeConnect="1792889995", dateTimeDisconnect="1792890055")
    found = [outcomes(parser(zone), frame(row)) for zone in ("Europe/Brussels", "America/New_York", "UTC")]
    assert found[0] == found[1] == found[2]
    assert isinstance(found[0][0], CallRecord)
    assert found[0][0].started_at == datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC)


def test_an_unanswered_call_has_no_talk() -> None:
    """``dateTimeConnect`` 0: it rang from its start to its end, whatever the duration says."""
    record = only_record(cdr(dateTimeConnect="0", duration="65"))
    assert (record.answered_at, record.ring_seconds, record.talk_seconds, record.total_seconds) == (None, 65, 0, 65)
    assert record.disposition is Disposition.NO_ANSWER


def test_talk_is_the_connected_duration() -> None:
    """Ring from start to answer; a call of no length is legitimate."""
    record = only_record(cdr(dateTimeDisconnect="1792479605", duration="0"))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 0, 5)
    assert record.answered_at == record.ended_at == STARTED + timedelta(seconds=5)
    assert record.disposition is Disposition.ANSWERED


@pytest.mark.parametrize(
    ("causes", "disposition"),
    [
        (("17", "0"), Disposition.BUSY),
        (("0", "017"), Disposition.BUSY),
        (("16", "17"), Disposition.BUSY),
        (("16", "0"), Disposition.NO_ANSWER),
        (("0", "19"), Disposition.NO_ANSWER),
        (("1", "16"), Disposition.FAILED),
        (("0", "21"), Disposition.FAILED),
        (("0", "42"), Disposition.CONGESTION),
        (("0", "0"), Disposition.UNKNOWN),
        (("", ""), Disposition.UNKNOWN),
        (("393216", "1459617833"), Disposition.UNKNOWN),
        (("-1", "16"), Disposition.NO_ANSWER),
    ],
)
def test_the_cause_says_why_nobody_answered(causes: tuple[str, str], disposition: Disposition) -> None:
    """Q.850 by the side that tells; Cisco's own numbers say nothing here, and none makes an answered call another."""
    orig, dest = causes
    assert unanswered(*causes) is unanswered(dest, orig) is disposition
    assert only_record(cdr(dateTimeConnect="0", origCause_value=orig, destCause_value=dest)).disposition is disposition
    assert only_record(cdr(origCause_value=orig, destCause_value=dest)).disposition is Disposition.ANSWERED


@pytest.mark.parametrize(
    ("columns", "parties"),
    [
        ({"finalCalledPartyNumber": "0475998877", "lastRedirectDn": "203"}, ("201", "202", "0475998877")),
        ({"lastRedirectDn": "203"}, ("201", "202", "")),
        ({"originalCalledPartyNumber": ""}, ("201", "202", "")),
        ({"originalCalledPartyNumber": "", "finalCalledPartyNumber": ""}, ("201", "", "")),
        ({"finalCalledPartyNumber": ""}, ("201", "202", "")),
        ({"callingPartyNumber": ""}, ("", "202", "")),
        ({"callingPartyNumber": "", "callingPartyNumber_uri": "ann@example.org"}, ("ann@example.org", "202", "")),
        ({"callingPartyNumber_uri": "ann@example.org"}, ("201", "202", "")),
        (
            {"originalCalledPartyNumber": "", "originalCalledPartyNumber_uri": "bart@example.org"},
            ("201", "bart@example.org", "202"),
        ),
        (
            {"finalCalledPartyNumber": "", "finalCalledPartyNumber_uri": "b@example.org"},
            ("201", "202", "b@example.org"),
        ),
        ({"callingPartyNumber": "+0114420", "mobileCallingPartyNumber": "0475998877"}, ("+0114420", "202", "")),
        ({"huntPilotDN": "500", "outpulsedCalledPartyNumber": "0470112233"}, ("201", "202", "")),
    ],
)
def test_parties_are_the_caller_the_dialled_and_the_reached(
    columns: dict[str, Any], parties: tuple[str, str, str]
) -> None:
    """As written; who forwarded last, pilots, mobile and outpulsed copies of a number are not read."""
    record = only_record(cdr(**columns))
    assert (record.calling, record.called, record.forwarded_to) == parties
    assert record.direction is Direction.UNKNOWN


def test_nothing_but_keys_parties_and_times_is_in_a_record() -> None:
    """Devices, addresses, login names, codes and comments are not carried along."""
    record = only_record(cdr(comment="Ann"))
    held = repr([getattr(record, field) for field in record.__struct_fields__]).encode()
    assert not [secret for secret in SECRETS if secret in held]


@given(st.integers(1_000_000_000, 1_792_000_000), st.integers(0, 600), st.integers(0, 7200), st.booleans())
def test_ring_and_talk_make_the_whole(start: int, rung: int, talked: int, answered: bool) -> None:  # noqa: FBT001 - data
    """For each answered call; an unanswered one rings throughout."""
    end = start + rung + talked
    row = cdr(
        dateTimeOrigination=str(start),
        dateTimeConnect=str(start + rung if answered else 0),
        dateTimeDisconnect=str(end),
        duration=str(talked if answered else 0),
    )
    record = only_record(row)
    assert record.ring_seconds + record.talk_seconds == record.total_seconds == end - start
    assert (record.answered_at is not None) is answered


@given(st.binary(max_size=300), st.integers(0, 132))
def test_no_bytes_in_a_cell_raise(cell: bytes, place: int) -> None:
    """Whatever stands in a column: each line is a record, refused, or no record."""
    lines = frame(names(CALL_COLUMNS) + inserted(cdr(), place, cell) + cdr())
    parsed = parser().parse(lines, now=NOW)
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(lines)
