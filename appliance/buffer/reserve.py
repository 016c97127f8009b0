"""Space set aside on the disk, so that deliveries can go on when everything else has filled it.

A WAL database on a full disk cannot even delete. The reserve is a file of its own: given back when a delete finds no
space, and taken again once there is some.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 4 * 1024 * 1024
"""The WAL of one deletion, several times over (``wal_autocheckpoint`` is 1,000 pages)."""


class Reserve:
    """The reserve of the database at one path."""

    def __init__(self, database: Path) -> None:
        """Set the space aside now, if there is some."""
        self._path = database.with_name(f"{database.name}-reserve")
        self._kept = False
        self.keep()

    def keep(self) -> None:
        """Set the space aside again; without effect where it is, or where the disk is full."""
        if self._kept:
            return
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
                self._kept = True
            except OSError:
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)

    def release(self) -> None:
        """Give the space back to the disk."""
        self._kept = False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
