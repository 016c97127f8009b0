"""Dialect ``mitel_mivb_smdr``: the SMDR of Mitel MiVoice Business (3300 ICP, SX-2000), one line a call.

``mitel_mivb_layout`` and ``mitel_mivb_loose`` say which column is what. A trunk as calling party is a call that comes
in, as called party one that goes out; both are a call through. The year is the latest that the clock allows. Start is
when the call began, "time to answer" how long it rang, and the duration how long it was talked.

Records have no identity: a record is its line, how often it occurred just before, and the year. With "Network OLI" all
records of one call share a call identifier, which wraps after some days: with the date it is the call's.
Whether the clock has twelve hours is known where a time nearby is marked P; 12:30 without a mark is then past midnight.
"""

from datetime import datetime, timedelta
from typing import Final

from appliance.cdr import yearless_dates
from appliance.cdr.csv_rows import text_lines
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import clock_seconds
from appliance.cdr.framing import REWIND_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, Uncertain, decide
from appliance.cdr.mitel_mivb_layout import Fields, fixed
from appliance.cdr.mitel_mivb_loose import loose
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

COLUMNS: Final = {
    "date": "time: month and day, converted to UTC",
    "start_time": "time: converted to UTC",
    "duration": "whole seconds",
    "calling_party": "number: becomes the calling party; a trunk tells an incoming call and is no party",
    "time_to_answer": "whole seconds; asterisks where nobody answered",
    "digits_dialed": "number: becomes the called party on the way out, and the calling party in network format",
    "call_completion_status": "tells what became of the call",
    "forward_flag": "tells that the called party is a forward's target",
    "called_party": "number: becomes the called party; a trunk tells an outgoing call and is no party",
    "transfer_flag": "tells that the third party took the call over",
    "third_party": "number: becomes the forwarded-to party of a transfer",
    "ani": "number: becomes the calling party",
    "dnis": "number: becomes the called party where nothing else names one",
    "call_identifier": "never leaves; goes into a keyed hash",
} | unread(
    "long_call meter_pulses account_code route_optimization system_id mlpp_level ldn_called suite_id call_sequence",
    "associated_call_identifier two_b_channel_tag calling_ehdu called_ehdu calling_location called_location",
)

_DISPOSITIONS: Final = {
    "A": Disposition.ANSWERED,
    "I": Disposition.ANSWERED,
    "C": Disposition.ANSWERED,
    "R": Disposition.ANSWERED,
    "B": Disposition.BUSY,
    "O": Disposition.BUSY,
    "D": Disposition.NO_ANSWER,
    "U": Disposition.NO_ANSWER,
    "E": Disposition.FAILED,
    "S": Disposition.FAILED,
}
"""Answered, internal call completed, account code entered; busy, occupied; do not disturb, unavailable; error, out of
service. ``T`` is toll denied on the way out, and else picked up at another telephone."""
_CONTINUATION: Final = " " * 6
"""A record has its date there. A terminal of 80 columns puts the rest of a record on a line of its own."""
_CONTINUED: Final = frozenset("0123456789*# ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_FORENOON, _NOON = "A", 12


class SmdrReader:
    """Reads the lines of one file in order; remembers the last 64 KiB of keys, and where a time was marked P."""

    __slots__ = ("_marked_at", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()
        self._marked_at: int | None = None

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:
        """See ``line_parser.Reader``."""
        fields = fixed(text) or loose(text)
        talk = clock_seconds(fields.duration) if fields else None
        if fields is not None and talk is not None:
            return self._record(line, fields, talk, now)
        is_rest = text.startswith(_CONTINUATION) and _CONTINUED.issuperset(text)
        return None if is_rest or not text.strip() else Reason.TYPE_SIGNATURE

    def _record(self, line: Line, fields: Fields, talk: int, now: datetime) -> CallRecord | Reason:
        natural_key = self._window.line_key(line)
        leg = 1
        if fields.call_id:
            leg = self._window.leg(f"{fields.call_id}\0{fields.date}".encode("latin-1"), line)
        started_at = decide(self._start(line, fields, now), near=None)
        if isinstance(started_at, Reason):
            return started_at
        natural_key += b"\0%d" % started_at.year
        call_key = f"call\0{fields.call_id}\0{started_at:%Y%m%d}".encode("latin-1") if fields.call_id else natural_key
        direction = _direction(fields)
        disposition = _disposition(fields, direction, talk)
        answered = disposition is Disposition.ANSWERED or (disposition is Disposition.UNKNOWN and talk > 0)
        ring = _ring(fields) if answered else talk
        calling, called, forwarded_to = _parties(fields, direction)
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            started_at + timedelta(seconds=ring) if answered else None,
            started_at + timedelta(seconds=ring + talk if answered else ring),
            ring,
            talk if answered else 0,
            ring + talk if answered else ring,
            direction,
            disposition,
            calling,
            called,
            forwarded_to,
        )

    def _start(self, line: Line, fields: Fields, now: datetime) -> Reading:
        year, month, day = fields.date
        hour, minute, second = fields.time
        if fields.marker:
            if not 1 <= hour <= _NOON:
                return Uncertain((), Reason.DATE_INVALID)
            hour = hour % _NOON + (0 if fields.marker == _FORENOON else _NOON)
            self._marked_at = line.offset
        elif hour == _NOON and self._marked_at is not None and line.offset - self._marked_at <= REWIND_BYTES:
            hour = 0
        if year:
            return self._times.civil([(year, month, day)], (hour, minute, second))
        return yearless_dates.latest(self._times, month, day, (hour, minute, second), now=now)


def _is_trunk(party: str) -> bool:
    return party[:1] in {"T", "X"}


def _direction(fields: Fields) -> Direction:
    if _is_trunk(fields.calling):
        return Direction.TRANSIT if _is_trunk(fields.called) else Direction.INBOUND
    if _is_trunk(fields.called):
        return Direction.OUTBOUND
    return Direction.INTERNAL if fields.called else Direction.UNKNOWN


def _disposition(fields: Fields, direction: Direction, talk: int) -> Disposition:
    if fields.completion == "T":
        is_outgoing = direction in {Direction.OUTBOUND, Direction.UNKNOWN}
        return Disposition.FAILED if is_outgoing else Disposition.ANSWERED
    if fields.completion:
        return _DISPOSITIONS[fields.completion]
    if fields.answer.endswith(("***", "*?*")):
        return Disposition.NO_ANSWER
    if talk > 0 and (fields.answer or direction in {Direction.INBOUND, Direction.INTERNAL}):
        return Disposition.ANSWERED
    # An outgoing trunk without answer supervision does not tell.
    return Disposition.UNKNOWN


def _ring(fields: Fields) -> int:
    seconds = fields.answer.lstrip("*")
    return int(seconds) if seconds.isdecimal() else 0


def _parties(fields: Fields, direction: Direction) -> tuple[str, str, str]:
    """Give calling, called and forwarded-to."""
    calling, called, forwarded_to = fields.calling, fields.called, ""
    dialled = fields.digits[-1] if fields.digits else ""
    if _is_trunk(calling):
        presented = fields.digits[0] if len(fields.digits) > 1 else ""
        # Where the line reports numbers and has none, it was withheld; elsewhere the trunk is all that is known.
        calling = fields.ani or presented or (calling if fields.ani is None else "anonymous")
    if direction in {Direction.OUTBOUND, Direction.TRANSIT} or not called:
        called = dialled or fields.dnis
    elif fields.speed == "F" and dialled:
        called, forwarded_to = dialled, called
    if fields.transfer in {"T", "X"} and not _is_trunk(fields.third):
        forwarded_to = fields.third
    return calling, called, forwarded_to


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(SmdrReader(context), text_lines)


DIALECT: Final = Dialect(
    name="mitel_mivb_smdr",
    description="Mitel MiVoice Business and 3300 ICP SMDR (90 to 207 characters by option set)",
    transports=("file", "tcp client, port 1752"),
    identity="none: the line, its occurrence within 64 KiB, and the year",
    inherent_loss="the PBX keeps 20,000 records (75,000 at most) and overwrites the oldest; TCP has no acknowledgement",
    manual="Mitel help, SMDR Summary of Fields Table and SMDR Extended Reporting; gabaelmer/SMDR-Miner SMDRParser.ts",
    columns=COLUMNS,
    open=_open,
)
