"""Dialect ``freepbx_export``: CSV files of FreePBX' table ``asteriskcdrdb.cdr``, whichever tool wrote them.

The CDR report of the GUI (16 columns, a header), phpMyAdmin, ``mysql`` and spreadsheets differ in separator, quoting,
NULLs, dates and line ends. A header may name any table that has the necessary columns. The separator is what follows
the first date or ends the first name of a header: only comma, semicolon, tab and bar are looked for.

Sources: the ``cdr`` module of FreePBX; phpMyAdmin's CSV export; MySQL 8.0 Reference Manual, SELECT … INTO OUTFILE.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from appliance.cdr.asterisk_layout import EXPORTS, Layouts, declared_layout
from appliance.cdr.asterisk_record import COLUMNS
from appliance.cdr.asterisk_rows import AsteriskReader
from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.dialect import Dialect, FeedContext, Layout, LineParser
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import Line, QuarantineReason
from appliance.errors import SettingsError

SEPARATORS: Final = ",;\t|"
_BLANK: Final = SEPARATORS + ' "'
_AFTER_DATE: Final = re.compile(rb'"?\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T][\d:]{4,8}(?: [AaPp][Mm])?"?([,;\t|])')
_AFTER_NAME: Final = re.compile(rb'"?[A-Za-z][A-Za-z0-9_ ]{0,30}"?([,;\t|])')


class ExportRows:
    """The splitter: cuts each line by the separator that it, or the header in the file's head, shows."""

    __slots__ = ("_declared", "_of_header")

    def __init__(self, declared: str | None) -> None:
        """Cut by the separator that the administrator declared, if it is one."""
        self._declared = declared
        self._of_header = ","

    def __call__(self, lines: Sequence[Line]) -> Iterator[Row | QuarantineReason]:
        """Give the columns of each line; one that no separator can cut is given whole, for the reader to mend."""
        for separator, run in groupby(lines, self._separator):
            same = list(run)
            for line, row in zip(same, csv_rows(separator)(same), strict=True):
                if row is QuarantineReason.LINE_TORN:
                    yield [line.content.decode("latin-1")]
                else:
                    yield [] if len(row) == 1 and not row[0].strip(_BLANK) else row

    def _separator(self, line: Line) -> str:
        if self._declared:
            return self._declared
        shown = _AFTER_DATE.match(line.content)
        if shown:
            return shown[1].decode()
        named = _AFTER_NAME.match(line.content)
        if not named or b"disposition" not in line.content.lower():
            return self._of_header
        separator = named[1].decode()
        if line.offset < HEAD_BYTES:
            self._of_header = separator
        return separator


def _open(context: FeedContext) -> LineParser:
    layout = context.layout
    separators = (layout.separator,) if layout.separator else tuple(SEPARATORS)
    reader = AsteriskReader(context, layouts=_layouts(layout), separators=separators)
    return ReaderParser(reader, ExportRows(layout.separator), zone_check=reader.zone_check)


def _layouts(layout: Layout) -> Layouts:
    if not layout.columns:
        return EXPORTS
    declared = declared_layout(layout.columns)
    if declared is None:
        raise SettingsError(["layout.columns: calldate, src, dst, duration, billsec and disposition are needed"])
    return {declared.width: (declared,)}


DIALECT: Final = Dialect(
    name="freepbx_export",
    description="FreePBX CDR exports: GUI, phpMyAdmin, mysql or spreadsheet, 16-28 columns or any with a header",
    transports=("file",),
    identity="uniqueid and sequence; without a sequence the line and its occurrence within 64 KiB",
    inherent_loss="What is deleted from the table before it is exported",
    manual="FreePBX module cdr, table asteriskcdrdb.cdr; MySQL Reference Manual, SELECT … INTO OUTFILE",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"columns", "separator"}),
)
