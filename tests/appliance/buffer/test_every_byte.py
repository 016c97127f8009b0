"""Each byte of a stored database and of its WAL flipped in turn: detected, or harmless; never a wrong record.

What may be seen after a flip: a typed refusal to open the file; a batch that does not authenticate; a position that
counts as none; an earlier state of the WAL, whose later frames SQLite then does not trust, and which the receiver's
high-water mark exposes. What may never be seen: a record, a position or a refused line that was not written.
"""

import sqlite3

import pytest

from appliance.buffer.fsck import check
from appliance.buffer.sealed_blob import BatchRow, place_of
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.errors import BufferTamperError, BufferUnusableError
from appliance.ports import QuarantinedLine
from appliance.wire.batch import KeyProtection
from tests.support.buffer_file import MASTERS
from tests.support.power_cut import Disk, File, connect
from tests.support.records import intake

SETTINGS = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=2)
STRIDE = 13
"""The short form flips every thirteenth byte, the long one each."""
Seen = tuple[frozenset[tuple[int, int, bytes]], frozenset[bytes | None], frozenset[bytes]]


def stored() -> tuple[dict[str, bytes], Seen, Seen]:
    """Two intakes in the database proper, two more in the WAL; what is then seen, and what was ever written."""
    disk = Disk()
    with connect(disk) as connection:
        append(SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS), 1)
    with connect(disk) as connection:
        buffer = SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS)
        append(buffer, 4)
        append(buffer, 7)
        files = {name: bytes(file.content) for name, file in disk.files.items()}
        seen = look(buffer)
    positions = seen[1] | {None, *(f"position {first}".encode() for first in (1, 4, 7))}
    return files, seen, (seen[0], positions, seen[2])


def append(buffer: SqliteBuffer, first: int) -> None:
    """Three records in two batches, a refused line, a position."""
    lines = [QuarantinedLine(first, "binary", b"refused line %d" % first)]
    buffer.append(intake([first, first + 1, first + 2], position=f"position {first}".encode(), quarantined=lines))


def look(buffer: SqliteBuffer) -> Seen:
    """Everything the product gives out."""
    batches, refused = set(), set()
    columns = ", ".join(BatchRow._fields)
    for row in map(BatchRow._make, buffer.connection.execute(f"SELECT {columns} FROM batch").fetchall()):  # noqa: S608 - own names
        try:
            batches.add((row.epoch, row.sequence, buffer.open_batch(row)))
        except BufferTamperError:
            continue
    for epoch, feed, content in buffer.connection.execute("SELECT epoch, feed, content FROM quarantine").fetchall():
        try:
            refused.add(buffer.open_blob(epoch, content, place=place_of("quarantine", epoch=epoch, name=feed)))
        except BufferTamperError:
            continue
    return frozenset(batches), frozenset({buffer.position("main")}), frozenset(refused)


def flipped(files: dict[str, bytes], name: str, place: int) -> Disk:
    """The files with one bit changed."""
    content = bytearray(files[name])
    content[place] ^= 1 << (place % 8)
    changed = files | {name: bytes(content)}
    return Disk({name: File(content, exists=True) for name, content in changed.items()})


def outcome(disk: Disk, whole: Seen, written: Seen) -> str:
    """What a flip led to; a record or a position that was never written raises."""
    try:
        with connect(disk) as connection:
            buffer = SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS)
            seen = look(buffer)
            findings = check(buffer)
    except (BufferUnusableError, sqlite3.Error):
        return "refused"
    for part, allowed in zip(seen, written, strict=True):
        assert part <= allowed
    return "harmless" if seen == whole and not findings else "detected"


@pytest.mark.parametrize(
    ("name", "expected"), [("buffer.db", {"harmless", "detected"}), ("buffer.db-wal", {"detected"})]
)
@pytest.mark.parametrize("stride", [STRIDE, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_never_gives_a_wrong_record(name: str, expected: set[str], stride: int) -> None:
    """Over the whole file. A WAL with a wrong checksum is an earlier state, so no flip of it is without effect."""
    files, whole, written = stored()
    outcomes = [outcome(flipped(files, name, place), whole, written) for place in range(0, len(files[name]), stride)]
    assert len(outcomes) >= 1000
    assert expected <= set(outcomes) <= expected | {"refused"}


def test_a_page_of_an_older_copy_never_gives_a_wrong_record() -> None:
    """Each page in turn is put back to what it was before the last commit."""
    disk = Disk()
    with connect(disk) as connection:
        append(SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS), 1)
    old = bytes(disk.files["buffer.db"].content)
    with connect(disk) as connection:
        buffer = SqliteBuffer.attach(connection, masters=MASTERS, settings=SETTINGS)
        append(buffer, 4)
        whole = look(buffer)
    new = bytes(disk.files["buffer.db"].content)
    written = (whole[0], whole[1] | {None, b"position 1"}, whole[2])
    outcomes = set()
    for start in range(0, len(old), 4096):
        mixed = new[:start] + old[start : start + 4096] + new[start + 4096 :]
        outcomes.add(outcome(Disk({"buffer.db": File(mixed, exists=True)}), whole, written))
    assert outcomes - {"harmless"}
