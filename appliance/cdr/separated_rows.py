"""Rows of a CSV file whose separator is not known: the first line that shows one decides for the file.

A line shows it by being, with that separator, what the dialect looks for: its header, or a row of so many columns.
Excel's line ``sep=;`` decides as well. Only the head of the file is asked, which a parser is shown after a restart.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Splitter
from appliance.cdr.record import Line, QuarantineReason

_SEPARATORS: Final = ",;\t|"
_EXCEL: Final = b"sep="


def names_separator(line: Line) -> bool:
    """Say whether it is the line by which Excel is told the separator."""
    return line.content[: len(_EXCEL)].lower() == _EXCEL


class SeparatedRows:
    """Splits lines into rows; where no separator is declared, the first line that shows one decides for the file."""

    __slots__ = ("_fits", "_rows")

    def __init__(self, separator: str | None, fits: Callable[[Row], bool]) -> None:
        """Start at the beginning of a file; ``fits`` says of a row whether it shows the separator."""
        self._rows: Splitter[Row] | None = csv_rows(separator) if separator else None
        self._fits = fits

    def split(self, lines: Sequence[Line]) -> Iterator[Row | QuarantineReason]:
        """Give the columns of each line, or why it has none."""
        undecided = 0
        while self._rows is None and undecided < len(lines):
            self._rows = self._decide(lines[undecided])
            undecided += self._rows is None
        # As if each line came alone: what stands before the line that decides is split by commas.
        yield from csv_rows()(lines[:undecided])
        if self._rows is not None:
            yield from self._rows(lines[undecided:])

    def _decide(self, line: Line) -> Splitter[Row] | None:
        """Give the splitter for the separator that ``line`` shows; None if it shows none."""
        if line.offset >= HEAD_BYTES:
            return csv_rows()
        if names_separator(line):
            sign = line.content[len(_EXCEL) : len(_EXCEL) + 1].decode("latin-1")
            return csv_rows(sign) if sign and sign in _SEPARATORS else None
        for separator in _SEPARATORS:
            [row] = csv_rows(separator)([line])
            if not isinstance(row, QuarantineReason) and self._fits(row):
                return csv_rows(separator)
        return None
