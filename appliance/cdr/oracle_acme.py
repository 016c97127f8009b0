r"""Dialect ``oracle_acme``: the local CDR files of Oracle (Acme Packet) session border controllers, C6.1 to S-Cz10.

A row begins with its kind: 1 says that a session started, 3 that it goes on, 2 that it ended. Only the last is a call;
where accounts are kept by Diameter it has the number 4, and a row of the kind 2 starts a session. Each kind has columns
of its own and each release added some, 122 to 269; which are there is also a matter of configuration (``cdr-output-
inclusive``). The leading ones have kept their order: ``… Calling-Station-Id, Called-Station-Id, Acct-Terminate-Cause,
Acct-Session-Time, h323-setup-time, h323-connect-time, h323-disconnect-time, h323-disconnect-cause``. The first column
that holds a time is the set-up; the others are counted from there, and each must have its type. None behind is read.

Texts stand between quotes or not, and quotes within them are not marked: ``""Maes, An" <sip:201@pbx>;tag=1"``. A quoted
column ends at a quote before a comma. Of a party, only the address between the angle brackets is read; the name in
front tells that the caller withheld the number.

A row has no identity: ``Acct-Session-Id`` is the SIP Call-ID, which a call that passes twice has twice. It joins them.

Sources: Acme Packet / Oracle "Accounting Guide" C6.1 to S-Cz10.1 ("Local CDR Stop Record" tables);
crushton/acme_packet_parsecdr ``db/C610_stop.csv``, ``C620_stop.csv``, ``C640_stop.csv``; freeside/Freeside
``FS/FS/cdr/acmepacket.pm``.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from appliance.cdr.clock_first_times import ClockFirstTimes
from appliance.cdr.csv_rows import text_lines
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import seconds
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import Reading, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.q850 import unanswered
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

COLUMNS: Final = {
    "Acct-Status-Type": "one digit: which kind of row it is",
    "Acct-Session-Id": "never leaves; goes into a keyed hash",
    "Calling-Station-Id": "number or address: becomes the calling party; its name tells a withheld number",
    "Called-Station-Id": "number or address: becomes the called party",
    "Acct-Session-Time": "whole seconds",
    "h323-setup-time": "time: converted to UTC",
    "h323-connect-time": "time: converted to UTC",
    "h323-disconnect-time": "time: converted to UTC",
    "h323-disconnect-cause": "number: tells why nobody answered",
} | unread(
    "NAS-IP-Address NAS-Port Acme-Session-Ingress-CallId Acme-Session-Egress-CallId Acme-Session-Protocol-Type",
    "Acme-Session-Forked-Call-Id Acme-Session-Generic-Id Acct-Terminate-Cause Acme-P-Asserted-ID Acme-SIP-Diversion",
    "Acme-Primary-Routing-Number Acme-Egress-Final-Routing-Number Acme-Custom-VSA",
)
"""What becomes of the columns; those about flows, realms, routes and quality are not read either."""

_STOPS: Final = frozenset({"2", "4", "stop"})
_OTHERS: Final = frozenset({"1", "3", "7", "8", "start", "interim-update", "accounting-on", "accounting-off"})
_COLUMNS_NEEDED: Final = 20
"""More than stand before the last column that is read."""
_PIECES: Final = 40
"""Where a line is cut at first: names seldom hold more commas than that leaves for them."""
_EARLIEST_SETUP: Final = 8
_USUAL_SETUP: Final = 13
_LATEST_SETUP: Final = 16
"""Between which columns (from 0) the set-up time stands: 13, and 12 before C6.2, where all are written."""
_TIME_SHAPE: Final = re.compile(r"[*.]?\d\d?:\d\d:\d\d[. ]", re.ASCII)
_TERMINATED: Final = re.compile(r"\d{0,5}|[A-Za-z][A-Za-z -]{0,40}", re.ASCII)
_TALK: Final = re.compile(r"\d{1,7}(?:\.\d{1,6})?", re.ASCII)
_CAUSE: Final = re.compile(r"[0-9A-Fa-f]{0,5}", re.ASCII)
_ADDRESS: Final = re.compile(r"(?:sips?|tel|h323):[^\s<>\"]{1,300}", re.ASCII | re.IGNORECASE)
_NUMBER: Final = re.compile(r"\+?[0-9*#]{1,40}", re.ASCII)
_NUMERIC_USER: Final = re.compile(
    r"(?:\\?[\"'])?([^\"'\\<>]*+)(?:\\?[\"'])? ?<sips?:(\+?\d{1,40}+)@[^\s<>\"]*+>[^<>]*+", re.ASCII | re.IGNORECASE
)
"""What most parties look like; the number is all that is wanted of them, not the name or the host."""
_WITHHELD: Final = frozenset({"anonymous", "restricted", "private", "withheld", "unavailable"})
_UNSET_YEAR: Final = 1970
"""Of a time that did not come: the clock's zero."""


class _Stop(NamedTuple):
    """The columns of a row that are read, as text; of the parties, their addresses."""

    session: str
    calling: str
    called: str
    talk: str
    setup: str
    connect: str
    disconnect: str
    cause: str


class AcmeReader:
    """Reads the rows of one file in order; remembers the last 64 KiB of rows and session ids."""

    __slots__ = ("_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._times = ClockFirstTimes(context.zone)
        self._window = OccurrenceWindow()

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        kind = text[:20].partition(",")[0].strip('"').lower()
        if kind in _OTHERS or not text.strip(", "):
            return None
        cells = cells_of(text)
        if cells is None:
            return Reason.LINE_TORN
        if kind not in _STOPS:
            return Reason.TYPE_SIGNATURE
        if len(cells) <= _EARLIEST_SETUP:
            return Reason.COLUMN_COUNT
        stop = _stop(cells)
        if stop is None:
            return None if kind == "2" and _is_start(cells) else Reason.TYPE_SIGNATURE
        return self._record(line, stop)

    def _record(self, line: Line, stop: _Stop) -> CallRecord | Reason:
        talk_seconds = seconds(stop.talk.partition(".")[0])
        if talk_seconds is None or not stop.session:
            return Reason.TYPE_SIGNATURE
        natural_key = self._window.line_key(line)
        call_key = b"acme\0" + stop.session.encode("latin-1")
        leg = self._window.leg(call_key, line)
        span = self._span(stop, talk_seconds)
        if isinstance(span, Reason):
            return span
        started_at, answered_at, ended_at = span
        total_seconds = ring_seconds = _whole_seconds(started_at, ended_at)
        if answered_at is None:
            talk_seconds = 0
        else:
            ring_seconds = _whole_seconds(started_at, answered_at)
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            ring_seconds,
            talk_seconds,
            total_seconds,
            Direction.UNKNOWN,
            unanswered(stop.cause) if answered_at is None else Disposition.ANSWERED,
            stop.calling,
            stop.called,
            "",
        )

    def _span(self, stop: _Stop, talk_seconds: int) -> tuple[datetime, datetime | None, datetime] | Reason:
        """Give start, answer and end in UTC; letters that place no time leave the others to decide it."""
        setup, disconnect = self._times.read(stop.setup), self._times.read(stop.disconnect)
        connect = self._times.read(stop.connect) if stop.connect.strip("0") else None
        if setup is None or disconnect is None or (connect is None and stop.connect.strip("0")):
            return Reason.TYPE_SIGNATURE
        ended_at = decide(disconnect, near=_certain(setup) or _certain(connect))
        if isinstance(ended_at, Reason):
            return ended_at
        answered_at = None if connect is None else decide(connect, near=ended_at - timedelta(seconds=talk_seconds))
        if isinstance(answered_at, Reason):
            return answered_at
        if answered_at is not None and answered_at.year <= _UNSET_YEAR:
            answered_at = None
        started_at = decide(setup, near=answered_at or ended_at)
        return started_at if isinstance(started_at, Reason) else (started_at, answered_at, ended_at)


def cells_of(text: str) -> list[str] | None:
    """Cut the leading columns of a line; None if a quote is open at its end."""
    pieces = text.split(",", _PIECES)
    cells = _joined(pieces)
    if len(pieces) > _PIECES and (cells is None or len(cells) < _COLUMNS_NEEDED):
        # Names took up so many commas that the last piece holds more than one.
        return _joined(text.split(","))
    return cells


def _joined(cut: list[str]) -> list[str] | None:
    """Join the pieces between two quotes."""
    cells: list[str] = []
    pieces = iter(cut)
    for piece in pieces:
        if piece[:1] != '"':
            cells.append(piece)
        else:
            parts = [piece]
            if piece[1:][-1:] != '"':
                parts += _until_quote(pieces)
                if parts[-1][-1:] != '"' or len(parts) == 1:
                    return None
            cells.append(",".join(parts)[1:-1])
        if len(cells) == _COLUMNS_NEEDED:
            break
    return cells


def _until_quote(pieces: Iterator[str]) -> Iterator[str]:
    """Give pieces up to the first that ends with a quote."""
    for piece in pieces:
        yield piece
        if piece[-1:] == '"':
            return


def _stop(cells: list[str]) -> _Stop | None:
    """Read the columns of a row that ends a session, counted from its first time; None if it is no such row."""
    setup = _first_time(cells)
    if setup is None:
        return None
    terminated, talk = cells[setup - 2 : setup]
    calling, called = party(cells[setup - 4]), party(cells[setup - 3])
    connect, disconnect, cause = [*cells[setup + 1 : setup + 4], "", "", ""][:3]
    if disconnect and not _TIME_SHAPE.match(disconnect) and _TIME_SHAPE.match(connect):
        # A file without empty columns: nobody answered, and no time says so.
        connect, disconnect, cause = "", connect, disconnect
    known = _TERMINATED.fullmatch(terminated) and _TALK.fullmatch(talk) and _CAUSE.fullmatch(cause)
    if not known or not _TIME_SHAPE.match(disconnect) or calling is None or called is None:
        return None
    bare = [cell for cell in cells[setup - 4 : setup - 2] if ":" not in cell]
    if bare and (setup != _USUAL_SETUP or len(bare) == 1):
        # Bare digits may be anything's, but for two in a row where no column is missing or too many.
        return None
    return _Stop(cells[3], calling, called, talk, cells[setup], connect, disconnect, cause)


def _is_start(cells: list[str]) -> bool:
    """Whether a row starts a session: the set-up follows the party that was called."""
    setup = _first_time(cells)
    return setup is not None and bool(_ADDRESS.search(cells[setup - 1]))


def _first_time(cells: list[str]) -> int | None:
    for place, cell in enumerate(islice(cells, _EARLIEST_SETUP, _LATEST_SETUP), start=_EARLIEST_SETUP):
        if _TIME_SHAPE.match(cell):
            return place
    return None


def party(text: str) -> str | None:
    """Give the number or address of a party, without its name and host; None if the text is neither."""
    if usual := _NUMERIC_USER.fullmatch(text):
        name, number = usual.groups()
        return "anonymous" if name.strip().lower() in _WITHHELD else number
    name, bracket, rest = text.rpartition("<")
    address = rest.partition(">")[0] if bracket else text.partition(";")[0]
    address = address.strip(' "')
    if bracket and name.strip(" \\\"'").lower() in _WITHHELD:
        return "anonymous"
    return address if _NUMBER.fullmatch(address) or _ADDRESS.fullmatch(address) else None


def _certain(reading: Reading | None) -> datetime | None:
    return reading if isinstance(reading, datetime) and reading.year > _UNSET_YEAR else None


def _whole_seconds(start: datetime, end: datetime) -> int:
    span = end - start
    return span.days * 86_400 + span.seconds


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(AcmeReader(context), text_lines)


DIALECT: Final = Dialect(
    name="oracle_acme",
    description="Oracle (Acme Packet) session border controllers, local CDR files, C6.1 to S-Cz10",
    transports=("file", "sftp push"),
    identity="the line and its occurrence within 64 KiB",
    inherent_loss="files that no receiver takes are deleted when the controller's disk is full",
    manual="Oracle, SBC Accounting Guide (Local CDR Table Layouts); Freeside cdr/acmepacket.pm; no real rows were seen",
    columns=COLUMNS,
    open=_open,
)
