"""A disk whose power goes, or which is full, at a step of the test's choice."""

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
    """Counts the steps of all writing; at ``ends_at`` it raises: before the step, or for a write after half of it."""

    def __init__(self, ends_at: int | None = None, *, error: BaseException | None = None) -> None:
        self._ends_at = ends_at
        self._error = error or PowerCut()
        self.steps = 0

    @property
    def ended(self) -> bool:
        """Whether it came to that."""
        return self._ends_at is not None and self.steps > self._ends_at

    def disk(self) -> Disk:
        """The system calls."""
        return Disk(write=self._write, fsync=self._fsync, replace=self._replace)

    def _step(self) -> None:
        self.steps += 1
        if self._ends_at == self.steps - 1:
            raise self._error

    def _write(self, file: int, content: bytes) -> int:
        if self._ends_at == self.steps:
            os.write(file, content[: len(content) // 2])
        self._step()
        return os.write(file, content)

    def _fsync(self, file: int) -> None:
        self._step()
        os.fsync(file)

    def _replace(self, source: Path, target: Path) -> None:
        self._step()
        source.replace(target)
