"""Dialect ``asterisk_cel``: Asterisk's channel event log, as cel_custom writes it; the events of a channel are one leg.

A leg begins with CHAN_START and ends with CHAN_END (or LINKEDID_END where that is not logged); ANSWER and HANGUP lie
between. A channel that called has the caller's number and the extension that it dialled. One that was dialled has, as
its own number, that of the called party; its caller is that of the channel which gave the call its linked id, if that
one is still there. Without CHAN_START and CHAN_END among the logged events there are no records.

DTMF events hold digits that people typed: their lines are known to be no records, and nothing more is read of them.

Sources: asterisk/asterisk ``configs/samples/cel_custom.conf.sample``, ``cel.conf.sample``, ``main/cel.c``,
``tests/test_cel.c``, ``res/cdrel_custom/registry.c``.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from appliance.cdr.asterisk_cel_layout import (
    COLUMNS,
    SAMPLE,
    WITH_LITERAL,
    Event,
    EventLayout,
    compile_events,
    fits,
    spelled,
)
from appliance.cdr.asterisk_layout import epoch_of
from appliance.cdr.asterisk_record import NO_TARGET, TRUNK_CONTEXTS, WITHHELD_NAMES
from appliance.cdr.csv_rows import Row
from appliance.cdr.dialect import Dialect, FeedContext, LineParser
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.joined_lines import MAX_HELD_LINES, JoinedLines, Piece, Role
from appliance.cdr.line_parser import Outcome
from appliance.cdr.local_time import Reading, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.q850 import unanswered
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.rows_or_objects import Object, RowsOrObjects, named_row
from appliance.cdr.written_times import WrittenTimes
from appliance.cdr.zone_check import ZoneCheck, is_local
from appliance.errors import SettingsError
from appliance.wire.call import Direction, Disposition

_ROLES: Final = {
    "CHAN_START": Role.OPENS,
    "ANSWER": Role.ADDS,
    "HANGUP": Role.ADDS,
    "BLINDTRANSFER": Role.ADDS,
    "FORWARD": Role.ADDS,
    "CHAN_END": Role.ENDS,
    "LINKEDID_END": Role.ENDS,
}
"""The events that a leg is made of; all others are no part of one."""
_DTMF: Final = "DTMF"
_UNSAID: Final = "?"
"""Stands for a party that the log does not name: unknown, where an empty one would be withheld."""
_DIAL_STATES: Final = {
    "ANSWER": Disposition.ANSWERED,
    "BUSY": Disposition.BUSY,
    "NOANSWER": Disposition.NO_ANSWER,
    "CANCEL": Disposition.NO_ANSWER,
    "CONGESTION": Disposition.CONGESTION,
    "CHANUNAVAIL": Disposition.FAILED,
    "INVALIDARGS": Disposition.FAILED,
    "DONTCALL": Disposition.FAILED,
    "TORTURE": Disposition.FAILED,
}
"""``DIALSTATUS`` of the application Dial, which the hangup of the calling channel shows."""
_CAUSE: Final = re.compile(r'\{?"?(?:hangupcause"? ?: ?"?)?(\d{1,3})\b', re.ASCII)
_STATE: Final = re.compile(r'(?:,|"dialstatus"? ?: ?")([A-Z]{4,12})"?\}?\Z', re.ASCII)
_SENT_TO: Final = re.compile(
    r'(?:\{?"(?:extension|forward)" ?: ?")?(?:Local/)?(\+?[\d*#]{2,40})(?:["@/,]|\Z)', re.ASCII
)
_LOCAL: Final = re.compile(r"Local/(\+?\d{2,40})@", re.ASCII)


class Happening(Struct, frozen=True, gc=False):
    """An event and when it was."""

    kind: str
    at: Reading
    event: Event


class ChannelJoiner:
    """Implements ``joined_lines.Joiner`` for the events of one file."""

    __slots__ = ("_callers", "_layouts", "_times", "_window", "zone_check")

    def __init__(self, context: FeedContext, layouts: Sequence[EventLayout]) -> None:
        """Start at the beginning of a file whose rows have one of ``layouts``, until a header says otherwise."""
        self._times = WrittenTimes(context.zone, context.layout.date_order)
        self.zone_check = ZoneCheck(context.zone)
        self._layouts: tuple[EventLayout, ...] = tuple(layouts)
        self._window = OccurrenceWindow()
        self._callers: dict[str, Event] = {}

    def read(self, line: Line, content: Row | Object, now: datetime, /) -> Piece[Happening] | Outcome:  # noqa: ARG002  the date is in the row
        """See ``joined_lines.Joiner``."""
        row, layouts = content, self._layouts
        if isinstance(row, dict):
            row, layouts = named_row({spelled(name): row[name] for name in row}, Event._fields), (_JSON,)
        for layout in layouts:
            # Empty columns more than the layout has do no harm.
            if len(row) >= layout.width and not any(row[layout.width :]):
                event = layout.event(row)
                if (event.eventenum or event.eventtype) == _DTMF:
                    return None
                at = self._times.read(event.eventtime) if fits(event) else None
                if at is not None:
                    return self._piece(event, at)
        return self._exception(line, row)

    def _piece(self, event: Event, at: Reading) -> Piece[Happening] | None:
        kind = event.eventenum or event.eventtype
        role = _ROLES.get(kind)
        if role is None:
            return None
        if event.uniqueid == event.linkedid:
            self._note(kind, event)
        return Piece(event.uniqueid.encode("latin-1"), role, Happening(kind, at, event))

    def _note(self, kind: str, event: Event) -> None:
        """Remember who called, as long as that channel is there."""
        if kind == "CHAN_START":
            if len(self._callers) >= MAX_HELD_LINES:
                del self._callers[next(iter(self._callers))]
            self._callers[event.uniqueid] = event
        elif _ROLES[kind] is Role.ENDS:
            self._callers.pop(event.uniqueid, None)

    def _exception(self, line: Line, row: Row) -> Reason | None:
        """Deal with a row that fits no layout: a header, an empty line, or nothing we know."""
        header = compile_events(row)
        if header is not None and line.offset < HEAD_BYTES:
            self._layouts = (header,)
        if header is not None or not any(row):
            return None
        return Reason.TYPE_SIGNATURE if len(row) in _widths(self._layouts) else Reason.COLUMN_COUNT

    def alone(self, line: Line, happening: Happening, /) -> Outcome:
        """See ``joined_lines.Joiner``; the end of a channel whose start is not in the file is refused."""
        if happening.kind != "CHAN_END":
            return None
        self._leg(line, happening.event)
        return Reason.UNPAIRED

    def join(self, line: Line, happenings: Sequence[Happening], /) -> CallRecord | Reason:
        """See ``joined_lines.Joiner``."""
        first, last = happenings[0], happenings[-1]
        call_key, leg = self._leg(line, last.event)
        span = self._span(happenings)
        if isinstance(span, Reason):
            return span
        started_at, answered_at, ended_at = span
        calling, called = self._parties([happening.event for happening in happenings])
        sent_on = (happening.event for happening in happenings if happening.kind in {"BLINDTRANSFER", "FORWARD"})
        inbound = not _was_dialled(first.event) and first.event.context.startswith(TRUNK_CONTEXTS)
        total = _seconds(started_at, ended_at)
        return CallRecord(
            b"channel\0" + first.event.uniqueid.encode("latin-1"),
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            _seconds(started_at, answered_at) if answered_at else total,
            _seconds(answered_at, ended_at) if answered_at else 0,
            total,
            Direction.INBOUND if inbound else Direction.UNKNOWN,
            Disposition.ANSWERED if answered_at else _disposition(happenings),
            calling,
            called,
            next((match[1] for event in sent_on if (match := _SENT_TO.match(event.eventextra))), ""),
        )

    def _leg(self, line: Line, event: Event) -> tuple[bytes, int]:
        """Give the call's key and the leg's number; counted at the end of a channel, which is never held."""
        call_key = b"call\0" + (event.linkedid or event.uniqueid).encode("latin-1")
        return call_key, self._window.leg(call_key, line)

    def _span(self, happenings: Sequence[Happening]) -> tuple[datetime, datetime | None, datetime] | Reason:
        """Give start, answer and end: that of the hangup, or of the channel where none was logged."""
        first = happenings[0]
        epoch = epoch_of(first.event.uniqueid)
        near = None if epoch is None else datetime.fromtimestamp(epoch, UTC)
        if epoch is not None and isinstance(first.at, datetime) and is_local(first.event.eventtime):
            self.zone_check.note(first.at, epoch)
        times: dict[str, datetime] = {}
        for happening in happenings:
            at = decide(happening.at, near=near)
            if isinstance(at, Reason):
                return at
            near = at
            times.setdefault(happening.kind, at.replace(microsecond=0))
        ended_at = times.get("HANGUP") or times[happenings[-1].kind]
        return times[first.kind], times.get("ANSWER"), ended_at

    def _parties(self, events: Sequence[Event]) -> tuple[str, str]:
        """Give calling and called as written."""
        first = events[0]
        target = next((text for text in (first.exten, first.dnid) if text not in NO_TARGET), "")
        numbers = [event.cidnum for event in events if event.cidnum not in NO_TARGET]
        if not _was_dialled(first):
            later = (event.exten for event in events if event.exten not in NO_TARGET)
            return _caller(first, numbers), target or next(later, first.exten)
        caller = self._callers.get(first.linkedid)
        calling = _caller(caller, [caller.cidnum]) if caller else _UNSAID
        if target:
            # A local channel, which runs the dialplan for the caller.
            return first.cidnum or calling, target
        local = _LOCAL.match(first.channame)
        own = numbers[0] if numbers else local[1] if local else ""
        return calling, own or (caller.exten if caller else "") or _UNSAID


def _caller(first: Event, numbers: Sequence[str]) -> str:
    """Give the caller's number; a name alone may say that it was withheld."""
    number = next(iter(numbers), "")
    return "anonymous" if not number and first.cidname.lower() in WITHHELD_NAMES else number


def _was_dialled(first: Event) -> bool:
    """Whether a channel was made for a call that was there already."""
    return first.linkedid not in {"", first.uniqueid}


def _disposition(happenings: Sequence[Happening]) -> Disposition:
    extras = [happening.event.eventextra for happening in happenings if happening.kind == "HANGUP"]
    for extra in extras:
        state = _STATE.search(extra)
        if state and state[1] in _DIAL_STATES and state[1] != "ANSWER":
            return _DIAL_STATES[state[1]]
    return unanswered(*(cause[1] for extra in extras if (cause := _CAUSE.match(extra))))


def _seconds(start: datetime, end: datetime) -> int:
    span = end - start
    return max(0, span.days * 86_400 + span.seconds)


def _widths(layouts: Sequence[EventLayout]) -> set[int]:
    return {layout.width for layout in (*layouts, _JSON)}


def _layout(names: Sequence[str]) -> EventLayout:
    layout = compile_events(names)
    if layout is None:
        raise SettingsError(["layout.columns: eventtype (or eventenum), eventtime and uniqueid are needed"])
    return layout


_JSON: Final = _layout(Event._fields)


def _open(context: FeedContext) -> LineParser:
    names = context.layout.columns
    unknown = [name for name in names if name != "-" and spelled(name) not in COLUMNS]
    if unknown:
        raise SettingsError([f"layout.columns: {name} is none of -, {', '.join(COLUMNS)}" for name in unknown])
    joiner = ChannelJoiner(context, [_layout(columns) for columns in ([names] if names else [SAMPLE, WITH_LITERAL])])
    return JoinedLines(joiner, RowsOrObjects(context.layout.separator or ","), zone_check=joiner.zone_check)


DIALECT: Final = Dialect(
    name="asterisk_cel",
    description="Asterisk channel event log (cel_custom, or the table cel with a header): one record for each channel",
    transports=("file",),
    identity="the channel's uniqueid",
    inherent_loss="channels that are there when Asterisk stops; everything unless CHAN_START and CHAN_END are logged",
    manual="asterisk/asterisk configs/samples/cel_custom.conf.sample, cel.conf.sample, main/cel.c",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"columns", "separator", "date_order"}),
)
