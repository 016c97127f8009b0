"""Dialect ``asterisk_csv``: Asterisk's ``Master.csv`` and the CSV exports of FreePBX' ``asteriskcdrdb.cdr``.

Sources: asterisk/asterisk ``cdr/cdr_csv.c``, ``configs/samples/cdr.conf.sample``; the ``cdr`` module of FreePBX.
``asterisk_layout`` says which column is what, ``local_time`` what the clock meant.

A row is (uniqueid, sequence) where both columns exist: Asterisk's own key. ``uniqueid`` alone is shared by the rows
of a queue call, so without a sequence the row is its bytes and how often they occurred just before.
It does not normalise numbers, and reads names only to see that a caller withheld the number.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.cdr.asterisk_layout import DISPOSITIONS, LAYOUTS, Fields, Layout, epoch_of, fit, header_layout
from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import seconds
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, Uncertain, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_number import is_number
from appliance.wire.call import Direction

_MAX_SURPLUS: Final = 3
"""How many commas a broken caller name may hold."""
_TRUNK_CONTEXTS: Final = ("from-trunk", "from-pstn", "from-did")
"""FreePBX' own contexts for calls that come in (freepbx/core ``extensions.conf``)."""
_NO_TARGET: Final = frozenset({"", "s"})
"""What stands for the called number where the dialplan was entered without one; the DID then names it."""
_WITHHELD_NAMES: Final = frozenset({"anonymous", "restricted", "private", "withheld"})
"""Caller names that a trunk sets where the caller withheld the number."""

COLUMNS: Final = {
    "src": "number: becomes the calling party",
    "dst": "number: becomes the called party",
    "cnum": "number: becomes the calling party where `src` is empty",
    "did": "number: becomes the called party where `dst` names none; also tells an incoming call",
    "clid": "never leaves; looked at only to see that the caller withheld the number",
    "dcontext": "never leaves; looked at only to tell an incoming call",
    "dstchannel": "never leaves; a number that a forward dials becomes the forwarded-to party",
    "start": "time: converted to UTC",
    "calldate": "time: converted to UTC",
    "answer": "time: converted to UTC",
    "end": "time: converted to UTC",
    "duration": "whole seconds",
    "billsec": "whole seconds",
    "disposition": "one of six values",
    "uniqueid": "never leaves; goes into a keyed hash, and its epoch decides what the local time meant",
    "linkedid": "never leaves; goes into a keyed hash",
    "sequence": "never leaves; goes into a keyed hash",
} | unread(
    "accountcode channel lastapp lastdata amaflags userfield peeraccount recordingfile",
    "cnam outbound_cnum outbound_cnam dst_cnam",
)
"""What becomes of each column, of whichever table."""


class AsteriskReader:
    """Reads the rows of one file in order; remembers a header in the file's head and the last 64 KiB of keys."""

    __slots__ = ("_header", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()
        self._header: Layout | None = None

    def read(self, line: Line, row: Row, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        width = len(row)
        # Columns that a layout does not have are read from this empty one.
        row.append("")
        for layout in LAYOUTS.get(width, ()) if self._header is None else self._declared(row):
            fields = fit(layout, row)
            if fields is not None:
                start = self._times.read(fields.start)
                if start is not None:
                    return self._record(line, fields, start)
        if not any(row):
            return None
        return self._exception(line, row[:-1])

    def _declared(self, row: Row) -> tuple[Layout, ...]:
        header = self._header
        surplus = len(row) - 1 - header.width if header else -1
        return (header,) if header and (surplus == 0 or (surplus == 1 and not row[-2])) else ()

    def _exception(self, line: Line, row: Row) -> Outcome:
        """Deal with a row that fits no layout as it stands: a header, a broken quote, or nothing we know."""
        header = header_layout(row)
        if header is not None:
            if line.offset < HEAD_BYTES:
                self._header = header
            return None
        for surplus in range(1, _MAX_SURPLUS + 1):
            for layout in self._layouts_of(len(row) - surplus):
                mended = _rejoin(row, layout, surplus)
                fields = fit(layout, [*mended, ""]) if mended else None
                start = self._times.read(fields.start) if fields else None
                if fields and start:
                    return self._record(line, fields, start)
        return Reason.TYPE_SIGNATURE if self._layouts_of(len(row)) else Reason.COLUMN_COUNT

    def _layouts_of(self, width: int) -> tuple[Layout, ...]:
        if self._header is None:
            return LAYOUTS.get(width, ())
        return (self._header,) if width == self._header.width else ()

    def _record(self, line: Line, fields: Fields, start: Reading) -> CallRecord | Reason:
        # Keys are counted before anything that depends on the times can refuse the row.
        natural_key, call_key, leg = self._keys(line, fields)
        span = self._span(fields, start)
        if isinstance(span, Reason):
            return span
        started_at, answered_at, ended_at = span
        calling, called, forwarded_to = fields.src, fields.dst, ""
        if not calling or called in _NO_TARGET or fields.dstchannel.startswith("Local/"):
            calling, called, forwarded_to = _parties(fields)
        inbound = fields.dcontext.startswith(_TRUNK_CONTEXTS) or (fields.did != "" and is_number(fields.did))
        total_seconds = ring_seconds = seconds(fields.duration) or 0
        if answered_at is not None:
            rung = answered_at - started_at
            ring_seconds = rung.days * 86_400 + rung.seconds
        # In the order of the record's fields: naming all of them would cost as much again.
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            ring_seconds,
            seconds(fields.billsec) or 0,
            total_seconds,
            Direction.INBOUND if inbound else Direction.UNKNOWN,
            DISPOSITIONS[fields.disposition],
            calling,
            called,
            forwarded_to,
        )

    def _keys(self, line: Line, fields: Fields) -> tuple[bytes, bytes, int]:
        """Give the natural key, the call's key and the leg's number."""
        if fields.uniqueid and fields.sequence:
            natural_key = f"us\0{fields.uniqueid}\0{fields.sequence}".encode("latin-1")
        else:
            natural_key = self._window.line_key(line)
        call = fields.linkedid or fields.uniqueid
        if not call:
            return natural_key, natural_key, 1
        call_key = b"call\0" + call.encode("latin-1")
        return natural_key, call_key, self._window.leg(call_key, line)

    def _span(self, fields: Fields, start: Reading) -> tuple[datetime, datetime | None, datetime] | Reason:
        """Give start, answer and end in UTC."""
        end = self._times.read(fields.end) if fields.end else None
        answer = self._times.read(fields.answer) if fields.answer else None
        if (fields.end and end is None) or (fields.answer and answer is None):
            return Reason.TYPE_SIGNATURE
        if isinstance(start, datetime) and isinstance(end, datetime) and not isinstance(answer, Uncertain):
            return start, answer, end
        return _settle(fields, start, answer, end)


def _settle(
    fields: Fields, start: Reading, answer: Reading | None, end: Reading | None
) -> tuple[datetime, datetime | None, datetime] | Reason:
    """Decide each uncertain time by the id's epoch or by the others, and work out those that the table lacks."""
    total, talk = timedelta(seconds=seconds(fields.duration) or 0), timedelta(seconds=seconds(fields.billsec) or 0)
    epoch = epoch_of(fields.uniqueid)
    evidence = end - total if isinstance(end, datetime) else None
    started_at = decide(start, near=evidence if epoch is None else datetime.fromtimestamp(epoch, UTC))
    if isinstance(started_at, Reason):
        return started_at
    ended_at = started_at + total if end is None else decide(end, near=started_at + total)
    if isinstance(ended_at, Reason):
        return ended_at
    if answer is not None:
        answered_at = decide(answer, near=ended_at - talk)
        return answered_at if isinstance(answered_at, Reason) else (started_at, answered_at, ended_at)
    if end is None and (talk or fields.disposition == "ANSWERED"):
        # A table without an answer column: it rang for what of the duration was not billed.
        return started_at, started_at + max(total - talk, timedelta()), ended_at
    return started_at, None, ended_at


def _parties(fields: Fields) -> tuple[str, str, str]:
    """Give calling, called and forwarded-to as written."""
    calling = fields.src or fields.cnum
    if not calling and fields.clid.partition("<")[0].strip(' "').lower() in _WITHHELD_NAMES:
        calling = "anonymous"
    called = fields.dst
    if called in _NO_TARGET and is_number(fields.did):
        called = fields.did
    forwarded_to = ""
    if fields.dstchannel.startswith("Local/"):
        target = fields.dstchannel[6:].partition("@")[0]
        if is_number(target) and target != called:
            forwarded_to = target
    return calling, called, forwarded_to


def _rejoin(row: Row, layout: Layout, surplus: int) -> Row | None:
    """Undo the cuts that commas made in a caller name with broken quotes (``""Name, X" <115>"``).

    The caller id ends in ``<number>`` and repeats the caller: pieces are joined if the last and no other ends so, and
    the number is then that of the caller's column. Anything less could shift a column.
    """
    last = layout.clid + surplus
    pieces = row[layout.clid : last + 1]
    mended = [*row[: layout.clid], ",".join(pieces), *row[last + 1 :]]
    caller = mended[layout.src : layout.src + 1]
    ends = [piece.rstrip('"').endswith(">") for piece in pieces]
    if ends == [False] * surplus + [True] and caller == [pieces[-1].rpartition("<")[2].rstrip('">')] and any(caller):
        return mended
    return None


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(AsteriskReader(context), csv_rows())


DIALECT: Final = Dialect(
    name="asterisk_csv",
    description="Asterisk Master.csv (16-21 columns) and FreePBX CDR exports (16-28 columns, header optional)",
    transports=("file",),
    identity="uniqueid and sequence; without a sequence the line and its occurrence within 64 KiB",
    inherent_loss="Asterisk drops a record over 1,024 bytes, and in batch mode those not written at a crash",
    manual="asterisk/asterisk cdr/cdr_csv.c, configs/samples/cdr.conf.sample; FreePBX table asteriskcdrdb.cdr",
    columns=COLUMNS,
    open=_open,
)
