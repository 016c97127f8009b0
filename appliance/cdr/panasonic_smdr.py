r"""Dialect ``panasonic_smdr``: the SMDR printout of Panasonic KX-TD, KX-TDA, KX-TDE and KX-NS.

Sources: KX-TDA100/200 feature guide 1.24 and KX-NS1000 feature manual 18.1.6 (patterns A and B of 80 columns, C of
120: columns, condition codes), KX-TD816 features (rows ``RC``, ``AN``, ``NA`` without a duration); widths as in public
collectors that cut the line by them.

- The clock shows when the call *ended*; it began as long before as it rang and lasted. Most systems print no seconds.
- Columns are found at their places where the line has them; captures that squeezed the blanks are read by tokens. In
  both, what stands after the dialled number must be a ring, a duration, a charge, an account code and a condition
  code, read from the right, so that a caller's name cannot pass for one of them.
- A dialled number with hidden digits (``.`` secret, ``X`` privacy, ``\``) has no number at all, and what was keyed
  after a transfer (``-``) is cut off. Of a caller's name and number only the number is taken, and none where the column
  may have cut it. A verified code in the extension's place (``*123``) is a secret and no party.
- Rows without a line and without a duration (log in, hotel status, printed messages) are about people, not calls, and
  ``RC``/``AN`` rows without a duration announce a call whose own row follows: neither is a record.
- A trunk-to-trunk call is two rows; nothing in them says that they belong together.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.date_order import Date, DateOrder
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, Uncertain, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.panasonic_number import caller, dialled, did, station
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

_HEAD: Final = re.compile(
    r" {0,4}(\d{1,4})[/.-](\d{1,2})[/.-](\d{2,4}) {1,4}(\d{1,2}):(\d\d)(?::(\d\d))? ?([AP]M?)?(?= |\Z)",
    re.ASCII | re.IGNORECASE,
)
_UNSET_CLOCK: Final = re.compile(r" {0,4}\*\*[/.-]\*\*[/.-]\*\* ")
"""The clock was changed while the call lasted."""
_TAIL: Final = re.compile(
    r" (?:(\d{1,2})'(\d\d) {1,40})?(\d{1,3})[:'](\d\d)[:'](\d\d)"
    r"(?: {1,40}[A-Z]{0,3}[0-9.,]{1,12}[A-Z]{0,3}){0,2}(?: {1,40}([A-Z][A-Z0-9]?))?\Z",
    re.ASCII,
)
_NOTE: Final = re.compile(r" (?:(\d{1,2})'(\d\d) {1,40})?(RC|AN|NA|VR|VA)\Z", re.ASCII)
_LONGEST_TAIL: Final = 96
_COLUMNS: Final = re.compile(r"(.{5}) (?:(\d\d|  )|(\d{4})) (.*)\Z", re.ASCII)
_FIRST_COLUMN: Final = 17
"""Where the extension's column begins."""
_TOKENS: Final = re.compile(r"(\S{1,10})(?: {1,8}(\d\d|\d{4}))? {1,40}(\S.*)\Z", re.ASCII)
_HEADING: Final = re.compile(
    r"\s{0,8}(?:Date\s{1,16}Time\b|[-=_]{3}[-=_ ]*\Z|Enter Password\b|SMDR\s*\Z)", re.IGNORECASE
)

_INCOMING_CODES: Final = frozenset({"NA", "RC", "AN", "VR", "VA"})
"""Not answered, received, answered, and the latter two with caller id while waiting: only an incoming call has them."""
_FORWARDED: Final = "FW"
_EXTENSION_MARK: Final = "EXT"
_SENSOR: Final = re.compile(r"<I>S\d{1,4}\Z", re.ASCII)
_PRINTER_CODES: Final = b"\f\x11\x13\x1a"
"""Form feed, XON, XOFF and end of text: what a printer port adds to the lines."""
_NOON: Final = 12

COLUMNS: Final = {
    "date": "time: converted to UTC",
    "time": "time: the call's end, converted to UTC",
    "ext": "number: becomes the called party of an incoming call, else the calling party; a verified code never leaves",
    "co": "never leaves; tells a call over a trunk from an internal one",
    "dial_number": "number: becomes the other party; names and hidden digits never leave; `<I>` is incoming",
    "ring": "whole seconds",
    "duration": "whole seconds",
    "cd": "`NA` gives the disposition, `FW` that the call was forwarded; otherwise not read",
} | unread("acc_code cost")
"""What becomes of each column."""


class _Row(NamedTuple):
    """The columns of a call, as text; ``ring`` and ``talk`` in seconds."""

    extension: str
    trunk: str
    dial: str
    ring: int
    talk: int
    code: str


class PanasonicReader:
    """Reads the lines of one file in order; remembers date orders and the last 64 KiB of lines."""

    __slots__ = ("_order", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._order = DateOrder(context)
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        head = _HEAD.match(text)
        if head is None:
            return _no_date(text)
        numbers = head.groups()
        dates = self._order.read(line, int(numbers[0]), int(numbers[1]), int(numbers[2]))
        row = _row(text, head.end())
        if not isinstance(row, _Row):
            return row
        natural_key = self._window.line_key(line)
        time = _time_of_day(numbers[3], numbers[4], numbers[5], numbers[6])
        if time is None:
            return Reason.DATE_INVALID
        ended_at = decide(self._read(dates, time), near=None)
        if isinstance(ended_at, QuarantineReason):
            return ended_at
        return _record(natural_key, row, ended_at)

    def _read(self, dates: list[Date], time: tuple[int, int, int]) -> Reading:
        if len(dates) == 1:
            # By way of text, because hours are remembered by theirs; None if a day has three digits.
            reading = self._times.read("{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*dates[0], *time))
            return reading or Uncertain((), Reason.DATE_INVALID)
        return self._times.civil(dates, time)


def _no_date(text: str) -> Outcome:
    """Deal with a line that does not begin with a date."""
    if not text.strip() or _HEADING.match(text):
        return None
    return Reason.DATE_INVALID if _UNSET_CLOCK.match(text) else Reason.TYPE_SIGNATURE


def _row(text: str, start: int) -> _Row | Reason | None:
    """Read the columns that stand behind the time."""
    text = text.rstrip()
    window = max(start, len(text) - _LONGEST_TAIL)
    if tail := _TAIL.search(text, window):
        ring, ring_seconds, hours, minutes, talk_seconds, code = tail.groups()
        talk = int(hours) * 3600 + int(minutes) * 60 + int(talk_seconds)
    elif tail := _NOTE.search(text, window):
        ring, ring_seconds, code = tail.groups()
        talk = 0
        if code != "NA":
            return None
    else:
        return _status(_parties(text, start))
    parties = _parties(text[: tail.start()], start)
    if parties is None:
        return Reason.TYPE_SIGNATURE
    extension, trunk, dial = parties
    if not trunk and not dial.startswith(("<", _EXTENSION_MARK)):
        return Reason.TYPE_SIGNATURE
    return _Row(extension, trunk, dial, int(ring or 0) * 60 + int(ring_seconds or 0), talk, code or "")


def _parties(text: str, start: int) -> tuple[str, str, str] | None:
    """Give extension, trunk and dialled number, which end with ``text``: at their places, or one after the other."""
    if start <= _FIRST_COLUMN and not text[start:_FIRST_COLUMN].strip():
        # The last column ends where blanks were taken off.
        match = _COLUMNS.match(text.ljust(_FIRST_COLUMN + 9), _FIRST_COLUMN)
        if match and " " not in match[1].strip():
            return match[1].strip(), (match[2] or match[3]).strip(), match[4].strip()
    match = _TOKENS.match(text[start:].strip())
    return (match[1], match[2] or "", match[3]) if match else None


def _status(parties: tuple[str, str, str] | None) -> Reason | None:
    """Tell a printed message or the state of a person from a call whose columns are torn."""
    extension, trunk, dial = parties or ("", "", "")
    is_text = dial[:1].isalpha() and not dial.startswith(_EXTENSION_MARK)
    return None if extension and not trunk and (is_text or _SENSOR.match(dial)) else Reason.TYPE_SIGNATURE


def _time_of_day(hour: str, minute: str, second: str | None, half: str | None) -> tuple[int, int, int] | None:
    hours = int(hour)
    if half:
        if not 1 <= hours <= _NOON:
            return None
        hours = hours % _NOON + (_NOON if half[0] in "Pp" else 0)
    return hours, int(minute), int(second or 0)


def _record(natural_key: bytes, row: _Row, ended_at: datetime) -> CallRecord:
    is_answered = row.talk > 0 and row.code != "NA"
    total = row.ring + row.talk
    started_at = ended_at - timedelta(seconds=total)
    direction, calling, called = _who_called(row)
    return CallRecord(
        natural_key,
        natural_key,
        1,
        started_at,
        started_at + timedelta(seconds=row.ring) if is_answered else None,
        ended_at,
        row.ring if is_answered else total,
        row.talk if is_answered else 0,
        total,
        direction,
        Disposition.ANSWERED if is_answered else Disposition.NO_ANSWER,
        calling,
        called,
        called if row.code == _FORWARDED and direction is Direction.OUTBOUND else "",
    )


def _who_called(row: _Row) -> tuple[Direction, str, str]:
    """Give the direction, calling and called."""
    if row.dial.startswith(_EXTENSION_MARK):
        return Direction.INTERNAL, station(row.extension), dialled(row.dial.removeprefix(_EXTENSION_MARK))
    if row.dial.startswith("<"):
        called = station(row.extension) if row.extension else did(row.dial)
        return Direction.INBOUND, caller(row.dial), called
    if row.code in _INCOMING_CODES or row.ring:
        # No mark, but only an incoming call rings: the parties say whether it came over a trunk.
        return Direction.UNKNOWN, caller(row.dial), station(row.extension)
    return Direction.OUTBOUND, station(row.extension), dialled(row.dial)


def _lines(lines: Sequence[Line]) -> Iterator[str | QuarantineReason]:
    return text_lines([Line(line.offset, line.content.strip(_PRINTER_CODES)) for line in lines])


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(PanasonicReader(context), _lines)


DIALECT: Final = Dialect(
    name="panasonic_smdr",
    description="Panasonic KX-TD, KX-TDA, KX-TDE, KX-NS: SMDR printout, patterns A and B (80 columns) and C (120)",
    transports=("file", "tcp pull"),
    identity="the line and its occurrence within 64 KiB",
    inherent_loss="the PBX keeps no copy of what it sent; a reset loses the calls of that moment",
    manual="Panasonic KX-TDA100/200 feature guide 1.24; KX-NS1000 feature manual 18.1.6; KX-TD816 features, SMDR",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"date_order"}),
)
