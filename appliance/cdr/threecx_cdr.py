"""Dialect ``threecx_cdr``: the CDR lines that 3CX (v12 to v20) writes to a file or a socket, one for each call.

``threecx_layout`` says which column is what. Times are UTC, whatever the console shows. ``duration`` is the answered
part; a call that nobody answered has no ``time-answered``.
A line is (historyid, callid) where both columns exist, else its bytes and how often they occurred just before.
A call that was transferred, forwarded or taken from a queue ends at ``final-number``; without that column, at the end
of a chain of three or more. Names are never looked at.

Sources: 3cx.com/docs/cdr-call-data-records; dorel14/3CX-Cdr-Server (real lines, issues 16 and 59 on names and UTC).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import between
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import Uncertain
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.threecx_layout import (
    CHAIN,
    LAYOUTS,
    UNTOLD,
    Fields,
    Layout,
    chain_of,
    declared_layout,
    fit_any,
    header_layout,
    inferred_layout,
    line_text,
)
from appliance.cdr.threecx_words import direction_between, is_inside, unanswered_disposition
from appliance.cdr.written_times import WrittenTimes, written_seconds
from appliance.wire.call import Direction, Disposition

_EXTENSION: Final = "Ext."
_FORWARDED_CHAIN: Final = 3
_FEWEST: Final = 4
_MOST: Final = 40
"""So many columns may be a line of 3CX; anything else is a stranger's who found the port."""

COLUMNS: Final = {
    "historyid": "never leaves; goes into a keyed hash",
    "callid": "never leaves; goes into a keyed hash",
    "duration": "duration of the answered part",
    "time-start": "time: UTC",
    "time-answered": "time: UTC; empty if nobody answered",
    "time-end": "time: UTC",
    "reason-terminated": "never leaves; tells busy and failed calls",
    "from-no": "number: becomes the calling party",
    "to-no": "number: becomes the called party",
    "from-dn": "number: becomes the calling party where `from-no` is not there",
    "to-dn": "number: becomes the called party where neither `to-no` nor `dial-no` is there",
    "dial-no": "number: becomes the called party where `to-no` is none (`EndCall`)",
    "final-number": "number: becomes the forwarded-to party",
    "chain": "never leaves; its last number becomes the forwarded-to party where `final-number` is not there",
    "from-type": "never leaves; tells the direction",
    "to-type": "never leaves; tells the direction",
} | unread(
    "reason-changed final-dn bill-code bill-rate bill-cost bill-name final-type",
    "from-dispname to-dispname final-dispname missed-queue-calls",
)


class ThreecxReader:
    """Reads the lines of one file in order; remembers a layout that the file's head shows, and 64 KiB of keys."""

    __slots__ = ("_declared", "_layouts", "_learning", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file.

        Raises:
            SettingsError: the declared columns make no sense.
        """
        names = context.layout.columns
        self._declared = bool(names)
        self._layouts: tuple[Layout, ...] = (declared_layout(names),) if names else LAYOUTS
        self._learning = not names
        self._times = WrittenTimes(UTC, None)
        self._window = OccurrenceWindow()

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the line
        """See ``line_parser.Reader``."""
        text = line_text(text)
        fields = fit_any(text, self._layouts) or self._learnt(line, text)
        if fields is not None:
            # What a line of the head fits is the file's layout: nothing else is sought.
            self._learning &= line.offset >= HEAD_BYTES
            return Reason.TYPE_SIGNATURE if _is_swapped(fields) else self._record(line, fields)
        if not text.strip(", ") or self._is_header(line, text):
            return None
        width = text.count(",") + 1
        if self._declared:
            return Reason.COLUMN_COUNT if width != len(self._layouts[0].names) else Reason.TYPE_SIGNATURE
        return Reason.TYPE_SIGNATURE if _FEWEST <= width <= _MOST else Reason.COLUMN_COUNT

    def _is_header(self, line: Line, text: str) -> bool:
        header = header_layout(text)
        if header is not None and not self._declared and line.offset < HEAD_BYTES:
            self._layouts, self._learning = (header,), False
        return header is not None

    def _learnt(self, line: Line, text: str) -> Fields | None:
        """Infer the layout from a line in the file's head, and keep it, unless one is known."""
        if not self._learning or line.offset >= HEAD_BYTES or text.count(",") >= _MOST:
            return None
        layout = inferred_layout(text, self._times)
        if layout is None:
            return None
        self._layouts = (*LAYOUTS, layout)
        return layout.fit(text)

    def _record(self, line: Line, fields: Fields) -> CallRecord | Reason:
        # Keys are counted before anything that depends on the times can refuse the row.
        natural_key, call_key, leg = self._keys(line, fields)
        span = self._span(fields)
        if isinstance(span, Reason):
            return span
        started_at, answered_at, ended_at = span
        calling, called, forwarded_to = _parties(fields)
        talk = written_seconds(fields.duration) if answered_at is not None else 0
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            max(between(started_at, answered_at or ended_at), 0),
            max(between(answered_at or ended_at, ended_at), 0) if talk is None else talk,
            between(started_at, ended_at),
            _direction(fields),
            Disposition.ANSWERED if answered_at is not None else unanswered_disposition(fields.terminated),
            calling,
            called,
            forwarded_to,
        )

    def _keys(self, line: Line, fields: Fields) -> tuple[bytes, bytes, int]:
        """Give the natural key, the call's key and the leg's number."""
        if fields.historyid and fields.callid:
            natural_key = f"3cx\0{fields.historyid}\0{fields.callid}".encode("latin-1")
        else:
            natural_key = self._window.line_key(line)
        call = fields.historyid or fields.callid
        if not call:
            return natural_key, natural_key, 1
        call_key = b"call\0" + call.encode("latin-1")
        return natural_key, call_key, self._window.leg(call_key, line)

    def _span(self, fields: Fields) -> tuple[datetime, datetime | None, datetime] | Reason:
        """Give start, answer and end."""
        read = self._times.read
        talk = timedelta(seconds=written_seconds(fields.duration) or 0)
        start, answer = read(fields.start), read(fields.answered)
        if not isinstance(start, datetime) or isinstance(answer, Uncertain):
            return Reason.DATE_INVALID
        end = read(fields.end) if fields.end else (answer or start) + talk
        if not isinstance(end, datetime):
            return Reason.DATE_INVALID
        if fields.answered == UNTOLD and talk:
            answer = end - talk
        return start, answer, end


def _parties(fields: Fields) -> tuple[str, str, str]:
    """Give calling, called and forwarded-to as written."""
    calling, forwarded_to = fields.from_no, fields.final_number
    called = next(filter(_names_a_number, (fields.to_no, fields.dial_no)), fields.to_no)
    if not forwarded_to:
        forwarded_to = "".join(chain_of(fields.chain)[_FORWARDED_CHAIN - 1 :][-1:])
    known = _names_a_number(forwarded_to) and forwarded_to not in {called, calling}
    return calling, called, forwarded_to if known else ""


def _names_a_number(text: str) -> bool:
    """Say whether it is one that can be called: not ``EndCall``, nor ``PickupExt.125``, which names who rang."""
    return text.startswith((_EXTENSION, *"0123456789+*#"))


def _direction(fields: Fields) -> Direction:
    """Tell by the types, or by ``Ext.`` before the numbers of extensions."""
    told = direction_between(is_inside(fields.from_type), is_inside(fields.to_type))
    if told is not Direction.UNKNOWN or not (_names_a_number(fields.from_no) and _names_a_number(fields.to_no)):
        return told
    inside = fields.from_no.startswith(_EXTENSION), fields.to_no.startswith(_EXTENSION)
    return direction_between(*inside) if any(inside) else told


def _is_swapped(fields: Fields) -> bool:
    """Say whether the line contradicts the layout: its chain says who called whom."""
    chain = fields.chain.removeprefix(CHAIN).lstrip()
    return (
        bool(fields.from_no and fields.to_no)
        and not chain.startswith(fields.from_no)
        and (chain_of(chain)[:1] == [fields.to_no])
    )


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(ThreecxReader(context), text_lines)


DIALECT: Final = Dialect(
    name="threecx_cdr",
    description="3CX CDR lines (file or socket, v12 to v20): 3CX' own columns, or those declared",
    transports=("file", "tcp push", "tcp pull"),
    identity="historyid and callid; without both the line and its occurrence within 64 KiB",
    inherent_loss="A socket has no acknowledgement: what 3CX writes while nobody listens is lost",
    manual="3cx.com/docs/cdr-call-data-records; dorel14/3CX-Cdr-Server",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"columns"}),
)
