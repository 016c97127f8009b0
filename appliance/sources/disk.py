"""The calls to the file system that following files takes, and no other: what a test lets fail is exactly this.

Nothing here waits: a FIFO, a device or a socket behind a name is refused before it is opened, and again after.
"""

import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple


class NotAFileError(OSError):
    """Behind the name is a FIFO, a socket or a device."""


class FileStatus(NamedTuple):
    """What tells one state of a file from another without reading it."""

    inode: int
    size: int
    modified: int
    """Nanoseconds since the epoch, by the clock of whoever keeps the file."""

    @property
    def key(self) -> int:
        """64 bits that stand for this state; free of the name and of the device's number, which NFS may change."""
        text = b"%d %d %d" % self
        return int.from_bytes(blake2b(text, digest_size=8).digest())


class Disk:
    """The real file system."""

    def entries(self, folder: str) -> list[tuple[str, int]]:
        """Names in a folder, each with its inode."""
        with os.scandir(folder) as found:
            return [(entry.name, entry.inode()) for entry in found]

    def folder_modified(self, folder: str) -> int:
        """When a name was last added to or taken from a folder; it may lag behind."""
        return Path(folder).stat().st_mtime_ns

    def status(self, path: str) -> FileStatus:
        """The status of a regular file. Raises ``OSError`` for anything else."""
        return _regular(Path(path).stat())

    def open(self, path: str) -> int:
        """Open a regular file for reading. Raises ``OSError`` for anything else; never waits."""
        _regular(Path(path).stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            _regular(os.fstat(descriptor))
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def opened(self, descriptor: int) -> FileStatus:
        """The status of an open file."""
        return _regular(os.fstat(descriptor))

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        """Bytes from ``offset``, fewer at the end."""
        return os.pread(descriptor, size, offset)

    def close(self, descriptor: int) -> None:
        """Let go of an open file."""
        os.close(descriptor)


def _regular(status: os.stat_result) -> FileStatus:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise NotAFileError
    return FileStatus(status.st_ino, status.st_size, status.st_mtime_ns)
