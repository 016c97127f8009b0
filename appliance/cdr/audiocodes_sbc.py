"""Dialect ``audiocodes_sbc``: CDRs that an AudioCodes session border controller writes to syslog.

Sources: AudioCodes, user's manuals of Mediant gateways and SBCs, chapter on reporting (CDR fields for SBC signaling,
releases 6.6 to 7.4); techdocs.audiocodes.com, *CDR Field Description*; dfgs/ODP ``CDRSyslogParserUnitTest.cs``.

A row is padded fields between strokes, behind any syslog prefix. A call has two legs or more, which share the session
id and have numbers of their own; each leg gives ``CALL_START``, ``CALL_CONNECT`` and ``CALL_END``, and only the last is
a record. Media rows, titles and other lines of the log are none. ``audiocodes_layout`` says which field is what; titles
count in the file's head and for 64 KiB behind them, so that a parser that starts in the middle reads as any other.

The unit of the duration is a setting of the device, so that talking is what lies between the times. A redirecting
party was called first: the leg's own destination is then where the call was forwarded to.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.audiocodes_layout import USUAL, Fields, Layout, declared_layout, titled_layout
from appliance.cdr.clock_first_times import ClockFirstTimes
from appliance.cdr.csv_rows import text_lines
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import seconds
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import Reading, decide
from appliance.cdr.occurrence import MAX_LEG, OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.sip_responses import disposition_of, is_final
from appliance.wire.call import Direction, Disposition

_ROW: Final = re.compile(
    r"\|\s*+(CALL_END|CALL_START|CALL_CONNECT|DIALOG_START|DIALOG_END|MEDIA_START|MEDIA_UPDATE|MEDIA_END)\s*+(?:\||\Z)",
    re.ASCII,
)
_TITLES: Final = re.compile(
    r"\|\s*+(?:(?:SBC|GW|CDR|Media)\s?Report\s?Type|CDR Type)\s*+(?:\||\Z)", re.ASCII | re.IGNORECASE
)
_LOG: Final = re.compile(r"(?:<\d{1,3}>)?(?:\d\d?[:/.-]|\d{4}-|[A-Z][a-z]{2} {1,2}\d|\[S ?=)", re.ASCII)
_AT_OFFSET: Final = re.compile(r"(\S{5,16}) (?:UTC|GMT)([-+])(\d{1,2}):?(\d\d)? (.{9,16})", re.ASCII)
_CATEGORIES: Final = {
    "NO_ANSWER": Disposition.NO_ANSWER,
    "FORWARDED": Disposition.NO_ANSWER,
    "BUSY": Disposition.BUSY,
    "NO_RESOURCES": Disposition.CONGESTION,
    "NO_MATCH": Disposition.FAILED,
    "GENERAL_FAILED": Disposition.FAILED,
    "ABNORMALLY_TERMINATED": Disposition.FAILED,
}
"""``TrmReasonCategory`` of calls that were not connected."""
_REASONS: Final = {
    "CANCEL": Disposition.NO_ANSWER,
    "GWAPP_USER_BUSY": Disposition.BUSY,
    "GWAPP_NO_USER_RESPONDING": Disposition.NO_ANSWER,
    "GWAPP_NO_ANSWER_FROM_USER_ALERTED": Disposition.NO_ANSWER,
    "GWAPP_NORMAL_CALL_CLEAR": Disposition.NO_ANSWER,
}

COLUMNS: Final = {
    "SBCReportType": "CALL_END is a record, other types are none",
    "SIPCallId": "never leaves; goes into a keyed hash",
    "SessionId": "never leaves; goes into a keyed hash: is shared by the legs of a call",
    "LegId": "orders the legs of a call",
    "SrcURIBeforeMap": "URI: becomes the calling party",
    "SrcURI": "URI: becomes the calling party where the one before manipulation is missing",
    "DstURIBeforeMap": "URI: becomes the called party",
    "DstURI": "URI: becomes the called party where the one before manipulation is missing",
    "RedirectURINumBeforeMap": "URI: becomes the called party, and the destination the forwarded-to party",
    "RedirectURINum": "as RedirectURINumBeforeMap, where that is missing",
    "Duration": "where a time is missing: whole seconds",
    "SetupTime": "time: converted to UTC",
    "ConnectTime": "time: converted to UTC",
    "ReleaseTime": "time: converted to UTC",
    "SIPTrmReason": "says how a call ended that was not answered",
    "TrmReasonCategory": "says how a call ended that was not answered",
    "TrmReason": "says how a call ended that was not answered",
    "Orig": "LCL or RMT: proves the layout",
    "TrmSd": "LCL, RMT or UNKN: proves the layout",
} | unread(
    "EPTyp SIPMethod SourceIp SourcePort DestIp DestPort TransportType RedirectReason TxSigIPDiffServ IPGroup SrdId",
    "SIPInterfaceId ProxySetId IpProfileId MediaRealmId DirectMedia SIPTermDesc Caller Callee Trigger",
    "VoiceAIConnectorName",
)
"""What becomes of each field, by the titles of the device."""


class SbcReader:
    """Reads the lines of one file in order; remembers titles and the last 64 KiB of keys."""

    __slots__ = ("_declared", "_head", "_recent", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        columns = context.layout.columns
        self._declared = (declared_layout(columns),) if columns else ()
        self._head: Layout | None = None
        self._recent: tuple[int, Layout] | None = None
        self._times = ClockFirstTimes(context.zone)
        self._window = OccurrenceWindow()

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        match = _ROW.search(text)
        if match is None:
            return self._other(line, text)
        if match[1] != "CALL_END":
            return None
        # Counted whether or not the row fits: titles that made it fit may be out of a restarted parser's sight.
        line_key = self._window.line_key(line)
        row = [field.strip() for field in text[text.index("|") + 1 :].split("|")]
        for layout in self._layouts(line.offset):
            fields = layout.fit(row)
            readings = self._readings(fields) if fields else None
            if fields and readings:
                return _record(line_key, fields, readings)
        return Reason.TYPE_SIGNATURE

    def _other(self, line: Line, text: str) -> Outcome:
        """Deal with a line that is no row: titles, or a message of the device."""
        if _TITLES.search(text):
            layout = titled_layout(text[text.index("|") + 1 :].split("|"))
            if layout is not None:
                self._recent = line.offset, layout
                if line.offset < HEAD_BYTES:
                    self._head = layout
            return None
        is_message = not text.strip() or (_LOG.match(text) is not None and "CALL_" not in text)
        return None if is_message else Reason.TYPE_SIGNATURE

    def _layouts(self, offset: int) -> Sequence[Layout]:
        if self._declared:
            return self._declared
        if self._recent is not None and self._recent[0] >= offset - REWIND_BYTES:
            return (self._recent[1],)
        return USUAL if self._head is None else (self._head,)

    def _readings(self, fields: Fields) -> list[Reading | None] | None:
        """Read setup, connect and release; None unless there is a setup and what there is are times."""
        texts = fields.setup_time, fields.connect_time, fields.release_time
        readings = [self._time(text) if text else None for text in texts]
        fits = readings[0] is not None and all(
            bool(text) == (at is not None) for text, at in zip(texts, readings, strict=True)
        )
        return readings if fits else None

    def _time(self, text: str) -> Reading | None:
        text = " ".join(text.split())
        shifted = _AT_OFFSET.fullmatch(text)
        if shifted is None:
            return self._times.read(text)
        clock, sign, hours, minutes, date = shifted.groups()
        reading = self._times.read(f"{clock} UTC {date}")
        shift = timedelta(hours=int(hours), minutes=int(minutes or 0))
        # Of UTC no time is uncertain, but the 30th of February.
        return reading + (-shift if sign == "+" else shift) if isinstance(reading, datetime) else reading


def _record(line_key: bytes, fields: Fields, readings: Sequence[Reading | None]) -> CallRecord | Reason:
    natural_key, call_key = _keys(line_key, fields)
    duration = seconds(fields.duration)
    span = _span(readings, None if duration is None else timedelta(seconds=duration))
    if isinstance(span, Reason):
        return span
    started_at, answered_at, ended_at = span
    calling, called, forwarded_to = _parties(fields)
    talk_from = answered_at or ended_at
    return CallRecord(
        natural_key,
        call_key,
        _leg(fields),
        started_at,
        answered_at,
        ended_at,
        _whole_seconds(started_at, talk_from),
        _whole_seconds(talk_from, ended_at),
        _whole_seconds(started_at, ended_at),
        Direction.UNKNOWN,
        _disposition(fields) if answered_at is None else Disposition.ANSWERED,
        calling,
        called,
        forwarded_to,
    )


def _keys(line_key: bytes, fields: Fields) -> tuple[bytes, bytes]:
    """Give the natural key and the call's key."""
    call = fields.session_id or fields.call_id
    call_key = b"sbc\0" + call.encode("latin-1") if call else line_key
    if not fields.call_id:
        return line_key, call_key
    return f"sbc\0{fields.call_id}\0{fields.session_id}\0{fields.leg_id}".encode("latin-1"), call_key


def _leg(fields: Fields) -> int:
    """Give the leg's number; where the device does not write it, the incoming leg is the first."""
    return min(int(fields.leg_id or 0), MAX_LEG) or (2 if fields.orig == "LCL" else 1)


def _span(
    readings: Sequence[Reading | None], duration: timedelta | None
) -> tuple[datetime, datetime | None, datetime] | Reason:
    """Give start, answer and end; where local times are uncertain, each is decided by the one before it."""
    setup, connect, release = readings
    started_at = Reason.TYPE_SIGNATURE if setup is None else decide(setup, near=None)
    if isinstance(started_at, Reason):
        return started_at
    answered_at = None if connect is None else decide(connect, near=started_at)
    if isinstance(answered_at, Reason):
        return answered_at
    expected = (answered_at or started_at) + (duration or timedelta())
    if release is None:
        ended_at: datetime | Reason = Reason.TYPE_SIGNATURE if duration is None else expected
    else:
        ended_at = decide(release, near=expected)
    if isinstance(ended_at, Reason):
        return ended_at
    if answered_at is None and duration:
        # The connect time is not among the fields: of a call that nobody answered the duration is 0.
        answered_at = ended_at - duration
    return started_at, answered_at, ended_at


def _parties(fields: Fields) -> tuple[str, str, str]:
    """Give calling, called and forwarded-to: before the device rewrote them, as they were dialled."""
    calling = fields.src_uri_before or fields.src_uri
    called = fields.dst_uri_before or fields.dst_uri
    redirected = fields.redirect_uri_before or fields.redirect_uri
    return (calling, redirected, called) if redirected else (calling, called, "")


def _disposition(fields: Fields) -> Disposition:
    """Say why a call was not answered: the SIP response says most, then the device's category and reason."""
    if is_final(fields.sip_reason) and not fields.sip_reason.startswith("2"):
        return disposition_of(fields.sip_reason)
    category = _CATEGORIES.get(fields.term_category) or _REASONS.get(fields.sip_reason)
    return category or _REASONS.get(fields.term_reason, Disposition.UNKNOWN)


def _whole_seconds(start: datetime, end: datetime) -> int:
    span = end - start
    return span.days * 86_400 + span.seconds


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(SbcReader(context), text_lines)


DIALECT: Final = Dialect(
    name="audiocodes_sbc",
    description="AudioCodes Mediant SBCs, CDRs in syslog, releases 6.6 to 7.4, usual, titled or declared fields",
    transports=("file", "syslog"),
    identity="SIP call id, session id and leg id",
    inherent_loss="syslog over UDP; lines that the device cut at the length of a message",
    manual="AudioCodes user's manuals, CDR fields for SBC signaling; techdocs.audiocodes.com CDR Field Description",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"columns"}),
)
