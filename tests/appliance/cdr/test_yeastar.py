"""Reports and exports of a Yeastar PBX: the many spellings of a field, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr import yeastar
from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.json_or_rows import json_or_row_framer
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import CallRecord, Line, Parsed
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW

AT = datetime(2026, 10, 20, 7, tzinfo=UTC)
EPOCH = int(AT.timestamp())
HEADER = "callid,timestart,callfrom,callto,callduraction,talkduraction,srctrunkname,dsttrunkname,status,type"


def report(**changes: Any) -> bytes:
    """One pushed report, the fields named replaced; None takes one out."""
    values = {
        "action": "NewCdr",
        "callid": f"{EPOCH}.7",
        "timestart": "2026-10-20 09:00:00",
        "callfrom": "0470112233",
        "callto": "201",
        "callduraction": "30",
        "talkduraction": "20",
        "status": "ANSWERED",
        "type": "Inbound",
        "sn": "369300000000",
    }
    return json.dumps({name: value for name, value in (values | changes).items() if value is not None}).encode()


def parse(data: bytes, **layout: Any) -> Parsed:
    """All of a finished feed."""
    framer = json_or_row_framer(0)
    lines = framer.feed(data)
    last = framer.finish()
    context = FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=Layout(**layout))
    return yeastar.DIALECT.open(context).parse([*lines, last] if last else lines, now=NOW)


def only(data: bytes, **layout: Any) -> CallRecord:
    """The record of a feed that has one."""
    [record] = parse(data, **layout).records
    return record


def reasons(data: bytes) -> list[str]:
    """Why pieces were refused."""
    return [str(item.reason) for item in parse(data).refused]


def test_a_report_gives_a_record() -> None:
    """The duration includes ringing; talking is what ends the call."""
    record = only(report())
    assert (record.started_at, record.answered_at) == (AT, AT + timedelta(seconds=10))
    assert record.ended_at == AT + timedelta(seconds=30)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (10, 20, 30)
    assert (record.calling, record.called, record.direction) == ("0470112233", "201", Direction.INBOUND)


@pytest.mark.parametrize("name", ["callduration", "call_duration", "CallDuration", "duration"])
def test_all_spellings_of_a_duration_are_one(name: str) -> None:
    """Products disagree, and some are misspelt."""
    assert only(report(callduraction=None, **{name: 30})) == only(report())


@pytest.mark.parametrize(
    ("text", "disposition", "talk"),
    [
        ("ANSWERED", Disposition.ANSWERED, 20),
        ("NO ANSWER", Disposition.NO_ANSWER, 0),
        ("No Answer", Disposition.NO_ANSWER, 0),
        ("BUSY", Disposition.BUSY, 0),
        ("FAILED", Disposition.FAILED, 0),
        ("ABANDONED", Disposition.NO_ANSWER, 0),
        ("VOICEMAIL", Disposition.ANSWERED, 20),
        ("PICKED UP", Disposition.UNKNOWN, 0),
    ],
)
def test_the_status_says_how_it_ended(text: str, disposition: Disposition, talk: int) -> None:
    """A word that is not known says nothing, and refuses nothing: the field has its name."""
    record = only(report(status=text))
    assert (record.disposition, record.talk_seconds) == (disposition, talk)
    assert (record.answered_at is None) == (disposition is not Disposition.ANSWERED)


def test_a_mail_box_that_nobody_talked_to_did_not_answer() -> None:
    """The caller hung up during its greeting."""
    record = only(report(status="VOICEMAIL", talkduraction="0"))
    assert (record.disposition, record.answered_at, record.ring_seconds) == (Disposition.NO_ANSWER, None, 30)


def test_more_talk_than_duration_ends_with_the_talk() -> None:
    """Both are rounded for themselves."""
    record = only(report(callduraction="19"))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (0, 20, 20)


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("Inbound", Direction.INBOUND),
        ("Outbound", Direction.OUTBOUND),
        ("Internal", Direction.INTERNAL),
        ("Callback", Direction.UNKNOWN),
        ("", Direction.UNKNOWN),
    ],
)
def test_the_type_says_the_direction(text: str, direction: Direction) -> None:
    """Of other types the numbering decides."""
    assert only(report(type=text)).direction is direction


def test_a_call_that_reached_nobody_names_the_number_that_was_dialled() -> None:
    """The DID stands in for a missing target."""
    assert only(report(callto="", didnumber="024445500")).called == "024445500"
    assert only(report(didnumber="024445500")).called == "201"


@pytest.mark.parametrize("wrap", [json.dumps, lambda message: message])
def test_the_event_of_a_p_series_is_read(wrap: Any) -> None:
    """Its message is an object, or text that holds one."""
    message = {
        "call_id": f"{EPOCH}.7",
        "time_start": "2026-10-20 09:00:00",
        "call_from": "0470112233",
        "call_to": "201",
        "call_duration": 30,
        "talk_duration": 20,
        "pin_code": "4711",
        "status": "ANSWERED",
        "type": "Inbound",
        "did_number": " ",
    }
    event = {"type": 30012, "sn": "3631A0000000", "msg": wrap(message)}
    assert only(json.dumps(event).encode()) == only(report())
    event["msg"] = wrap(message | {"uid": "A7"})
    assert only(json.dumps(event).encode()).natural_key == b"uid\0A7"


@pytest.mark.parametrize(
    "document",
    [
        {"action": "RING", "callid": "1.1", "call": [{"ext": {"extid": "201"}}]},
        {"event": "ExtensionStatus", "extension": "201"},
        {"type": 30011, "msg": '{"call_id":"1.1"}'},
        {"type": 30008, "msg": {"extension": "201"}},
    ],
)
def test_other_events_are_no_records(document: dict[str, Any]) -> None:
    """The PBX pushes all events to one address."""
    parsed = parse(json.dumps(document).encode())
    assert (parsed.records, parsed.refused, parsed.ignored) == ([], [], 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"timestart": "soon"},
        {"timestart": None},
        {"callfrom": None, "callto": None},
        {"callduraction": "Ann"},
        {"callduraction": "-3"},
        {"talkduraction": None},
        {"talkduraction": "1:2:3:4"},
        {"callfrom": {"x": 1}, "callto": ["y"]},
    ],
)
def test_a_report_whose_fields_do_not_fit_is_refused(changes: dict[str, Any]) -> None:
    """Nothing is worked out from half a report."""
    assert reasons(report(**changes)) == ["type_signature"]


@pytest.mark.parametrize("event", [{"type": 30012, "msg": "{torn"}, {"type": 30012, "msg": 7}])
def test_an_event_without_its_message_is_refused(event: dict[str, Any]) -> None:
    """It says that a call ended, and not which."""
    assert reasons(json.dumps(event).encode()) == ["type_signature"]


def test_a_page_of_the_api_is_read_record_by_record() -> None:
    """``timestamp`` says what an ambiguous date means; ``id`` only counts the answer."""
    row = {"id": 1, "call_from": "Ann<201>", "call_to": "202", "duration": 30, "talk_duration": 0}
    rows = [
        row | {"uid": "A", "time": "05/06/2026 09:00:00", "timestamp": 1778050800, "disposition": "BUSY"},
        row | {"uid": "B", "time": "05/06/2026 09:00:00", "timestamp": 1780642800, "disposition": "BUSY"},
        row | {"uid": "C", "time": "05/06/2026 09:00:00", "disposition": "BUSY"},
    ]
    parsed = parse(json.dumps({"errcode": 0, "data": rows}).encode())
    assert [record.started_at.month for record in parsed.records] == [5, 6]
    assert [str(item.reason) for item in parsed.refused] == ["date_ambiguous"]
    assert parsed.records[0].natural_key != parsed.records[1].natural_key


def test_the_order_of_dates_can_be_declared() -> None:
    """The display format of the PBX is the administrator's choice."""
    data = report(callid="x", timestart="05/06/2026 09:00:00")
    assert only(data, date_order="dmy").started_at.month == 6


def test_an_export_is_read_by_its_header() -> None:
    """Whatever the order; its durations may be clocks, and its line the same record as the report."""
    row = f"{EPOCH}.7,2026-10-20 09:00:00,0470112233,201,0:00:30,0:00:20,,,ANSWERED,Inbound"
    record = only(f"{HEADER}\r\n{row},,\r\n".encode())
    assert (record.total_seconds, record.talk_seconds) == (30, 20)
    plain = row.replace("0:00:", "")
    assert only(f"{HEADER}\n{plain}\n".encode()) == only(report())
    titles = "Time;Call To;Call From;Status;Call Duration;Talk Duration;ID;Time"
    export = f"{titles}\n2026-10-20 09:00:00;201;0470112233;ANSWERED;30;20;{EPOCH}.7;\n"
    assert only(export.encode(), separator=";").calling == "0470112233"


def test_an_export_without_a_header_is_known_by_its_ids() -> None:
    """Fourteen columns that begin with an epoch."""
    row = f"{EPOCH}.7,2026-10-20 09:00:00,0470112233,201,30,20,Trunk,,ANSWERED,Inbound,,,,369300000000"
    assert only(row.encode()).called == "201"
    assert reasons(row.replace(f"{EPOCH}.7", "Ann").encode()) == ["type_signature"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("x,2026-10-20 09:00:00,0470112233,201,30,20,,,ANSWERED", "column_count"),
        ("x,2026-10-20 09:00:00,Peeters, Ann,201,30,20,,,ANSWERED,Inbound", "column_count"),
        ("x,2026-10-20 09:00:00,Peeters, Ann<201>,202,30,20,Trunk,,ANSWERED,", "type_signature"),
        (",,,", None),
        ("x,2026-10-20 09:00:00,0470112233,201,30,20,a,b,ANSWER ME,Inbound", "type_signature"),
        ("x,2026-10-20 09:00:00,0470112233,Ann,201,30,,,ANSWERED,Inbound", None),
        ("x,2026-10-20 09:00:00,0470112233,201,Ann,30,,,ANSWERED,Inbound", "type_signature"),
        ("x,yesterday,0470112233,201,30,20,,,ANSWERED,Inbound", "type_signature"),
    ],
)
def test_a_row_whose_columns_do_not_fit_is_refused(row: str, why: str | None) -> None:
    """A name must not slide into a column that is read; one in a number's place becomes an unknown party."""
    assert reasons(f"{HEADER}\n{row}\n".encode()) == ([why] if why else [])


def test_a_header_counts_in_the_head_of_the_file_only() -> None:
    """A parser that starts in the middle is shown the head, so that one further down must not matter."""
    row = f"{EPOCH}.7,2026-10-20 09:00:00,0470112233,201,30,20,Trunk,,ANSWERED,Inbound,,,,369300000000\n"
    other = "Time,Call To,Call From,Status,Call Duration,Talk Duration\n"
    parsed = parse((row * 60 + other + row).encode())
    assert (len(parsed.records), parsed.refused, parsed.ignored) == (61, [], 1)


def test_legs_of_a_call_share_its_id() -> None:
    """Rows with the same id are legs of one call, and equal rows stay two."""
    parsed = parse(report() + b"\n" + report() + b"\n" + report(callto="202"))
    assert [record.leg for record in parsed.records] == [1, 2, 3]
    assert len({record.call_key for record in parsed.records}) == 1
    assert len({record.natural_key for record in parsed.records}) == 3


def test_the_epoch_decides_between_two_equal_hours() -> None:
    """And within the hour that the clocks skip."""
    later = 1792891800
    assert only(report(callid=f"{later}.1", timestart="2026-10-25 02:30:00")).started_at.timestamp() == later
    assert reasons(report(callid="x", timestart="2026-03-29 02:30:00")) == ["local_time_nonexistent"]


def test_a_wrong_zone_is_seen_by_the_epochs() -> None:
    """Local times that are hours off the ids are those of another zone."""
    context = FeedContext(zone=ZoneInfo("Europe/Brussels"))
    parser = yeastar.DIALECT.open(context)
    assert isinstance(parser, ReaderParser)
    lines = [Line(500 * place, report(timestart=f"2026-10-20 15:0{place}:00")) for place in range(9)]
    parser.parse(lines, now=NOW)
    assert parser.zone_check is not None
    assert parser.zone_check.finding().samples == 9


@given(
    total=st.integers(0, 5000),
    talk=st.integers(0, 5000),
    status=st.sampled_from(["ANSWERED", "NO ANSWER", "BUSY", "VOICEMAIL", "?"]),
)
def test_ringing_and_talking_make_the_whole(total: int, talk: int, status: str) -> None:
    """Whatever the report says, the record's times agree with its seconds."""
    record = only(report(callduraction=total, talkduraction=str(talk), status=status))
    assert record.ring_seconds + record.talk_seconds == record.total_seconds or record.answered_at is None
    assert record.ended_at - record.started_at == timedelta(seconds=record.total_seconds)
    assert (record.answered_at is None) == (record.disposition is not Disposition.ANSWERED)
