"""Dialect ``avaya_cm``: call detail records of Avaya Aura Communication Manager (DEFINITY, MultiVantage).

``avaya_cm_layout`` says which column is what, and cites the manuals. A line has the time of day at which the call ended
and how long it was talked; its date is in a customized line, or in the last date record, which Communication Manager
sends at midnight and when it connects (``MMDD``, ``MM DD`` or ``HH:MM MM/DD``; by its settings the day may come first).
The year is the latest that the clock allows. A call before any date record is refused: its day is not known.

A record has no identity: it is its line, how often that occurred just before, and the day. Records of one call share
a UCID where the customized layout has it. A record of condition G, H or I says how long an incoming call rang.
No real line of Communication Manager was at hand: what is read is what the manuals say.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from appliance.cdr import yearless_dates
from appliance.cdr.avaya_cm_layout import READ, UNREAD, Fields, declared, standard
from appliance.cdr.csv_rows import text_lines
from appliance.cdr.date_order import DateOrder
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import seconds
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, Uncertain, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

_DATE_RECORD: Final = re.compile(r" *(?:\d\d:\d\d )?(\d\d)[ /]?(\d\d) *", re.ASCII)
_NO_USUAL_ORDER: Final = "CA"
"""A country that ``date_order`` knows no order of: here it is a setting of the PBX, not a custom of the country."""
_DIRECTIONS: Final = (
    dict.fromkeys("0", Direction.INTERNAL)
    | dict.fromkeys("78ABKM", Direction.OUTBOUND)
    | dict.fromkeys("9GHIJ", Direction.INBOUND)
)
"""Condition codes; for the others (attendant, conference, long call, failures) the parties tell."""
_FAILED: Final = frozenset("6EF")
"""Not recorded or not completed at the far end, no facility or privilege."""
_RINGING: Final = {"G": Disposition.ANSWERED, "H": Disposition.NO_ANSWER, "I": Disposition.BUSY}
"""The duration is that of the ringing: until the answer, until the caller gave up, none at a busy station."""
_OUTAGE: Final = "6"
_LONGEST_ACCESS_CODE: Final = 4
_TRUNK: Final = "trunk"
"""What stands for a caller of whom only the trunk is known: it is no number."""


class CdrReader:
    """Reads the lines of one file in order; remembers the date record, and the last 64 KiB of keys."""

    __slots__ = ("_columns", "_days", "_order", "_times", "_window", "date_line")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file.

        Raises:
            SettingsError: the layout makes no sense.
        """
        self._columns = declared(context.layout)
        self._order = DateOrder(FeedContext(zone=context.zone, country=_NO_USUAL_ORDER, layout=context.layout))
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()
        self._days: list[tuple[int, int]] = []
        self.date_line: Line | None = None

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:
        """See ``line_parser.Reader``."""
        if match := _DATE_RECORD.fullmatch(text):
            dates = self._order.read(line, int(match[1]), int(match[2]), 0)
            self._days = [(month, day) for _, month, day in dates]
            self.date_line = line
            return None
        fields = self._columns.read(text) if self._columns else standard(text)
        if fields is not None:
            return self._record(line, fields, now)
        return Reason.TYPE_SIGNATURE if text.strip() else None

    def _record(self, line: Line, fields: Fields, now: datetime) -> Outcome:
        natural_key = self._window.line_key(line)
        call_key = f"ucid\0{fields.ucid}".encode("latin-1") if fields.ucid.strip("0") else b""
        leg = self._window.leg(call_key, line) if call_key else 1
        length = _length(fields)
        if length is None:
            return Reason.TYPE_SIGNATURE
        if fields.condition == _OUTAGE and not (fields.calling or fields.dialed):
            # How long no records were made.
            return None
        ended_at = decide(self._end(line, fields, now), near=None)
        if isinstance(ended_at, Reason):
            return ended_at
        natural_key += f"\0{ended_at:%Y%m%d}".encode()
        disposition = _disposition(fields, length)
        ring = length if fields.condition in _RINGING or fields.condition in _FAILED else 0
        started_at = ended_at - timedelta(seconds=length)
        answered = disposition is Disposition.ANSWERED
        calling, direction = _caller(fields)
        return CallRecord(
            natural_key,
            call_key or natural_key,
            leg,
            started_at,
            started_at + timedelta(seconds=ring) if answered else None,
            ended_at,
            ring,
            length - ring,
            length,
            direction,
            disposition,
            calling,
            fields.dialed,
            "",
        )

    def _end(self, line: Line, fields: Fields, now: datetime) -> Reading:
        time = (int(fields.time[:2]), int(fields.time[2:]), 0)
        if fields.date:
            first, second, year = (int(fields.date[place : place + 2]) for place in (0, 2, 4))
            return self._times.civil(self._order.read(line, first, second, year), time)
        if len(self._days) == 1:
            return yearless_dates.latest(self._times, *self._days[0], time, now=now)
        return Uncertain((), Reason.DATE_AMBIGUOUS)


class DatedParser(ReaderParser[str]):
    """Keeps the last date record for a restart, however far back it stands."""

    __slots__ = ("_cdr",)

    def __init__(self, reader: CdrReader) -> None:
        """Start at the beginning of a file."""
        super().__init__(reader, text_lines)
        self._cdr = reader

    def held(self) -> Sequence[Line]:
        """See ``dialect.LineParser``."""
        return (self._cdr.date_line,) if self._cdr.date_line else ()


def _length(fields: Fields) -> int | None:
    """Give whole seconds: a duration is ``HMMT``, T being tenths of a minute."""
    if fields.seconds:
        return seconds(fields.seconds.lstrip("0") or "0")
    hours, minutes, tenths = int(fields.duration[0]), int(fields.duration[1:3]), int(fields.duration[3])
    return hours * 3600 + minutes * 60 + tenths * 6


def _disposition(fields: Fields, length: int) -> Disposition:
    if fields.condition in _FAILED:
        return Disposition.FAILED
    if fields.condition in _RINGING:
        return _RINGING[fields.condition]
    return Disposition.ANSWERED if length else Disposition.UNKNOWN


def _caller(fields: Fields) -> tuple[str, Direction]:
    """Give the calling party and the direction: for a call that comes in, the number may be a trunk's access code."""
    direction = _DIRECTIONS.get(fields.condition, Direction.UNKNOWN)
    calling = fields.calling
    if direction is Direction.INBOUND:
        if calling and (calling == fields.trunk or (not fields.trunk and len(calling) <= _LONGEST_ACCESS_CODE)):
            calling = _TRUNK
        if fields.circuit.strip("0") and fields.condition == "9":
            direction = Direction.TRANSIT
        return calling or "anonymous", direction
    return calling or _TRUNK, direction


def _open(context: FeedContext) -> LineParser:
    return DatedParser(CdrReader(context))


DIALECT: Final = Dialect(
    name="avaya_cm",
    description="Avaya Aura Communication Manager CDR, customized (declared columns) and six standard formats",
    transports=("file", "tcp push"),
    identity="none: the line, its occurrence within 64 KiB, and the day",
    inherent_loss="a call cut by a change of the clock has no duration; records are lost when the PBX' buffer is full",
    manual="DEFINITY ECS 8.2 and Avaya MultiVantage Administrator's Guides (555-233-506), Call Detail Recording",
    columns=READ | unread(*sorted(UNREAD)),
    open=_open,
    options=frozenset({"columns", "widths", "date_order"}),
)
