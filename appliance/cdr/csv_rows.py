"""Lines of a CSV file to rows, one row a line.

Decoded as latin-1: the structure is ASCII, numbers are ASCII, and the bytes of names never leave, so that no encoding
can be wrong. All lines go through one ``csv.reader``, row by row, so that no more than one is in memory; where a quote
that is not closed made it swallow line ends, each line is read by itself, and the one with the open quote is refused
as torn.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from appliance.cdr.framing import MAX_LINE_BYTES
from appliance.cdr.record import Line, QuarantineReason

Row = list[str]

_CONTROLS: Final = bytes(code for code in range(32) if code != ord("\t")) + b"\x7f"


def csv_rows(separator: str = ",") -> Callable[[Sequence[Line]], Iterator[Row | QuarantineReason]]:
    """Give a splitter: the columns of each line, or why it has none. An empty line is a row without columns."""
    return lambda lines: _split(lines, separator)


def text_lines(lines: Sequence[Line]) -> Iterator[str | QuarantineReason]:
    """Give the text of each line, or why it has none."""
    texts = _texts(lines)
    return iter(texts) if texts is not None else map(_text_of, lines)


def _split(lines: Sequence[Line], separator: str) -> Iterator[Row | QuarantineReason]:
    texts = _texts(lines)
    if texts is None:
        for line in lines:
            text = _text_of(line)
            yield text if isinstance(text, QuarantineReason) else _read_alone(text, separator)
        return
    done = 0
    while done < len(texts):
        reader = csv.reader([*texts[done:], ""], delimiter=separator)
        start, first = done, done
        try:
            for row in reader:
                done = start + reader.line_num
                if done - first > 1:
                    # A quote stayed open: the row swallowed its neighbours, or the empty text behind the last.
                    yield from (_read_alone(text, separator) for text in texts[first:done])
                elif done <= len(texts):
                    yield row
                first = done
        except csv.Error:
            # What an open quote swallowed is longer than csv's own limit for a field.
            yield QuarantineReason.LINE_TORN
            done = first + 1


def _texts(lines: Sequence[Line]) -> list[str] | None:
    """Decode all lines at once; None if some of them must be refused."""
    contents = [line.content for line in lines]
    whole = b"\n".join(contents)
    if _is_clean(whole, line_ends=len(lines) - 1) and max(map(len, contents), default=0) <= MAX_LINE_BYTES:
        return whole.decode("latin-1").split("\n") if lines else []
    return None


def _text_of(line: Line) -> str | QuarantineReason:
    if len(line.content) > MAX_LINE_BYTES:
        return QuarantineReason.LINE_TOO_LONG
    if not _is_clean(line.content, line_ends=0):
        return QuarantineReason.BINARY
    return line.content.decode("latin-1")


def _is_clean(data: bytes, *, line_ends: int) -> bool:
    """True if there is no control byte but tabs and so many LFs; deleting them is the fastest way to count."""
    return len(data) - len(data.translate(None, _CONTROLS)) <= max(line_ends, 0) and data.count(b"\n") <= line_ends


def _read_alone(text: str, separator: str) -> Row | QuarantineReason:
    # An open quote would swallow the empty text; otherwise it gives one empty row more.
    rows = list(csv.reader([text, ""], delimiter=separator))
    return rows[0] if len(rows) > 1 else QuarantineReason.LINE_TORN
