"""Restarts of the dialects that join lines, cut pages, or remember titles: a new parser before each line, the same.

What is remembered must be a function of the lines that are held, of the file's head, and of the window before.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES
from appliance.cdr.record import Line, Parsed
from tests.support.cdr_rows import NOW
from tests.support.vectors import frames

_CALL = "from_tag=f;to_tag=t{leg};call_id=c{call};code={code};reason=OK;src_user=201;dst_user=202"
_ACC = "ACC: transaction answered: timestamp=179247960{second};method={method};" + _CALL
_FLAT = "{method}|f|t{leg}|c{call}|{code}|OK|{time}|*prepaid|201|202||1:2"
_UCM = "src,dst,start,duration,billsec,disposition,uniqueid"
_UCM_ROW = "201,202,2026-10-20 09:00:00,9,6,ANSWERED,1792479600.0"
_UCM_RECORD = (
    '{"src":"201","dst":"202","start":"2026-10-20 09:00:00","duration":"9","billsec":"6","disposition":"ANSWERED",'
    '"uniqueid":"1792479600.0"}'
)
_REPORT = (
    '{"action":"NewCdr","callid":"1792479600.1","timestart":"2026-10-20 09:00:00","callfrom":"201","callto":"202",'
    '"callduration":"30","talkduration":"10","status":"ANSWERED","type":"Internal"}'
)
_SBC = "[S=1] |CALL_END|{call}|201@x|202@x|07:00:00.000  UTC Tue Oct 20 2026|60|"
_SBC_TITLES = ("SBCReportType", "SIPCallId", "SrcURI", "DstURI", "SetupTime", "Duration")

PIECES = {
    "kamailio_acc": [
        _ACC.format(second=second, method=method, leg=leg, call=call, code=code) + "\n"
        for second, method, leg, call, code in (
            *((1, "INVITE", 1, 1, 200), (2, "INVITE", 2, 1, 200), (3, "INVITE", 1, 2, 200), (4, "INVITE", 1, 1, 488)),
            *((5, "BYE", 1, 1, 200), (6, "BYE", 2, 1, 200), (7, "BYE", 1, 2, 408), (8, "INVITE", 3, 1, 486)),
            *((9, "ACK", 1, 1, 200), (9, "INVITE", 1, 3, 407)),
        )
    ],
    "opensips_flatstore": [
        _FLAT.format(method=method, leg=leg, call=call, code=code, time=time) + "\n"
        for method, leg, call, code, time in (
            *(("INVITE", 1, 1, 200, ""), ("INVITE", 2, 1, 200, 1792479601), ("INVITE", 1, 2, 200, 1792479602)),
            *(("ACK", 1, 1, 200, 1792479603), ("ACK", 9, 9, 200, 1792479604), ("BYE", 1, 1, 200, 1792479605)),
            *(("BYE", 2, 1, 200, 1792479606), ("BYE", 1, 2, 481, 1792479607), ("INVITE", 3, 1, 486, 1792479608)),
        )
    ],
    "yeastar": [
        _REPORT + "\n",
        _REPORT.replace("1792479600.1", "1792479600.2") + "\n",
        '{"errcode":0,"data":[',
        '{"uid":"a","time":"2026-10-20 09:00:00","call_from":"201","call_to":"202","duration":3,"talk_duration":0}',
        ",",
        "]}\n",
        "ID,Time,Call From,Call To,Call Duration,Talk Duration,Status\n",
        "x,2026-10-20 09:00:00,201,202,30,20,ANSWERED\n",
        "1792479600.4,2026-10-20 09:00:00,0470112233,201,42,34,,,ANSWERED,Inbound,,,,\n",
        '{"action":"RING"}\n',
        "\n",
    ],
    "grandstream_ucm": [
        _UCM + "\n",
        _UCM_ROW + "\n",
        "disposition,uniqueid,start,duration,billsec,src,dst\n",
        "ANSWERED,1792479600.0,2026-10-20 09:00:00,9,6,201,202\n",
        f"62,,201,202,x,Ann <201>,a,b,Dial,c,60,,{_UCM_ROW.split(',')[2]},,,9,0,BUSY,D,1792479600.0,EXT,a,b,s\n",
        '{"cdr_root":[',
        _UCM_RECORD,
        ',"sub_cdr_1":null}]}\n',
        "Ann\n",
    ],
    "audiocodes_sbc": [
        "[S=1] |" + "|".join(_SBC_TITLES) + "|\n",
        "[S=1] |" + "|".join((*_SBC_TITLES[:1], "Caller", *_SBC_TITLES[1:])) + "|\n",
        _SBC.format(call="a") + "\n",
        _SBC.format(call="b") + "\n",
        _SBC.format(call="Ann|c") + "\n",
        _SBC.format(call="") + "\n",
        "[S=2] |MEDIA_END|x\n",
        "[S=3] a message\n",
    ],
}
"""Lines that change what a parser remembers, and lines that tell what it remembers."""


def parser_of(dialect: str) -> LineParser:
    """One at the beginning of a file."""
    return find_dialect(dialect).open(FeedContext(zone=ZoneInfo("Europe/Brussels")))


def shown(lines: Sequence[Line], offset: int) -> list[Line]:
    """What a source shows of the lines before ``offset``: the file's head, and what is near."""
    return [line for line in lines if line.offset < offset and _is_shown(line.offset, offset)]


def _is_shown(place: int, offset: int) -> bool:
    return place < HEAD_BYTES or place >= offset - REWIND_BYTES


def restarted(dialect: str, lines: Sequence[Line]) -> list[Parsed]:
    """A new parser before each line."""
    one, parts = parser_of(dialect), []
    for place, line in enumerate(lines):
        parts.append(one.parse([line], now=NOW))
        following = lines[place + 1].offset if place + 1 < len(lines) else line.offset + 1
        if following - line.offset > REWIND_BYTES:
            # In the gap itself there were more lines.
            continue
        held, one = one.held(), parser_of(dialect)
        one.rewind(shown(lines, following), held=held)
        assert list(one.held()) == list(held)
    return [*parts, one.finish()]


def summed(parts: Sequence[Parsed]) -> tuple[list[object], list[tuple[int, str]], int]:
    """Records, refusals and the count of what is no record."""
    return (
        [record for part in parts for record in part.records],
        [(item.line.offset, str(item.reason)) for part in parts for item in part.refused],
        sum(part.ignored for part in parts),
    )


@pytest.mark.parametrize("dialect", PIECES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_restart_before_each_line_changes_nothing(dialect: str, data: st.DataObject) -> None:
    """Near the beginning of the file, where all lines are shown again."""
    pieces = data.draw(st.lists(st.sampled_from(PIECES[dialect]), max_size=14))
    lines = frames(dialect, "".join(pieces).encode())
    one = parser_of(dialect)
    assert summed(restarted(dialect, lines)) == summed([one.parse(lines, now=NOW), one.finish()])


@pytest.mark.parametrize("dialect", PIECES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_restart_far_into_a_file_changes_nothing(dialect: str, data: st.DataObject) -> None:
    """Where gaps lie between the lines that are shown, so that a held line may be in none of them."""
    # A refused hold far behind its INVITE looks like a failed call: a later leg may be renumbered.
    known = [piece for piece in PIECES[dialect] if "code=488" not in piece]
    pieces = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=12))
    framed = frames(dialect, "".join(pieces).encode())
    offset, lines = 0, []
    for line in framed:
        gap = data.draw(st.sampled_from([0, HEAD_BYTES, REWIND_BYTES // 2, 2 * REWIND_BYTES]))
        # The last of the lines that fill the gap, an empty one, is always among those that are shown.
        lines += [Line(offset, line.content), Line(offset + len(line.content) + gap, b"")]
        offset = lines[-1].offset + 1
    one = parser_of(dialect)
    assert summed(restarted(dialect, lines)) == summed([one.parse(lines, now=NOW), one.finish()])
