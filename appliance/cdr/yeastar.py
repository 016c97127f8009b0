"""Dialect ``yeastar``: call reports that a Yeastar PBX pushes as JSON, pages of its API, and its CSV exports.

Sources: help.yeastar.com: Cloud PBX developer guides (CDR report, ``NewCdr``), P-Series developer guides (event 30012,
query CDR list) and administrator guides (CDR overview); OpenVox' IPPBX, which sends the same reports.

The spelling of the names differs by product and is wrong in some (``callduraction``); all known ones are understood,
with or without ``_``. Events that report no finished call are no records. A duration includes ringing; talking is
what ends the call. ``callid`` begins with an epoch, which says what the local time meant; rows that share it are legs.
A call that ended in the mail box counts as answered if somebody talked to it.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from appliance.cdr.asterisk_layout import epoch_of
from appliance.cdr.csv_rows import Row
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import clock_seconds, seconds
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.json_or_rows import Content, Document, decoded, json_or_row_framer, json_or_rows, text_of
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_times import WrittenTimes
from appliance.cdr.zone_check import ZoneCheck
from appliance.wire.call import Direction, Disposition

_DISPOSITIONS: Final = {
    "ANSWERED": Disposition.ANSWERED,
    "ANSWER": Disposition.ANSWERED,
    "VOICEMAIL": Disposition.ANSWERED,
    "NO ANSWER": Disposition.NO_ANSWER,
    "NOANSWER": Disposition.NO_ANSWER,
    "ABANDONED": Disposition.NO_ANSWER,
    "BUSY": Disposition.BUSY,
    "FAILED": Disposition.FAILED,
    "CONGESTION": Disposition.CONGESTION,
}
_DIRECTIONS: Final = {
    "INBOUND": Direction.INBOUND,
    "OUTBOUND": Direction.OUTBOUND,
    "INTERNAL": Direction.INTERNAL,
}
_NEW_CDR: Final = frozenset({"newcdr", "30012"})
_ALIASES: Final = {
    "callid": "callid|cdrid",
    "uid": "uid",
    "timestart": "timestart|time|starttime",
    "timestamp": "timestamp",
    "callfrom": "callfrom",
    "callto": "callto",
    "duration": "callduraction|callduration|duration",
    "talk": "talkduraction|talkduration",
    "status": "status|disposition|callstatus",
    "type": "type|calltype|communicationtype",
    "did": "didnumber|did|didddi",
}
_NAMES: Final = {alias: field for field, aliases in _ALIASES.items() for alias in aliases.split("|")}
_HEADER_NAMES: Final = _NAMES | {"id": "callid"}
"""In an export ``ID`` is the call's id; the API numbers its answers with it."""
_OTHER: Final = re.compile(r"[^a-z]")
_LONGEST_NAME: Final = 40
_UNREAD: Final = "-"
_REQUIRED: Final = frozenset({"timestart", "callfrom", "callto", "duration", "talk", "status"})
_FIRST: Final = (
    *("callid", "timestart", "callfrom", "callto", "duration", "talk", "-", "-", "status", "type"),
    *("-", "-", "did", "-"),
)
"""The columns of an export without a header (S-Series auto backup)."""
_EPOCH_LENGTHS: Final = (9, 10)

COLUMNS: Final = {
    "callid": "never leaves; goes into a keyed hash, and its epoch decides what the local time meant",
    "uid": "never leaves; goes into a keyed hash: identifies the record",
    "timestart": "time: converted to UTC",
    "timestamp": "the same as an epoch: decides what the local time meant",
    "callfrom": "number: becomes the calling party, without the name",
    "callto": "number: becomes the called party, without the name",
    "didnumber": "number: becomes the called party where `callto` is empty",
    "callduration": "whole seconds, or H:MM:SS; also `callduraction`",
    "talkduration": "whole seconds, or H:MM:SS; also `talkduraction`",
    "status": "one of nine words; anything else is unknown",
    "type": "Inbound, Outbound or Internal; anything else is unknown",
} | unread(
    "action event sn srctrunkname desttrunkname dsttrunkname dsttrcunkname pincode recording agentringtime reason",
    "didname outboundcallerid calleripaddress call_note_id enb_call_note dod_number record_file",
)
"""What becomes of each field, ``_`` and blanks in its name left out."""


class Fields(NamedTuple):
    """What is read of a call, as text; empty where the source has none."""

    callid: str = ""
    uid: str = ""
    timestart: str = ""
    timestamp: str = ""
    callfrom: str = ""
    callto: str = ""
    duration: str = ""
    talk: str = ""
    status: str = ""
    type: str = ""
    did: str = ""


class YeastarReader:
    """Reads the documents and rows of one feed in order; remembers a header and the last 64 KiB of keys."""

    __slots__ = ("_columns", "_times", "_window", "zone_check")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self.zone_check = ZoneCheck(context.zone)
        self._times = WrittenTimes(context.zone, context.layout.date_order)
        self._window = OccurrenceWindow()
        self._columns: tuple[str, ...] = _FIRST

    def read(self, line: Line, content: Content, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the text
        """See ``line_parser.Reader``."""
        if content is None:
            return None
        if isinstance(content, list):
            return self._row(line, content)
        report = _report_of(content)
        if report is None:
            return None
        fields = _fields(report)
        if not fields.timestart or not (fields.callfrom or fields.callto):
            return Reason.TYPE_SIGNATURE
        return self._record(line, fields)

    def _row(self, line: Line, row: Row) -> Outcome:
        if not any(row):
            return None
        names = tuple(_HEADER_NAMES.get(_plain(cell), _UNREAD) for cell in row)
        if _REQUIRED.issubset(names):
            if line.offset < HEAD_BYTES:
                self._columns = names
            return None
        columns = self._columns
        if len(row) < len(columns) or any(row[len(columns) :]):
            return Reason.COLUMN_COUNT
        # Where a header names a field twice, the first column counts.
        named = {name: cell.strip() for name, cell in zip(reversed(columns), row[len(columns) - 1 :: -1], strict=True)}
        named.pop(_UNREAD, None)
        fields = Fields(**named)
        is_known = columns is not _FIRST or epoch_of(fields.callid) is not None
        return self._record(line, fields) if is_known and _status(fields) else Reason.TYPE_SIGNATURE

    def _record(self, line: Line, fields: Fields) -> CallRecord | Reason:
        # Keys are counted before anything that depends on the times can refuse the record.
        natural_key, call_key = self._keys(line, fields)
        leg = self._window.leg(call_key, line)
        total, talk = _length(fields.duration), _length(fields.talk)
        reading = self._times.read(fields.timestart)
        if total is None or talk is None or reading is None:
            return Reason.TYPE_SIGNATURE
        epoch = epoch_of(fields.callid)
        if epoch is None and fields.timestamp.isdecimal() and len(fields.timestamp) in _EPOCH_LENGTHS:
            epoch = int(fields.timestamp)
        started_at = decide(reading, near=None if epoch is None else datetime.fromtimestamp(epoch, UTC))
        if isinstance(started_at, Reason):
            return started_at
        if epoch is not None and isinstance(reading, datetime):
            self.zone_check.note(started_at, epoch)
        disposition = _status(fields) or Disposition.UNKNOWN
        if disposition is Disposition.ANSWERED and fields.status.upper() == "VOICEMAIL" and not talk:
            disposition = Disposition.NO_ANSWER
        is_answered = disposition is Disposition.ANSWERED
        rung = max(total - talk, 0) if is_answered else total
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            started_at + timedelta(seconds=rung) if is_answered else None,
            started_at + timedelta(seconds=max(total, talk)),
            rung,
            talk if is_answered else 0,
            max(total, talk),
            _DIRECTIONS.get(fields.type.upper(), Direction.UNKNOWN),
            disposition,
            fields.callfrom,
            fields.callto or fields.did,
            "",
        )

    def _keys(self, line: Line, fields: Fields) -> tuple[bytes, bytes]:
        """Give the natural key and the call's: the same for a report, an answer of the API and an exported row."""
        if fields.uid:
            natural_key = b"uid\0" + fields.uid.encode()
        else:
            row = "\0".join(fields).encode()
            natural_key = b"row\0%b\0%d" % (row, self._window.count(b"row\0" + row, offset=line.offset))
        return natural_key, b"call\0" + fields.callid.encode() if fields.callid else natural_key


def _report_of(document: Document) -> Document | None:
    """Give the object that has the call's fields; None if the document reports something else."""
    event = document.get("action") or document.get("event")
    message = document.get("msg")
    if event is None and message is not None:
        event = document.get("type")
        document = (
            (decoded(message) or {}) if isinstance(message, str) else message if isinstance(message, dict) else {}
        )
    return document if event is None or text_of(event).lower() in _NEW_CDR else None


def _fields(report: Document) -> Fields:
    found: dict[str, str] = {}
    for name, value in report.items():
        field = _field_of(name)
        if field is not None:
            found.setdefault(field, text_of(value))
    return Fields(**found)


@lru_cache(maxsize=256)
def _field_of(name: str) -> str | None:
    return _NAMES.get(_plain(name))


def _plain(name: str) -> str:
    """Give a name in small letters without anything else; none is longer."""
    return _OTHER.sub("", name[:_LONGEST_NAME].lower())


def _status(fields: Fields) -> Disposition | None:
    return _DISPOSITIONS.get(fields.status.upper())


def _length(text: str) -> int | None:
    return seconds(text) if ":" not in text else clock_seconds(text)


def _open(context: FeedContext) -> LineParser:
    reader = YeastarReader(context)
    return ReaderParser(reader, json_or_rows(context.layout.separator or ","), zone_check=reader.zone_check)


DIALECT: Final = Dialect(
    name="yeastar",
    description="Yeastar S-Series, Cloud PBX and P-Series: reports pushed as JSON, API pages, CSV exports",
    transports=("file", "http push"),
    identity="uid where there is one, else all fields that are read and their occurrence within 64 KiB",
    inherent_loss="reports that the PBX could not deliver are not sent again; the PBX drops the oldest of 200,000 logs",
    manual="help.yeastar.com: CDR report, NewCdr, event 30012, query CDR list, CDR overview",
    columns=COLUMNS,
    open=_open,
    framer=json_or_row_framer,
    options=frozenset({"separator", "date_order"}),
)
