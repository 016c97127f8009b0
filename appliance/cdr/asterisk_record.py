"""From the fields of one Asterisk CDR, as text, to a record: keys, times and parties, whatever carried the fields.

A record is (uniqueid, sequence) where both exist: Asterisk's own key. ``uniqueid`` alone is shared by the rows of a
queue call, so without a sequence it is the line's bytes and how often they occurred just before.
It does not normalise numbers, and reads names only to see that a caller withheld the number.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from appliance.cdr.asterisk_layout import DISPOSITIONS, Fields, epoch_of
from appliance.cdr.dialect import unread
from appliance.cdr.durations import USUAL_SECONDS, seconds
from appliance.cdr.local_time import Reading, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_number import is_number
from appliance.cdr.zone_check import ZoneCheck, is_local
from appliance.wire.call import Direction

TRUNK_CONTEXTS: Final = ("from-trunk", "from-pstn", "from-did")
"""FreePBX' own contexts for calls that come in (freepbx/core ``extensions.conf``)."""
NO_TARGET: Final = frozenset({"", "s"})
"""What stands for the called number where the dialplan was entered without one; the DID then names it."""
WITHHELD_NAMES: Final = frozenset({"anonymous", "restricted", "private", "withheld"})
"""Caller names that a trunk sets where the caller withheld the number."""
_ALL_SAMPLED: Final = 64
"""So many records at the start of a file are all compared with their epoch, then one in so many."""

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


class Times(Protocol):
    """What reads a time as text; ``LocalTimes`` is one."""

    def read(self, text: str, /) -> Reading | None:
        """Give the instant, or what the text leaves open; None if it is no time at all."""
        ...


class AsteriskRecords:
    """Makes the records of one file in order; remembers the last 64 KiB of keys."""

    __slots__ = ("_made", "_times", "_window", "zone_check")

    def __init__(self, times: Times, zone_check: ZoneCheck) -> None:
        """Start at the beginning of a file."""
        self._times = times
        self.zone_check = zone_check
        self._window = OccurrenceWindow()
        self._made = 0

    def make(self, line: Line, fields: Fields, start: Reading) -> CallRecord | Reason:
        """Make the record of ``fields``, whose types are known to fit and whose start was read."""
        # Keys are counted before anything that depends on the times can refuse the row.
        natural_key, call_key, leg = self._keys(line, fields)
        span = self._span(fields, start)
        if isinstance(span, Reason):
            return span
        started_at, answered_at, ended_at = span
        made = self._made = self._made + 1
        if made <= _ALL_SAMPLED or not made % _ALL_SAMPLED:
            self._sample(fields, start, started_at)
        # Unpacked at once, and the usual durations from their table: names and calls cost more than the rest.
        calling, called, dcontext, _, dstchannel, _, _, _, duration, billsec, disposition, _, did, *_ = fields
        forwarded_to = ""
        if not calling or called in NO_TARGET or dstchannel.startswith("Local/"):
            calling, called, forwarded_to = _parties(fields)
        inbound = dcontext.startswith(TRUNK_CONTEXTS) or (did != "" and is_number(did))
        total_seconds = ring_seconds = USUAL_SECONDS.get(duration) or seconds(duration) or 0
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
            USUAL_SECONDS.get(billsec) or seconds(billsec) or 0,
            total_seconds,
            Direction.INBOUND if inbound else Direction.UNKNOWN,
            DISPOSITIONS[disposition],
            calling,
            called,
            forwarded_to,
        )

    def _sample(self, fields: Fields, start: Reading, started_at: datetime) -> None:
        """Compare a time with the id's epoch, unless it was the epoch that decided between two hours."""
        epoch = epoch_of(fields.uniqueid)
        is_read_in_zone = isinstance(start, datetime) or start.reason is Reason.DATE_AMBIGUOUS
        if epoch is not None and is_read_in_zone and is_local(fields.start):
            self.zone_check.note(started_at, epoch)

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
        if isinstance(start, datetime) and isinstance(end, datetime):
            if isinstance(answer, datetime):
                return start, answer, end
            if answer is None and fields.billsec == "0" and fields.disposition != "ANSWERED":
                return start, None, end
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
    if talk or fields.disposition == "ANSWERED":
        # A table without an answer column: it rang for what was not billed.
        return started_at, max(started_at, ended_at - talk), ended_at
    return started_at, None, ended_at


def _parties(fields: Fields) -> tuple[str, str, str]:
    """Give calling, called and forwarded-to as written."""
    calling = fields.src or fields.cnum
    if not calling and fields.clid.partition("<")[0].strip(' "').lower() in WITHHELD_NAMES:
        calling = "anonymous"
    called = fields.dst
    if called in NO_TARGET and is_number(fields.did):
        called = fields.did
    forwarded_to = ""
    if fields.dstchannel.startswith("Local/"):
        target = fields.dstchannel[6:].partition("@")[0]
        if is_number(target) and target != called:
            forwarded_to = target
    return calling, called, forwarded_to
