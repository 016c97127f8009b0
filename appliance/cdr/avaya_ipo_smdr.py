"""Dialect ``avaya_ipo_smdr``: the SMDR output of Avaya IP Office, and the files of its older Delta Server.

Sources: Avaya Branch Gateway Manager 10.0  pp. 851-856; IP Office 3.0 and 4.0 SMDR (Delta Server); the page
"SMDR Fields" of IP Office R12.3 (documentation.avaya.com).

A row is one segment of a call; all segments of a call carry its Call ID and the time at which the call, not the
segment, began. So the end of a later segment is that start plus the segment's own length: lengths are right, the time
of day of a later segment's answer and end is not. Call IDs begin again after a reboot; with the start they are unique.
A forward that "Call Splitting for Diverts" splits off has a start of its own, and so is a call of its own.

Nothing is quoted by the PBX, because no field holds a comma. Where one does all the same (a name), devices and
numbers do not stand in their columns, and the row is refused.
"""

import re
from datetime import timedelta
from typing import Final

from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.date_order import DateOrder
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import clock_seconds, seconds
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

COLUMNS: Final = {
    "call_start": "time: converted to UTC",
    "connected_time": "whole seconds",
    "ring_time": "whole seconds",
    "caller": "number: becomes the calling party",
    "direction": "one of two values",
    "called_number": "number: becomes the called party",
    "dialled_number": "number: becomes the called party where the called number is empty",
    "is_internal": "tells an internal call",
    "call_id": "never leaves; goes into a keyed hash with the start",
    "continuation": "never leaves; goes into a keyed hash",
    "party1device": "never leaves; names the calling extension where the caller of an outgoing call is empty",
    "party2device": "never leaves; goes into a keyed hash",
    "hold_time": "whole seconds, part of the total",
    "park_time": "whole seconds, part of the total",
    "external_targeted_number": "number: becomes the forwarded-to party",
} | unread(
    "account party1name party2name auth_valid auth_code user_charged call_charge currency amount_at_last_user_change",
    "call_units units_at_last_user_change cost_per_unit mark_up external_targeting_cause external_targeter_id",
    "calling_party_server_ip unique_call_id_caller called_party_server_ip unique_call_id_called smdr_record_time",
    "caller_consent_directive calling_number_verification",
)

_READ: Final = 17
"""Columns up to the park time, which every release has."""
_AUTH_VALID: Final = 17
_TARGETED: Final = 29
_RECORD_TIME: Final = 34
_WIDTHS: Final = frozenset({17, 19, 27, 30, 35, 37})
"""To the park time (3.0), authorization code, mark-up (4.0), targeted number (to R10), record time (R11), and R11.1."""
_DOUBTFUL: Final = frozenset({18, 19, 20, 28, 31, 36, 37, 38})
"""Widths that a shorter layout can have with a comma or two in a name, if no record time stands in its place."""
_SIGNATURE: Final = re.compile(r"[IO]\|[01I]\|\d{1,20}\|[01]\|(?:[ETVU]\d{1,15})?\|(?:[ETVU]\d{1,15})?", re.ASCII)
"""Direction, internal (the manual's own example prints an I for a 1), Call ID, continuation, and two devices."""
_NUMBER: Final = re.compile(r"[+*#\d]{0,40}|[^ @]{1,80}@[^ @]{1,80}", re.ASCII)
"""A targeted number, digits or a SIP address: beside it stands the name of a user or group."""
_TIMED: Final = re.compile(r"(?:\d{4}/\d\d/\d\d \d\d:\d\d(?::\d\d)?)?", re.ASCII)
_SPREADSHEET: Final = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}) (\d\d?):(\d\d)(?::(\d\d))?", re.ASCII)
"""What becomes of the start where a file went through one."""
_HEADERS: Final = ("call start", "callstart")
_WITHOUT_SECONDS: Final = len("2026/10/19 08:00")


class SmdrReader:
    """Reads the rows of one file in order; remembers the last 64 KiB of keys."""

    __slots__ = ("_order", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._order = DateOrder(context)
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()

    def read(self, line: Line, row: Row, now: object, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        lengths = _lengths(row)
        if lengths is None:
            row = [cell.strip() for cell in row]
            lengths = _lengths(row)
        start = self._start(line, row[0]) if lengths else None
        if lengths is not None and start is not None:
            return self._record(line, row, lengths, start)
        return _exception(row)

    def _start(self, line: Line, text: str) -> Reading | None:
        """Read ``YYYY/MM/DD HH:MM:SS``; some of the manual's own examples stop at the minute."""
        if match := _SPREADSHEET.fullmatch(text):
            first, second, year, hour, minute, rest = (int(group or 0) for group in match.groups())
            return self._times.civil(self._order.read(line, first, second, year), (hour, minute, rest))
        if _TIMED.fullmatch(text):
            text = text.replace("/", "-") + (":00" if len(text) == _WITHOUT_SECONDS else "")
        return self._times.read(text)

    def _record(self, line: Line, row: Row, lengths: tuple[int, int, int], start: Reading) -> CallRecord | Reason:
        natural_key, call_key, leg = self._keys(line, row)
        started_at = decide(start, near=None)
        if isinstance(started_at, Reason):
            return started_at
        talk, ring, held = lengths
        # Only a call that was answered can be held or parked.
        answered = talk or held
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            started_at + timedelta(seconds=ring) if answered else None,
            started_at + timedelta(seconds=ring + talk + held),
            ring,
            talk,
            ring + talk + held,
            _direction(row),
            _disposition(answered=bool(answered), ring=ring),
            row[3] or _unnamed_caller(row),
            row[5] or row[6],
            row[_TARGETED] if len(row) > _TARGETED else "",
        )

    def _keys(self, line: Line, row: Row) -> tuple[bytes, bytes, int]:
        """Give the natural key, the call's key and the leg's number."""
        call_key = f"call\0{row[9]}\0{row[0]}".encode("latin-1")
        # Two segments can agree in Call ID, continuation and parties: a call that came back from a consultation.
        segment = "\0".join((*row[1:7], *row[10:12], row[13], *row[15:_READ])).encode("latin-1")
        natural_key = b"%b\0%b" % (call_key, segment)
        occurrence = self._window.count(natural_key, offset=line.offset)
        return b"%b\0%d" % (natural_key, occurrence), call_key, self._window.leg(call_key, line)


def _lengths(row: Row) -> tuple[int, int, int] | None:
    """Give connected, ring, and held with parked seconds; None unless each column of a certain type has it."""
    width = len(row)
    if width not in _WIDTHS and (width - 1 not in _WIDTHS or row[-1]):
        return None
    has_record_time = width > _RECORD_TIME and row[_RECORD_TIME] != ""
    if width in _DOUBTFUL and not has_record_time and not _is_certain(row):
        return None
    signature = f"{row[4]}|{row[8]}|{row[9]}|{row[10]}|{row[11]}|{row[13]}"
    talk, ring, hold, park = clock_seconds(row[1]), seconds(row[2]), seconds(row[15]), seconds(row[16])
    if talk is None or ring is None or hold is None or park is None or not _SIGNATURE.fullmatch(signature):
        return None
    if width > _TARGETED and not _NUMBER.fullmatch(row[_TARGETED]):
        return None
    if width > _RECORD_TIME and not _TIMED.fullmatch(row[_RECORD_TIME]):
        return None
    return talk, ring, hold + park


def _is_certain(row: Row) -> bool:
    """Tell columns that are more (the manual's examples have an empty one) from commas in a name before the hold time.

    Such a comma would put the park time where it says whether a code was valid, and that where the code stands.
    """
    valid, code = row[_AUTH_VALID], row[_AUTH_VALID + 1] if len(row) > _AUTH_VALID + 1 else ""
    return not valid + code or (valid in {"0", "1"} and code not in {"", "0", "1"})


def _exception(row: Row) -> Reason | None:
    """Deal with a row that is no record as it stands: a header, an empty line, or nothing we know."""
    if not any(row) or row[0].strip().lower().startswith(_HEADERS):
        return None
    known = len(row) in _WIDTHS or len(row) - 1 in _WIDTHS
    return Reason.TYPE_SIGNATURE if known else Reason.COLUMN_COUNT


def _direction(row: Row) -> Direction:
    if row[8] != "0":
        return Direction.INTERNAL
    return Direction.INBOUND if row[4] == "I" else Direction.OUTBOUND


def _disposition(*, answered: bool, ring: int) -> Disposition:
    """Without a talk the PBX says only "lost or failed"; it was not answered if it rang, and may have failed if not."""
    if answered:
        return Disposition.ANSWERED
    return Disposition.NO_ANSWER if ring else Disposition.UNKNOWN


def _unnamed_caller(row: Row) -> str:
    """Give the caller where the column is empty: withheld if it came in, else the first device (in a conference)."""
    device = row[11]
    if row[4] == "I":
        return "anonymous"
    return device.removeprefix("E")


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(SmdrReader(context), csv_rows())


DIALECT: Final = Dialect(
    name="avaya_ipo_smdr",
    description="Avaya IP Office SMDR (30 columns, R11 35 and 37) and Delta Server files (17 to 27, header optional)",
    transports=("file", "tcp push"),
    identity="Call ID, start, continuation, parties and times of the segment, and its occurrence within 64 KiB",
    inherent_loss="IP Office buffers 500 to 3,000 records while nothing listens, then drops the oldest; UDP loses more",
    manual="Avaya Branch Gateway Manager 10.0  pp. 851-856; IP Office R12.3 SMDR Fields",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"date_order"}),
)
