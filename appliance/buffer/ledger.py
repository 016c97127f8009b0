"""Small rows beside the blobs: epochs, tallies, the quarantine. Statements only; the caller owns the transaction."""

import sqlite3
from collections.abc import Callable
from typing import Final, NamedTuple

from appliance.buffer.sealed_blob import CHAIN_START, EpochKey, place_of
from appliance.wire.batch import HighWater

KEY_VERSION: Final = 1


class EpochRow(NamedTuple):
    """One key epoch. ``head`` is the chain after the last batch written, ``tail`` after the last one delivered."""

    epoch: int
    salt: bytes
    next_sequence: int
    head: bytes
    tail: bytes


def newest_epoch(connection: sqlite3.Connection) -> EpochRow | None:
    """The epoch with the highest number, or None in a new buffer."""
    row = connection.execute(
        "SELECT epoch, salt, next_sequence, head, tail FROM epoch ORDER BY epoch DESC LIMIT 1"
    ).fetchone()
    return EpochRow(*row) if row else None


def epoch_row(connection: sqlite3.Connection, epoch: int) -> EpochRow | None:
    """The row of ``epoch``; None where somebody deleted it."""
    row = connection.execute(
        "SELECT epoch, salt, next_sequence, head, tail FROM epoch WHERE epoch = ?", (epoch,)
    ).fetchone()
    return EpochRow(*row) if row else None


def issued(connection: sqlite3.Connection) -> HighWater:
    """The newest (epoch, sequence) given to a batch; (0, 0) in a new buffer."""
    newest = newest_epoch(connection)
    return HighWater(newest.epoch, newest.next_sequence - 1) if newest else HighWater(0, 0)


def open_epoch(connection: sqlite3.Connection, *, after: int, salt: bytes) -> EpochRow:
    """Open the epoch that follows both ``after`` and the newest one."""
    newest = newest_epoch(connection)
    row = EpochRow(max(after, newest.epoch if newest else 0) + 1, salt, 1, CHAIN_START, CHAIN_START)
    connection.execute(
        "INSERT INTO epoch (epoch, salt, key_version, next_sequence, head, tail) VALUES (?, ?, ?, ?, ?, ?)",
        (row.epoch, row.salt, KEY_VERSION, row.next_sequence, row.head, row.tail),
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


def count(connection: sqlite3.Connection, feed: str, day: str, **counts: int) -> None:
    """Add to the tallies of a feed and a day."""
    connection.executemany(
        "INSERT INTO tally (feed, day, kind, count) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (feed, day, kind) DO UPDATE SET count = count + excluded.count",
        [(feed, day, kind, number) for kind, number in counts.items() if number],
    )


class Refused(NamedTuple):
    """Something set aside: where it came from, what it is, why, how many records, and the content to encrypt."""

    feed: str
    day: str
    kind: str
    """``line``, ``record`` or ``batch``."""
    reason: str
    records: int
    content: bytes


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
