"""The dialect ``cisco_cucm_cmr``: what one device reports about one leg, and how it joins its call."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.cisco_cucm_layout import CALL_COLUMNS, QUALITY_COLUMNS
from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.cucm_rows import cdr, cmr, names, pkid, types

ENDED = datetime(2026, 10, 20, 7, 1, 5, tzinfo=UTC)


def parser(dialect: str = "cisco_cucm_cmr") -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect(dialect).open(FeedContext(zone=ZoneInfo("Europe/Brussels")))


def parse(data: bytes) -> list[Outcome]:
    """The outcomes of a whole file."""
    return outcomes(parser(), frame(data))


def only_record(data: bytes) -> CallRecord:
    """The one record of a file."""
    [record] = [outcome for outcome in parse(data) if isinstance(outcome, CallRecord)]
    return record


def test_it_is_a_leg_at_one_device() -> None:
    """The device's number calls nobody that is known; the leg ends at the stamp and lasted its duration."""
    record = only_record(cmr())
    assert (record.calling, record.called, record.forwarded_to) == ("201", "", "")
    assert (record.started_at, record.ended_at) == (ENDED - timedelta(seconds=60), ENDED)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (0, 60, 60)
    assert record.answered_at == record.started_at
    assert (record.direction, record.disposition) == (Direction.UNKNOWN, Disposition.ANSWERED)


@pytest.mark.parametrize(("width", "seconds"), [(17, 0), (18, 0), (19, 0), (20, 60), (30, 60), (46, 60), (48, 60)])
@pytest.mark.parametrize("header", ["both", "names", "types", "none"])
@pytest.mark.parametrize("quoted", [True, False])
def test_each_release_is_read_with_any_header(
    width: int,
    seconds: int,
    header: str,
    quoted: bool,  # noqa: FBT001 - table
) -> None:
    """Without the column for it, the leg has no length."""
    columns = QUALITY_COLUMNS[:width]
    lines = {
        "both": names(columns, quoted=quoted) + types(columns),
        "names": names(columns),
        "types": types(columns),
        "none": b"",
    }
    record = only_record(lines[header] + cmr(width=width, quoted=quoted))
    assert (record.ended_at, record.talk_seconds, record.calling) == (ENDED, seconds, "201")


def test_a_cdr_and_its_cmrs_are_legs_of_one_call() -> None:
    """In one feed, in either order: equal keys of the call, distinct legs, distinct records."""
    for dialect in ("cisco_cucm_cmr", "cisco_cucm_cdr"):
        records = parser(dialect).parse(frame(cmr() + cdr() + cmr(pkid=pkid(3))), now=NOW).records
        assert {record.call_key for record in records} == {b"cucm\x00Leuven\x002\x004711"}
        assert [record.leg for record in records] == [1, 2, 3]
        assert len({record.natural_key for record in records}) == 3


def test_pkid_is_the_identity_and_never_a_cdrs() -> None:
    """A second export of the same records gives the same keys; the kind of record is part of them."""
    one, again = only_record(cmr()), only_record(cmr(width=20, quoted=False))
    assert one.natural_key == again.natural_key
    assert only_record(cmr(pkid=pkid(1))).natural_key != only_record(cdr(pkid=pkid(1))).natural_key


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"dateTimeStamp": ""}, "type_signature"),
        ({"dateTimeStamp": "now"}, "type_signature"),
        ({"dateTimeStamp": "17924796651"}, "type_signature"),
        ({"dateTimeStamp": "60"}, "date_out_of_range"),
        ({"dateTimeStamp": "0"}, "date_out_of_range"),
        ({"dateTimeStamp": "1999999999"}, "date_out_of_range"),
        ({"duration": "1:00"}, "type_signature"),
        ({"duration": "-60"}, "type_signature"),
        ({"duration": "99999999"}, "type_signature"),
        ({"pkid": ""}, "type_signature"),
        ({"pkid": "Ann"}, "type_signature"),
        ({"globalCallID_callId": ""}, "type_signature"),
        ({"globalCallID_callManagerId": "Ann"}, "type_signature"),
        ({"cdrRecordType": "1"}, "type_signature"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(columns: dict[str, Any], code: str) -> None:
    """Each column of a certain type is checked on each row."""
    assert [reason(outcome) for outcome in parse(cmr(**columns))] == [code]


@pytest.mark.parametrize("place", [0, 4, 6, 10, 14])
def test_a_shifted_row_is_refused(place: int) -> None:
    """One column more in front of the identity, cut to the width of the header or not."""
    cells = cmr().rstrip(b"\n").split(b",")
    shifted = [*cells[:place], b'"Ann"', *cells[place:]]
    for row in (b",".join(shifted), b",".join(shifted[:48])):
        assert reason(parse(names(QUALITY_COLUMNS) + row)[-1]) in {"type_signature", "column_count"}
        assert reason(parse(row)[-1]) in {"type_signature", "column_count"}


def test_names_in_another_order_are_followed() -> None:
    """What the columns are called decides, and a row of another width is refused."""
    columns = ("directoryNum", "pkid", "dateTimeStamp", *QUALITY_COLUMNS[:3], "globalCallId_ClusterID")
    row = b'"201","00000000-0000-4000-8000-000000000002",1792479665,2,2,4711,"Leuven"\n'
    record = only_record(names(columns) + row)
    assert (record.calling, record.ended_at, record.call_key) == ("201", ENDED, b"cucm\x00Leuven\x002\x004711")
    assert reason(parse(names(columns) + row.replace(b"\n", b",60\n"))[-1]) == "column_count"


def test_a_feed_of_both_kinds_keeps_both_headers() -> None:
    """Each row goes by the last header of its own kind."""
    data = names(QUALITY_COLUMNS[:20]) + names(CALL_COLUMNS[:94]) + cmr(width=20) + cdr(width=94) + cmr(width=20)
    assert [reason(outcome) for outcome in parse(data)] == ["ignored", "ignored", "record", "record", "record"]


def test_the_measurements_do_not_leave() -> None:
    """Neither device nor quality is part of a record."""
    record = only_record(cmr())
    held = repr([getattr(record, field) for field in record.__struct_fields__])
    assert "SEP" not in held
    assert "CCR" not in held


@given(st.integers(1_000_000_000, 1_792_000_000), st.integers(0, 86_400))
def test_start_and_duration_make_the_end(stamp: int, duration: int) -> None:
    """For each leg."""
    record = only_record(cmr(dateTimeStamp=str(stamp), duration=str(duration)))
    assert int(record.ended_at.timestamp()) == stamp
    assert (record.ended_at - record.started_at).total_seconds() == record.total_seconds == duration


@given(st.binary(max_size=300), st.integers(0, 47))
def test_no_bytes_in_a_cell_raise(cell: bytes, place: int) -> None:
    """Whatever stands in a column: each line is a record, refused, or no record."""
    cells = cmr().rstrip(b"\n").split(b",")
    lines = frame(b",".join([*cells[:place], cell, *cells[place + 1 :]]) + b"\n" + cmr())
    parsed = parser().parse(lines, now=NOW)
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(lines)
