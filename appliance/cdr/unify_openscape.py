"""Dialect ``unify_openscape``: call records of Unify OpenScape Office and Business, and of HiPath 3000 and Hicom 150 E.

Sources: Hicom 150 E Office service manual 7.12 (fields, information element, both fixed layouts; date and time are
those of the call's end), Unify's "Call data record transmission" for OpenScape Business V1 and its excerpt in the
openpath.telmekom.com forum, topic 1227 (``|`` between the fields, the header, trailing fields).

- The clock shows when the call *ended*; it began as long before as it rang and lasted.
- The last digit of the information element says who called whom; tens are offsets (+50: by way of DISA). ``0`` and
  ``*`` announce a call while it rings, for each telephone: its own record follows, so they are none.
- A transferred call is one record for each telephone; nothing in them says that they belong together.
- ``?`` stands for the last digits where the system hides them: such a number is none.
- HiPath's serial port writes the same fields at fixed places, close together or with a blank between them.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.date_order import DateOrder
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import clock_seconds
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_number import UNNUMBERED, WITHHELD
from appliance.wire.call import Direction, Disposition

_SEPARATOR: Final = "|"
_FORM_FEED: Final = b"\f"
_FEWEST: Final = 9
"""Up to the information element."""
_MOST: Final = 32
_MSN: Final = 2
"""Where it stands behind the information element."""
_CLOSE: Final = (
    *((0, 8), (8, 16), (16, 19), (19, 25), (25, 30), (30, 38), (38, 63), (63, 74), (74, 76)),
    *((76, 87), (87, 98)),
)
_SPACED: Final = ((0, 8), (9, 17), (18, 21), (22, 28), (29, 34), (35, 43), (44, 64), (65, 76), (77, 79))
"""Where the fields stand in HiPath's compressed and uncompressed serial output."""
_FIXED: Final = re.compile(r"\d\d[./]\d\d[./]\d\d( ?)\d\d:\d\d:\d\d", re.ASCII)
_DOTTED: Final = re.compile(r"(\d\d)\.(\d\d)\.(?:20)?(\d\d)", re.ASCII)
_DATE: Final = re.compile(r"(\d{1,4})[/-](\d{1,2})[/-](\d{2,4})", re.ASCII)
_RECORD: Final = re.compile(
    # Date, time, line, station, ring, duration, number, charge, information element.
    r"([0-9./-]{8,10})\|(\d\d:\d\d:\d\d)\|[0-9*#]{0,11}\|([0-9*#]{0,11})\|([0-9:]{0,12})\|([0-9:]{0,12})\|"
    r"(\+?[0-9*#?]{0,32})\|[0-9.,]{0,12}\|[0-9]?([0-9*])(?=\||\Z)",
    re.ASCII,
)
_DIALLABLE: Final = frozenset("0123456789*#+")
_DIGIT: Final = re.compile(r"[0-9]", re.ASCII)
_HEADINGS: Final = 8
"""A heading has at least so many words, in the system's language, and no digit."""
_ANNOUNCED: Final = frozenset("0*")
_OUTGOING: Final = frozenset("24689")
_FORWARDED: Final = "9"

COLUMNS: Final = {
    "date": "time: converted to UTC",
    "time": "time: the call's end, converted to UTC",
    "station": "number: becomes the called party of an incoming call, else the calling party",
    "ring": "whole seconds",
    "duration": "whole seconds",
    "number": "number: becomes the other party",
    "type": "the direction, and whether the call was forwarded or only announced",
    "msn": "number: becomes the called party of an incoming call that no station took",
} | unread("line charge acct seizure_code lcr_route lcr_number nodal_service wats_band carrier")
"""What becomes of each field."""


class OpenScapeReader:
    """Reads the lines of one file in order; remembers the last 64 KiB of lines."""

    __slots__ = ("_order", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._order = DateOrder(context)
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``; in ``text``, a ``|`` parts the fields, whatever did in the line."""
        match = _RECORD.match(text)
        if match is None or text.count(_SEPARATOR) >= _MOST:
            return _no_record(text)
        date, time, station, ring, duration, number, element = match.groups()
        rang, talked = _seconds(ring), _seconds(duration)
        if rang is None or talked is None:
            return Reason.TYPE_SIGNATURE
        if element in _ANNOUNCED:
            return Reason.TYPE_SIGNATURE if talked else None
        natural_key = self._window.line_key(line)
        reading = self._read(line, date, time)
        ended_at = decide(reading, near=None) if reading else Reason.TYPE_SIGNATURE
        if isinstance(ended_at, QuarantineReason):
            return ended_at
        parties = _parties(element, station or _msn(text[match.end() :]), number)
        return _call(natural_key, parties, ended_at, rang, talked)

    def _read(self, line: Line, date: str, time: str) -> Reading | None:
        if match := _DOTTED.fullmatch(date):
            day, month, year = match.groups()
            return self._times.read(f"20{year}-{month}-{day} {time}")
        if match := _DATE.fullmatch(date):
            first, second, third = map(int, match.groups())
            hour, minute, seconds = map(int, time.split(":"))
            return self._times.civil(self._order.read(line, first, second, third), (hour, minute, seconds))
        return None


def _no_record(text: str) -> Reason | None:
    """Deal with a line that is no record: a heading, an empty one, or nothing we know."""
    cells = text.split(_SEPARATOR)
    is_heading = len(cells) >= _HEADINGS and cells[0].isalpha() and not _DIGIT.search(text)
    if is_heading or not text.strip(_SEPARATOR):
        return None
    return Reason.TYPE_SIGNATURE if _FEWEST <= len(cells) <= _MOST else Reason.COLUMN_COUNT


def _seconds(text: str) -> int | None:
    return clock_seconds(text) if text else 0


def _msn(rest: str) -> str:
    cells = rest.split(_SEPARATOR)
    msn = cells[_MSN] if len(cells) > _MSN else ""
    return msn if set(msn) <= _DIALLABLE else ""


def _parties(element: str, station: str, number: str) -> tuple[Direction, str, str, str]:
    """Give the direction, calling, called and forwarded-to."""
    hidden = "?" in number
    if element in _OUTGOING:
        called = "" if hidden else number
        return Direction.OUTBOUND, station, called, called if element == _FORWARDED else ""
    return Direction.INBOUND, UNNUMBERED if hidden else number or WITHHELD, station, ""


def _call(
    natural_key: bytes, parties: tuple[Direction, str, str, str], ended_at: datetime, rang: int, talked: int
) -> CallRecord:
    direction, calling, called, forwarded_to = parties
    total = rang + talked
    started_at = ended_at - timedelta(seconds=total)
    return CallRecord(
        natural_key,
        natural_key,
        1,
        started_at,
        started_at + timedelta(seconds=rang) if talked else None,
        ended_at,
        rang,
        talked,
        total,
        direction,
        Disposition.ANSWERED if talked else Disposition.NO_ANSWER,
        calling,
        called,
        forwarded_to,
    )


def _texts(lines: Sequence[Line]) -> Iterator[str | QuarantineReason]:
    for text in text_lines([Line(line.offset, line.content.strip(_FORM_FEED)) for line in lines]):
        yield text if isinstance(text, QuarantineReason) else _parted(text)


def _parted(text: str) -> str:
    """Put separators where the fields of HiPath's two layouts end, and take off the blanks that fill fields."""
    if _SEPARATOR in text:
        return text if " " not in text else _SEPARATOR.join(map(str.strip, text.split(_SEPARATOR)))
    if match := _FIXED.match(text):
        return _SEPARATOR.join(text[start:end].strip() for start, end in (_SPACED if match[1] else _CLOSE))
    return _SEPARATOR.join(text.split(maxsplit=_MOST))


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(OpenScapeReader(context), _texts)


DIALECT: Final = Dialect(
    name="unify_openscape",
    description="Unify OpenScape Office and Business (fields between |), HiPath 3000 and Hicom 150 E (serial output)",
    transports=("file", "tcp pull"),
    identity="the line and its occurrence within 64 KiB",
    inherent_loss="the system keeps a limited number of records until they are fetched or printed",
    manual="Hicom 150 E Office service manual 7.12; Unify, Call data record transmission (OpenScape Business V1)",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"date_order"}),
)
