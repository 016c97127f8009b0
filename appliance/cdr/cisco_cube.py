"""Dialect ``cisco_cube``: the files that ``gw-accounting file`` of Cisco IOS gateways and CUBE writes.

A row is one leg of a call: most calls have the leg that came in (``h323-call-origin`` ``answer``) and the one that
went out (``originate``), which share ``h323-conf-id``. ``call-id`` counts the gateway's legs. A detailed row has some
130 columns (124 before the last features were added), a compact one 35; the first 23 are the same, and twelve columns
describe a feature: ``TWC`` is the call itself; any other (a hold, a transfer, a forward) is a row more about a leg that
has a row of its own, and no record. A row without a feature is refused, for nothing else behind the numbers proves that
they stand in their place; templates of one's own must keep ``feature-vsa``.

Times have the clock first and the zone by its letters; a time that did not come is empty. ``unix-time``, when the
record was made, decides what they leave open. ``h323-disconnect-cause`` is Q.850 in hexadecimal.
A gateway knows no direction as seen from the site: the numbers decide. ``peer-address`` is who is at the leg's other
end, a number that ``clid`` or ``dnis`` repeats, and ``username`` the caller once more; of redirected calls only the
number that was dialled and the one that was reached are in a row's first columns, and no forward is told.

Sources: Cisco "CDR Accounting for Cisco IOS Voice Gateways", chapter "Configuring File Accounting" (attributes in
order, detailed and compact); ZionDials/Go-CDR ``parser/cubecdr.go`` (positions of 130 columns). No real file was seen:
a compact record that a gateway sent by another way, in a public repository, has the same first 35 columns.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final, NamedTuple

from appliance.cdr.clock_first_times import ClockFirstTimes
from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.q850 import unanswered
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

_NAMES: Final = """
    unix-time call-id cdr-type leg-type h323-conf-id peer-address peer-sub-address h323-setup-time alert-time
    h323-connect-time h323-disconnect-time h323-disconnect-cause disconnect-text h323-call-origin charged-units
    info-type paks-out bytes-out paks-in bytes-in username clid dnis
"""
_COMMON: Final = tuple(_NAMES.split())

COLUMNS: Final = unread(*_COMMON, "account-code remote-media-address feature-vsa ip-phone-info fac-digit") | {
    "unix-time": "time: epoch seconds; decides what the local times leave open",
    "call-id": "never leaves; goes into a keyed hash",
    "cdr-type": "one of three values",
    "leg-type": "one of five values",
    "h323-conf-id": "never leaves; goes into a keyed hash",
    "h323-setup-time": "time: converted to UTC",
    "h323-connect-time": "time: converted to UTC",
    "h323-disconnect-time": "time: converted to UTC",
    "h323-disconnect-cause": "number: tells why nobody answered",
    "h323-call-origin": "one word, checked for its form",
    "clid": "number: becomes the calling party",
    "dnis": "number: becomes the called party",
    "fn": "one word: which feature the row is about",
    "fid": "never leaves; goes into a keyed hash",
}
"""What becomes of the columns; those about media, codecs, trunks and areas are not read either."""

_CALL: Final = "TWC"
_FEATURE: Final = re.compile(r"[A-Z][A-Za-z_-]{1,15}", re.ASCII)
_ORIGINS: Final = frozenset({"answer", "originate", "callback"})
_KINDS: Final = frozenset("012")
_LEG_TYPES: Final = frozenset("12345")
_CONFERENCE: Final = re.compile(r"[0-9A-Fa-f]{1,8}(?: [0-9A-Fa-f]{1,8}){3}|[0-9A-Fa-f]{32}", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,10}", re.ASCII)
_CAUSE: Final = re.compile(r"[0-9A-Fa-f]{0,4}", re.ASCII)
_ONE_LINE: Final = re.compile(r"[^\",]{1,120}", re.ASCII)
_UNSET_YEAR: Final = 1970
"""Of a time that did not come: the clock's zero."""


class _Leg(NamedTuple):
    """The columns that are read, as text."""

    made: str
    number: str
    kind: str
    leg_type: str
    conference: str
    setup: str
    connect: str
    disconnect: str
    cause: str
    origin: str
    packets_out: str
    bytes_in: str
    calling: str
    called: str
    feature: str
    feature_id: str


_READ: Final = (0, 1, 2, 3, 4, 7, 9, 10, 11, 13, 16, 19, 21, 22)
_pick_compact: Final[Callable[[Sequence[str]], tuple[str, ...]]] = itemgetter(*_READ, 23, 28)
_pick_detailed: Final[Callable[[Sequence[str]], tuple[str, ...]]] = itemgetter(*_READ, 112, 117)
_COMPACT: Final = 35
_DETAILED: Final = range(124, 161)
"""Up to the last column about features, with room for what later releases add."""


class CubeReader:
    """Reads the rows of one file in order; remembers the last 64 KiB of calls."""

    __slots__ = ("_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._times = ClockFirstTimes(context.zone)
        self._window = OccurrenceWindow()

    def read(self, line: Line, row: Row, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        if not any(row) or (len(row) == 1 and _ONE_LINE.fullmatch(row[0]) and not row[0].isdecimal()):
            # A gateway begins its file with a line of its own.
            return None
        if len(row) in _DETAILED:
            leg = _Leg._make(map(str.strip, _pick_detailed(row)))
        elif len(row) >= _COMPACT and not any(row[_COMPACT:]):
            leg = _Leg._make(map(str.strip, _pick_compact(row)))
        else:
            return Reason.COLUMN_COUNT
        if not _fits(leg):
            return Reason.TYPE_SIGNATURE
        return self._record(line, leg) if leg.feature == _CALL else None

    def _record(self, line: Line, leg: _Leg) -> CallRecord | Reason:
        conference = leg.conference.lower()
        call_key = f"cube\0{conference}".encode()
        number = self._window.leg(call_key, line)
        span = self._span(leg)
        if isinstance(span, Reason):
            return span
        started_at, answered_at, ended_at = span
        total_seconds = ring_seconds = _whole_seconds(started_at, ended_at)
        talk_seconds = 0
        disposition = Disposition.ANSWERED
        if answered_at is None:
            disposition = unanswered(str(int(leg.cause or "0", 16)))
        else:
            ring_seconds, talk_seconds = _whole_seconds(started_at, answered_at), _whole_seconds(answered_at, ended_at)
        return CallRecord(
            f"cube\0{conference}\0{leg.number}\0{leg.feature_id}".encode("latin-1"),
            call_key,
            number,
            started_at,
            answered_at,
            ended_at,
            ring_seconds,
            talk_seconds,
            total_seconds,
            Direction.UNKNOWN,
            disposition,
            leg.calling,
            leg.called,
            "",
        )

    def _span(self, leg: _Leg) -> tuple[datetime, datetime | None, datetime] | Reason:
        """Give start, answer and end in UTC, what is open decided by when the record was made."""
        setup, disconnect = self._times.read(leg.setup), self._times.read(leg.disconnect)
        connect = self._times.read(leg.connect) if leg.connect else None
        if setup is None or disconnect is None or (connect is None and leg.connect):
            return Reason.TYPE_SIGNATURE
        made_at = datetime.fromtimestamp(int(leg.made), UTC)
        ended_at = decide(disconnect, near=made_at)
        if isinstance(ended_at, Reason):
            return ended_at
        answered_at = None if connect is None else decide(connect, near=ended_at)
        if isinstance(answered_at, Reason):
            return answered_at
        if answered_at is not None and answered_at.year <= _UNSET_YEAR:
            answered_at = None
        started_at = decide(setup, near=answered_at or ended_at)
        return started_at if isinstance(started_at, Reason) else (started_at, answered_at, ended_at)


def _fits(leg: _Leg) -> bool:
    """Whether each column of a certain type has it."""
    return (
        _DIGITS.fullmatch(leg.made) is not None
        and leg.number.isdecimal()
        and leg.kind in _KINDS
        and leg.leg_type in _LEG_TYPES
        and _CONFERENCE.fullmatch(leg.conference) is not None
        and _CAUSE.fullmatch(leg.cause) is not None
        and leg.origin in _ORIGINS
        and all(count == "" or count.isdecimal() for count in (leg.packets_out, leg.bytes_in))
        and _FEATURE.fullmatch(leg.feature) is not None
        and (leg.feature_id == "" or leg.feature_id.isdecimal())
    )


def _whole_seconds(start: datetime, end: datetime) -> int:
    span = end - start
    return span.days * 86_400 + span.seconds


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(CubeReader(context), csv_rows())


DIALECT: Final = Dialect(
    name="cisco_cube",
    description="Cisco IOS gateways and CUBE, `gw-accounting file`, detailed and compact",
    transports=("file", "ftp push"),
    identity="h323-conf-id, call-id and the feature's id",
    inherent_loss="rows stay in the gateway's memory for up to an hour, and are lost if it restarts before",
    manual="Cisco, CDR Accounting for Cisco IOS Voice Gateways, Configuring File Accounting; no real file was seen",
    columns=COLUMNS,
    open=_open,
)
