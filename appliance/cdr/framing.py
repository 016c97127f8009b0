"""Cut the bytes of a file into lines, as they come.

LF, CRLF and a lone CR (exports from older Macs) each end a line. A UTF-8 BOM at the start of the file and NULs at the
start of a line (seen before Avaya IP Office records) are not content. What has no line end yet is held back: only the
source knows whether the file is finished, being written, or torn.

A line over ``MAX_LINE_BYTES`` costs no more memory than that: it is given as a ``Line`` whose content is the first
``MAX_LINE_BYTES + 1`` bytes, so that its length alone says ``LINE_TOO_LONG``, and reading goes on after its end.
The result depends on the bytes and the starting offset, never on how they were cut into chunks.
"""

import re
from itertools import accumulate
from typing import Final

from appliance.cdr.record import Line

MAX_LINE_BYTES: Final = 64 * 1024
"""Longest content of a line; Asterisk itself drops a record over 1,024 bytes (cdr_csv.c)."""

REWIND_BYTES: Final = 64 * 1024
"""A parser that starts in the middle of a file must be shown the lines that start this close before (``rewind``)."""

HEAD_BYTES: Final = 4 * 1024
"""It must also be shown the lines that start within the first bytes of the file: a header stands there."""

_LINE_END: Final = re.compile(rb"\r\n?|\n")
_BOM: Final = b"\xef\xbb\xbf"


class LineFramer:
    """Bytes in, lines out. ``offset`` counts from the start of the file; start at 0 or where a line starts."""

    __slots__ = ("_carriage_return", "_dropped", "_held", "_start")

    def __init__(self, offset: int = 0) -> None:
        """Expect the next byte fed to stand at ``offset``."""
        self._start = offset
        self._held = b""
        self._dropped = 0
        self._carriage_return = b""

    @property
    def pending(self) -> int:
        """How many bytes were fed after the last line given out (those of a line without its end)."""
        return len(self._held) + self._dropped + len(self._carriage_return)

    @property
    def offset(self) -> int:
        """Where the first line not yet given out starts: a new framer fed from there goes on the same."""
        return self._start

    def feed(self, data: bytes) -> list[Line]:
        """Take the next bytes and give the lines that they end."""
        if self._carriage_return or data.endswith(b"\r"):
            # A CR at the very end may be half of a CRLF; wait for what follows.
            data = self._carriage_return + data
            self._carriage_return = data[-1:] if data.endswith(b"\r") else b""
            data = data.removesuffix(b"\r")
        if not self._dropped:
            return self._cut(self._held + data)
        end = _after_line_end(data)
        if not end:
            self._dropped += len(data)
            return []
        line = Line(self._start, self._held)
        self._start += len(self._held) + self._dropped + end
        self._held, self._dropped = b"", 0
        return [line, *self._cut(data[end:])]

    def finish(self) -> Line | None:
        """Give the last line, which has no line end, if there is one. The caller knows that nothing follows."""
        if not self.pending:
            return None
        line = Line(self._start, _content(self._start, self._held))
        self._start += self.pending
        self._held, self._dropped, self._carriage_return = b"", 0, b""
        return line

    def _cut(self, block: bytes) -> list[Line]:
        """Split a block that begins at ``_start`` and keep its unfinished tail."""
        if b"\r" in block:
            ends = block.splitlines(keepends=True)
            tail = b"" if block.endswith(b"\n") else ends.pop()
            parts = [end.rstrip(b"\r\n") for end in ends]
        else:
            parts = ends = block.split(b"\n")
            tail = parts.pop()
        self._held = tail[: MAX_LINE_BYTES + 1]
        self._dropped = len(tail) - len(self._held)
        start, self._start = self._start, self._start + len(block) - len(tail)
        lengths = [len(part) + 1 for part in parts] if ends is parts else [len(end) for end in ends]
        offsets = accumulate(lengths, initial=start)
        if b"\0" in block or start == 0 or max(lengths, default=0) > MAX_LINE_BYTES:
            return [Line(offset, _content(offset, part)) for offset, part in zip(offsets, parts, strict=False)]
        # One offset more than there are parts: where the next line starts.
        return list(map(Line, offsets, parts))


def _after_line_end(data: bytes) -> int:
    """Where the first line end in ``data`` is over; 0 if there is none."""
    match = _LINE_END.search(data)
    return match.end() if match else 0


def _content(offset: int, part: bytes) -> bytes:
    """Take off what is not content, and cut what is too long."""
    if offset == 0:
        part = part.removeprefix(_BOM)
    return part.lstrip(b"\0")[: MAX_LINE_BYTES + 1]
