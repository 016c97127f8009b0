"""The dialect ``threecx_report``: rows over several lines, headers of several versions, and what is ignored."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import Layout
from appliance.cdr.documents import MAX_DOCUMENT_BYTES
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.record import CallRecord
from appliance.cdr.threecx_report import row_framer
from appliance.wire.call import Direction, Disposition
from tests.support import reading
from tests.support.feeds.threecx_report import feed

STARTED = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
HEADER = (
    "Call Time,Caller ID,Destination,Trunk,Trunk number,Did,Status,Ringing,Talking,Total Duration,Call Type,"
    "Sentiment,Summary,Transcription\n"
)
VALUES = {
    "time": "2026-10-19T08:00:00",
    "caller": "0470112233",
    "called": "Ann (201)",
    "trunk": "Trunk,10000,3224445566",
    "status": "Answered",
    "ringing": "0:00:05",
    "talking": "0:01:00",
    "total": "0:01:05",
    "kind": "",
    "sentiment": "",
    "summary": "",
    "said": "",
}


def row(**values: str) -> str:
    """One row of 14 columns; those named are replaced."""
    return ",".join((VALUES | values).values()) + "\n"


def labels(text: str, *, date_order: str | None = None) -> list[str]:
    """What became of each row."""
    layout = Layout(date_order="dmy") if date_order else None
    return reading.labels("threecx_report", text.encode(), layout=layout)


def only(**values: str) -> CallRecord:
    """The record of a row under the header."""
    [header, record] = reading.read("threecx_report", ("\ufeff" + HEADER + row(**values)).encode())
    assert header == "ignored"
    assert isinstance(record, CallRecord), record
    return record


def test_a_row_of_v20_is_a_record() -> None:
    """Names stand beside numbers and stay there."""
    record = only()
    assert (record.calling, record.called, record.forwarded_to) == ("0470112233", "201", "")
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.direction, record.disposition) == (Direction.UNKNOWN, Disposition.ANSWERED)


@pytest.mark.parametrize(
    ("status", "talking", "disposition"),
    [
        *(("Unanswered", "0:00:00", Disposition.NO_ANSWER), ("Unanswered", "0:00:05", Disposition.NO_ANSWER)),
        *(("Redirected", "0:00:00", Disposition.NO_ANSWER), ("Busy", "0:00:00", Disposition.BUSY)),
    ],
)
def test_a_call_that_nobody_answered(status: str, talking: str, disposition: Disposition) -> None:
    """Waiting in a queue is counted as talking there; nobody talked."""
    record = only(status=status, talking=talking)
    assert (record.answered_at, record.talk_seconds, record.ring_seconds) == (None, 0, 65)
    assert record.disposition is disposition


@pytest.mark.parametrize(
    ("written", "calling"),
    [
        *(("Anonymous", "anonymous"), ("Anonymous (anonymous)", "anonymous"), ("", ""), ("Bart", "Bart")),
        *(('"Maes, Ann (201)"', "201"), ("Maes (of sales) (201)", "201"), ("Zo\u00e9 (+32470112233)", "+32470112233")),
    ],
)
def test_the_caller_beside_a_name(written: str, calling: str) -> None:
    """Withheld is withheld, however it is shown."""
    assert only(caller=written).calling == calling


def test_what_was_said_is_part_of_the_row_and_of_nothing_else() -> None:
    """Line ends, empty lines, commas and quotes in it do not end the row; the next is read."""
    said = '"Bart: my number is\r\n0470 11 22 33,\n\n""yes"", 2026-10-19\n2026-10-19 was the day\nTotals are fine\n"'
    text = HEADER + row(summary=said, said=said) + row()
    found = reading.read("threecx_report", text.encode())
    assert [outcome if isinstance(outcome, str) else "record" for outcome in found] == ["ignored", "record", "record"]
    assert labels(text.replace("\n", "\r\n")) == ["ignored", "record", "record"]


def test_what_was_said_is_not_part_of_the_identity() -> None:
    """A summary that is written after the first export must not make the call another."""
    early, late = only(), only(summary='"Ann\ncalled"', sentiment="4")
    assert (early.natural_key, early.call_key) == (late.natural_key, late.call_key)


def test_equal_rows_stay_two() -> None:
    """Two calls of one second."""
    [_, first, second] = reading.read("threecx_report", (HEADER + row() * 2).encode())
    assert isinstance(first, CallRecord)
    assert isinstance(second, CallRecord)
    assert first.natural_key != second.natural_key


@pytest.mark.parametrize(
    "start", ["2026-10-19T08:00:00", "19/10/2026 08:00:00", "10/19/2026 8:00:00 AM", "19.10.26 8:00"]
)
def test_a_quote_that_is_not_closed_does_not_take_the_next_row(start: str) -> None:
    """Where a row begins, the torn one ends; so does it at the totals."""
    text = HEADER + row(said='"open') + row(time=start) + row(said='"open\n\nagain') + "Totals,3,,\n" + row()
    assert labels(text) == ["ignored", "line_torn", "record", "line_torn", "ignored", "record"]


def test_a_quote_within_a_name_is_no_quoting() -> None:
    """It stands in the middle of a cell."""
    assert labels(HEADER + row(caller='5" pipe (201)') + row()) == ["ignored", "record", "record"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"caller": "Maes, Ann (201)"}, "type_signature"),
        ({"summary": "a, b", "said": "c"}, "column_count"),
        ({"ringing": "Ann"}, "type_signature"),
        ({"status": "0470112233"}, "type_signature"),
        ({"time": "Ann"}, "type_signature"),
        ({"time": "2026-02-30T08:00:00"}, "date_invalid"),
        ({"time": "05/10/2026 08:00:00"}, "date_ambiguous"),
        ({"time": "2031-10-19T08:00:00"}, "date_out_of_range"),
        ({"time": "2026-03-29T02:30:00"}, "local_time_nonexistent"),
        ({"caller": "\x01"}, "binary"),
        ({"said": '"' + "x" * 140_000 + '"'}, "line_torn"),
        ({"said": '"' + "x" * MAX_DOCUMENT_BYTES + '"'}, "line_too_long"),
    ],
)
def test_a_row_that_is_no_call_is_refused(values: dict[str, str], reason: str) -> None:
    """With its own reason; a comma in a name shifts nothing."""
    assert labels(HEADER + row(**values))[:2] == ["ignored", reason]


def test_the_layout_says_the_order_of_the_server_s_dates() -> None:
    """Nothing else can."""
    assert labels(HEADER + row(time="05/10/2026 08:00:00"), date_order="dmy") == ["ignored", "record"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_names_columns_and_separator(separator: str) -> None:
    """Those of older and newer versions, with a title before it."""
    names = ["Call Time", "Caller ID", "Destination", "Status", "Ringing", "Talking", "Totals", "Cost", "Reason"]
    cells = ["2026-10-19 08:00:00", "201", "024445566", "Answered", "00:00:05", "00:01:00", "00:01:05", "1", "x"]
    text = f"Call Logs\n\n{separator.join(names)}\n{separator.join(cells)}\nTotals{separator}1\n"
    assert labels(text) == ["ignored", "ignored", "record", "ignored"]


def test_newer_reports_have_a_call_id() -> None:
    """It joins the legs of a call."""
    header = "Call Time,Call ID,From,To,Direction,Status,Ringing,Talking,Cost,Call Activity Details\n"
    rows = "2026-10-19 08:00:00,c1,Bart (0470112233),Queue (900),Inbound,Redirected,0:00:10,0:00:00,,\n"
    rows += '2026-10-19 08:00:10,c1,Bart (0470112233),Ann (201),Inbound,Answered,0:00:03,0:01:00,,"Ann\nanswers"\n'
    [_, first, second] = reading.read("threecx_report", (header + rows).encode())
    assert isinstance(first, CallRecord)
    assert isinstance(second, CallRecord)
    assert first.call_key == second.call_key == b"call\0c1"
    assert (first.leg, second.leg, first.direction) == (1, 2, Direction.INBOUND)


def test_without_a_header_nothing_is_read() -> None:
    """Nor by one far into the file, which a restart would not see, nor by one without durations."""
    assert labels(row() + "a,b\n" + "title\n") == ["column_count", "column_count", "ignored"]
    far = row() * (HEAD_BYTES // len(row()) + 1) + HEADER + row() + "title\n"
    assert labels(far)[-3:] == ["ignored", "column_count", "column_count"]
    assert labels("Call Time,Caller ID,Destination\n") == ["column_count"]
    assert labels("Call Time,Caller ID,Talking" + ",x" * 80 + "\n") == ["column_count"]


def test_empty_rows_are_ignored() -> None:
    """Spreadsheets keep the commas."""
    assert labels(HEADER + ",,,\n" + row() + "  ,\n") == ["ignored", "ignored", "record", "ignored"]


PIECES = st.sampled_from(
    [
        HEADER,
        row(),
        row(said='"a\nb"'),
        row(said='"open'),
        '"',
        "\n",
        "2026-10-19T08:00:00",
        ",",
        "Totals,1\n",
        "\r\n",
        "Tot",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.lists(st.integers(0, 600), max_size=6))
def test_rows_do_not_depend_on_how_the_bytes_came(text: str, cuts: list[int]) -> None:
    """Cut anywhere, also within what tells that a row begins."""
    data = text.encode()
    whole, parts = row_framer(0), row_framer(0)
    expected = [*whole.feed(data), whole.finish()]
    edges = sorted(min(cut, len(data)) for cut in cuts)
    found = [
        line
        for first, last in zip([0, *edges], [*edges, len(data)], strict=True)
        for line in parts.feed(data[first:last])
    ]
    assert [*found, parts.finish()] == expected


def test_a_framer_goes_on_where_another_stopped() -> None:
    """At the offset of the first row that was not given out."""
    data = feed(rows=20, seed=1)
    first = row_framer(0)
    rows = first.feed(data[:1500])
    second = row_framer(first.offset)
    rest = second.feed(data[first.offset :])
    whole = row_framer(0).feed(data)
    assert rows + rest == whole
    assert len(whole) == 22
