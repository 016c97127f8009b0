"""Count how often a key occurred shortly before, as a function of the file's bytes alone.

Rows without an identity are told apart by how many equal ones came before them: two calls of zero seconds in the same
second are legitimate. The count looks back ``REWIND_BYTES`` and no further, so that a parser which starts in the
middle of a file reproduces it from the lines just before.
"""

from collections import deque
from typing import Final

from appliance.cdr.framing import REWIND_BYTES
from appliance.cdr.record import Line

MAX_LEG: Final = 9999
"""What the wire can carry; later legs of one call share it."""


class OccurrenceWindow:
    """Counts keys among the lines that start within the last ``REWIND_BYTES``; memory is bounded by that span."""

    __slots__ = ("_counts", "_recent")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._recent: deque[tuple[int, bytes]] = deque()
        self._counts: dict[bytes, int] = {}

    def count(self, key: bytes, *, offset: int) -> int:
        """Note ``key`` for the line that starts at ``offset``; give its number, 1 for the first."""
        recent, counts = self._recent, self._counts
        horizon = offset - REWIND_BYTES
        while recent and recent[0][0] < horizon:
            expired = recent.popleft()[1]
            left = counts[expired] - 1
            if left:
                counts[expired] = left
            else:
                del counts[expired]
        recent.append((offset, key))
        number = counts[key] = counts.get(key, 0) + 1
        return number

    def line_key(self, line: Line) -> bytes:
        """Give the natural key of a line without an identity: its bytes, and which of the equal ones it is."""
        occurrence = self.count(b"line\0" + line.content, offset=line.offset)
        return b"line\0%b\0%d" % (line.content, occurrence)

    def leg(self, call_key: bytes, line: Line) -> int:
        """Give the number of the leg that ``line`` adds to its call, from 1."""
        return min(self.count(call_key, offset=line.offset), MAX_LEG)
