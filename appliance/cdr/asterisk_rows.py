"""Reads rows of Asterisk's columns: chooses the layout, proves it by types, and makes the record.

``asterisk_layout`` says which column is what, ``broken_quotes`` puts torn names together, ``asterisk_record`` makes the
record. A row that fits no layout is refused, never shifted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from appliance.cdr.asterisk_layout import LAYOUTS, Layout, Layouts, fit, header_layout
from appliance.cdr.asterisk_record import AsteriskRecords, Times
from appliance.cdr.broken_quotes import mended
from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.dialect import FeedContext
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome
from appliance.cdr.local_time import LocalTimes
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.zone_check import ZoneCheck

_MAX_SPARE: Final = 3
"""How many empty columns more than its layout a row may end with."""


class AsteriskReader:
    """Reads the rows of one file in order; remembers a header in the file's head and the last 64 KiB of keys."""

    __slots__ = ("_layouts", "_records", "_separators", "_times", "zone_check")

    def __init__(
        self,
        context: FeedContext,
        *,
        layouts: Layouts = LAYOUTS,
        separators: Sequence[str] = ",",
        times: Times | None = None,
    ) -> None:
        """Start at the beginning of a file whose rows have one of ``layouts``, until a header says otherwise.

        Rows are mended where one of ``separators`` may stand in a text.
        """
        self._times = times or LocalTimes(context.zone)
        self.zone_check = ZoneCheck(context.zone)
        self._records = AsteriskRecords(self._times, self.zone_check)
        self._layouts = layouts
        self._separators = separators

    def read(self, line: Line, row: Row, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        width = len(row)
        # Columns that a layout does not have are read from this empty one.
        row.append("")
        # ``_fitted`` written out: the call would cost each row a tenth of its time.
        for layout in self._layouts.get(width, ()):
            fields = fit(layout, row)
            if fields is not None:
                start = self._times.read(fields.start)
                if start is not None:
                    return self._records.make(line, fields, start)
        if not any(row):
            return None
        row.pop()
        return self._exception(line, row)

    def _fitted(self, line: Line, row: Row, layouts: tuple[Layout, ...]) -> CallRecord | Reason | None:
        for layout in layouts:
            fields = fit(layout, row)
            if fields is not None:
                start = self._times.read(fields.start)
                if start is not None:
                    return self._records.make(line, fields, start)
        return None

    def _exception(self, line: Line, row: Row) -> Outcome:
        """Deal with a row that fits no layout as it stands: a header, broken quotes, or nothing we know."""
        header = header_layout(row)
        if header is not None:
            if line.offset < HEAD_BYTES:
                self._layouts = {header.width: (header,)}
            return None
        for spare in range(1, _MAX_SPARE + 1):
            if any(row[-spare:]):
                break
            found = self._fitted(line, row, self._layouts.get(len(row) - spare, ()))
            if found is not None:
                return found
        fields = mended(line, self._layouts, self._separators, self._times)
        start = self._times.read(fields.start) if fields else None
        if fields and start:
            return self._records.make(line, fields, start)
        if len(row) == 1 and any(
            read is Reason.LINE_TORN for sep in self._separators for read in csv_rows(sep)([line])
        ):
            return Reason.LINE_TORN
        return Reason.TYPE_SIGNATURE if len(row) in self._layouts else Reason.COLUMN_COUNT
