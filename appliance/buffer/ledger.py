"""Small rows beside the blobs: epochs, tallies, the quarantine. Statements only; the caller owns the transaction."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from appliance.buffer.sealed_blob import CHAIN_START, EpochKey, place_of
from appliance.errors import BufferTamperError
from appliance.wire.batch import HighWater

_EPOCH_COLUMNS: Final = "epoch, salt, key_version, next_sequence, head, tail"


class EpochRow(NamedTuple):
    """One key epoch. ``head`` is the chain after the last batch written, ``tail`` after the last one delivered."""

    epoch: int
    salt: bytes
    key_version: int
    next_sequence: int
    head: bytes
    tail: bytes


def newest_epoch(connection: sqlite3.Connection) -> EpochRow | None:
    """The epoch with the highest number, or None in a new buffer."""
    row = connection.execute(
        f"SELECT {_EPOCH_COLUMNS} FROM epoch ORDER BY epoch DESC LIMIT 1"  # noqa: S608 - names of columns
    ).fetchone()
    return EpochRow(*row) if row else None


def epoch_row(connection: sqlite3.Connection, epoch: int) -> EpochRow | None:
    """The row of ``epoch``; None where somebody deleted it."""
    row = connection.execute(
        f"SELECT {_EPOCH_COLUMNS} FROM epoch WHERE epoch = ?",  # noqa: S608 - names of columns
        (epoch,),
    ).fetchone()
    return EpochRow(*row) if row else None


def issued(connection: sqlite3.Connection) -> HighWater:
    """The newest (epoch, sequence) given to a batch; (0, 0) in a new buffer."""
    newest = newest_epoch(connection)
    return HighWater(newest.epoch, newest.next_sequence - 1) if newest else HighWater(0, 0)


def open_epoch(connection: sqlite3.Connection, *, after: int, salt: bytes, key_version: int) -> EpochRow:
    """Open the epoch that follows both ``after`` and the newest one, under a version of the master key."""
    newest = newest_epoch(connection)
    row = EpochRow(max(after, newest.epoch if newest else 0) + 1, salt, key_version, 1, CHAIN_START, CHAIN_START)
    connection.execute(
        f"INSERT INTO epoch ({_EPOCH_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns
        row,
    )
    return row


def drop_spent_epochs(connection: sqlite3.Connection) -> None:
    """Forget the salts of epochs that nothing stored refers to: what they sealed can never be opened again."""
    connection.execute(
        "DELETE FROM epoch WHERE epoch < (SELECT max(epoch) FROM epoch)"
        " AND NOT EXISTS (SELECT 1 FROM batch WHERE batch.epoch = epoch.epoch)"
        " AND NOT EXISTS (SELECT 1 FROM source WHERE source.epoch = epoch.epoch)"
        " AND NOT EXISTS (SELECT 1 FROM quarantine WHERE quarantine.epoch = epoch.epoch)"
    )


def versions(connection: sqlite3.Connection) -> set[int]:
    """The versions of the master key that something stored is sealed under."""
    return {version for (version,) in connection.execute("SELECT DISTINCT key_version FROM epoch")}


def count(connection: sqlite3.Connection, feed: str, day: str, **counts: int) -> None:
    """Add to the tallies of a feed and a day."""
    connection.executemany(
        "INSERT INTO tally (feed, day, kind, count) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (feed, day, kind) DO UPDATE SET count = count + excluded.count",
        [(feed, day, kind, number) for kind, number in counts.items() if number],
    )


def tallies(connection: sqlite3.Connection) -> dict[tuple[str, str], dict[str, int]]:
    """The counts of each feed and day, by kind."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for feed, day, kind, number in connection.execute(
        "SELECT feed, day, kind, count FROM tally ORDER BY feed, day, kind"
    ):
        found.setdefault((feed, day), {})[kind] = number
    return found


def waiting(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """How many records of each feed and day are in the buffer."""
    rows = connection.execute("SELECT feed, day, sum(records) FROM batch GROUP BY feed, day")
    return {(feed, day): records for feed, day, records in rows}


class Refused(NamedTuple):
    """Something set aside: where it came from, what it is, why, how many records, and the content to encrypt."""

    feed: str
    day: str
    kind: str
    """``line``, ``record`` or ``batch``."""
    reason: str
    records: int
    content: bytes


def reseal_quarantine(connection: sqlite3.Connection, *, epoch: int, key_of: Callable[[int], EpochKey]) -> None:
    """Seal what was refused anew under ``epoch``; what does not open stays as it is."""
    for number, old, feed, blob in connection.execute("SELECT id, epoch, feed, content FROM quarantine").fetchall():
        with suppress(BufferTamperError):
            content = key_of(old).open(blob, place=place_of("quarantine", epoch=old, name=feed))
            sealed = key_of(epoch).seal(content, place=place_of("quarantine", epoch=epoch, name=feed))
            connection.execute("UPDATE quarantine SET epoch = ?, content = ? WHERE id = ?", (epoch, sealed, number))


def quarantine(connection: sqlite3.Connection, item: Refused, *, epoch: int, key_of: Callable[[int], EpochKey]) -> None:
    """Keep what was refused, sealed under ``epoch``, and count it."""
    place = place_of("quarantine", epoch=epoch, name=item.feed)
    connection.execute(
        "INSERT INTO quarantine (epoch, feed, day, kind, reason, records, content) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            epoch,
            item.feed,
            item.day,
            item.kind,
            item.reason,
            item.records,
            key_of(epoch).seal(item.content, place=place),
        ),
    )
