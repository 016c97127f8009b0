"""One open file of a feed, read forward only, and its mark: how it is known again.

The bytes that were read last are kept, and compared with those in the file before it is read on: a file truncated,
or written anew in place, is seen however long it has become. NULs at the end are not content: a server may show a
file's new size before its new bytes. A last line without line end waits.
"""

import hashlib
from collections.abc import Callable
from typing import Final

from appliance.cdr.dialect import Framer
from appliance.cdr.framing import HEAD_BYTES, MAX_LINE_BYTES, REWIND_BYTES
from appliance.cdr.record import Line
from appliance.sources.content import Content
from appliance.sources.position import Mark

HASHED_BYTES: Final = 1024
LOOK_BACK_BYTES: Final = REWIND_BYTES + MAX_LINE_BYTES
"""The window a parser must be shown, and one line more, which the cut at its start may spoil."""
_HASH_SIZE: Final = 16
_AHEAD_BYTES: Final = 64 * 1024

MakeFramer = Callable[[int], Framer]


class FollowedFile:
    """Reads one file from its start, or from a mark that was taken in it."""

    def __init__(self, content: Content, inode: int, framer: MakeFramer) -> None:
        """Read ``content``, and own it; ``framer`` cuts it."""
        self.content = content
        self.inode = inode
        self.mark: Mark | None = None
        """How far lines were given; None at the start."""
        self._make_framer = framer
        self._framer = framer(0)
        self._first = self._head = self._tail = b""
        self._mark_tail = _hash(b"")
        self.read_to = 0

    def close(self) -> None:
        """Let go of the file."""
        self.content.close()

    @property
    def pending(self) -> bool:
        """Whether a line began that has not ended."""
        return self._framer.pending > 0

    def holds(self, mark: Mark) -> bool:
        """Whether ``mark`` was taken in this file, or in one that this is a copy of."""
        return self.has_head(mark) and _hash(self._before(mark.offset)) == mark.tail_hash

    def has_head(self, mark: Mark) -> bool:
        """Whether it begins as the file of ``mark``."""
        if not self._first:
            self._first = self.content.read(HASHED_BYTES, 0)
        return len(self._first) >= mark.head_bytes and _hash(self._first[: mark.head_bytes]) == mark.head_hash

    def begins_like(self, original: "FollowedFile", size: int) -> bool:
        """Whether this file's first ``size`` bytes are, at their start and end, also in ``original``."""
        length = min(size, HASHED_BYTES)
        mine, its = self.content, original.content
        return all(mine.read(length, offset) == its.read(length, offset) for offset in (0, size - length))

    def continue_at(self, mark: Mark, *, leaves_mark: bool) -> None:
        """Go on after ``mark``, which this file ``holds``, and take it over if the file that it was of is gone."""
        self._head = self.content.read(mark.head_bytes, 0)
        self._go(mark.offset)
        self.mark = self.take_mark(mark.key) if leaves_mark else mark

    def pass_over(self, size: int, key: int) -> Mark:
        """Mark the first ``size`` bytes as read."""
        self._head = self.content.read(HASHED_BYTES, 0)
        self._go(size)
        return self.take_mark(key)

    def preceding(self) -> list[Line]:
        """The lines before the mark, as ``LineParser.rewind`` asks for them: the last ones, and a header."""
        return self._look_back(self.mark.offset) if self.mark else []

    def was_rewritten(self) -> bool:
        """Whether lines that were given are no longer there; a torn last line may be, and is read anew."""
        head = self.content.read(len(self._head), 0)
        if head == self._head and self._before(self.read_to) == self._tail:
            return False
        offset = self._framer.offset
        given = min(offset, HASHED_BYTES)
        if offset and head[:given] == self._head[:given] and _hash(self._before(offset)) == self._mark_tail:
            self._go(offset)
            return False
        return True

    def read(self, max_bytes: int) -> list[Line]:
        """The next complete lines; reads on while a line is longer than ``max_bytes``."""
        while data := self._arrived(max_bytes):
            self._head += data[: HASHED_BYTES - len(self._head)]
            self.read_to += len(data)
            lines = self._framer.feed(data)
            joined = self._tail + data
            self._tail = joined[-HASHED_BYTES:]
            if lines:
                end, size = len(joined) - self._framer.pending, min(self._framer.offset, HASHED_BYTES)
                # A document whose end was seen late may leave more behind than was kept.
                self._mark_tail = _hash(joined[end - size : end] if end >= size else self._before(self._framer.offset))
                return lines
        return []

    def finish(self) -> Line | None:
        """The last line, which will never get a line end."""
        line = self._framer.finish()
        self._mark_tail = _hash(self._tail)
        return line

    def take_mark(self, key: int) -> Mark:
        """Mark how far lines were given."""
        offset = self._framer.offset
        head = self._head[: min(offset, HASHED_BYTES)]
        self.mark = Mark(self.inode, len(head), _hash(head), self._mark_tail, offset, key)
        return self.mark

    def _arrived(self, max_bytes: int) -> bytes:
        """What follows, without NULs at the end, which may be bytes that are yet to arrive."""
        data = self.content.read(max_bytes, self.read_to)
        arrived = data.rstrip(b"\0")
        if arrived or not data or self.content.read(_AHEAD_BYTES, self.read_to).strip(b"\0"):
            return arrived or data
        # A long run of NULs, perhaps a hole that stays; it is passed once something stands behind it.
        last = max(self.read_to, self.content.end() - _AHEAD_BYTES)
        return data if self.content.read(_AHEAD_BYTES, last).strip(b"\0") else b""

    def _go(self, offset: int) -> None:
        self._framer = self._make_framer(offset)
        self.read_to = offset
        self._head = self._head[: min(offset, HASHED_BYTES)]
        self._tail = self._before(offset)
        self._mark_tail = _hash(self._tail)

    def _before(self, offset: int) -> bytes:
        size = min(offset, HASHED_BYTES)
        return self.content.read(size, offset - size)

    def _look_back(self, offset: int) -> list[Line]:
        """What ``LineParser.rewind`` asks for: the lines shortly before ``offset``, and those at the file's start."""
        start = max(0, offset - LOOK_BACK_BYTES)
        lines = self._make_framer(start).feed(self.content.read(offset - start, start))
        if start == 0:
            return lines
        # The first of ``lines`` begins within a line; and the start of the file may hold a header, whose line may be
        # that very one.
        head = self._make_framer(0).feed(self.content.read(min(offset, HEAD_BYTES + MAX_LINE_BYTES), 0))
        head = [line for line in head if line.offset < HEAD_BYTES]
        return head + [line for line in lines[1:] if not head or line.offset > head[-1].offset]


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_HASH_SIZE]
