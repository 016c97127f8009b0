"""Dialect ``generic_csv``: a CSV file of any PBX, whose columns are declared in the settings or named by its header.

``layout.columns`` declares each column by ``declared_columns``' vocabulary; without it, a header line in the head of
the file does. The separator is ``layout.separator``, else what a line ``sep=`` of Excel names, else the one of
``,`` ``;`` tab ``|`` that gives the first line so many columns as are declared, or the most names of a header.
A row must have as many columns as the layout (empty ones may follow), or it is refused: nothing is shifted.
Ignored are comment lines (``#``), headers wherever they stand, and rows of totals.

Sources: RFC 4180; the files of cgrates/cgrates ``ers/filecsv_it_test.go`` as an example of what declares no names.
"""

from datetime import datetime
from typing import Final

from appliance.cdr.csv_rows import Row
from appliance.cdr.declared_columns import VOCABULARY, Columns, Fields, declared_columns, header_columns, plain_words
from appliance.cdr.declared_fields import FieldReader
from appliance.cdr.dialect import Dialect, FeedContext, LineParser
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from appliance.cdr.separated_rows import SeparatedRows, names_separator

_TOTALS: Final = frozenset(
    {
        *("total", "totals", "grand total", "subtotal", "sum", "summe", "gesamt", "gesamtsumme", "total general"),
        *("totaux", "totales", "totaal", "totalen"),
    }
)
_CODES: Final = frozenset("0123456789*#+")
_DIGITS: Final = frozenset(b"0123456789")
_MOST_COLUMNS: Final = 512
_PARTIES: Final = frozenset({"calling", "called"})


class GenericReader:
    """Reads the rows of one file in order; remembers a header in the file's head."""

    __slots__ = ("_columns", "_declared", "_fields")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file.

        Raises:
            SettingsError: the declared columns make no sense.
        """
        names = context.layout.columns
        self._declared = bool(names)
        self._columns = declared_columns(names) if names else None
        self._fields = FieldReader(context)

    def read(self, line: Line, row: Row, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        columns, width = self._columns, len(row)
        outcome = QuarantineReason.COLUMN_COUNT
        if columns is not None and width >= columns.width and not self._is_comment(line, row):
            # Columns that the layout does not have are read from the empty one behind it.
            row.append("")
            if width == columns.width or not any(row[columns.width :]):
                record = self._fields.record(line, columns, Fields._make(map(str.strip, columns.pick(row))))
                if isinstance(record, CallRecord):
                    return record
                outcome = record
            del row[width:]
        return None if self._is_known(line, row) else outcome

    def _is_known(self, line: Line, row: Row) -> bool:
        """Say whether the row is known to be no record; remember it if it is a header."""
        if not any(map(str.strip, row)):
            return True
        header = _header(row)
        if header is not None and not self._declared and line.offset < HEAD_BYTES:
            self._columns = header
        first = next(filter(None, map(str.strip, row)))
        return (
            header is not None
            or self._is_comment(line, row)
            or names_separator(line)
            or plain_words(first) in _TOTALS
            or (line.offset == 0 and self._declared and _DIGITS.isdisjoint(line.content))
        )

    def _is_comment(self, line: Line, row: Row) -> bool:
        """Say whether it is a comment; a party that begins with a feature code (``#31#0470…``) is none."""
        if not line.content.startswith(b"#"):
            return False
        dialled = self._columns is not None and self._columns.names[0] in _PARTIES
        return not (dialled and _CODES.issuperset(row[0]))


def _header(row: Row) -> Columns | None:
    if not row or len(row) > _MOST_COLUMNS:
        return None
    # Some writers mark the header as a comment.
    return header_columns([row[0].lstrip("#:"), *row[1:]])


def _open(context: FeedContext) -> LineParser:
    layout, width = context.layout, len(context.layout.columns)
    rows = SeparatedRows(layout.separator, lambda row: len(row) == width if width else _header(row) is not None)
    return ReaderParser(GenericReader(context), rows.split)


DIALECT: Final = Dialect(
    name="generic_csv",
    description="CSV file of any PBX: columns declared in the settings, or named by the file's header",
    transports=("file",),
    identity="the column `record_id`; without it the line and its occurrence within 64 KiB",
    inherent_loss="That of the PBX that writes the file",
    manual="RFC 4180; cgrates/cgrates ers/filecsv_it_test.go",
    columns=VOCABULARY,
    open=_open,
    options=frozenset({"columns", "separator", "date_order"}),
)
