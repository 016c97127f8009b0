"""Dialect ``nec_sv``: SMDR of NEC SV9300, SV9500, SV8500, SV8300 and NEAX 2400.

Sources: NEAX 2400 IMX manual NDA-24238, 7.1; zombat/NEC-SMDR-Collector. ``nec_frames`` cuts the records, ``nec_layout``
says which part is what.

- A PBX that gets no acknowledgement sends a record again, byte for byte: the record's bytes are its identity. Two calls
  that are equal in trunk or station and in all their times cannot both have been.
- Start is when the call was answered or charging began; newer releases also write when a trunk call came in (tag 19).
- A call that goes out from a trunk (party 2) passes through the PBX: its caller is who was presented, not the trunk.
- Account and authorization codes are secrets; they are stepped over.
"""

from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.documents import documents
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, decide
from appliance.cdr.nec_frames import nec_framer, payload
from appliance.cdr.nec_layout import INCOMING, INTERNAL, TRUNK, NecCall, read_fields
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_number import UNNUMBERED, WITHHELD
from appliance.cdr.yearless_dates import latest
from appliance.wire.call import Direction, Disposition

_LONGEST_RECORD: Final = 1024
_WITH_YEAR: Final = len("YYYYMMDDHHMMSSmmm")
_WITHOUT_YEAR: Final = len("MMDDHHMMSS")
_LONGEST_RING: Final = timedelta(hours=1)
_NUMBER: Final = frozenset("0123456789*#")

COLUMNS: Final = {
    "type": "gives the direction",
    "calling_party": "number: becomes the calling party, but for consoles and trunks",
    "calling_telephone": "number: becomes the calling party",
    "called_party": "number: becomes the called party, but for consoles",
    "called_telephone": "number: becomes the called party",
    "dial_code": "number: becomes the called party where no station took the call",
    "calling_number": "number: becomes the calling party of an incoming call, if the caller did not withhold it",
    "start": "time: converted to UTC",
    "end": "time: converted to UTC",
    "trunk_call_received": "time: when it began to ring",
    "condition_b": "whether the call was forwarded",
} | unread(
    "trunk tenant account_code authorization_code alternate_routing office_code metering condition_c condition_d",
    "charge attendant department_code converted_number ma_id device sequence",
)
"""What becomes of each part."""


class NecReader:
    """Reads the documents of one file; remembers none."""

    __slots__ = ("_times",)

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._times = LocalTimes(context.zone)

    def read(self, line: Line, content: bytes, now: datetime, /) -> Outcome:  # noqa: ARG002  it is in the content
        """See ``line_parser.Reader``."""
        record = payload(content)
        if not isinstance(record, bytes):
            return record
        if len(record) > _LONGEST_RECORD:
            return Reason.LINE_TOO_LONG
        call = read_fields(record.decode("latin-1"))
        if call is None or not _are_numbers(call):
            return Reason.TYPE_SIGNATURE
        start, end = self._read(call.start, now), self._read(call.end, now)
        if start is None or end is None:
            return Reason.TYPE_SIGNATURE
        return self._record(record, call, start, end)

    def _record(self, record: bytes, call: NecCall, start: Reading, end: Reading) -> CallRecord | Reason:
        talked_from = decide(start, near=end if isinstance(end, datetime) else None)
        if isinstance(talked_from, QuarantineReason):
            return talked_from
        ended_at = decide(end, near=talked_from)
        if isinstance(ended_at, QuarantineReason):
            return ended_at
        ring = self._ring(call.received, talked_from)
        started_at = talked_from - ring
        is_answered = ended_at > talked_from
        natural_key = b"nec\0" + record.rstrip()
        direction, calling, called = _parties(call)
        return CallRecord(
            natural_key,
            natural_key,
            1,
            started_at,
            talked_from if is_answered else None,
            ended_at,
            _seconds(ring),
            _seconds(ended_at - talked_from),
            _seconds(ended_at - started_at),
            direction,
            Disposition.ANSWERED if is_answered else Disposition.NO_ANSWER,
            calling,
            called,
            called if call.is_forwarded else "",
        )

    def _ring(self, received: str, answered_at: datetime) -> timedelta:
        """Give how long a trunk call rang; nothing where the PBX does not write it, or writes something else."""
        reading = self._read(received, answered_at) if len(received) == _WITH_YEAR else None
        moment = decide(reading, near=answered_at) if reading else None
        if isinstance(moment, datetime) and timedelta() <= answered_at - moment <= _LONGEST_RING:
            return answered_at - moment
        return timedelta()

    def _read(self, text: str, now: datetime) -> Reading | None:
        if not (text.isascii() and text.isdecimal()):
            return None
        if len(text) == _WITHOUT_YEAR:
            month, day, *time = (int(text[place : place + 2]) for place in range(0, _WITHOUT_YEAR, 2))
            return latest(self._times, month, day, (time[0], time[1], time[2]), now=now)
        if len(text) != _WITH_YEAR:
            return None
        # The milliseconds are left out: durations are whole seconds, and start and they make the end.
        return self._times.read(f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]}")


def _seconds(span: timedelta) -> int:
    return max(0, span.days * 86_400 + span.seconds)


def _are_numbers(call: NecCall) -> bool:
    """Whether what stands for a number has nothing but what can be dialled."""
    return _NUMBER.issuperset(call.calling + call.called + call.dialled + call.presented)


def _parties(call: NecCall) -> tuple[Direction, str, str]:
    """Give the direction, calling and called."""
    if call.kind in INTERNAL:
        return Direction.INTERNAL, call.calling or UNNUMBERED, call.called or call.dialled
    if call.kind in INCOMING:
        return Direction.INBOUND, call.presented or WITHHELD, call.called or call.dialled
    if call.party == TRUNK:
        return Direction.TRANSIT, call.presented or UNNUMBERED, call.dialled
    return Direction.OUTBOUND, call.calling or UNNUMBERED, call.dialled


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(NecReader(context), documents)


DIALECT: Final = Dialect(
    name="nec_sv",
    description="NEC SV9300, SV9500, SV8500, SV8300, NEAX 2400: SMDR records KA KB KE KH KI KJ KK KL KM",
    transports=("file", "tcp pull"),
    identity="the record's bytes; a PBX that resends one sends the same",
    inherent_loss="the PBX overwrites its oldest records while nobody fetches them",
    manual="NEC NEAX 2400 IMX NDA-24238 7.1; zombat/NEC-SMDR-Collector parse-nec-smdr.js",
    columns=COLUMNS,
    open=_open,
    framer=nec_framer,
)
