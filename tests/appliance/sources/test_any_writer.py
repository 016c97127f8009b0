"""Whatever a writer does to a feed's files, and wherever the appliance stops, each complete line comes once.

The law: every complete line is given exactly once, and in order within its file, as long as its bytes exist somewhere
in the folder when the appliance looks. What cannot hold, and is not asked: a line that was truncated away before any
look (its bytes are gone), and a torn line, which has no whole form.
"""

import gzip
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appliance.sources.file_source import FileSource


class ManualClock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class AnyWriter(RuleBasedStateMachine):
    """A PBX and its log rotation on one side, an appliance that may be killed at any time on the other."""

    pattern = "Master.csv"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "Master.csv"
        self.clock = ManualClock()
        self.written: list[str] = []
        self.given: list[str] = []
        self.torn = ""
        self.position: bytes | None = None
        self.number = 0

    def teardown(self) -> None:
        self.source.close()
        shutil.rmtree(self.folder)

    @initialize()
    def start(self) -> None:
        """The first line is there, and the appliance has begun."""
        self.write(1, torn=False)
        self.restart()
        self.read_all()

    @rule(count=st.integers(1, 40), torn=st.booleans(), wide=st.booleans())
    def write(self, count: int, torn: bool, wide: bool = False) -> None:  # noqa: FBT001, FBT002 - Hypothesis names them
        """Complete the torn line if there is one, add lines, and perhaps begin another."""
        text = ""
        for _ in range(count):
            self.number += 1
            line = f"call {self.number} {'x' * 300 * wide}"
            if self.torn:
                line, text, self.torn = self.torn + " and its end", text + " and its end\n", ""
            else:
                text += line + "\n"
            self.written.append(line)
        if torn:
            self.number += 1
            self.torn = f"torn {self.number}"
            text += self.torn
        with self.path.open("ab") as file:
            file.write(text.encode())

    def shift(self) -> None:
        """Make room for ``.1``, as logrotate does."""
        for number in range(12, 0, -1):
            for ending in ("", ".gz"):
                old = self.folder / f"Master.csv.{number}{ending}"
                if old.exists():
                    old.rename(self.folder / f"Master.csv.{number + 1}{ending}")

    @rule()
    def rotate_by_rename(self) -> None:
        """Rename, and create anew."""
        if self.path.exists():
            self.shift()
            self.path.rename(self.folder / "Master.csv.1")
        self.path.touch()
        self.torn = ""

    @precondition(lambda self: self.path.exists())
    @rule()
    def rotate_by_copy(self) -> None:
        """Copy, and truncate."""
        self.shift()
        shutil.copy2(self.path, self.folder / "Master.csv.1")
        os.truncate(self.path, 0)
        self.torn = ""

    @rule(number=st.integers(1, 3))
    def compress(self, number: int) -> None:
        """Gzip a rotated file, as logrotate does: also its time is kept."""
        old = self.folder / f"Master.csv.{number}"
        if old.exists():
            new = old.with_name(old.name + ".gz")
            new.write_bytes(gzip.compress(old.read_bytes()))
            shutil.copystat(old, new)
            old.unlink()

    @rule(max_bytes=st.integers(1, 3000), steps=st.integers(1, 10))
    def read_some(self, max_bytes: int, steps: int) -> None:
        """A few steps, each committed."""
        for _ in range(steps):
            batch = self.source.read(max_bytes=max_bytes)
            if batch is not None:
                self.position = batch.position
                self.given += [line.content.decode() for line in batch.lines]

    @rule()
    def restart(self) -> None:
        """Power cut: all that is left is the position."""
        if hasattr(self, "source"):
            self.source.close()
        self.source = FileSource("main", self.folder / self.pattern, clock=self.clock)
        self.source.resume(self.position)

    @rule(seconds=st.sampled_from([0.5, 3.0, 100.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.seconds += seconds

    @rule()
    def read_all(self) -> None:
        """All that was written is there, once, and in its order; what else is there was torn."""
        self.read_some(1 << 18, 60)
        complete = [line for line in self.given if line in set(self.written)]
        assert complete == self.written
        assert all(line.startswith("torn ") for line in set(self.given) - set(self.written))

    @invariant()
    def position_is_bounded(self) -> None:
        """Whatever happened, the position stays small."""
        assert len(self.position or b"") < 20_000


AnyWriter.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyWriter = AnyWriter.TestCase
