"""Follows a growing file through rotation, so that each line is read once.

A position is device, inode, hash of the file's first bytes, hash of the bytes before the offset, and the offset.
The hashes tell a truncated or replaced file from the one that was read, also when it has grown past the old offset or
reuses the inode. Rename rotation: the renamed file is read to its end first, also when it was renamed while nobody
looked. A last line without line end is held back until it is complete or its file is replaced.

Not here: compressed rotations, globs, files that several names were given to between two looks.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from appliance.cdr.dialect import Framer
from appliance.cdr.framing import HEAD_BYTES, MAX_LINE_BYTES, REWIND_BYTES, LineFramer
from appliance.cdr.record import Line
from appliance.errors import SourceError
from appliance.ports import SourceBatch

HASHED_BYTES: Final = 1024
LOOK_BACK_BYTES: Final = REWIND_BYTES + MAX_LINE_BYTES
"""The window a parser must be shown, and one line more, which the cut at its start may spoil."""


MakeFramer = Callable[[int], Framer]


class FilePosition(Struct, frozen=True, forbid_unknown_fields=True):
    """Where in which file; stored sealed, because the hashes of a file of calls could be guessed at."""

    device: int
    inode: int
    head_bytes: int
    head_hash: bytes
    tail_hash: bytes
    """SHA-256 of the up to 1,024 bytes before ``offset``."""
    offset: int


class FileSource:
    """Implements ``ports.CdrSource`` for one path."""

    def __init__(self, feed: str, path: Path, framer: MakeFramer = LineFramer) -> None:
        """Follow ``path`` for ``feed``, cut by the dialect's framer; nothing is opened before ``read``."""
        self._feed = feed
        self._path = path
        self._framer = framer
        self._target: FilePosition | None = None
        self._file: _OpenFile | None = None

    @property
    def feed(self) -> str:
        """See ``ports.CdrSource``."""
        return self._feed

    def resume(self, position: bytes | None) -> None:
        """See ``ports.CdrSource``."""
        self.close()
        self._target = msgspec.json.decode(position, type=FilePosition) if position else None

    def close(self) -> None:
        """Let go of the open file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, *, max_bytes: int) -> SourceBatch | None:
        """See ``ports.CdrSource``."""
        try:
            if self._file is None:
                self._file = self._find()
            if self._file.was_rewritten():
                self.close()
                self._file = _OpenFile(self._path, self._framer)
            return self._file.read(max_bytes) or self._at_end(self._file)
        except OSError as error:
            self.close()
            raise SourceError(f"the feed's file cannot be read ({type(error).__name__})") from None

    def _at_end(self, file: "_OpenFile") -> SourceBatch | None:
        """Nothing new in this file: is there another behind the path?"""
        try:
            behind = self._path.stat()
        except FileNotFoundError:
            return None
        if (behind.st_dev, behind.st_ino) == file.identity:
            return None
        last = file.finish()
        if last is not None:
            return last
        self.close()
        self._target = None
        self._file = _OpenFile(self._path, self._framer)
        return self._file.read(HASHED_BYTES * 256)

    def _find(self) -> "_OpenFile":
        """The file that the position speaks of, at its path or renamed beside it; else the path's file from 0."""
        if self._target is not None:
            for candidate in self._candidates(self._target):
                file = _OpenFile(candidate, self._framer)
                if file.continue_at(self._target):
                    return file
                file.close()
        return _OpenFile(self._path, self._framer)

    def _candidates(self, target: FilePosition) -> Iterator[Path]:
        if self._path.exists():
            yield self._path
        for sibling in sorted(self._path.parent.glob(f"{self._path.name}*")):
            if sibling != self._path and sibling.is_file() and sibling.stat().st_ino == target.inode:
                yield sibling


class _OpenFile:
    """One open file, read forward only."""

    def __init__(self, path: Path, framer: MakeFramer) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._descriptor)
        self.identity = (status.st_dev, status.st_ino)
        self._make_framer = framer
        self._framer = framer(0)
        self._read_to = 0
        self._restarted = True
        self._preceding: list[Line] = []
        self._head = b""
        self._tail_hash = hashlib.sha256(b"").digest()

    def close(self) -> None:
        os.close(self._descriptor)

    def continue_at(self, position: FilePosition) -> bool:
        """Go to ``position`` if this is the file it was taken in."""
        if self.identity != (position.device, position.inode):
            return False
        head = os.pread(self._descriptor, position.head_bytes, 0)
        if hashlib.sha256(head).digest() != position.head_hash:
            return False
        if self._hash_before(position.offset) != position.tail_hash:
            return False
        self._preceding = self._look_back(position.offset)
        self._framer = self._make_framer(position.offset)
        self._read_to = position.offset
        self._head = head
        self._tail_hash = position.tail_hash
        return True

    def was_rewritten(self) -> bool:
        """Whether the bytes that were read are no longer there: truncated, or written anew in place."""
        if os.fstat(self._descriptor).st_size < self._read_to:
            return True
        return self._hash_before(self._framer.offset) != self._tail_hash

    def read(self, max_bytes: int) -> SourceBatch | None:
        """The next complete lines; reads on while a line is longer than ``max_bytes``."""
        while data := os.pread(self._descriptor, max_bytes, self._read_to):
            if len(self._head) < HASHED_BYTES:
                self._head = os.pread(self._descriptor, HASHED_BYTES, 0)
            self._read_to += len(data)
            lines = self._framer.feed(data)
            if lines:
                return self._batch(lines, unterminated=False)
        return None

    def finish(self) -> SourceBatch | None:
        """The last line, which will never get a line end."""
        line = self._framer.finish()
        return None if line is None else self._batch([line], unterminated=True)

    def _batch(self, lines: list[Line], *, unterminated: bool) -> SourceBatch:
        offset = self._framer.offset
        self._tail_hash = self._hash_before(offset)
        head = self._head[: min(offset, HASHED_BYTES)]
        position = FilePosition(
            device=self.identity[0],
            inode=self.identity[1],
            head_bytes=len(head),
            head_hash=hashlib.sha256(head).digest(),
            tail_hash=self._tail_hash,
            offset=offset,
        )
        batch = SourceBatch(
            lines=lines,
            unterminated=unterminated,
            position=msgspec.json.encode(position),
            restarted=self._restarted,
            preceding=self._preceding,
        )
        self._restarted, self._preceding = False, []
        return batch

    def _hash_before(self, offset: int) -> bytes:
        size = min(offset, HASHED_BYTES)
        return hashlib.sha256(os.pread(self._descriptor, size, offset - size)).digest()

    def _look_back(self, offset: int) -> list[Line]:
        """What ``LineParser.rewind`` asks for: the lines shortly before ``offset``, and those at the file's start."""
        start = max(0, offset - LOOK_BACK_BYTES)
        lines = self._make_framer(start).feed(os.pread(self._descriptor, offset - start, start))
        if start == 0:
            return lines
        # The first of ``lines`` begins within a line; and the start of the file may hold a header.
        head = self._make_framer(0).feed(os.pread(self._descriptor, min(start, HEAD_BYTES + MAX_LINE_BYTES), 0))
        return [line for line in head if line.offset < HEAD_BYTES] + lines[1:]
