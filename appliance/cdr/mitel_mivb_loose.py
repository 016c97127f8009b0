"""Lines of MiVoice Business' SMDR whose blanks a collector or a terminal has squeezed, and the rewritten forms of some.

Without its columns a line is only read where each word can be but one thing: either the words that repeat each other
agree (the number dialled is the called party, ANI and DNIS are the two numbers dialled), or the words are few and what
follows is marked (``CID:``, ``ACC:``, …).

Source: gabaelmer/SMDR-Miner ``backend/parser/SMDRParser.ts`` and ``tests/unit/parser.test.ts``.
"""

import re
from typing import Final

from appliance.cdr.mitel_mivb_layout import Fields, is_valid

_HEAD: Final = re.compile(
    r"[ %+-]?(?:(\d{4})-(\d\d)-(\d\d)|(\d\d)/(\d\d)) (\d\d):(\d\d)(?::(\d\d))?([AaPp]?) (\d{2,4}:\d\d:\d\d) ", re.ASCII
)
_COMPACT: Final = re.compile(r"(\d\d)(\d\d)(\d\d) (\d\d)(\d\d)(\d\d) (\d\d)(\d\d)(\d\d) ", re.ASCII)
"""``MMDDYY HHMMSS HHMMSS``."""
_PARTY: Final = r"[TX]\d{1,4}|ATT\d{1,2}|[\d*#]{1,7}"
_SQUEEZED: Final = re.compile(
    rf"(?P<calling>{_PARTY}) (?P<answer>0?\d{{3}}|\*?\*[*?]\*) "
    r"(?:(?P<caller>[\d*#]{1,26}) )?(?P<dialled>[\d*#]{1,26})(?: (?P<completion>[A-Z]))? "
    r"(?P<called>[TX]\d{1,4}|(?P=dialled))(?: \d{3}(?: (?P=caller) (?P=dialled))?)?"
    r"(?: (?P<call_id>[A-Z]\d{3}[0-9A-Z]{4})(?: [A-Z])?)? ?",
    re.ASCII,
)
_MARKED: Final = re.compile(
    rf"(?P<calling>{_PARTY}) (?P<dialled>\+?[*#]?\d[\d*#]{{0,25}})(?: (?P<trunk>[TX]\d{{1,4}}))?"
    r"(?P<rest>(?: (?:[A-Z]|\+\d{7,24}|[A-Z]{3,7}[:=][0-9A-Za-z]{1,16})){1,9}) ?",
    re.ASCII,
)
_CALL_ID: Final = re.compile(r" (?:CID|CALLID)[:=]([0-9A-Za-z]{1,16})", re.ASCII)
_COMPLETION: Final = re.compile(r" ([A-Z])(?: |\Z)", re.ASCII)
_CENTURY: Final = 2000
_Start = tuple[tuple[int, int, int], tuple[int, int, int], str, str]
"""Date, time, marker, and duration."""


def loose(text: str) -> Fields | None:
    """Read a line by its words; None if one of them can be more than one thing."""
    read = _start(text)
    if read is None:
        return None
    start, at = read
    squeezed, marked = _SQUEEZED.fullmatch(text, at), _MARKED.fullmatch(text, at)
    # How long it rang is measured for calls that come in or stay inside.
    if squeezed and (squeezed["called"] == squeezed["dialled"] or squeezed["calling"][0] in "TX"):
        fields = _squeezed(start, squeezed)
    elif marked and _COMPLETION.search(marked["rest"]):
        fields = _marked(start, marked)
    else:
        return None
    return fields if is_valid(fields) else None


def _squeezed(start: _Start, match: re.Match[str]) -> Fields:
    caller, dialled = match["caller"], match["dialled"]
    return Fields(
        *start,
        match["calling"],
        match["answer"],
        (caller, dialled) if caller else (dialled,),
        match["completion"] or "",
        "",
        match["called"],
        call_id=match["call_id"] or "",
    )


def _marked(start: _Start, match: re.Match[str]) -> Fields:
    completion, call_id = _COMPLETION.search(match["rest"]), _CALL_ID.search(match["rest"])
    return Fields(
        *start,
        match["calling"],
        "",
        (match["dialled"],),
        completion[1] if completion else "",
        "",
        match["trunk"] or match["dialled"],
        call_id=call_id[1] if call_id else "",
    )


def _start(text: str) -> tuple[_Start, int] | None:
    """Give date, time, marker and duration, and where the words after them begin."""
    if match := _HEAD.match(text):
        year, month, day, other_month, other_day, hour, minute, second, marker, duration = match.groups()
        date = (int(year or 0), int(month or other_month), int(day or other_day))
        return (date, (int(hour), int(minute), int(second or 0)), marker.upper(), duration), match.end()
    if match := _COMPACT.match(text):
        month, day, year, *clock = match.groups()
        date = (_CENTURY + int(year), int(month), int(day))
        return (date, (int(clock[0]), int(clock[1]), int(clock[2])), "", ":".join(clock[3:])), match.end()
    return None
