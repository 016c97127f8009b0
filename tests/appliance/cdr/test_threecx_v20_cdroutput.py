"""The dialect ``threecx_v20_cdroutput``: headers, separators, segments, parties by kind, and what it refuses."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import Layout
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.record import CallRecord
from appliance.cdr.threecx_v20_cdroutput import _TABLE, COLUMNS
from appliance.wire.call import Direction, Disposition
from tests.support import reading

STARTED = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
VALUES = {
    "cdr_id": "00000000-01dd-4a00-1dbe-000000000001",
    "call_history_id": "00000000-01dd-4a00-1dbe-000000000064",
    "main_call_history_id": "00000000-01dd-4a00-1dbe-000000000065",
    "source_entity_type": "external_line",
    "source_dn_number": "10000",
    "source_participant_phone_number": "+32470112233",
    "source_dn_name": "Bart",
    "destination_entity_type": "extension",
    "destination_dn_number": "201",
    "destination_dn_name": "Ann",
    "termination_reason": "dst_participant_terminated",
    "termination_reason_details": "none",
    "cdr_started_at": "2026-10-19 08:00:00.554 +0200",
    "cdr_answered_at": "2026-10-19 08:00:05.554 +0200",
    "cdr_ended_at": "2026-10-19 08:01:05.554 +0200",
}
HEADER = ",".join(_TABLE) + "\n"


def row(names: Sequence[str] = _TABLE, /, *, separator: str = ",", **values: str) -> str:
    """One row; the columns named are replaced."""
    known = VALUES | values
    return separator.join(known.get(name, "") for name in names) + "\n"


def only(**values: str) -> CallRecord:
    """The record of a row under the header."""
    [header, record] = reading.read("threecx_v20_cdroutput", (HEADER + row(**values)).encode())
    assert header == "ignored"
    assert isinstance(record, CallRecord), record
    return record


def labels(text: str) -> list[str]:
    """What became of each line."""
    return reading.labels("threecx_v20_cdroutput", text.encode())


def test_the_columns_are_those_of_the_table() -> None:
    """All 42, and each is said to be read or not."""
    assert len(_TABLE) == 42
    assert set(_TABLE) == set(COLUMNS)


def test_a_segment_is_a_record() -> None:
    """Times have their offset; their milliseconds are cut off."""
    record = only()
    assert (record.calling, record.called, record.forwarded_to) == ("+32470112233", "201", "")
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.direction, record.disposition) == (Direction.INBOUND, Disposition.ANSWERED)


def test_the_keys_are_the_table_s_own() -> None:
    """Segments of a call share the main history; without it, the history they have."""
    first = only()
    assert first.natural_key == b"cdr_id\x00" + VALUES["cdr_id"].encode()
    assert first.call_key == b"call\x00" + VALUES["main_call_history_id"].encode()
    assert only(main_call_history_id="").call_key == b"call\x00" + VALUES["call_history_id"].encode()
    assert only(main_call_history_id="", call_history_id="").call_key == b"call\x00" + VALUES["cdr_id"].encode()
    assert only(cdr_id=VALUES["cdr_id"].upper()).natural_key == first.natural_key


def test_segments_are_numbered_in_the_file_s_order() -> None:
    """Of each call by itself."""
    rows = [row(), row(cdr_id=VALUES["cdr_id"][:-1] + "2"), row(main_call_history_id="other")]
    found = reading.records("threecx_v20_cdroutput", "".join(rows).encode())
    assert [record.leg for record in found] == [1, 2, 1]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " | "])
@pytest.mark.parametrize("header", [True, False])
def test_any_separator_with_or_without_a_header(separator: str, header: bool) -> None:  # noqa: FBT001 - parametrized
    """``psql``, pgAdmin, ``COPY``; and a comma more at the end."""
    text = row(_TABLE, separator=separator)
    names = separator.join(_TABLE) + "\n" if header else ""
    rule = "-----+-----\n"
    found = labels(f"{names}{rule}{text}{text[:-1]}{separator}\n(2 rows)\n\n")
    assert found == [*["ignored"] * header, "ignored", "record", "record", "ignored", "ignored"]


def test_a_declared_separator_goes_before_any_other() -> None:
    """Where the administrator knows it."""
    data = row(separator=":").replace("08:0", "080").encode()
    layout = Layout(separator=":")
    assert reading.labels("threecx_v20_cdroutput", data, layout=layout) == ["type_signature"]


def test_a_header_names_the_columns_in_any_order() -> None:
    """Fewer suffice, if the segment's id, times and kinds are among them."""
    names = sorted(VALUES)
    text = ",".join(name.upper() for name in names) + "\n" + row(names) + row(names).strip() + ",,\n"
    assert labels(text) == ["ignored", "record", "record"]
    assert labels(",".join(names[3:]) + "\n" + row(names[3:])) == ["column_count", "column_count"]


def test_a_header_far_into_the_file_is_ignored() -> None:
    """Exports are pasted together; what a restart would not see must not change how rows are read."""
    filler = row() * (HEAD_BYTES // len(row()) + 1)
    names = sorted(VALUES)
    assert labels(filler + ",".join(names) + "\n" + row(names))[-2:] == ["ignored", "column_count"]


def test_excel_s_line_is_no_record() -> None:
    """It names the separator."""
    assert labels("sep=;\n" + HEADER.replace(",", ";") + row(separator=";")) == ["ignored", "ignored", "record"]


@pytest.mark.parametrize(
    ("kind", "line", "phone", "called"),
    [
        *(("extension", "201", "", "201"), ("queue", "900", "", "900"), ("ring_group_ring_all", "484", "", "484")),
        *(("voicemail", "201", "201", "201"), ("ivr", "801", "", "801"), ("extension", "", "202", "202")),
        *(("inbound_routing", "+3224445566", "+3224445566", "+3224445566"), ("script", "script772.Main", "", "s")),
        *(("external_line", "10001", "024445566", "024445566"), ("external_line", "10001", "", "")),
        *(("outbound_rule", "", "024445566", "024445566"), ("robot", "", "202", "202"), ("robot", "x", "", "")),
    ],
)
def test_the_kind_says_which_number_is_the_party_s(kind: str, line: str, phone: str, called: str) -> None:
    """The line of an outside party is the trunk; what is inside without a number is a target of the PBX."""
    values = {
        "destination_entity_type": kind,
        "destination_dn_number": line,
        "destination_participant_phone_number": phone,
    }
    assert only(**values).called == called


@pytest.mark.parametrize(
    ("source", "destination", "direction"),
    [
        *(("external_line", "queue", Direction.INBOUND), ("extension", "external_line", Direction.OUTBOUND)),
        *(("extension", "ivr", Direction.INTERNAL), ("external_line", "external_line", Direction.TRANSIT)),
        *(("robot", "extension", Direction.UNKNOWN), ("extension", "endcall", Direction.INTERNAL)),
    ],
)
def test_the_kinds_tell_the_direction(source: str, destination: str, direction: Direction) -> None:
    """An unknown word tells nothing, and is no refusal."""
    assert only(source_entity_type=source, destination_entity_type=destination).direction is direction


def test_a_withheld_number_is_not_the_trunk() -> None:
    """The caller's line would look like a person."""
    assert only(source_participant_phone_number="").calling == ""
    assert only(source_participant_phone_number="\\N").calling == ""
    assert only(source_participant_phone_number='""').calling == ""


@pytest.mark.parametrize(
    ("reason", "details", "disposition"),
    [
        *(("rejected", "busy", Disposition.BUSY), ("cancelled", "completed_elsewhere", Disposition.NO_ANSWER)),
        *(("redirected", "by_did", Disposition.NO_ANSWER), ("no_route", "", Disposition.FAILED)),
        *(("src_participant_terminated", "no_route", Disposition.FAILED), ("new_word", "none", Disposition.UNKNOWN)),
    ],
)
def test_a_segment_that_nobody_answered(reason: str, details: str, disposition: Disposition) -> None:
    """Details go before the reason."""
    record = only(cdr_answered_at="", termination_reason=reason, termination_reason_details=details)
    assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (None, 65, 0)
    assert record.disposition is disposition


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"cdr_id": "201"}, "type_signature"),
        ({"cdr_id": ""}, "type_signature"),
        ({"cdr_started_at": "Ann"}, "type_signature"),
        ({"cdr_ended_at": ""}, "type_signature"),
        ({"cdr_answered_at": "201"}, "type_signature"),
        ({"source_entity_type": "0470112233"}, "type_signature"),
        ({"destination_entity_type": "Ann Maes"}, "type_signature"),
        ({"termination_reason": "Ann Maes"}, "type_signature"),
        ({"source_dn_name": "Maes, Ann"}, "type_signature"),
        ({"source_dn_name": '"Maes'}, "line_torn"),
        ({"cdr_started_at": "2026-02-30 08:00:00 +0200"}, "date_invalid"),
        ({"cdr_ended_at": "2026-02-30 08:00:00 +0200"}, "date_invalid"),
        ({"cdr_answered_at": "2026-02-30 08:00:00 +0200"}, "date_invalid"),
        ({"cdr_ended_at": "2026-10-19 07:00:00 +0200"}, "time_order"),
        ({"cdr_answered_at": "2026-10-19 09:00:00 +0200"}, "time_order"),
        ({"cdr_ended_at": "2031-10-19 07:00:00 +0200"}, "date_out_of_range"),
    ],
)
def test_a_row_that_is_no_segment_is_refused(values: dict[str, str], reason: str) -> None:
    """With its own reason; a comma in a name shifts nothing."""
    assert labels(HEADER + row(**values)) == ["ignored", reason]


@pytest.mark.parametrize("text", ["Ann", "(0470112233)", "a,b,c", "rows 2"])
def test_what_is_not_of_the_table_is_refused(text: str) -> None:
    """And counted."""
    assert labels(f"{HEADER}{text}\n") == ["ignored", "column_count"]


def test_exports_without_an_offset_are_of_the_site_s_zone() -> None:
    """The end decides in which of two equal hours it began; an hour that does not exist refuses the row."""
    times = {"cdr_started_at": "2026-10-25 02:30:00", "cdr_answered_at": "", "cdr_ended_at": "2026-10-25 03:10:00"}
    assert only(**times).total_seconds == 2400
    assert labels(HEADER + row(**(times | {"cdr_started_at": "2026-03-29 02:30:00"})))[1] == "local_time_nonexistent"
    later = times | {"cdr_ended_at": "2026-10-25 02:40:00", "cdr_answered_at": "2026-10-25 02:31:00"}
    assert only(**later).ring_seconds == 60


@given(
    st.sampled_from(["source", "destination"]),
    st.sampled_from(["dn_name", "participant_name", "participant_group_name", "participant_trunk_did"]),
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30),
)
def test_no_name_changes_the_record(side: str, column: str, text: str) -> None:
    """Whatever stands in a column that is not read, quoted as PostgreSQL quotes."""
    quoted = '"' + text.replace('"', '""') + '"'
    assert only(**{f"{side}_{column}": quoted}) == only()
