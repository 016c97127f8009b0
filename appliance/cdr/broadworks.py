r"""Dialect ``broadworks``: the CSV call detail records of Cisco (BroadSoft) BroadWorks, releases 14 to 23.

A file begins with ``version=… encoding=…``, and with a marker row of the type ``Start``; ``End`` closes it. Rows have
150 to 448 columns by release. The first 47 have kept their places; where others stand differs, so that none of them is
read. A comma or backslash within a text has a backslash before it, and there are no quotes, but where a collector wrote
them. Times are UTC: neither the site's zone nor ``userTimeZone`` changes them.

A row is one side of a call. ``Originating`` is the side that the user dialled from, ``Terminating`` the one that it
reached; a call between two users of the system has both. ``localCallId`` is ``call:side``; ``remoteCallId`` names the
other side where the system holds it, so that the older of the two calls joins the sides and what was transferred from
them. The counter is the application server's own, whose id stands in ``recordId`` before the date.
Where a call was redirected, ``originalCalledNumber`` is whom the caller wanted and ``calledNumber`` whom the side
reached. A caller whose presentation is not public is withheld, though the number may be in the row.

Sources: BroadSoft "BroadWorks Accounting Call Detail Record Interface Specification", releases 14 to 23;
freeside/Freeside ``FS/FS/cdr/broadsoft.pm`` (columns 1 to 47 by name), cgrates/cgrates ``broadsoft`` XML tests.
"""

import csv
import re
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final, NamedTuple

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.q850 import unanswered
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

_NAMES: Final = """
    recordId serviceProvider type userNumber groupNumber direction callingNumber callingPresentationIndicator
    calledNumber startTime userTimeZone answerIndicator answerTime releaseTime terminationCause networkType
    carrierIdentificationCode dialedDigits callCategory networkCallType networkTranslatedNumber networkTranslatedGroup
    releasingParty route networkCallID codec accessDeviceAddress accessCallID spare29 failoverCorrelationId spare31
    group department accountCode authorizationCode originalCalledNumber originalCalledPresentationIndicator
    originalCalledReason redirectingNumber redirectingPresentationIndicator redirectingReason chargeIndicator
    typeOfNetwork voicePortalCalling.invocationTime localCallId remoteCallId callingPartyCategory
"""
_FIXED: Final = tuple(_NAMES.split())

COLUMNS: Final = unread(*_FIXED) | {
    "recordId": "never leaves; goes into a keyed hash",
    "type": "one of five values; only `Normal` is a record",
    "direction": "one of two values",
    "callingNumber": "number: becomes the calling party",
    "callingPresentationIndicator": "one word; tells that the caller withheld the number",
    "calledNumber": "number: becomes the called party, or the forwarded-to party of a redirected call",
    "startTime": "time: UTC",
    "userTimeZone": "never leaves; checked for its form",
    "answerIndicator": "one of three values",
    "answerTime": "time: UTC",
    "releaseTime": "time: UTC",
    "terminationCause": "number: tells why nobody answered",
    "originalCalledPresentationIndicator": "never leaves; checked for its form",
    "redirectingPresentationIndicator": "never leaves; checked for its form",
    "chargeIndicator": "never leaves; checked for its form",
    "originalCalledNumber": "number: becomes the called party of a redirected call",
    "redirectingNumber": "number: as `originalCalledNumber`, where that is empty",
    "typeOfNetwork": "one word; `private` is a call within the group",
    "localCallId": "never leaves; goes into a keyed hash",
    "remoteCallId": "never leaves; goes into a keyed hash",
}
"""What becomes of each column that has kept its place; the later ones are not read."""

_MARKERS: Final = frozenset({"start", "end", "failover", "long duration"})
"""Types of rows that are no call that ended: a file's ends, a change of server, a call that still goes on."""
_MARKER_TYPE: Final = 2
_DIRECTIONS: Final = {"Originating": Direction.OUTBOUND, "Terminating": Direction.INBOUND}
_ANSWERS: Final = {"Yes": True, "Yes-PostRedirection": True, "No": False}
_SHOWN: Final = frozenset({"public", "unavailable", ""})
_PRESENTATION: Final = re.compile(r"[A-Za-z-]{0,24}", re.ASCII)
"""``Public``, ``Unavailable`` (the network gave none), and words by which a caller withheld the number."""
_CHARGED: Final = frozenset({"y", "n", ""})
_NETWORKS: Final = frozenset({"public", "private", ""})
_ZONE: Final = re.compile(r"(?:[01][+-]\d{6})?", re.ASCII)
_RECORD_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,48}\d{14}\.\d{3}[01][+-]\d{6}", re.ASCII)
_AFTER_SYSTEM: Final = len("20071008204858.8531-070000")
_SYSTEM_ID: Final = 8
"""The last characters of the server's id, which is 8 to 12 long and follows a counter of any length."""
_TIME: Final = re.compile(r"\d{14}(?:\.\d{1,6})?", re.ASCII)
_CAUSE: Final = re.compile(r"(?:\d{1,3})?", re.ASCII)
_CALL_ID: Final = re.compile(r"(?:(\d{1,20}):\d{1,10})?", re.ASCII)


class Fields(NamedTuple):
    """The columns that are read, as text, called as in the specification but in lower case."""

    recordid: str
    direction: str
    callingnumber: str
    callingpresentationindicator: str
    callednumber: str
    starttime: str
    usertimezone: str
    answerindicator: str
    answertime: str
    releasetime: str
    terminationcause: str
    originalcallednumber: str
    originalcalledpresentationindicator: str
    redirectingnumber: str
    redirectingpresentationindicator: str
    chargeindicator: str
    typeofnetwork: str
    localcallid: str
    remotecallid: str


_LOWER: Final = [name.lower() for name in _FIXED]
_pick: Final = itemgetter(*map(_LOWER.index, Fields._fields))


class BroadWorksReader:
    """Reads the rows of one file in order; remembers the last 64 KiB of call ids."""

    __slots__ = ("_window",)

    def __init__(self) -> None:
        """Start at the beginning of a file."""
        self._window = OccurrenceWindow()

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        cells = cells_of(text)
        kind = cells[_MARKER_TYPE].lower() if len(cells) > _MARKER_TYPE else ""
        if kind in _MARKERS or text.startswith("version=") or not text.strip(", "):
            return None
        if len(cells) < len(_FIXED):
            return Reason.COLUMN_COUNT
        fields = Fields._make(_pick(cells))
        times = _times(fields)
        if kind != "normal" or times is None or not _fits(fields):
            return Reason.TYPE_SIGNATURE
        return times if isinstance(times, Reason) else self._record(line, fields, times)

    def _record(
        self, line: Line, fields: Fields, times: tuple[datetime, datetime | None, datetime]
    ) -> CallRecord | Reason:
        started_at, answered_at, ended_at = times
        call_key, leg = self._leg(line, fields)
        total_seconds = ring_seconds = _whole_seconds(started_at, ended_at)
        talk_seconds = 0
        disposition = Disposition.ANSWERED
        if answered_at is None:
            disposition = unanswered(fields.terminationcause)
        else:
            ring_seconds, talk_seconds = _whole_seconds(started_at, answered_at), _whole_seconds(answered_at, ended_at)
        called = _redirected_from(fields) or fields.callednumber
        hidden = fields.callingpresentationindicator.lower() not in _SHOWN
        internal = fields.typeofnetwork.lower() == "private"
        return CallRecord(
            b"record\0" + fields.recordid.encode(),
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            ring_seconds,
            talk_seconds,
            total_seconds,
            Direction.INTERNAL if internal else _DIRECTIONS[fields.direction],
            disposition,
            "anonymous" if hidden else fields.callingnumber,
            called,
            fields.callednumber if fields.callednumber != called else "",
        )

    def _leg(self, line: Line, fields: Fields) -> tuple[bytes, int]:
        """Give the key of the call, the same for all its sides, and which of them this is."""
        calls = [int(match[1]) for match in map(_CALL_ID.fullmatch, fields[-2:]) if match and match[1]]
        system = fields.recordid[-_AFTER_SYSTEM - _SYSTEM_ID : -_AFTER_SYSTEM]
        call_key = f"broadworks\0{system}\0{min(calls)}" if calls else f"broadworks\0{fields.recordid}"
        return call_key.encode(), self._window.leg(call_key.encode(), line)


def cells_of(text: str) -> list[str]:
    """Split a line at its commas, but for those with a backslash before them; columns that are not read stay one."""
    if text.startswith('"'):
        return next(csv.reader([text]))
    cells = text.split(",", len(_FIXED))
    rest = cells[len(_FIXED)] if len(cells) > len(_FIXED) else ""
    return _unescaped(text.split(",")) if "\\" in text[: len(text) - len(rest)] else cells


def _unescaped(pieces: list[str]) -> list[str]:
    """Join what was split at a comma that belongs to a text."""
    cells: list[str] = []
    open_cell = ""
    for piece in pieces:
        if (len(piece) - len(piece.rstrip("\\"))) % 2:
            open_cell += piece[:-1] + ","
        else:
            cells.append(open_cell + piece)
            open_cell = ""
    # A backslash at the very end leaves a cell open: the line was torn, and lacks what would have followed.
    return cells


def _fits(fields: Fields) -> bool:
    """Whether each column of a certain type has it."""
    return (
        fields.direction in _DIRECTIONS
        and _PRESENTATION.fullmatch(fields.callingpresentationindicator) is not None
        and _RECORD_ID.fullmatch(fields.recordid) is not None
        and _ZONE.fullmatch(fields.usertimezone) is not None
        and _CAUSE.fullmatch(fields.terminationcause) is not None
        and _CALL_ID.fullmatch(fields.localcallid) is not None
        and _CALL_ID.fullmatch(fields.remotecallid) is not None
        and _PRESENTATION.fullmatch(fields.originalcalledpresentationindicator) is not None
        and _PRESENTATION.fullmatch(fields.redirectingpresentationindicator) is not None
        and fields.chargeindicator.lower() in _CHARGED
        and fields.typeofnetwork.lower() in _NETWORKS
        # Codes stand before the numbers of a redirection: what stands behind must prove that nothing moved.
        and bool((fields.chargeindicator and fields.localcallid) or not _redirected_from(fields))
    )


def _redirected_from(fields: Fields) -> str:
    return fields.originalcallednumber or fields.redirectingnumber


def _times(fields: Fields) -> tuple[datetime, datetime | None, datetime] | Reason | None:
    """Give start, answer and release; a reason where one of them is no date, None where they are no times."""
    answered = _ANSWERS.get(fields.answerindicator)
    answer = fields.answertime if answered else fields.starttime
    if answered is None or not all(map(_TIME.fullmatch, (fields.starttime, answer, fields.releasetime))):
        return None
    try:
        return _utc(fields.starttime), _utc(answer) if answered else None, _utc(fields.releasetime)
    except ValueError:
        return Reason.DATE_INVALID


def _utc(text: str) -> datetime:
    """Read ``YYYYmmddHHMMSS.fff`` to the second: a fraction would be digits in what leaves, and says nothing more."""
    parts = (text[:4], text[4:6], text[6:8], text[8:10], text[10:12], text[12:14])
    year, month, day, hour, minute, second = map(int, parts)
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _whole_seconds(start: datetime, end: datetime) -> int:
    span = end - start
    return span.days * 86_400 + span.seconds


def _open(_context: FeedContext) -> LineParser:
    return ReaderParser(BroadWorksReader(), text_lines)


DIALECT: Final = Dialect(
    name="broadworks",
    description="Cisco (BroadSoft) BroadWorks CSV call detail records, releases 14 to 23",
    transports=("file", "sftp push"),
    identity="recordId",
    inherent_loss="a call that an application server loses in a failover has no record, or two partial ones",
    manual="BroadSoft, BroadWorks Accounting Call Detail Record Interface Specification; Freeside cdr/broadsoft.pm",
    columns=COLUMNS,
    open=_open,
)
