"""Lines of a CSV file to rows, one row a line.

Decoded as latin-1: the structure is ASCII, numbers are ASCII, and the bytes of names never leave, so that no encoding
can be wrong. All lines go through one ``csv.reader``; where a quote that is not closed made it swallow line ends, each
line is read by itself, and the one with the open quote is refused as torn.
"""

import csv
from collections.abc import Sequence
from typing import Final

from appliance.cdr.framing import MAX_LINE_BYTES
from appliance.cdr.record import Line, QuarantineReason

Row = list[str]

_CONTROLS: Final = bytes(code for code in range(32) if code != ord("\t")) + b"\x7f"


def read_rows(lines: Sequence[Line]) -> Sequence[Row | QuarantineReason]:
    """Give the columns of each line, or why it has none. An empty line is a row without columns."""
    contents = [line.content for line in lines]
    whole = b"\n".join(contents)
    if _is_clean(whole, line_ends=len(lines) - 1) and max(map(len, contents), default=0) <= MAX_LINE_BYTES:
        rows = _read(whole.decode("latin-1").split("\n"))
        if rows is not None:
            return rows
    return [_read_one(content) for content in contents]


def _is_clean(data: bytes, *, line_ends: int) -> bool:
    """True if there is no control byte but tabs and so many LFs; deleting them is the fastest way to count."""
    return len(data) - len(data.translate(None, _CONTROLS)) <= max(line_ends, 0) and data.count(b"\n") <= line_ends


def _read_one(content: bytes) -> Row | QuarantineReason:
    if len(content) > MAX_LINE_BYTES:
        return QuarantineReason.LINE_TOO_LONG
    if not _is_clean(content, line_ends=0):
        return QuarantineReason.BINARY
    rows = _read([content.decode("latin-1")])
    return QuarantineReason.LINE_TORN if rows is None else rows[0]


def _read(texts: list[str]) -> list[Row] | None:
    """Give one row a text, or None if a quote stays open past the end of its line."""
    # An open quote in the last text would swallow this one; otherwise it gives one empty row more.
    texts.append("")
    try:
        rows = list(csv.reader(texts))
    except csv.Error:
        # Swallowed lines made a field longer than csv's own limit.
        return None
    return rows[:-1] if len(rows) == len(texts) else None
