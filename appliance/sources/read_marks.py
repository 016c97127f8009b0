"""What of a feed's files was read: the marks and the ledger of its position, kept together and bounded."""

from collections.abc import Callable, Mapping

import msgspec

from appliance.sources.position import MARKS, FeedPosition, Ledger, Mark, decode_position


class ReadMarks:
    """Changes with each batch; ``encode`` gives the position that is stored with it."""

    def __init__(self, stored: bytes | None, present: Callable[[], Mapping[int, int]]) -> None:
        """Go on from a stored position; ``present`` gives the files there are (key: time of change)."""
        known = decode_position(stored)
        self.is_new = known is None
        """Whether nothing of this feed was ever read."""
        self._present = present
        self._marks = known.marks if known else []
        self._ledger = Ledger(known.recent, known.pages) if known else Ledger()

    def __contains__(self, key: int) -> bool:
        """Whether a file in this state was read to its end."""
        return key in self._ledger

    @property
    def inodes(self) -> set[int]:
        """Of the files that have a mark."""
        return {mark.inode for mark in self._marks}

    def confirm(self) -> None:
        """After the first look: believe the position where it fits the files."""
        self._ledger.confirm(self._present())

    def likely(self, inode: int) -> list[Mark]:
        """All marks: those of ``inode``, the newest first, then the others, the farthest first."""
        own = [mark for mark in reversed(self._marks) if mark.inode == inode]
        others = [mark for mark in self._marks if mark.inode != inode]
        return own + sorted(others, key=lambda mark: -mark.offset)

    def add(self, mark: Mark, *, instead_of: Mark | None = None) -> None:
        """Note how far a file was read."""
        self._marks = [known for known in self._marks if known is not instead_of]
        self._marks.append(mark)
        if len(self._marks) > MARKS:
            self.done(self._marks.pop(0).key)

    def done(self, key: int) -> None:
        """Note that a file was read to its end."""
        self._ledger.add(key)
        if self._ledger.crowded:
            self._ledger.tidy(self._present())

    def encode(self) -> bytes:
        """The position now."""
        return msgspec.msgpack.encode(FeedPosition(self._marks, self._ledger.recent, self._ledger.pages))
