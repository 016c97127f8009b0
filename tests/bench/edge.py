"""The edge way: pure translation, and reading, translating, sealing and committing."""

import csv
import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.buffer.schema import prepare
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.clock import SystemClock
from appliance.daemon import open_translator
from appliance.intake import FeedIntake, Translator
from appliance.ports import SecretBytes
from appliance.settings import load_site
from appliance.sources.file_source import FileSource
from appliance.sources.whole_file import read_lines
from appliance.wire.batch import KeyProtection
from appliance.wire.call import Call
from appliance.wire.codec import ZSTD_LEVEL, encode_call, encode_lines
from tests.bench.figure import BUILD, Figure, rates
from tests.support.cdr_generator import generate

SITE = Path(__file__).resolve().parents[1] / "testdata/demo/site.toml"
ROWS = 40_000
BATCH = 1_000
SECRET = SecretBytes(bytes(range(32)))


@cache
def feed_bytes() -> bytes:
    """A generated Master.csv of a busy site."""
    return generate(rows=ROWS, seed=1)


def translator() -> Translator:
    """The product's own translation for the demo's site."""
    return open_translator("asterisk_csv", site=load_site(SITE), secret=SECRET, feed="bench")


def bench_preview(_only: str | None = None) -> Iterator[Figure]:
    """``preview``: file in, encoded records out, against ``csv.reader`` alone over the same file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Master.csv"
        path.write_bytes(feed_bytes())
        count = feed_bytes().count(b"\n")

        def preview() -> None:
            translate = translator().translate
            now = datetime.now(UTC)
            with Path(os.devnull).open("wb") as sink:
                sink.writelines(encode_lines(translate(lines, now=now).calls) for lines in read_lines(path))

        def csv_alone() -> None:
            with path.open(encoding="latin-1", newline="") as file:
                for _ in csv.reader(file):
                    pass

        value, limit = rates(count, preview, csv_alone)
        yield Figure("preview", value, "records/s", "csv.reader alone", limit)


def bench_edge_way(_only: str | None = None) -> Iterator[Figure]:
    """``edge_way``: file to committed, sealed batch, against a bare loop of the same primitives."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        folder = Path(name)
        path = folder / "Master.csv"
        path.write_bytes(feed_bytes())
        count = feed_bytes().count(b"\n")
        runs = iter(range(1000))
        wall: list[float] = []
        sizes: list[float] = []

        def edge_way() -> None:
            start = time.perf_counter()
            buffer = open_buffer(folder / f"edge-{next(runs)}.db")
            intake = FeedIntake(FileSource("bench", path), translator(), buffer, SystemClock())
            while intake.step():
                pass
            wall.append(time.perf_counter() - start)
            stats = buffer.stats()
            sizes.append(stats.file_bytes / stats.records)
            buffer.close()

        value, limit = rates(count, edge_way, bare_loop(folder, runs))
        yield Figure("edge_way", value, "records/s of a core", "bare loop of the same primitives", limit)
        yield Figure("edge_way_wall", count / min(wall), "records/s with fsync waits", "edge_way", value)
        yield Figure("bytes_on_disk_per_record", min(sizes), "bytes", "budget", 100.0)


def open_buffer(path: Path, *, cap_bytes: int = 2**30) -> SqliteBuffer:
    """The product's buffer with the product's batch size."""
    settings = BufferSettings("bench", "bench", KeyProtection.FILE, cap_bytes=cap_bytes, batch_records=BATCH)
    return SqliteBuffer.open(path, masters={1: SECRET}, settings=settings)


def bare_loop(folder: Path, runs: Iterator[int]) -> "BareLoop":
    """What no program that does the same work can save."""
    lines = list(read_lines(folder / "Master.csv"))
    sample = translator().translate(lines[0], now=datetime.now(UTC)).calls[0]
    return BareLoop(folder, runs, sample)


class BareLoop:
    """csv.reader, four HMACs, one record encoded, zstd, AES-GCM and a FULL commit a thousand rows; no decision."""

    def __init__(self, folder: Path, runs: Iterator[int], sample: Call) -> None:
        self._folder = folder
        self._runs = runs
        self._call = sample

    def __call__(self) -> None:
        """Run it over the same file into a database of the same pragmas."""
        inner, outer = hashlib.sha256(bytes(64)), hashlib.sha256(bytes(64))
        aead = AESGCM(bytes(32))
        connection = sqlite3.connect(self._folder / f"bare-{next(self._runs)}.db", isolation_level=None)
        prepare(connection, cap_bytes=2**30)
        with (self._folder / "Master.csv").open(encoding="latin-1", newline="") as file:
            rows: list[bytes] = []
            for row in csv.reader(file):
                for column in row[1:5]:
                    first = inner.copy()
                    first.update(column.encode("latin-1"))
                    second = outer.copy()
                    second.update(first.digest())
                    second.digest()
                rows.append(encode_call(self._call))
                if len(rows) == BATCH:
                    self._commit(connection, aead, rows)
                    rows = []
        connection.close()

    def _commit(self, connection: sqlite3.Connection, aead: AESGCM, rows: list[bytes]) -> None:
        blob = aead.encrypt(os.urandom(12), zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(b",".join(rows)), None)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO batch (epoch, sequence, feed, day, records, previous, body)"
            " VALUES (1, (SELECT count(*) FROM batch), '', '', ?, x'', ?)",
            (len(rows), blob),
        )
        connection.execute("COMMIT")


def batches_of_calls() -> Iterator[list[Call]]:
    """Records that may leave, a thousand at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Master.csv"
        path.write_bytes(feed_bytes())
        translate = translator().translate
        for lines in read_lines(path):
            if calls := translate(lines, now=datetime.now(UTC)).calls[:BATCH]:
                yield calls
