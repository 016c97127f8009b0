"""What tests of followed files share: a clock that they move, a writer, and the lines that a source gives."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.ports import SourceBatch
from appliance.sources.disk import Disk
from appliance.sources.file_source import FileSource


class ManualClock:
    """Time that passes when the test says so; files are a second old at its start."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.started_at = datetime.now(UTC) + timedelta(seconds=1)

    def now(self) -> datetime:
        """See ``ports.Clock``."""
        return self.started_at + timedelta(seconds=self.seconds - 1000.0)

    def monotonic(self) -> float:
        """See ``ports.Clock``."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """See ``ports.Clock``."""
        self.seconds += seconds


class CountingDisk(Disk):
    """The real file system; counts each kind of call."""

    def __init__(self) -> None:
        self.calls = {"entries": 0, "status": 0, "open": 0, "read": 0}

    def entries(self, folder: str) -> list[tuple[str, int]]:
        """Count and do."""
        self.calls["entries"] += 1
        return super().entries(folder)

    def status(self, path: str):  # noqa: ANN201 - the parent says it
        """Count and do."""
        self.calls["status"] += 1
        return super().status(path)

    def open(self, path: str) -> int:
        """Count and do."""
        self.calls["open"] += 1
        return super().open(path)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        """Count and do."""
        self.calls["read"] += 1
        return super().read(descriptor, size, offset)


def append(path: Path, text: str | bytes) -> None:
    """Write as Asterisk does: open, append, close."""
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def follow(
    pattern: Path, position: bytes | None = None, *, clock: ManualClock | None = None, disk: Disk | None = None
) -> FileSource:
    """A new process with the position that was committed."""
    source = FileSource("main", pattern, clock=clock or ManualClock(), disk=disk)
    source.resume(position)
    return source


def read_all(source: FileSource, *, max_bytes: int = 1 << 18) -> Iterator[SourceBatch]:
    """Read until there is nothing new."""
    while batch := source.read(max_bytes=max_bytes):
        yield batch


def contents(source: FileSource, *, max_bytes: int = 1 << 18) -> list[str]:
    """What is new, as text."""
    return [line.content.decode() for batch in read_all(source, max_bytes=max_bytes) for line in batch.lines]


def position_after(source: FileSource, *, max_bytes: int = 1 << 18, batches: int = 1_000_000) -> bytes | None:
    """Read, at most so many batches, and give the position that would be stored."""
    position = None
    for _ in range(batches):
        batch = source.read(max_bytes=max_bytes)
        if batch is None:
            break
        position = batch.position
    return position
