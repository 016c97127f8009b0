"""Dialect ``grandstream_ucm``: CDRs of Grandstream's UCM61xx to UCM63xx.

Sources: Grandstream, *CDR and REC API Guide* (UCM6100, UCM6510, UCM6xxx) and the chapters on CDRs of the user manuals;
for the columns of newer firmware public clients of the API (erxes/erxes, ``CallCdr``).

Read are the CDR API's CSV and JSON, what the real-time output sends, and exports of the web interface; not the XML.
The UCM is built on Asterisk and its columns are Asterisk's, so that ``asterisk_record`` makes the record. Its CSV does
not quote: commas of ``clid`` and ``lastdata`` make more columns, which ``broken_quotes`` takes back where the typed
columns leave one reading. ``AcctId`` tells the records of one ``uniqueid`` apart; ``session`` is shared by the legs of
a call. Pages of the API are cut into their records by ``json_or_rows``.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from appliance.cdr.asterisk_layout import DISPOSITIONS, REQUIRED, Fields, Layout, Layouts, compile_layout, fit
from appliance.cdr.asterisk_record import AsteriskRecords
from appliance.cdr.broken_quotes import MAX_SURPLUS, mended
from appliance.cdr.csv_rows import Row
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import clock_seconds
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.json_or_rows import Content, Document, json_or_row_framer, json_or_rows, text_of
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_number import is_number
from appliance.cdr.written_times import WrittenTimes
from appliance.cdr.zone_check import ZoneCheck

_FIRST: Final = (
    *("AcctId", "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield"),
    *("channel_ext", "dstchannel_ext", "service"),
)
_ADDED: Final = (
    *("caller_name", "recordfiles", "dstanswer", "chanext", "dstchanext", "session"),
    *("action_owner", "action_type", "src_trunk_name", "dst_trunk_name", "sn"),
)
_FIELD_OF: Final = {
    "acctid": "sequence",
    "callernumber": "src",
    "calleenumber": "dst",
    "context": "dcontext",
    "callerid": "clid",
    "destchannel": "dstchannel",
    "starttime": "start",
    "answertime": "answer",
    "endtime": "end",
    "calltime": "duration",
    "talktime": "billsec",
    "callstatus": "disposition",
    "session": "linkedid",
    # Asterisk's table has columns that the UCM's has not; two of the UCM's own travel in their places to ``_spelled``.
    "userfield": "cnum",
    "calltype": "cnum",
    "dstchannelext": "did",
    "destchannelextension": "did",
}
"""What the columns, their names without blanks and underscores, are called in Asterisk's table."""
_JSON_NAMES: Final = tuple(name.lower() for name in (*_FIRST, *_ADDED))
_NEVER: Final = frozenset({"0000-00-00 00:00:00", "NULL", "-"})
_INBOUND: Final = "from-trunk"

COLUMNS: Final = {
    "AcctId": "never leaves; goes into a keyed hash",
    "uniqueid": "never leaves; goes into a keyed hash, and its epoch decides what the local time meant",
    "session": "never leaves; goes into a keyed hash",
    "src": "number: becomes the calling party",
    "dst": "number: becomes the called party",
    "dstchannel_ext": "number: becomes the called party of an analog call, where `dst` is `s`",
    "dstchannel": "never leaves; a number that a forward dials becomes the forwarded-to party",
    "clid": "never leaves; looked at only to see that the caller withheld the number",
    "dcontext": "never leaves; looked at only to tell an incoming call",
    "userfield": "looked at only to tell an incoming call",
    "start": "time: converted to UTC",
    "answer": "time: converted to UTC",
    "end": "time: converted to UTC",
    "duration": "whole seconds, or H:MM:SS",
    "billsec": "whole seconds, or H:MM:SS",
    "disposition": "one of six values",
} | unread(
    "accountcode channel lastapp lastdata amaflags channel_ext service caller_name recordfiles dstanswer chanext",
    "dstchanext action_owner action_type src_trunk_name dst_trunk_name sn nat_call nat_call_peer video_call reason",
    "gdms_unique_code gds_call gsc_call wave_src_seqid wave_dst_seqid device_info device_info_peer recordfiles_desc",
    "anonymous_call wave_src_hide wave_dst_hide new_src",
)
"""What becomes of each column; exports of the web interface call them otherwise (``Caller Number``, ``Talk Time``)."""


def _spelled(fields: Fields) -> Fields:
    """Spell the UCM's values as Asterisk does."""
    is_inbound = fields.cnum.lower() == "inbound" or fields.dcontext.startswith("ext-did")
    return fields._replace(
        dcontext=_INBOUND if is_inbound else fields.dcontext,
        answer="" if fields.answer in _NEVER else fields.answer,
        duration=_whole_seconds(fields.duration),
        billsec=_whole_seconds(fields.billsec),
        disposition=fields.disposition.upper(),
        cnum="",
        did=fields.did if fields.dst in {"", "s"} and is_number(fields.did) else "",
    )


def _whole_seconds(text: str) -> str:
    return str(clock_seconds(text)) if ":" in text else text


def _layout_of(names: Sequence[str]) -> Layout | None:
    """Compile a header; None if the names are not those of the table."""
    plain = [name.strip().lower().replace(" ", "").replace("_", "") for name in names]
    fields = [_FIELD_OF.get(name, name) for name in plain]
    if not REQUIRED.union({"start"}).issubset(fields):
        return None
    return compile_layout(fields, has_epoch="uniqueid" in fields, spelled=_spelled)


def _layouts() -> dict[int, tuple[Layout, ...]]:
    sets = [_FIRST, *((*_FIRST, *_ADDED[:count]) for count in (2, 5, 10, 11))]
    layouts = [layout for layout in map(_layout_of, sets) if layout is not None]
    return {layout.width: (layout,) for layout in layouts}


_LAYOUTS: Final[Layouts] = _layouts()
_WIDEST: Final = _LAYOUTS[len(_FIRST) + len(_ADDED)][0]


class UcmReader:
    """Reads the rows and documents of one feed in order; remembers a header and the last 64 KiB of keys."""

    __slots__ = ("_layouts", "_records", "_separator", "_times", "zone_check")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._times = WrittenTimes(context.zone, context.layout.date_order)
        self.zone_check = ZoneCheck(context.zone)
        self._records = AsteriskRecords(self._times, self.zone_check)
        self._layouts = _LAYOUTS
        self._separator = context.layout.separator or ","

    def read(self, line: Line, content: Content, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the text
        """See ``line_parser.Reader``."""
        if content is None:
            return None
        if isinstance(content, dict):
            return self._fitted(line, _row_of(content), _WIDEST) or Reason.TYPE_SIGNATURE
        return self._row(line, content)

    def _row(self, line: Line, row: Row) -> Outcome:
        while len(row) > len(_FIRST) and not row[-1] and len(row) not in self._layouts:
            row.pop()
        for layout in self._layouts.get(len(row), ()):
            found = self._fitted(line, row, layout)
            if found is not None:
                return found
        fields = self._without_arguments(row)
        if fields is None:
            if not any(row):
                return None
            header = _layout_of(row)
            if header is not None:
                if line.offset < HEAD_BYTES:
                    self._layouts = {header.width: (header,)}
                return None
            fields = mended(line, self._layouts, [self._separator], self._times)
        start = self._times.read(fields.start) if fields else None
        if fields and start:
            return self._records.make(line, fields, start)
        return Reason.TYPE_SIGNATURE if len(row) in self._layouts else Reason.COLUMN_COUNT

    def _without_arguments(self, row: Row) -> Fields | None:
        """Read a row whose surplus columns can be nothing but the arguments of a dial string: most rows are so.

        There is one disposition, the caller id is complete, and no piece behind it could be its end.
        """
        if len([piece for piece in row if piece.upper() in DISPOSITIONS]) != 1:
            return None
        for layout in itertools.chain.from_iterable(self._layouts.values()):
            surplus = len(row) - layout.width
            after = layout.lastdata + surplus + 1
            pieces = row[layout.clid + 1 : after]
            if 0 < surplus <= MAX_SURPLUS and not any(piece.endswith(">") or '"' in piece for piece in pieces):
                fields = fit(layout, [*row[: layout.lastdata], "", *row[after:], ""])
                if fields and (fields.clid.endswith(f"<{fields.src}>") or fields.clid in {"", fields.src}):
                    return fields
        return None

    def _fitted(self, line: Line, row: Row, layout: Layout) -> CallRecord | Reason | None:
        fields = fit(layout, [*row, ""])
        start = self._times.read(fields.start) if fields else None
        return self._records.make(line, fields, start) if fields and start else None


def _row_of(document: Document) -> Row:
    """Give the row that the CSV of the API would have; bytes of names are kept apart from text as in CSV."""
    values = {name.lower(): value for name, value in document.items()}
    return [text_of(values.get(name)).encode().decode("latin-1") for name in _JSON_NAMES]


def _open(context: FeedContext) -> LineParser:
    reader = UcmReader(context)
    return ReaderParser(reader, json_or_rows(context.layout.separator or ","), zone_check=reader.zone_check)


DIALECT: Final = Dialect(
    name="grandstream_ucm",
    description="Grandstream UCM61xx to UCM63xx: CDR API in CSV or JSON, real-time output, CSV exports",
    transports=("file", "http push", "http pull"),
    identity="uniqueid and AcctId; without them the line and its occurrence within 64 KiB",
    inherent_loss="real-time output that the server did not take; calls going on at a restart",
    manual="Grandstream, CDR and REC API Guide (UCM6100, UCM6510, UCM6xxx); UCM user manuals, chapter CDR",
    columns=COLUMNS,
    open=_open,
    framer=json_or_row_framer,
    options=frozenset({"separator", "date_order"}),
)
