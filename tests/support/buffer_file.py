"""One buffer file for tests: open it as often as you like, change it behind the product's back, drain it."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.errors import BufferFullError
from appliance.ports import Intake, PendingBatch, SecretBytes
from appliance.wire.batch import KeyProtection
from tests.support.records import verdict

MASTER = SecretBytes(bytes(range(32)))
MASTERS = {1: MASTER}


class BufferFile:
    """Opens the same buffer file as often as a test likes."""

    def __init__(self, path: Path) -> None:
        """Keep the buffer at ``path``."""
        self.path = path
        self.opened: list[SqliteBuffer] = []

    def __call__(self, *, masters: Mapping[int, SecretBytes] = MASTERS, **changes: object) -> SqliteBuffer:
        """Open it with the tests' settings but for ``changes``."""
        settings = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=100)
        buffer = SqliteBuffer.open(self.path, masters=masters, settings=msgspec.structs.replace(settings, **changes))
        self.opened.append(buffer)
        return buffer

    def edit(self, statement: str, *arguments: object) -> None:
        """Change the closed database behind the product's back."""
        connection = sqlite3.connect(self.path)
        connection.execute(statement, arguments)
        connection.commit()
        connection.close()

    def flip(self, table: str, column: str, where: str = "true") -> None:
        """Flip one bit in the middle of a stored value."""
        connection = sqlite3.connect(self.path)
        (value,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()  # noqa: S608 (test's own words)
        connection.close()
        middle = len(value) // 2
        flipped = value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
        self.edit(f"UPDATE {table} SET {column} = ? WHERE {where}", flipped)  # noqa: S608 (as above)


def drain(buffer: SqliteBuffer) -> list[PendingBatch]:
    """Deliver everything to an honest receiver."""
    delivered = []
    while batch := buffer.oldest():
        delivered.append(batch)
        buffer.acknowledge(batch, verdict(batch.epoch, batch.sequence, accepted=batch.records))
    return delivered


def fill(buffer: SqliteBuffer, intakes: Sequence[Intake]) -> int:
    """Append until the buffer is full; give how many it took."""
    for appended, item in enumerate(intakes):
        try:
            buffer.append(item)
        except BufferFullError:
            return appended
    return len(intakes)


def tallies(buffer: SqliteBuffer) -> dict[str, int]:
    """All counts of the feed the tests use, over all days."""
    total: dict[str, int] = {}
    for tally in buffer.stats().tallies:
        for kind, number in tally.counts.items():
            total[kind] = total.get(kind, 0) + number
    return total
