"""Where a feed of one or many files stands: bounded, and free of any clock.

Marks say how far the files read last were read; each is found again by its bytes, whatever its name or inode became.
The ledger says which files were read to their end, by what ``stat`` says of them: the last ones one by one, older ones
as pages, each the count and the sum of the states of files with neighbouring times. After a restart a page that still
adds up was read; one that does not (a file in it was deleted, changed or came late) is read again, and the receiver,
which knows the keys, counts nothing twice. So a late file is found whatever its time, and no clock is trusted.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Struct

MARKS: Final = 128
RECENT: Final = 512
PAGES: Final = 64
_SUM: Final = 2**64


class Mark(Struct, frozen=True, array_like=True):
    """How far one file was read."""

    inode: int
    head_bytes: int
    head_hash: bytes
    """Of the file's first up to 1,024 bytes before ``offset``."""
    tail_hash: bytes
    """Of the up to 1,024 bytes before ``offset``."""
    offset: int
    key: int
    """``FileStatus.key`` when it was read so far."""


class Page(Struct, frozen=True, array_like=True):
    """Older files that were read: all that were modified after the previous page's ``newest`` and up to its own."""

    newest: int
    files: int
    total: int
    """The sum of their keys, modulo 2^64."""


class FeedPosition(Struct, frozen=True, array_like=True):
    """What is stored, sealed, because hashes of short files of calls could be guessed at."""

    marks: list[Mark]
    """The least recently read first."""
    recent: list[int]
    pages: list[Page]


def decode_position(stored: bytes | None) -> FeedPosition | None:
    """Read a stored position; None where there is none, or one of another release: the feed is then read anew."""
    try:
        return msgspec.msgpack.decode(stored, type=FeedPosition) if stored else None
    except msgspec.MsgspecError:
        return None


class Ledger:
    """Which states of files were read to their end."""

    def __init__(self, recent: Iterable[int] = (), pages: Iterable[Page] = ()) -> None:
        """Go on from what a position holds; ``pages`` count once ``confirm`` has seen the files."""
        self._recent = dict.fromkeys(recent)
        self._older: set[int] = set()
        self.pages = list(pages)

    def __contains__(self, key: int) -> bool:
        """Whether the file was read to its end in this state."""
        return key in self._recent or key in self._older

    def add(self, key: int) -> None:
        """Note that it was."""
        if key not in self._older:
            self._recent[key] = None

    @property
    def recent(self) -> list[int]:
        """The states noted last."""
        return list(self._recent)

    @property
    def crowded(self) -> bool:
        """Whether ``tidy`` is due before more is noted."""
        return len(self._recent) >= 2 * RECENT

    def confirm(self, present: Mapping[int, int]) -> None:
        """Compare the pages with the files that there are (key: time of change), once after a restart."""
        files = sorted((modified, key) for key, modified in present.items() if key not in self._recent)
        place = 0
        for page in self.pages:
            keys = []
            while place < len(files) and files[place][0] <= page.newest:
                keys.append(files[place][1])
                place += 1
            if (len(keys), sum(keys) % _SUM) == (page.files, page.total):
                self._older.update(keys)

    def tidy(self, present: Mapping[int, int]) -> None:
        """Forget files that are gone, and put the older of the rest into pages."""
        leaving = list(self._recent)[: -RECENT or None]
        for key in leaving:
            del self._recent[key]
        self._older = {key for key in (*self._older, *leaving) if key in present}
        self.pages = _pages(sorted((present[key], key) for key in self._older))


def _pages(files: list[tuple[int, int]]) -> list[Page]:
    """At most ``PAGES`` of about equal size; files of the same time are on the same page."""
    size = -(-len(files) // PAGES) or 1
    pages: list[Page] = []
    keys: list[int] = []
    for modified, group in groupby(files, key=lambda file: file[0]):
        keys += [key for _, key in group]
        if len(keys) >= size:
            pages.append(Page(modified, len(keys), sum(keys) % _SUM))
            keys = []
    if keys:
        pages.append(Page(files[-1][0], len(keys), sum(keys) % _SUM))
    return pages
