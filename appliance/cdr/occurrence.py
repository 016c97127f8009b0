"""Count how often a key occurred shortly before, as a function of the file's bytes alone.

Rows without an identity are told apart by how many equal ones came before them: two calls of zero seconds in the same
second are legitimate. The count looks back ``REWIND_BYTES`` and no further, so that a parser which starts in the
middle of a file reproduces it from the lines just before.
"""

from collections import deque

from appliance.cdr.framing import REWIND_BYTES


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
