"""The demo's PBX: a CDR file appended a little at a time, or a real Asterisk on which calls are made."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.support.asterisk_tree import AsteriskTree, AsteriskTreeError
from tests.support.lines import physical_lines

APPEND_SECONDS = 4.0
"""The whole file is appended over about this time, so that one sees the appliance follow it."""
STEPS = 40


class Pbx(Protocol):
    """Something that writes a CDR file at ``path`` once it is started."""

    path: Path

    def start(self) -> None:
        """Begin to write."""

    def stop(self) -> None:
        """End early; what was written stays."""

    def written(self) -> int | None:
        """How many lines the file has, once it is whole."""


class GrowingFeed:
    """Appends a source file's lines to ``path`` from a thread of its own."""

    def __init__(self, source: Path, path: Path) -> None:
        """Read ``source`` once; ``path`` is created empty."""
        self.lines = physical_lines(source.read_bytes())
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
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

    def written(self) -> int | None:
        """How many lines the file has, once it is whole."""
        return None if self._thread.is_alive() else len(self.lines)

    def _append(self) -> None:
        size = max(1, -(-len(self.lines) // STEPS))
        for start in range(0, len(self.lines), size):
            if self._stopped.is_set():
                return
            with self.path.open("ab") as file:
                file.write(b"".join(self.lines[start : start + size]))
            time.sleep(APPEND_SECONDS / STEPS)


class AsteriskPbx:
    """Debian's Asterisk in a tree of its own; makes calls from a thread of its own."""

    def __init__(self, tree: Path, workdir: Path, *, calls: int, log: Callable[[str], None]) -> None:
        """Build the tree where it is missing and start Asterisk; no call is made yet."""
        self._tree = AsteriskTree(tree, log=log)
        self._tree.build()
        self._tree.start(workdir)
        self.path = self._tree.master_csv
        self._calls = calls
        self._rows: int | None = None
        self._failure: AsteriskTreeError | None = None
        self._thread = threading.Thread(target=self._call, name="pbx", daemon=True)

    def start(self) -> None:
        """Begin to make calls."""
        self._thread.start()

    def stop(self) -> None:
        """End Asterisk."""
        self._tree.stop()

    def written(self) -> int | None:
        """How many rows Asterisk wrote, once all calls are over.

        Raises:
            AsteriskTreeError: the calls could not be made.
        """
        if self._failure is not None:
            raise self._failure
        return self._rows

    def _call(self) -> None:
        try:
            self._rows = self._tree.make_calls(self._calls)
        except AsteriskTreeError as error:
            self._failure = error
