"""Whatever a writer does to a feed's files, and wherever the appliance stops, each complete line comes once.

The law: every complete line is given exactly once, and in order within its file, as long as its bytes exist in the
folder when the appliance looks. What cannot hold: a line that was truncated or deleted away before any look may be
given or not (its bytes are gone), and a torn line has no whole form.
"""

import gzip
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from appliance.sources.file_source import FileSource
from tests.support.file_feed import ManualClock, append


class AnyWriter(RuleBasedStateMachine):
    """A PBX and its log rotation on one side, an appliance that may be killed at any time on the other."""

    pattern = "Master.csv"
    names: tuple[str, ...] = ("Master.csv",)

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock()
        self.written: dict[str, list[str]] = {name: [] for name in self.names}
        self.torn = dict.fromkeys(self.names, "")
        self.given: list[str] = []
        self.lost: set[str] = set()
        self.position: bytes | None = None
        self.number = 0
        self.source = FileSource("main", self.folder / self.pattern, clock=self.clock)

    def teardown(self) -> None:
        """End the process and remove its files."""
        self.source.close()
        shutil.rmtree(self.folder)

    def name(self, pick: int) -> str:
        """One of the files."""
        return self.names[pick % len(self.names)]

    @initialize()
    def start(self) -> None:
        """The first lines are there, and the appliance has begun."""
        for pick in range(len(self.names)):
            self.write(pick, 1, torn=False, wide=False)
        self.read_all()

    @rule(pick=st.integers(0, 3), count=st.integers(1, 40), torn=st.booleans(), wide=st.booleans())
    def write(self, pick: int, count: int, *, torn: bool, wide: bool) -> None:
        """Complete the torn line if there is one, add lines, and perhaps begin another."""
        name = self.name(pick)
        begun, text = self.torn[name], ""
        for _ in range(count):
            self.number += 1
            line = f"{begun} and its end" if begun else f"call {self.number} of {name} {'x' * 300 * wide}"
            text += line[len(begun) :] + "\n"
            begun = ""
            self.written[name].append(line)
        self.torn[name] = f"torn {self.number}" if torn else ""
        append(self.folder / name, text + self.torn[name])
        self.stamp(self.folder / name)

    @rule(pick=st.integers(0, 3))
    def rotate_by_rename(self, pick: int) -> None:
        """Rename, and create anew, as logrotate does."""
        path = self.shift(pick)
        path.rename(f"{path}.1")
        self.stamp(path)

    @rule(pick=st.integers(0, 3))
    def rotate_by_copy(self, pick: int) -> None:
        """Copy, and truncate."""
        path = self.shift(pick)
        shutil.copy2(path, f"{path}.1")
        os.truncate(path, 0)
        self.stamp(path)

    @rule(pick=st.integers(0, 3))
    def copy_and_look_before_truncating(self, pick: int) -> None:
        """The appliance looks while the copy is half made, and when it is whole, before the truncation."""
        path = self.shift(pick)
        content = path.read_bytes()
        for part in (content[: len(content) // 2], content[len(content) // 2 :]):
            append(Path(f"{path}.1"), part)
            self.stamp(Path(f"{path}.1"))
            self.read_some(1 << 18, 3)
        os.truncate(path, 0)
        self.stamp(path)

    def shift(self, pick: int) -> Path:
        """Make room for ``.1``; the writer forgets the line that it tore."""
        path = self.folder / self.name(pick)
        self.torn[path.name] = ""
        for number in range(30, 0, -1):
            for ending in ("", ".gz"):
                if (old := Path(f"{path}.{number}{ending}")).exists():
                    old.rename(f"{path}.{number + 1}{ending}")
        if not path.exists():
            self.stamp(path)
        return path

    def stamp(self, path: Path) -> None:
        """Give a file that was just written the test's own time, in ticks of ten milliseconds."""
        path.touch()
        now = int(self.clock.now().timestamp() * 100) * 10_000_000
        os.utime(path, ns=(now, now))
        self.clock.seconds += 0.001

    @rule(pick=st.integers(0, 3), number=st.integers(1, 3), looks=st.booleans())
    def compress(self, pick: int, number: int, *, looks: bool) -> None:
        """Gzip a rotated file, which keeps its time; the appliance may look meanwhile."""
        old = Path(f"{self.folder / self.name(pick)}.{number}")
        if old.exists():
            new = Path(f"{old}.gz")
            packed = gzip.compress(old.read_bytes())
            new.write_bytes(packed[: len(packed) // 2])
            self.stamp(new)
            self.read_some(1 << 18, 3 * looks)
            new.write_bytes(packed)
            shutil.copystat(old, new)
            old.unlink()

    @rule(pick=st.integers(0, 3), deletes=st.booleans(), same_size=st.booleans())
    def start_over(self, pick: int, *, deletes: bool, same_size: bool) -> None:
        """Truncate or delete without a copy: what was not read may be lost. The new file may look like the old one."""
        name = self.name(pick)
        path = self.folder / name
        self.lost.update(self.written[name])
        size = path.stat().st_size if path.exists() else 0
        if deletes:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(b"")
        self.torn[name] = ""
        if same_size and size > 40:
            self.number += 1
            line = f"call {self.number} of {name} ".ljust(size - 1, "x")
            append(path, line + "\n")
            self.written[name].append(line)
        if path.exists():
            self.stamp(path)

    @rule(max_bytes=st.integers(1, 3000), steps=st.integers(1, 10))
    def read_some(self, max_bytes: int, steps: int) -> None:
        """A few steps, each committed."""
        for _ in range(steps):
            if any((self.folder / name).exists() for name in self.names):
                batch = self.source.read(max_bytes=max_bytes)
                if batch is not None:
                    self.position = batch.position
                    self.given += [line.content.decode() for line in batch.lines]

    @rule()
    def restart(self) -> None:
        """Power cut: all that is left is the position."""
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
        self.clock.seconds += 0.5
        self.read_some(1 << 18, 80)
        known = {line for lines in self.written.values() for line in lines}
        for lines in self.written.values():
            mine = set(lines)
            got = [line for line in self.given if line in mine]
            assert len(set(got)) == len(got)
            assert [line for line in got if line not in self.lost] == [line for line in lines if line not in self.lost]
        assert all(line.startswith("torn ") for line in set(self.given) - known)

    @invariant()
    def position_is_bounded(self) -> None:
        """Whatever happened, the position stays small."""
        assert len(self.position or b"") < 20_000


class ManyFiles(AnyWriter):
    """Two files of one pattern, each with its rotations, which the pattern does not name."""

    pattern = "*.csv"
    names = ("a.csv", "b.csv")


class RotatedNamed(AnyWriter):
    """The pattern names the rotations too."""

    pattern = "Master.csv*"


MACHINES = [AnyWriter, ManyFiles, RotatedNamed]


@pytest.mark.parametrize("machine", MACHINES)
def test_each_complete_line_comes_once(machine: type[AnyWriter]) -> None:
    """Some histories of each kind of feed."""
    run_state_machine_as_test(machine, settings=settings(max_examples=10, stateful_step_count=30, deadline=None))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("machine", MACHINES)
def test_each_complete_line_comes_once_in_many_histories(machine: type[AnyWriter]) -> None:
    """Many and longer histories."""
    run_state_machine_as_test(machine, settings=settings(max_examples=1000, stateful_step_count=50, deadline=None))
