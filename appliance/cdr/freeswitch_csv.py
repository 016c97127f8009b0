"""Dialect ``freeswitch_csv``: the text files that FreeSWITCH's mod_cdr_csv writes, by template.

Sources: signalwire/freeswitch ``src/mod/event_handlers/mod_cdr_csv/mod_cdr_csv.c``, ``src/switch_channel.c``.
``freeswitch_layout`` says which column is what, ``freeswitch_leg`` what the variables mean.

A row is one leg, known by its ``uuid``; one that is written again (``Master.csv`` and the account's own file, a line
that was torn when the file was rotated) is the same record. The caller's leg names the called one in ``bleg_uuid``,
and that one names no other: so the called leg's uuid is the call, unless the template says more.
"""

from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import seconds
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.freeswitch_causes import disposition_of
from appliance.cdr.freeswitch_layout import LAYOUTS, Fields, Layout, compile_layout, fit, header_layout
from appliance.cdr.freeswitch_leg import (
    Lengths,
    Moment,
    Span,
    call_of,
    direction_of,
    is_withheld,
    read_moment,
    settle,
    spanned,
)
from appliance.cdr.line_parser import EARLIEST, Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, Uncertain
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.errors import SettingsError

_SQL: Final = "INSERT INTO"
_WITHIN_MINUTE: Final = timedelta(seconds=59)
Times = tuple[Reading | None, Reading | None, Reading | None]
"""Start, answer and end as they are written."""

_IDS: Final = ("uuid", "bleg_uuid", "signal_bond", "call_uuid", "originating_leg_uuid", "originator")
COLUMNS: Final = (
    {
        "caller_id_number": "number: becomes the calling party",
        "ani": "number: becomes the calling party where there is no `caller_id_number`",
        "destination_number": "number: becomes the called party",
        "context": "never leaves; `public` tells an incoming call",
        "caller_id": "never leaves; where commas cut it apart, the number in it proves where it ends",
        "duration": "whole seconds",
        "billsec": "whole seconds",
        "hangup_cause": "one of six values",
        "direction": "never leaves; tells the leg that calls from the one that is called",
        "call_direction": "FusionPBX: inbound, outbound or internal",
        "sip_privacy": "never leaves; tells that the caller withheld the number",
        "privacy_hide_number": "never leaves; tells that the caller withheld the number",
    }
    | dict.fromkeys(("start_stamp", "answer_stamp", "end_stamp"), "time: local, converted to UTC")
    | dict.fromkeys(("start_epoch", "answer_epoch", "end_epoch"), "time: seconds, goes before the stamp")
    | dict.fromkeys(("start_uepoch", "answer_uepoch", "end_uepoch"), "time: microseconds, goes before the others")
    | dict.fromkeys(_IDS, "never leaves; goes into a keyed hash")
    | unread(
        "caller_id_name accountcode read_codec write_codec sip_user_agent call_clientcode sip_rtp_rxstat",
        "sip_rtp_txstat sofia_record_file sip_p_rtp_stat channel_name bridge_channel last_app last_arg amaflags",
        "userfield network_addr original_caller_id_name sip_gateway_name local_ip_v4 hangup_cause_q850",
    )
)
"""What becomes of each variable of the shipped templates, and of those that a template may add."""


class FreeswitchReader:
    """Reads the rows of one file in order; remembers a header in the file's head and the last 64 KiB of keys."""

    __slots__ = ("_declared", "_merged", "_times", "_window")

    def __init__(self, context: FeedContext, declared: Layout | None) -> None:
        """Start at the beginning of a file, whose columns are ``declared``, or one of the shipped templates."""
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()
        self._declared = declared
        self._merged = '"' + (context.layout.separator or ",")

    def read(self, line: Line, row: Row, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        # Columns that a layout does not have are read from this empty one.
        row.append("")
        return self._proven(line, row) or self._exception(line, row[:-1])

    def _proven(self, line: Line, row: Row) -> CallRecord | Reason | None:
        """Read a row by the first layout that it fits; None if there is none."""
        if '"' in "".join(row) and any(self._merged in column for column in row):
            # A quote in a name took in what follows it, so that other columns may stand for those it took.
            return None
        for layout in self._layouts(len(row) - 1):
            fields = fit(layout, row)
            if fields is None:
                continue
            times = self._read_epochs(fields) if layout.has_epochs else self._read_stamps(fields)
            if times is not None:
                return self._record(line, fields, times)
        return None

    def _layouts(self, width: int) -> tuple[Layout, ...]:
        if self._declared is None:
            return LAYOUTS.get(width, ())
        return (self._declared,) if width == self._declared.width else ()

    def _exception(self, line: Line, row: Row) -> Outcome:
        """Deal with a row that fits no layout as it stands: a header, another quoting, or nothing we know."""
        if not any(row):
            return None
        header = header_layout(row)
        if header is not None:
            if line.offset < HEAD_BYTES:
                self._declared = header
            return None
        for other in self._spellings(line, row):
            outcome = self._proven(line, [*other, ""])
            if outcome is not None:
                return outcome
        return Reason.TYPE_SIGNATURE if self._layouts(len(row)) else Reason.COLUMN_COUNT

    def _spellings(self, line: Line, row: Row) -> list[Row]:
        """Give the ways in which the row can be meant without any doubt."""
        widths = LAYOUTS if self._declared is None else [self._declared.width]
        found = [row[:width] for width in sorted(widths, reverse=True) if width < len(row) and not any(row[width:])]
        if row[0].lstrip().upper().startswith(_SQL):
            found.append([column.strip(" '") for column in row])
        for width in widths:
            for layout in self._layouts(width):
                mended = _rejoin(line, row, layout) if layout.caller_id > 0 and len(row) > width else None
                if mended:
                    found.append(mended)
        return found

    def _read_stamps(self, fields: Fields) -> Times | None:
        """Read start, answer and end; None if one of them is no time, or neither start nor end is there."""
        read = self._times.read
        start = read(fields.start_stamp) if fields.start_stamp else None
        answer = read(fields.answer_stamp) if fields.answer_stamp else None
        end = read(fields.end_stamp) if fields.end_stamp else None
        if (fields.start_stamp and start is None) or (fields.answer_stamp and answer is None):
            return None
        if end is None and (fields.end_stamp or start is None):
            return None
        if isinstance(answer, datetime) and answer < EARLIEST:
            # Old releases write the epoch's first second for what never came.
            answer = None
        return start, answer, end

    def _read_epochs(self, fields: Fields) -> Times | None:
        times = self._times
        start = read_moment(times, Moment(fields.start_stamp, fields.start_epoch, fields.start_uepoch))
        answer = read_moment(times, Moment(fields.answer_stamp, fields.answer_epoch, fields.answer_uepoch))
        end = read_moment(times, Moment(fields.end_stamp, fields.end_epoch, fields.end_uepoch))
        if isinstance(start, Reason) or isinstance(answer, Reason) or isinstance(end, Reason):
            return None
        return None if start is None and end is None else (start, answer, end)

    def _record(self, line: Line, fields: Fields, times: Times) -> CallRecord | Reason:
        # Keys are counted before anything that depends on the times can refuse the row.
        natural_key, call_key, leg = self._keys(line, fields)
        span = _span(fields, times)
        if isinstance(span, Reason):
            return span
        withheld = is_withheld(fields.sip_privacy, fields.privacy_hide_number)
        # In the order of the record's fields: naming all of them would cost as much again.
        return CallRecord(
            natural_key,
            call_key,
            leg,
            *span,
            direction_of(fields.call_direction, fields.context, fields.direction),
            disposition_of(fields.hangup_cause, answered=span.answered_at is not None),
            "anonymous" if withheld else fields.calling or fields.ani,
            fields.destination_number,
            "",
        )

    def _keys(self, line: Line, fields: Fields) -> tuple[bytes, bytes, int]:
        """Give the natural key, the call's key and the leg's number."""
        uuid = fields.uuid
        if not uuid:
            natural_key = self._window.line_key(line)
            return natural_key, natural_key, 1
        call = fields.bleg_uuid or uuid
        if fields.call_uuid or fields.originating_leg_uuid or fields.originator:
            call = call_of(uuid, fields.call_uuid, fields.originating_leg_uuid, fields.originator)
        elif fields.direction == "outbound" and fields.signal_bond:
            call = fields.signal_bond
        call_key = b"call\0" + call.encode("latin-1")
        return b"uuid\0" + uuid.encode("latin-1"), call_key, self._window.leg(call_key, line)


def _span(fields: Fields, times: Times) -> Span | Reason:
    start, answer, end = times
    lengths = seconds(fields.duration), seconds(fields.billsec)
    if isinstance(start, datetime) and isinstance(end, datetime) and not isinstance(answer, Uncertain):
        if fields.start_stamp.count(":") == 1 and not (fields.start_epoch or fields.start_uepoch):
            return _within_minutes(start, answer, end, lengths)
        if answer is not None or not lengths[1]:
            return spanned(start, answer, end, lengths)
    return settle(start, answer, end, lengths)


def _within_minutes(start: datetime, answer: datetime | None, end: datetime, lengths: Lengths) -> Span:
    """Give the earliest span of the right length in stamps that a spreadsheet has cut to minutes."""
    total, talk = lengths
    length = timedelta(seconds=total or 0)
    if total is None or not start - _WITHIN_MINUTE <= end - length <= start + _WITHIN_MINUTE:
        return spanned(start, answer, end, lengths)
    start = max(start, end - length)
    end = start + length
    if answer is not None or talk:
        answer = max(start, end - timedelta(seconds=talk or 0))
    return spanned(start, answer, end, lengths)


def _rejoin(line: Line, row: Row, layout: Layout) -> Row | None:
    """Undo the cuts that commas made in ``""Name, X" <number>"``, which the ``asterisk`` template writes unescaped.

    Only if what stands between the context and the next column is such a caller id, of the caller's own number, and
    no other piece ends as one: anything less could shift a column.
    """
    first = layout.caller_id
    last = first + len(row) - layout.width
    joined = ",".join(row[first : last + 1])
    if [piece.endswith('>"') for piece in row[first : last + 1]] != [False] * (last - first) + [True]:
        return None
    calling = row[layout.calling]
    written = f'"{row[first - 1]}",""{joined}'.encode("latin-1")
    if not joined.endswith(f'" <{calling}>"') or written not in line.content:
        return None
    return [*row[:first], joined, *row[last + 1 :]]


def _open(context: FeedContext) -> LineParser:
    layout = context.layout
    declared = compile_layout(layout.columns) if layout.columns else None
    if layout.columns and declared is None:
        raise SettingsError(["columns: name destination_number, caller_id_number and a time, as the template does"])
    return ReaderParser(FreeswitchReader(context, declared), csv_rows(layout.separator or ","))


DIALECT: Final = Dialect(
    name="freeswitch_csv",
    description="FreeSWITCH mod_cdr_csv: the shipped templates, a header, or the template's variables as columns",
    transports=("file",),
    identity="uuid; without one in the template the line and its occurrence within 64 KiB",
    inherent_loss="called legs unless `legs` says so, rows that a caller's name breaks, a ring time in `opencdrrate`",
    manual="signalwire/freeswitch mod_cdr_csv.c, conf/vanilla/autoload_configs/cdr_csv.conf.xml",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"columns", "separator"}),
)
