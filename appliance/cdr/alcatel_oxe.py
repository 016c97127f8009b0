"""Dialect ``alcatel_oxe``: accounting tickets of Alcatel-Lucent OmniPCX Enterprise, from ``TAX*.DAT`` or Ethernet.

Source: Jeepers-Gitters/OXE_EAcc (field map ``ED5.2.txt``, ``call_types.txt``, one ticket in ``fix2csv.ps1``). No file
of real tickets was found: what is not in these sources is not relied on. ``alcatel_ticket`` cuts tickets and fields.

- A ticket shows the end, the seconds that were talked and those that it rang before. Its start is either of both
  beginnings, by edition: the earlier of the start and of the end without all seconds is when the call began.
- The call type says who called whom. Charged is the site's own extension; called or calling is the other party. Of
  calls within the private network the type does not say enough: the parties do.
- A redirected call was dialled to the initial number, and taken by the party that the ticket is of.
- Tickets of one call share a reference, which counts within a node and comes round again: with the day, it is the call.
- The offsets of nodes are not applied; their unit is not known. Every node is expected to write the site's time.
"""

from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.alcatel_ticket import ED_5_2, Ticket, header_edition, oxe_framer, read_ticket, ticket_text
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.documents import documents
from appliance.cdr.durations import seconds
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import LocalTimes, Reading, Uncertain, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_number import UNNUMBERED, WITHHELD
from appliance.wire.call import Direction, Disposition

_OUTGOING: Final = frozenset({"0", "1", "7", "11"})
"""To the public network, directly or through the private one."""
_INCOMING: Final = frozenset({"4", "5", "9", "12"})
_LOCAL: Final = frozenset({"3", "14"})
_TAKEN: Final = _INCOMING | {"10", "13"}
"""Of these the charged extension is the one that was called."""
_MADE: Final = _OUTGOING | {"8"}
"""Of these it is the one that called."""
_NO: Final = frozenset({"", "0"})
_NUMBER: Final = frozenset("0123456789*#+?xX.")
_HIDDEN: Final = frozenset("?xX.")
_STAMP: Final = len("YYYYMMDD HH:MM:SS")
_HEADER: Final = "#"

COLUMNS: Final = {
    "CalledNumber": "number: becomes the called party of an outgoing or internal call",
    "ChargedNumber": "number: becomes the calling party of an outgoing call, the called one of an incoming",
    "CallingNumber": "number: becomes the calling party of an incoming or internal call",
    "InitialDialledNumber": "number: becomes the called party of a redirected call",
    "CallType": "the direction",
    "EndDateTime": "time: converted to UTC",
    "StartDateTime": "time: converted to UTC",
    "Duration": "whole seconds",
    "WaitingDuration": "whole seconds",
    "RedirectedCallIndicator": "whether the call was forwarded",
    "CallReference": "never leaves; goes into a keyed hash",
    "ChargedPartyNode": "never leaves; goes into a keyed hash",
} | unread(
    "TicketVersion ChargedUserName ChargedCostCenter ChargedCompany Subaddress CostType ChargeUnits CostInfo",
    "TrunkIdentity TrunkGroupIdentity TrunkNode PersonalOrBusiness AccessCode SpecificChargeInfo BearerCapability",
    "HighLevelComp DataVolume UserToUserVolume ExternalFacilities InternalFacilities SegmentsRate1 SegmentsRate2",
    "SegmentsRate3 ComType X25IncomingFlowRate X25OutgoingFlowRate Carrier EffectiveCallDuration",
    "ActingExtensionNumber CalledNumberNode CallingNumberNode InitialDialledNumberNode ActingExtensionNumberNode",
    "TransitTrunkGroupIdentity NodeTimeOffset TimeDlt",
)
"""What becomes of each field."""


class OxeReader:
    """Reads the documents of one file in order; remembers a header in the file's head and the last 64 KiB of keys."""

    __slots__ = ("_edition", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._edition = ED_5_2
        self._times = LocalTimes(context.zone)
        self._window = OccurrenceWindow()

    def read(self, line: Line, content: bytes, now: datetime, /) -> Outcome:  # noqa: ARG002  it is in the ticket
        """See ``line_parser.Reader``."""
        text = ticket_text(content)
        if text is None or isinstance(text, QuarantineReason):
            return text
        if text.startswith(_HEADER):
            if line.offset < HEAD_BYTES:
                self._edition = header_edition(text) or self._edition
            return None
        ticket = read_ticket(text, self._edition)
        if ticket is None:
            return Reason.COLUMN_COUNT
        end = self._read(ticket.end)
        talked, waited = seconds(ticket.duration), seconds(ticket.waiting or "0")
        if end is None or talked is None or waited is None or not _fits(ticket):
            return Reason.TYPE_SIGNATURE
        return self._record(line, text, ticket, end, timedelta(seconds=talked), timedelta(seconds=waited))

    def _record(
        self, line: Line, text: str, ticket: Ticket, end: Reading, talked: timedelta, waited: timedelta, /
    ) -> CallRecord | Reason:
        natural_key, call_key, leg = self._keys(line, text, ticket)
        span = self._span(ticket.start, end, talked + waited)
        if isinstance(span, QuarantineReason):
            return span
        started_at, ended_at = span
        rang = ended_at - started_at - talked
        direction, calling, called, forwarded_to = _parties(ticket)
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            ended_at - talked if talked else None,
            ended_at,
            _whole(rang),
            _whole(talked),
            _whole(rang + talked),
            direction,
            Disposition.ANSWERED if talked else Disposition.NO_ANSWER,
            calling,
            called,
            forwarded_to,
        )

    def _keys(self, line: Line, text: str, ticket: Ticket) -> tuple[bytes, bytes, int]:
        """Give the natural key, the call's key and the leg's number."""
        key = b"oxe\0" + text.rstrip().encode("latin-1")
        natural_key = b"%b\0%d" % (key, self._window.count(key, offset=line.offset))
        if ticket.reference in _NO:
            return natural_key, natural_key, 1
        day = (ticket.start or ticket.end)[:8]
        call_key = f"call\0{ticket.node}\0{ticket.reference}\0{day}".encode("latin-1")
        return natural_key, call_key, self._window.leg(call_key, line)

    def _span(self, start_text: str, end: Reading, lasted: timedelta) -> tuple[datetime, datetime] | Reason:
        """Give start and end in UTC, each deciding the other where the clock was set."""
        start = self._read(start_text)
        if start is None and start_text not in _NO:
            return Reason.TYPE_SIGNATURE
        ended_at = decide(end, near=_end_by(start, end, lasted) if start else None)
        if isinstance(ended_at, QuarantineReason):
            return ended_at
        started_at = decide(start, near=ended_at - lasted) if start else ended_at - lasted
        if isinstance(started_at, QuarantineReason):
            return started_at
        return (started_at if started_at > ended_at else min(started_at, ended_at - lasted)), ended_at

    def _read(self, text: str) -> Reading | None:
        if len(text) != _STAMP or not text[:8].isdecimal():
            return None
        return self._times.read(f"{text[:4]}-{text[4:6]}-{text[6:]}")


def _end_by(start: Reading, end: Reading, lasted: timedelta) -> datetime | None:
    """Give the end that the start and the seconds make; of two, the one that fits the end best."""
    starts, ends = ((item,) if isinstance(item, datetime) else item.candidates for item in (start, end))
    if isinstance(start, Uncertain) and start.reason:
        return None
    expected = [(abs(moment + lasted - other), moment + lasted) for moment in starts for other in ends]
    return min(expected)[1] if expected else None


def _whole(span: timedelta) -> int:
    return max(0, span.days * 86_400 + span.seconds)


def _fits(ticket: Ticket) -> bool:
    """Whether numbers are numbers, and the call type is one."""
    numbers = ticket.called + ticket.charged + ticket.calling + ticket.initial
    return _NUMBER.issuperset(numbers) and ticket.call_type.isascii() and ticket.call_type.isdecimal()


def _parties(ticket: Ticket) -> tuple[Direction, str, str, str]:
    """Give direction, calling, called and forwarded-to."""
    kind = ticket.call_type.lstrip("0") or "0"
    if kind in _TAKEN:
        calling, called = _shown(ticket.calling) or WITHHELD, ticket.charged or ticket.called
    elif kind in _MADE:
        calling, called = ticket.charged or ticket.calling, ticket.called or ticket.initial
    else:
        calling, called = ticket.calling or ticket.charged, ticket.called
    called, forwarded_to = _whole_number(called), ""
    if ticket.redirected not in _NO and ticket.initial and ticket.initial != called:
        called, forwarded_to = _whole_number(ticket.initial), called
    return _DIRECTIONS.get(kind, Direction.UNKNOWN), _shown(calling) or UNNUMBERED, called, forwarded_to


_DIRECTIONS: Final = (
    dict.fromkeys(_OUTGOING, Direction.OUTBOUND)
    | dict.fromkeys(_INCOMING, Direction.INBOUND)
    | dict.fromkeys(_LOCAL, Direction.INTERNAL)
)


def _shown(number: str) -> str:
    """Give a caller's number; unknown where digits are masked, since many people share what is left."""
    return UNNUMBERED if _HIDDEN & set(number) else number


def _whole_number(number: str) -> str:
    return "" if _HIDDEN & set(number) else number


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(OxeReader(context), documents)


DIALECT: Final = Dialect(
    name="alcatel_oxe",
    description="Alcatel-Lucent OmniPCX Enterprise: accounting tickets, TAX*.DAT uncompressed or Ethernet (ED5.2)",
    transports=("file", "tcp pull"),
    identity="the ticket and its occurrence within 64 KiB",
    inherent_loss="tickets that wait while no client is connected may be overwritten; one client at a time",
    manual="Jeepers-Gitters/OXE_EAcc ED5.2.txt, call_types.txt, fix2csv.ps1; no file of real tickets was found",
    columns=COLUMNS,
    open=_open,
    framer=oxe_framer,
)
