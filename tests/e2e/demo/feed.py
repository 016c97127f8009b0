"""What the demo's PBX writes: a CDR file appended a little at a time, as a PBX does."""

import threading
import time
from pathlib import Path

from tests.support.lines import physical_lines

APPEND_SECONDS = 4.0
"""The whole file is appended over about this time, so that one sees the appliance follow it."""
STEPS = 40


class GrowingFeed:
    """Appends a source file's lines to ``target`` from a thread of its own."""

    def __init__(self, source: Path, target: Path) -> None:
        """Read ``source`` once; ``target`` is created empty."""
        self.lines = physical_lines(source.read_bytes())
        self.target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._append, name="pbx", daemon=True)

    def start(self) -> None:
        """Begin to append."""
        self._thread.start()

    def stop(self) -> None:
        """End early; what was appended stays."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def done(self) -> bool:
        """Whether all lines are written."""
        return not self._thread.is_alive()

    def _append(self) -> None:
        size = max(1, -(-len(self.lines) // STEPS))
        for start in range(0, len(self.lines), size):
            if self._stopped.is_set():
                return
            with self.target.open("ab") as file:
                file.write(b"".join(self.lines[start : start + size]))
            time.sleep(APPEND_SECONDS / STEPS)
