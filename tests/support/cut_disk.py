"""A disk whose power goes, or which is full, from a chosen step on, for what writes through ``sealing.durable``."""

import errno
import os
from pathlib import Path

from appliance.sealing.durable import Disk


class PowerCut(BaseException):
    """The machine is off: no handler of the product sees it."""


def full_disk() -> OSError:
    """What a full disk says."""
    return OSError(errno.ENOSPC, "No space left on device")


class MortalDisk:
    """Counts the steps of a disk; from step ``cut_at`` on each ends with ``error``, a write in the middle of it."""

    def __init__(self, cut_at: int | None = None, *, error: BaseException | None = None) -> None:
        self._left = cut_at
        self._error = error or PowerCut()
        self.steps = 0
        self.ended = False

    def disk(self) -> Disk:
        """The system calls."""
        return Disk(write=self._write, fsync=self._fsync, replace=self._replace)

    def _step(self) -> None:
        if self._left == self.steps:
            self.ended = True
            raise self._error
        self.steps += 1

    def _write(self, file: int, content: bytes) -> int:
        if self._left == self.steps:
            os.write(file, content[: len(content) // 2])
        self._step()
        return os.write(file, content)

    def _fsync(self, file: int) -> None:
        self._step()
        os.fsync(file)

    def _replace(self, source: Path, target: Path) -> None:
        self._step()
        source.replace(target)
