"""Laws of the dialects whose columns a file or its administrator says: restarts, and lines that come one by one.

What a parser remembers (a header, a separator, a layout that it learnt, occurrences, legs) must be a function of the
head of the file and of the window before: a parser that starts in the middle is shown no more.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, Layout, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from tests.support.cdr_rows import NOW, outcomes
from tests.support.feeds import feed_of, setup_of
from tests.support.vectors import frames

LAYOUTS = {
    "generic_csv": Layout(),
    "generic_fixed_width": Layout(columns=("start", "calling", "called", "talk"), widths=(20, 12, 6, 6)),
    "threecx_cdr": Layout(),
    "threecx_v20_cdroutput": Layout(),
    "threecx_report": Layout(),
}
CHAIN = "Chain: 0470112233;Ext.202;"
LEARNT = f"Call 2026/10/19 06:01:30,2026/10/19 06:01:00,2026/10/19 06:01:05,Ext.202,0470112233,Ann,{CHAIN},00:00:25\n"
KNOWN = (
    "Call 1,a_1,00:00:25,2026/10/19 06:01:00,2026/10/19 06:01:05,2026/10/19 06:01:30,TerminatedBySrc,0470112233,"
    "Ext.202,10000,202,202\n"
)
SEGMENT = (
    "00000000-01dd-4a00-1dbe-000000000001,c1,external_line,10000,+32470112233,extension,201,"
    "2026-10-19 08:00:00 +0200,,2026-10-19 08:00:20 +0200\n"
)
SEGMENT_HEADER = (
    "cdr_id,call_history_id,source_entity_type,source_dn_number,source_participant_phone_number,"
    "destination_entity_type,destination_dn_number,cdr_started_at,cdr_answered_at,cdr_ended_at\n"
)
REPORT_HEADER = "Call Time,Caller ID,Destination,Status,Ringing,Talking,Summary\n"
REPORT_ROW = '2026-10-19T08:00:00,0470112233,Ann (201),Answered,0:00:05,0:01:00,"said\nand done"\n'
PIECES = {
    "generic_csv": [
        "Start,Caller,Called,Call ID,Duration\n",
        "Start;Called;Caller;Duration\n",
        "sep=;\n",
        "# comment\n",
        "2026-10-19 08:00:00,0470112233,201,c1,60\n",
        "2026-10-19 08:00:00;201;0470112233;60\n",
        "2026-10-25 02:30:00,0470112233,201,,60\n",
        "Total,1,,,\n",
        '2026-10-19 08:00:00,"0470112233\n',
        "\n",
    ],
    "generic_fixed_width": [
        "2026-10-19 08:00:00 0470112233  201   60\n",
        "2026-10-19 08:00:00 0470112233  201   1:05\n",
        "2026-10-25 02:30:00 0470112233  201   60\n",
        "HDR0001\n",
        "-------\n",
        "Ann\n",
        "\n",
    ],
    "threecx_cdr": [
        LEARNT,
        LEARNT.replace("2026/10/19 06:01:05", ""),
        LEARNT.replace("Ann", "Maes, Ann"),
        KNOWN,
        KNOWN.replace("1,a_1", ","),
        "historyid,time-start,from-no,to-no\n",
        "7,2026/10/19 06:01:00,0470112233,Ext.201\n",
        "GET / HTTP/1.1\n",
        "\n",
    ],
    "threecx_v20_cdroutput": [
        SEGMENT_HEADER,
        SEGMENT_HEADER.replace(",", ";"),
        SEGMENT,
        SEGMENT.replace(",", ";"),
        SEGMENT.replace("extension", "Ann Maes"),
        "----+----\n",
        "(1 row)\n",
        "\n",
    ],
    "threecx_report": [
        REPORT_HEADER,
        REPORT_HEADER.replace(",", ";"),
        REPORT_ROW,
        REPORT_ROW.replace(",", ";"),
        REPORT_ROW.replace('done"', "done"),
        "Totals,1,,\n",
        "Call Logs\n",
        "\n",
    ],
}
NAMES = sorted(LAYOUTS)


def parser(dialect: str) -> LineParser:
    """A parser at the beginning of a file."""
    context = FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=LAYOUTS[dialect])
    return find_dialect(dialect).open(context)


def window(lines: Sequence[Line], start: int) -> list[Line]:
    """What a source shows a parser that starts at ``start``."""
    return [line for line in lines if line.offset < HEAD_BYTES or line.offset >= start - REWIND_BYTES]


def resumed(dialect: str, lines: Sequence[Line], cut: int) -> list[Outcome]:
    """Parse up to ``cut``, then with a new parser from there."""
    before, after = lines[:cut], lines[cut:]
    found = outcomes(parser(dialect), before)
    second = parser(dialect)
    if after:
        second.rewind(window(before, after[0].offset))
    return found + outcomes(second, after)


@pytest.mark.parametrize("dialect", NAMES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_restart_at_any_line_gives_the_same_outcomes(dialect: str, data: st.DataObject) -> None:
    """Headers, separators, learnt layouts, occurrences and legs come out as if the file had been read in one go."""
    text = "".join(data.draw(st.lists(st.sampled_from(PIECES[dialect]), max_size=14)))
    lines = frames(dialect, text.encode())
    cut = data.draw(st.integers(0, len(lines)))
    assert resumed(dialect, lines, cut) == outcomes(parser(dialect), lines)


@pytest.mark.parametrize("dialect", NAMES)
@settings(max_examples=60)
@given(data=st.data())
def test_lines_together_give_what_they_give_one_by_one(dialect: str, data: st.DataObject) -> None:
    """However many come at once: the separator of the first that shows one is not that of those before."""
    text = "".join(data.draw(st.lists(st.sampled_from(PIECES[dialect]), max_size=14)))
    lines = frames(dialect, text.encode())
    together = parser(dialect).parse(lines, now=NOW)
    alone = outcomes(parser(dialect), lines)
    assert together.records == [outcome for outcome in alone if isinstance(outcome, CallRecord)]
    refused = [outcome for outcome in alone if isinstance(outcome, QuarantineReason)]
    assert [item.reason for item in together.refused] == refused
    assert together.ignored == alone.count(None)


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("cut", [1, 700, 1500])
def test_a_restart_in_a_file_longer_than_the_window(dialect: str, cut: int) -> None:
    """Only the head and the last 64 KiB are shown, and suffice."""
    lines = frames(dialect, feed_of(dialect, rows=2000, seed=9))
    assert lines[-1].offset > REWIND_BYTES
    layout = msgspec.convert(setup_of(dialect).get("layout", {}), Layout)
    context = FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=layout)
    opened = find_dialect(dialect).open
    second = opened(context)
    second.rewind(window(lines[:cut], lines[cut].offset))
    whole = opened(context).parse(lines, now=NOW).records
    rest = second.parse(lines[cut:], now=NOW).records
    assert rest == whole[-len(rest) :]
    assert len(rest) >= len(lines) - cut - 1


BLANKS = b" " * 900
WORST = {
    "generic_csv": b"2026-10-19 08:00:00," + BLANKS * 60 + b"\n",
    "generic_fixed_width": b"2026-10-19 08:00:00 " + BLANKS * 60 + b"\n",
    "threecx_cdr": b"Call " + b",".join([BLANKS] * 60) + b"\n",
    "threecx_v20_cdroutput": b",".join([BLANKS] * 42) + b"\n",
    "threecx_report": b'2026-10-19T08:00:00,"' + b"\n2026-10-19T08:00:00" * 2000 + b"\n",
}


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.timeout(20)
def test_the_worst_line_costs_its_length(dialect: str) -> None:
    """Thousands of blanks in each column, or what may always turn out to begin a row: no pattern tries them in turn."""
    lines = frames(dialect, WORST[dialect] * 40)
    assert not parser(dialect).parse(lines, now=NOW).records


NEARLY = KNOWN[:-1] + ",,,,a,b,c,d,x," + ",,,Ann,Bart,Carla," + "y,y,y\n"


@pytest.mark.timeout(20)
def test_commas_that_fit_nowhere_are_tried_a_bounded_number_of_times() -> None:
    """A thousand lines that begin well and have three columns too many."""
    lines = frames("threecx_cdr", (KNOWN + NEARLY * 1000).encode())
    found = parser("threecx_cdr").parse(lines, now=NOW)
    assert (len(found.records), len(found.refused)) == (1, 1000)
