"""Dialect ``generic_fixed_width``: lines of any PBX whose columns have fixed places, declared in the settings.

``layout.columns`` names each column by ``declared_columns``' vocabulary, ``layout.widths`` says how many characters it
has. A line may lack the blanks at its end, and with them columns that may be empty; it must not be longer than the
layout. Widths are characters: a line that is UTF-8 is read so, unless only its bytes have the declared width.
Ignored are header and trailer lines that begin with a known marker (``HDR``, ``TRL`` …) and do not fit, column titles
and lines of dashes.

Sources: the file of cgrates/cgrates ``ers/filefwv_it_test.go`` as an example (header, records, trailer).
"""

import re
from datetime import datetime
from itertools import accumulate
from typing import Final

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.declared_columns import VOCABULARY, Columns, Fields, declared_columns, names_columns
from appliance.cdr.declared_fields import FieldReader
from appliance.cdr.dialect import Dialect, FeedContext, Layout, LineParser
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from appliance.errors import SettingsError

_MARKER: Final = re.compile(
    r"(?:HDR|HEAD|HEADER|TRL|TLR|TRAIL|TRAILER|FTR|FOOT|FOOTER|BOF|EOF|BEGIN|END|START|STOP|TOTAL|TOTALS)(?![A-Za-z])",
    re.ASCII | re.IGNORECASE,
)
_GAP: Final = re.compile(r" {2,}|\t|\|")
_NEEDED: Final = frozenset(
    {"start", "date", "time", "end", "end_date", "end_time", "duration", "talk", "ring", "called"}
)
"""Columns that a line must reach, if they are declared: one that ends before was cut off. Others may be empty."""
_DIGITS: Final = frozenset("0123456789")


class FixedWidthReader:
    """Reads the lines of one file in order."""

    __slots__ = ("_columns", "_fields", "_least", "_places", "_width")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file.

        Raises:
            SettingsError: the layout makes no sense.
        """
        self._columns = _declared(context.layout)
        ends = list(accumulate(context.layout.widths, initial=0))
        places = dict(zip(self._columns.names, map(slice, ends, ends[1:]), strict=False))
        self._places = [places.get(name, slice(0, 0)) for name in Fields._fields]
        self._width = ends[-1]
        self._least = max(places[name].start for name in _NEEDED & places.keys())
        self._fields = FieldReader(context)

    def read(self, line: Line, text: str, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the line
        """See ``line_parser.Reader``."""
        if not text.isascii():
            text = self._characters(text)
        outcome: Outcome = QuarantineReason.COLUMN_COUNT
        if self._least < len(text) <= self._width or self._least < len(text.rstrip()) <= self._width:
            fields = Fields._make([text[place].strip() for place in self._places])
            outcome = self._fields.record(line, self._columns, fields)
            if isinstance(outcome, CallRecord):
                return outcome
        fits = outcome is not QuarantineReason.COLUMN_COUNT and outcome is not QuarantineReason.TYPE_SIGNATURE
        return None if not fits and _is_known(text) else outcome

    def _characters(self, text: str) -> str:
        """Give the characters of a line that was decoded byte by byte."""
        try:
            decoded = text.encode("latin-1").decode()
        except UnicodeError:
            return text
        return text if len(text) == self._width else decoded


def _declared(layout: Layout) -> Columns:
    mistakes = [
        f"layout.{option}: is missing, and a fixed width needs it"
        for option, given in (("columns", layout.columns), ("widths", layout.widths))
        if not given
    ]
    if not mistakes and len(layout.columns) != len(layout.widths):
        mistakes = ["layout.widths: as many are needed as there are columns"]
    try:
        columns = declared_columns(layout.columns)
    except SettingsError as error:
        mistakes += error.mistakes if layout.columns else []
        raise SettingsError(mistakes) from None
    if mistakes:
        raise SettingsError(mistakes)
    return columns


def _is_known(text: str) -> bool:
    """Say whether a line that does not fit is known to be no record."""
    if not any(map(str.isalnum, text)) or _MARKER.match(text.lstrip()):
        return True
    return _DIGITS.isdisjoint(text) and names_columns(_GAP.split(text.strip()))


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(FixedWidthReader(context), text_lines)


DIALECT: Final = Dialect(
    name="generic_fixed_width",
    description="Lines of any PBX with columns of a fixed width, declared in the settings",
    transports=("file",),
    identity="the column `record_id`; without it the line and its occurrence within 64 KiB",
    inherent_loss="That of the PBX that writes the file",
    manual="cgrates/cgrates ers/filefwv_it_test.go",
    columns=VOCABULARY,
    open=_open,
    options=frozenset({"columns", "widths", "date_order"}),
)
