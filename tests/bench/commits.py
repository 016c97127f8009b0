"""What encryption, the fsync of each commit and a commit of a single record cost, each beside the bare thing."""

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from appliance.buffer.schema import prepare
from appliance.ports import Intake
from appliance.wire.call import Call
from appliance.wire.codec import encode_call
from tests.bench.edge import batches_of_calls, open_buffer
from tests.bench.figure import BUILD, Figure, rates
from tests.support.records import intake

COMMITS = 20
WARM_COMMITS = 80
"""More than fill the WAL to its checkpoint once (1,000 pages)."""
BATCHES = 200
SINGLES = 400
PAGE = bytes(4096)


def bench_commits(only: str | None = None) -> Iterator[Figure]:
    """The product's append against plain rows, against itself without fsync, and against a bare fsync."""
    benches: dict[str, Callable[[Path], Figure]] = {
        "commit_encrypted_over_plain": lambda folder: _over_plain(folder, 1_000),
        "commit_encrypted_over_plain_100": lambda folder: _over_plain(folder, 100),
        "commit_full_over_normal": _full_over_normal,
        "commit_single_over_fsync": _single_over_fsync,
    }
    for name, bench in benches.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory(dir=BUILD) as folder:
                yield bench(Path(folder))


def _over_plain(folder: Path, size: int) -> Figure:
    """Records a second of CPU at a batch of ``size``; the plain rows hold the same records as JSON, one each."""
    item = _item(next(iter(batches_of_calls()))[:size])
    commits = COMMITS * 1_000 // size
    runs = iter(range(1000))

    def encrypted() -> None:
        with closing(open_buffer(folder / f"sealed-{next(runs)}.db")) as buffer:
            for _ in range(commits):
                buffer.append(item)

    def plain() -> None:
        with closing(sqlite3.connect(folder / f"plain-{next(runs)}.db", isolation_level=None)) as connection:
            prepare(connection, cap_bytes=2**30)
            connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, content BLOB)")
            for _ in range(commits):
                rows = [(encode_call(call),) for call in item.calls]
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO row (content) VALUES (?)", rows)
                connection.execute("COMMIT")

    value, limit = rates(commits * size, encrypted, plain)
    name = "commit_encrypted_over_plain" + ("" if size == 1_000 else f"_{size}")
    return Figure(name, value, "records/s of a core", "plain rows in SQLite", limit)


def _full_over_normal(folder: Path) -> Figure:
    """Records a second of wall time at a batch of 1,000: the product, and itself with ``synchronous=NORMAL``, in turns.

    Both have run so long that their WAL has its full length and is written anew from its start, as in the field.
    """
    item = _item(next(iter(batches_of_calls())))
    seconds: dict[str, list[float]] = {"FULL": [], "NORMAL": []}
    with ExitStack() as stack:
        buffers = {mode: stack.enter_context(closing(open_buffer(folder / f"{mode}.db"))) for mode in seconds}
        for mode, buffer in buffers.items():
            buffer.connection.execute(f"PRAGMA synchronous={mode}")
        for _ in range(WARM_COMMITS + BATCHES):
            for mode, buffer in buffers.items():
                seconds[mode].append(_timed(lambda buffer=buffer: buffer.append(item)))
    value, limit = (len(item.calls) / median(taken[WARM_COMMITS:]) for taken in seconds.values())
    return Figure("commit_full_over_normal", value, "records/s, wall, p50", "synchronous=NORMAL", limit)


def _single_over_fsync(folder: Path) -> Figure:
    """Milliseconds of an append of one record, and of one write and fsync of a page, in turns on the same disk."""
    singles, pages = list[float](), list[float]()
    descriptor = os.open(folder / "page", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with closing(open_buffer(folder / "single.db")) as buffer:
        for number in range(SINGLES):
            item = intake([number])
            singles.append(_timed(lambda item=item: buffer.append(item)))
            pages.append(_timed(lambda: _write_and_sync(descriptor)))
    os.close(descriptor)
    value, limit = 1000 * median(singles), 1000 * median(pages)
    return Figure("commit_single_over_fsync", value, "ms, wall, p50", "write and fsync of 4 KiB", limit)


def _write_and_sync(descriptor: int) -> None:
    os.write(descriptor, PAGE)
    os.fsync(descriptor)


def _timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _item(calls: Sequence[Call]) -> Intake:
    numbers = intake([1])
    return Intake(**{**{field: getattr(numbers, field) for field in numbers.__struct_fields__}, "calls": calls})
