"""Make a new buffer of what can be read in a damaged one, so that nobody has to log in.

The damaged file is moved aside and kept, sealed as it was, until the next one takes its place. Every row is read from
both ends, as far as the damage lets; each must authenticate. Where batches may have been lost, the positions in the
feeds are left out: the files are read again from their start, and the receiver tells each call that it has already.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from appliance.buffer import ledger
from appliance.buffer.accounts import accounts
from appliance.buffer.keyring import Keyring
from appliance.buffer.ledger import EpochRow
from appliance.buffer.schema import prepare
from appliance.buffer.sealed_blob import BatchRow, place_of, place_of_batch
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.errors import BufferCorruptError, BufferTamperError
from appliance.ports import SecretBytes

_SUFFIXES: Final = ("", "-wal", "-shm")
_EPOCH: Final = ("epoch", "salt", "key_version", "next_sequence", "head", "tail")
_BATCH: Final = BatchRow._fields
_QUARANTINE: Final = ("epoch", "feed", "day", "kind", "reason", "records", "content")
_TALLY: Final = ("feed", "day", "kind", "count")
_GAP: Final = ("feed", "day", "began_at", "ended_at", "records", "cause")
Row = tuple[Any, ...]


class Salvage(Struct, frozen=True):
    """What was saved."""

    batches: int
    records: int
    refused: int
    """Items of the quarantine."""


def open_or_salvage(
    path: Path, *, masters: Mapping[int, SecretBytes], settings: BufferSettings
) -> tuple[SqliteBuffer, Salvage | None]:
    """Open the buffer; where it is damaged, open a new one that holds what could be saved, and say what that is.

    Raises:
        BufferUnusableError: held by another process, of another appliance, or no new file can be made.
    """
    try:
        return SqliteBuffer.open(path, masters=masters, settings=settings), None
    except BufferCorruptError:
        damaged = _move_aside(path)
    saved = _save(damaged, path, Keyring(masters, tenant=settings.tenant, appliance=settings.appliance), settings)
    return SqliteBuffer.open(path, masters=masters, settings=settings), saved


def _move_aside(path: Path) -> Path:
    damaged = path.with_name(f"{path.name}.damaged")
    for suffix in _SUFFIXES:
        Path(f"{damaged}{suffix}").unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{damaged}{suffix}")
    return damaged


def _save(damaged: Path, path: Path, keyring: Keyring, settings: BufferSettings) -> Salvage:
    with closing(sqlite3.connect(damaged)) as old, closing(sqlite3.connect(path, isolation_level=None)) as new:
        epochs = {row[0]: EpochRow(*row) for row in _rows(old, "epoch", _EPOCH)}
        batches = [row for row in map(BatchRow._make, _rows(old, "batch", _BATCH)) if _opens(row, epochs, keyring)]
        refused = [row for row in _rows(old, "quarantine", _QUARANTINE) if _is_ours(row, epochs, keyring)]
        tallies = _rows(old, "tally", _TALLY)
        gaps = _rows(old, "gap", _GAP)
        prepare(new, cap_bytes=settings.cap_bytes)
        new.execute("BEGIN IMMEDIATE")
        _insert(new, "epoch", _EPOCH, epochs.values())
        _insert(new, "batch", _BATCH, batches)
        _insert(new, "quarantine", _QUARANTINE, refused)
        _insert(new, "tally", _TALLY, tallies)
        _insert(new, "gap", _GAP, gaps)
        _count_lost(new)
        ledger.count(new, "", "", salvaged=1)
        new.execute("COMMIT")
    return Salvage(len(batches), sum(row.records for row in batches), len(refused))


def _count_lost(connection: sqlite3.Connection) -> None:
    """Say of each feed and day how many records are neither there nor gone; reading the feed again brings them back."""
    for account in accounts(connection):
        ledger.count(connection, account.feed, account.day, lost=max(account.missing_records, 0))


def _rows(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> list[Row]:
    """Give the rows of a table that can be read, from its beginning and from its end."""
    found: dict[int, Row] = {}
    for order in ("ASC", "DESC"):
        for number, *row in _until_damage(connection, table, columns, order):
            if number in found:
                break
            found[number] = tuple(row)
    return [found[number] for number in sorted(found)]


def _until_damage(connection: sqlite3.Connection, table: str, columns: tuple[str, ...], order: str) -> Iterator[Row]:
    statement = f"SELECT rowid, {', '.join(columns)} FROM {table} ORDER BY rowid {order}"  # noqa: S608 - own names
    with suppress(sqlite3.Error, UnicodeDecodeError, OverflowError):
        yield from connection.execute(statement)


def _insert(connection: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: Any) -> None:
    """Put rows in; one that a damaged page made impossible (a type, a key that is there already) is left out."""
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - own names
    for row in rows:
        with suppress(sqlite3.IntegrityError):
            connection.execute(statement, row)


def _opens(row: BatchRow, epochs: Mapping[int, EpochRow], keyring: Keyring) -> bool:
    try:
        keyring.key(epochs.get(row.epoch)).open(row.body, place=place_of_batch(row))
    except (BufferTamperError, TypeError, AttributeError, OverflowError):
        # A damaged page may have given a value of another type.
        return False
    return True


def _is_ours(row: Row, epochs: Mapping[int, EpochRow], keyring: Keyring) -> bool:
    epoch, feed, content = row[0], row[1], row[-1]
    try:
        keyring.key(epochs.get(epoch)).open(content, place=place_of("quarantine", epoch=epoch, name=feed))
    except (BufferTamperError, TypeError, AttributeError, OverflowError):
        return False
    return True
