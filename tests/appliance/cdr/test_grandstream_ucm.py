"""The UCM's CDRs: commas that nobody quoted, the column sets of its firmware, and pages of JSON."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr import grandstream_ucm
from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.json_or_rows import json_or_row_framer
from appliance.cdr.record import CallRecord, Parsed
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW

HEADER = (
    "AcctId,accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,"
    "disposition,amaflags,uniqueid,userfield,channel_ext,dstchannel_ext,service"
)
MORE = "caller_name,recordfiles,dstanswer,chanext,dstchanext,session,action_owner,action_type,src_trunk_name"
AT = datetime(2026, 10, 20, 7, tzinfo=UTC)


def values(**changes: str) -> dict[str, str]:
    """The columns of one row, those named replaced."""
    call = {
        "AcctId": "62",
        "accountcode": "",
        "src": "0470112233",
        "dst": "201",
        "dcontext": "from-internal",
        "clid": '"Bart" <0470112233>',
        "channel": "SIP/trunk_1-00000000",
        "dstchannel": "SIP/201-00000001",
        "lastapp": "Dial",
        "lastdata": "SIP/201,60,,",
        "start": "2026-10-20 09:00:00",
        "answer": "2026-10-20 09:00:05",
        "end": "2026-10-20 09:01:05",
        "duration": "65",
        "billsec": "60",
        "disposition": "ANSWERED",
        "amaflags": "DOCUMENTATION",
        "uniqueid": f"{int(AT.timestamp())}.0",
        "userfield": "EXT",
        "channel_ext": "trunk_1",
        "dstchannel_ext": "201",
        "service": "s",
    }
    return call | changes


def row(*more: str, **changes: str) -> str:
    """One row without quotes but those of the caller id; a caller id with a changed number follows it."""
    columns = values(**changes)
    if "src" in changes and "clid" not in changes:
        columns["clid"] = f'"Bart" <{changes["src"]}>'
    return ",".join([*columns.values(), *more])


def parse(*lines: str, **layout: Any) -> Parsed:
    """All of a finished feed."""
    framer = json_or_row_framer(0)
    found = framer.feed("".join(line + "\n" for line in lines).encode())
    context = FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=Layout(**layout))
    last = framer.finish()
    return grandstream_ucm.DIALECT.open(context).parse([*found, last] if last else found, now=NOW)


def only(*lines: str, **layout: Any) -> CallRecord:
    """The record of a feed that has one and nothing refused."""
    parsed = parse(*lines, **layout)
    [record] = parsed.records
    assert parsed.refused == []
    return record


def reasons(*lines: str) -> list[str]:
    """Why lines were refused."""
    return [str(item.reason) for item in parse(*lines).refused]


@pytest.mark.parametrize(
    "lastdata", ["SIP/201", "SIP/201,60", "SIP/201,60,,", '"SIP/201,60,,"', "a,b,c,d,e,f,g,h,i,j,k,l,m"]
)
def test_commas_of_a_dial_string_are_taken_back(lastdata: str) -> None:
    """The UCM does not quote them, so that a row of 22 columns has up to twelve more."""
    assert only(HEADER, row(lastdata=lastdata)) == only(HEADER, row(lastdata=""))
    assert only(row(lastdata=lastdata)) == only(row(lastdata=""))


@pytest.mark.parametrize(
    "clid",
    [
        '"Peeters, Bart" <0470112233>',
        "Peeters, Bart <0470112233>",
        '""Peeters, Bart" <0470112233>"',
        '"""Peeters, Bart"" <0470112233>"',
        "0470112233",
        "",
    ],
)
@pytest.mark.parametrize("lastdata", ["SIP/201", "SIP/201,60,,"])
def test_commas_of_a_name_are_taken_back_where_the_caller_id_is_whole(clid: str, lastdata: str) -> None:
    """It ends in the caller's number, in whichever way it was quoted."""
    record = only(HEADER, row(clid=clid, lastdata=lastdata))
    assert (record.calling, record.called, record.talk_seconds) == ("0470112233", "201", 60)


@pytest.mark.parametrize(
    "line",
    [
        row(clid='"Bart" <0470998877>', lastdata="a,b"),
        row(src="Peeters,Bart"),
        row(dst="201,202", clid="Bart"),
        row(duration="1,5", lastdata="a"),
        row(lastdata="a,b,c,d,e,f,g,h,i,j,k,l,m,n,o"),
        row(clid="Bart <0470112233>,x <0470112233>,SIP/1,SIP/2,Dial,ANSWERED"),
        ",".join(list(values(lastdata="").values())[:-1]),
        "Ann Peeters",
    ],
)
def test_a_row_that_has_no_one_reading_is_refused(line: str) -> None:
    """Never shifted: a name must not come to stand where a number is read."""
    assert reasons(HEADER, line) in (["column_count"], ["type_signature"])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"disposition": "PICKED UP"}, "type_signature"),
        ({"duration": "long"}, "type_signature"),
        ({"billsec": "1:2:3:4"}, "type_signature"),
        ({"uniqueid": "none"}, "type_signature"),
        ({"start": "yesterday"}, "type_signature"),
        ({"answer": "yesterday"}, "type_signature"),
        ({"start": "2026-10-20 25:00:00"}, "date_invalid"),
        ({"end": "2026-10-20 08:00:00"}, "time_order"),
    ],
)
def test_a_column_of_a_wrong_type_refuses_the_row(changes: dict[str, str], why: str) -> None:
    """The types are what proves that the columns are what they seem."""
    assert reasons(HEADER, row(lastdata="SIP/201", **changes)) == [why]


def test_newer_firmware_has_more_columns() -> None:
    """With or without a header; the session is shared by the legs of a call."""
    more = ("Bart", "x.wav@", "201", "", "", "1792479600000001-trunk", "", "DIAL", "Trunk")
    record = only(f"{HEADER},{MORE},dst_trunk_name", row(*more, ""))
    assert record.call_key == b"call\0" + b"1792479600000001-trunk"
    assert only(row(*more, "", lastdata="SIP/201")) == record
    assert only(row(*more, "", "c074ad000000", lastdata="SIP/201")) == record


def test_rows_may_end_in_empty_columns() -> None:
    """As a spreadsheet leaves them; an empty row is none."""
    assert only(row("", "", "", lastdata="SIP/201")).called == "201"
    assert parse(",,,").ignored == 1


def test_a_header_further_down_changes_nothing() -> None:
    """Pages of the API that were put together have one each; only the head of the file can say what follows."""
    narrow = "src,dst,start,duration,billsec,disposition"
    line = row(lastdata="SIP/201")
    parsed = parse(HEADER, *[line] * 40, narrow, line)
    assert (len(parsed.records), parsed.refused, parsed.ignored) == (41, [], 2)


def test_an_export_of_the_web_interface_has_other_names() -> None:
    """And durations as clocks; which columns there are is the user's choice."""
    header = (
        "Caller Number,Callee Number,CallerID,Start Time,Answer Time,End Time,Call Time,Talk Time,Call Status,Call Type"
    )
    times = "2026-10-20 09:00:00;2026-10-20 09:00:05;2026-10-20 09:01:05;0:01:05;0:01:00"
    line = f'201;0470112233;"Ann" <201>;{times};Answered;'
    record = only(header, line.replace(";", ",") + "Outbound")
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    inbound = only(header.replace(",", ";"), line + "Inbound", separator=";")
    assert (inbound.direction, record.direction) == (Direction.INBOUND, Direction.UNKNOWN)


@pytest.mark.parametrize("answer", ["", "0000-00-00 00:00:00", "NULL"])
@pytest.mark.parametrize(
    ("text", "disposition"),
    [("NO ANSWER", Disposition.NO_ANSWER), ("BUSY", Disposition.BUSY), ("FAILED", Disposition.FAILED)],
)
def test_an_unanswered_call_has_no_answer(answer: str, text: str, disposition: Disposition) -> None:
    """Firmware differs in how it writes that."""
    record = only(row(answer=answer, billsec="0", disposition=text))
    assert (record.answered_at, record.talk_seconds, record.ring_seconds) == (None, 0, 65)
    assert record.disposition is disposition


@pytest.mark.parametrize(
    ("changes", "direction"),
    [
        ({"dcontext": "ext-did-1"}, Direction.INBOUND),
        ({"userfield": "Inbound"}, Direction.INBOUND),
        ({"userfield": "Outbound"}, Direction.UNKNOWN),
        ({"userfield": "EXT"}, Direction.UNKNOWN),
    ],
)
def test_an_incoming_call_is_told_by_its_context_or_type(changes: dict[str, str], direction: Direction) -> None:
    """Of others the numbering decides."""
    assert only(row(**changes)).direction is direction


def test_an_analog_call_reached_the_extension_that_rang() -> None:
    """The line says neither who calls nor which number was dialled."""
    record = only(row(src="", clid="", dst="s", channel="DAHDI/1-1", dstchannel_ext="203"))
    assert (record.calling, record.called, record.direction) == ("", "203", Direction.INBOUND)
    assert only(row(src="", clid="", dst="s", dstchannel_ext="")).called == "s"


def test_a_forward_names_a_third_party() -> None:
    """It dials through a local channel."""
    assert only(row(dstchannel="Local/00485223344@from-internal-01;1")).forwarded_to == "00485223344"


def test_the_records_of_one_call_are_told_apart() -> None:
    """They share the ``uniqueid``; ``AcctId`` counts them."""
    parsed = parse(row(), row(AcctId="63"))
    assert [record.leg for record in parsed.records] == [1, 2]
    assert len({record.natural_key for record in parsed.records}) == 2
    assert len({record.call_key for record in parsed.records}) == 1


def test_a_document_is_the_record_of_the_row() -> None:
    """Whether its numbers are strings or numbers, and however its names are written."""
    expected = only(row())
    assert only(json.dumps(values())) == expected
    assert only(json.dumps({**values(), "duration": 65, "billsec": 60, "answer": "2026-10-20 09:00:05"})) == expected
    assert only(json.dumps({name.lower(): value for name, value in values().items()})) == expected


def test_a_page_gives_its_records_and_the_legs_of_groups() -> None:
    """``main_cdr`` sums up the legs beside it."""
    legs = {"cdr": "2", "main_cdr": values(AcctId="1"), "sub_cdr_1": values(AcctId="2"), "sub_cdr_2": None}
    page = {"response": {"cdr_root": [values(AcctId="3"), legs]}, "status": 0}
    for indent in (None, 1, 4):
        keys = [record.natural_key[-1:] for record in parse(json.dumps(page, indent=indent)).records]
        assert keys == [b"3", b"2"]


@pytest.mark.parametrize(
    "document",
    [
        {"status": -37, "response": {"body": "Wrong account or password!"}},
        values(uniqueid=""),
        values(start=""),
        values(disposition="Ann"),
        {**values(), "duration": None},
        {**values(), "src": ["x"], "disposition": {}},
    ],
)
def test_a_document_that_is_no_call_is_refused(document: dict[str, Any]) -> None:
    """An error of the API as well: somebody should see it."""
    assert reasons(json.dumps(document)) == ["type_signature"]


def test_text_of_any_script_is_taken() -> None:
    """Names leave no trace, and ids are but bytes."""
    record = only(json.dumps(values(session="会议", clid='"Ζωή" <0470112233>'), ensure_ascii=False))
    assert record.call_key == b"call\0" + "会议".encode()


def test_the_epoch_decides_what_the_local_time_meant() -> None:
    """Within the hour that occurs twice; the start of the record is the epoch of its id."""
    times = {"start": "2026-10-25 02:30:00", "answer": "2026-10-25 02:30:05", "end": "2026-10-25 02:31:05"}
    for epoch in (1792888200, 1792891800):
        assert only(row(uniqueid=f"{epoch}.1", **times)).started_at.timestamp() == epoch


@given(
    name=st.text(alphabet='aB ,"<>0', max_size=12),
    arguments=st.text(alphabet="S/2,:@", max_size=8),
    number=st.sampled_from(["201", "0470112233"]),
)
def test_no_name_ever_comes_to_stand_for_a_number(name: str, arguments: str, number: str) -> None:
    """Whatever stands without quotes: the row is refused, or its parties and seconds are the right ones."""
    parsed = parse(HEADER, row(src=number, clid=f'"{name}" <{number}>', lastdata=arguments))
    assert len(parsed.records) + len(parsed.refused) == 1
    for record in parsed.records:
        assert (record.calling, record.called, record.total_seconds) == (number, "201", 65)
