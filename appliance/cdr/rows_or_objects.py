"""Lines that are rows of separated columns or JSON objects: what Asterisk's custom backends write, by configuration.

The writers of those backends put a backslash before quotes, and leave line ends within values to JSON's rules, so that
an object is one line. Decoded as rows are: each byte is a character, because names may be of any encoding.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from appliance.cdr.csv_rows import Row, csv_rows, text_lines
from appliance.cdr.record import Line, QuarantineReason

Object = dict[str, Any]


class RowsOrObjects:
    """The splitter: columns of a row, or a JSON object."""

    __slots__ = ("_rows",)

    def __init__(self, separator: str) -> None:
        """Cut rows by ``separator``."""
        self._rows = csv_rows(separator)

    def __call__(self, lines: Sequence[Line]) -> Iterator[Row | Object | QuarantineReason]:
        """Give what each line holds, or why it holds nothing."""
        for is_json, run in groupby(lines, lambda line: line.content.startswith(b"{")):
            same = list(run)
            yield from map(_object, text_lines(same)) if is_json else self._rows(same)


def _object(text: str | QuarantineReason) -> Object | QuarantineReason:
    if isinstance(text, QuarantineReason):
        return text
    try:
        return msgspec.json.decode(text.encode(), type=Object)
    except (msgspec.DecodeError, RecursionError):
        return QuarantineReason.TYPE_SIGNATURE


def named_row(content: Object, names: Sequence[str]) -> Row:
    """Give the members called ``names`` (in small letters) as a row; one that is missing is empty."""
    members = {name.lower(): value for name, value in content.items()}
    return [_text(members.get(name)) for name in names]


def _text(value: object) -> str:
    """Give a member's value as text of one byte a character, as rows are."""
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
    return text.encode("latin-1", "replace").decode("latin-1")
