"""Dialect ``threecx_report``: the CSV of 3CX' call report, as the console downloads it (v20; older ones by the header).

The header names the columns: 14 in v20 (``Call Time`` to ``Transcription``), fewer in older versions, ``From`` and
``To`` in newer ones. Times are the site's; dates are in the server's format, ISO in v20: ``layout.date_order`` says
which of two readings is meant. Numbers stand beside names, ``Ann (101)``. A row of totals ends the report.

``Summary`` and ``Transcription`` are what was said in the call, with line ends in them: a row ends where its quotes are
closed, or where another row begins (a quote that is not closed does not take its neighbours with it). They are never
read, nor are they part of a row's identity, for 3CX writes them later.

Sources: yosinurigroup/3CXAnalytics ``public/csv/inbound_calls.csv`` (header, words, totals).
"""

import csv
import re
from datetime import datetime
from typing import Final

from appliance.cdr.csv_rows import Row
from appliance.cdr.declared_columns import Columns, Fields, header_columns, plain_words
from appliance.cdr.declared_fields import FieldReader
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.documents import DocumentFramer, documents
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.record import CallRecord, Line, QuarantineReason

_TOKENS: Final = re.compile(rb'["\n]')
_ROW_START: Final = re.compile(
    rb'"?(?:(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:\d{4}|\d\d))(?:T|,? {1,2})\d\d?[:.]\d\d(?:[:.]\d\d)?'
    rb'(?:\.\d{1,3})?(?: ?[AaPp]\.?[Mm]\.?)?Z?|Totals?)"?[,;\t]'
)
_MAY_START: Final = re.compile(rb'["0-9T:/., APMapm.Zotals-]*+')
_ROW_START_BYTES: Final = 48
"""No more than so many bytes tell that a row begins."""
_CONTROLS: Final = bytes(code for code in range(32) if code not in b"\t\r\n") + b"\x7f"
_SEPARATORS: Final = ",;\t"
_MOST_COLUMNS: Final = 64
_LENGTHS: Final = frozenset({"ring", "talk", "duration"})
_TOTALS: Final = frozenset({"total", "totals"})


class RowScanner:
    """One row ends with a line end outside quotes, or before a line that begins as a row does; see ``Scanner``."""

    __slots__ = ("_quoted", "_scanned")

    def __init__(self) -> None:
        """Start before the row."""
        self._scanned = 0
        self._quoted = False

    def end(self, data: bytes, start: int, /) -> int:
        """See ``documents.Scanner``."""
        for match in _TOKENS.finditer(data, start + self._scanned):
            end = match.end()
            if match[0] == b'"':
                self._quoted = not self._quoted
            elif not self._quoted or _ROW_START.match(data, end):
                return end
            elif len(data) - end < _ROW_START_BYTES and _MAY_START.fullmatch(data, end):
                # What follows is not all here, and may yet turn out to be a row.
                self._scanned = match.start() - start
                return 0
        self._scanned = len(data) - start
        return 0


def row_framer(offset: int) -> DocumentFramer:
    """Cut rows, whose cells may hold line ends."""
    return DocumentFramer(RowScanner, offset)


class ReportReader:
    """Reads the rows of one file in order; remembers the header in the file's head."""

    __slots__ = ("_columns", "_fields", "_separator")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._columns: Columns | None = None
        self._separator = ","
        self._fields = FieldReader(context)

    def read(self, line: Line, content: bytes, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        if len(content) != len(content.translate(None, _CONTROLS)):
            return QuarantineReason.BINARY
        row = _row(content, self._separator)
        if row is None:
            return QuarantineReason.LINE_TORN
        outcome = self._record(line, row)
        if isinstance(outcome, CallRecord) or not self._is_known(line, content, row):
            return outcome
        return None

    def _record(self, line: Line, row: Row) -> CallRecord | QuarantineReason:
        columns, width = self._columns, len(row)
        row.append("")
        if columns is None or width < columns.width or any(row[columns.width :]):
            return QuarantineReason.COLUMN_COUNT
        fields = Fields._make(map(str.strip, columns.pick(row)))
        # The row is known by what is read of it: the rest is not there yet in an earlier export.
        known = Line(line.offset, "\0".join(fields).encode("latin-1"))
        return self._fields.record(known, columns, fields)

    def _is_known(self, line: Line, content: bytes, row: Row) -> bool:
        """Say whether the row is known to be no record; remember it if it is a header."""
        for separator in _SEPARATORS:
            names = _row(content, separator) or []
            header = header_columns(names) if len(names) <= _MOST_COLUMNS else None
            if header is not None and not _LENGTHS.isdisjoint(header.names):
                if line.offset < HEAD_BYTES:
                    self._columns, self._separator = header, separator
                return True
        cells = [cell for cell in map(str.strip, row) if cell]
        # Before the header stands the report's title, if anything does.
        is_title = self._columns is None and len(cells) == 1 and line.offset < HEAD_BYTES
        return not cells or plain_words(cells[0]) in _TOTALS or is_title


def _row(content: bytes, separator: str) -> Row | None:
    """Give the cells of one row; None if a quote is not closed, or a cell is longer than csv's own limit."""
    try:
        # An open quote would swallow the empty text; otherwise it gives one empty row more.
        rows = list(csv.reader([content.decode("latin-1"), ""], delimiter=separator))
    except csv.Error:
        return None
    return rows[0] if len(rows) > 1 else None


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(ReportReader(context), documents)


DIALECT: Final = Dialect(
    name="threecx_report",
    description="CSV of 3CX' call report (v20 with 14 columns, others by their header)",
    transports=("file",),
    identity="what is read of the row and its occurrence within 64 KiB",
    inherent_loss="A report holds the calls of its filter and period; what falls between two reports is lost",
    manual="3CX v20 call reports; yosinurigroup/3CXAnalytics public/csv/inbound_calls.csv",
    columns={
        "Call Time": "time: of the site's zone, converted to UTC",
        "Caller ID": "number: becomes the calling party; the name beside it never leaves",
        "From": "as `Caller ID`",
        "Destination": "number: becomes the called party; the name beside it never leaves",
        "To": "as `Destination`",
        "Status": "answered, unanswered or redirected",
        "Ringing": "duration",
        "Talking": "duration",
        "Total Duration": "duration",
        "Call Type": "tells the direction",
        "Direction": "tells the direction",
        "Call ID": "never leaves; goes into a keyed hash",
        "Trunk number": "never leaves, is not read",
        "Call Activity Details": "never leaves, is not read",
    }
    | unread("Trunk Did Cost Reason Sentiment Summary Transcription"),
    open=_open,
    framer=row_framer,
    options=frozenset({"date_order"}),
)
