"""The bytes of a feed's file, whether it is plain or was compressed by gzip after rotation.

A compressed file is read forward, in pieces, with a window to look back into: neither its size nor a bomb costs more
memory than that, and nothing of it is unpacked to disk. gzip alone is read: logrotate's default.
"""

import zlib
from enum import StrEnum
from typing import Final, Protocol

from appliance.sources.disk import Disk

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""Over the longest document (1 MiB), one read (1 MiB) and what a parser is shown of the past."""
HEAD_BYTES: Final = 128 * 1024
_RAW_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 256 * 1024
_BOMB_BYTES: Final = 64 * 1024 * 1024
_BOMB_RATIO: Final = 250
"""Call records shrink to a tenth; deflate's limit, which only bombs come near, is 1,032."""
_GZIP: Final = b"\x1f\x8b"
_FOREIGN: Final = (b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh", b"PK\x03\x04")


class FileProblem(StrEnum):
    """Why a file of a feed is not read, or not to its end; codes in the log and in ``status``."""

    UNREADABLE = "file_unreadable"
    """It cannot be opened or read now (permission, a device, an error of the disk or of the server); tried again."""
    GZIP_TRUNCATED = "gzip_truncated"
    """The compressed file ends before its end; what it holds so far was read."""
    GZIP_DAMAGED = "gzip_damaged"
    """The compressed file is not what gzip wrote; what stood before the damage was read."""
    GZIP_BOMB = "gzip_bomb"
    """It unpacks to more than 250 times its size; reading stopped there."""
    COMPRESSION_UNKNOWN = "compression_unknown"
    """Compressed by xz, zstd, bzip2 or zip."""


class Content(Protocol):
    """Bytes by their offset, as the PBX wrote them."""

    problem: FileProblem | None
    compressed: bool

    def read(self, size: int, offset: int, /) -> bytes:
        """Bytes from ``offset``; fewer at the end."""
        ...

    def end(self) -> int:
        """Where the bytes end, as far as that is known."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class PlainContent:
    """The file as it is."""

    compressed = False

    def __init__(self, disk: Disk, descriptor: int) -> None:
        """Read an open file, and own it."""
        self._disk = disk
        self._descriptor = descriptor
        self.problem: FileProblem | None = None

    def read(self, size: int, offset: int, /) -> bytes:
        """See ``Content``."""
        return self._disk.read(self._descriptor, size, offset)

    def end(self) -> int:
        """See ``Content``."""
        return self._disk.opened(self._descriptor).size

    def close(self) -> None:
        """See ``Content``."""
        self._disk.close(self._descriptor)


class GzipContent:
    """What a gzip file of one or more members holds."""

    compressed = True

    def __init__(self, disk: Disk, descriptor: int) -> None:
        """Read an open file, and own it."""
        self._disk = disk
        self._descriptor = descriptor
        self.problem: FileProblem | None = None
        self._rewind()

    def read(self, size: int, offset: int, /) -> bytes:
        """See ``Content``."""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        if offset < self._end - len(self._window):
            self._rewind()
        while self._end < offset + size and self._advance():
            pass
        start = max(0, offset - self._end + len(self._window))
        return bytes(self._window[start : start + size])

    def end(self) -> int:
        """See ``Content``."""
        return self._end

    def close(self) -> None:
        """See ``Content``."""
        self._disk.close(self._descriptor)

    def _rewind(self) -> None:
        self._inflater = zlib.decompressobj(wbits=31)
        self._raw = self._head = b""
        self._taken = self._end = 0
        self._window = bytearray()
        self._over = False

    def _advance(self) -> bool:
        """Unpack one piece more; False at the end, and at the end for now."""
        if self._over:
            return False
        raw = self._raw or self._disk.read(self._descriptor, _RAW_BYTES, self._taken)
        if self._inflater.eof:
            if not raw.startswith(_GZIP):  # the end, or zeros that fill a tape's block
                return self._stop(None)
            self._inflater = zlib.decompressobj(wbits=31)
        if not raw:
            self.problem = FileProblem.GZIP_TRUNCATED
            return False
        try:
            piece = self._inflater.decompress(raw, _PIECE_BYTES)
        except zlib.error:
            return self._stop(FileProblem.GZIP_DAMAGED)
        self.problem = None
        self._raw = self._inflater.unconsumed_tail or self._inflater.unused_data
        self._taken += len(raw) - len(self._raw)
        self._keep(piece)
        if self._end > max(_BOMB_BYTES, _BOMB_RATIO * self._taken):
            return self._stop(FileProblem.GZIP_BOMB)
        return True

    def _stop(self, problem: FileProblem | None) -> bool:
        self._over = True
        self.problem = problem
        return False

    def _keep(self, piece: bytes) -> None:
        self._end += len(piece)
        self._head += piece[: HEAD_BYTES - len(self._head)]
        self._window += piece
        del self._window[:-WINDOW_BYTES]


def open_content(disk: Disk, path: str) -> tuple[Content, int]:
    """Open a feed's file; give its bytes and its inode.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    descriptor = disk.open(path)
    try:
        inode = disk.opened(descriptor).inode
        start = disk.read(descriptor, 6, 0)
    except OSError:
        disk.close(descriptor)
        raise
    content: Content = (GzipContent if start.startswith(_GZIP) else PlainContent)(disk, descriptor)
    if start.startswith(_FOREIGN):
        content.problem = FileProblem.COMPRESSION_UNKNOWN
    return content, inode
