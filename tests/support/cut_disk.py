"""A disk whose power goes at a chosen step, for code that writes through ``sealing.durable.Disk``."""

import os
from pathlib import Path

from appliance.sealing.durable import Disk


class PowerCut(BaseException):
    """The machine is off: no handler of the product sees it."""


class MortalDisk:
    """Counts the steps of a disk; at step ``cut_at`` the power goes, in the middle of it if it is a write."""

    def __init__(self, cut_at: int | None = None) -> None:
        self._left = cut_at
        self.steps = 0

    def disk(self) -> Disk:
        """The system calls."""
        return Disk(write=self._write, fsync=self._fsync, replace=self._replace)

    def _step(self) -> None:
        if self._left == self.steps:
            raise PowerCut
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
