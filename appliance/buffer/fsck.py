"""Check everything the buffer holds, say what is wrong, and set it right as far as it can be.

A batch that does not authenticate is set aside and counted; a position that does not is forgotten, so that its feed is
read from the start again; the receiver tells each call that it has already. Counts that do not balance are reported:
they were altered, or a batch was taken out. Needs the master key, and that no daemon holds the buffer.
"""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from appliance.buffer.accounts import accounts, damaged_gaps
from appliance.buffer.sealed_blob import CHAIN_START, BatchRow, chain_after, place_of
from appliance.buffer.sqlite_buffer import TAMPERED, SqliteBuffer
from appliance.errors import BufferTamperError


class Finding(Struct, frozen=True):
    """One thing that was wrong: a code, where, and what was done about it."""

    code: str
    """``batch_tampered``, ``chain_broken``, ``gap_damaged``, ``position_tampered``, ``quarantine_tampered`` or
    ``unbalanced``."""
    place: str
    """Feed, day, epoch and sequence, as far as they apply; no content."""
    done: str


def check(buffer: SqliteBuffer) -> list[Finding]:
    """Check and mend an open buffer.

    Raises:
        BufferUnusableError: the database must be reopened.
    """
    connection = buffer.connection
    # Counts first: setting a batch aside changes them.
    findings = list(_accounts(connection))
    findings += _batches(buffer, connection)
    findings += _positions(buffer, connection)
    findings += _quarantine(buffer, connection)
    return findings


def _accounts(connection: sqlite3.Connection) -> Iterator[Finding]:
    for account in accounts(connection):
        if not account.balanced:
            place = f"feed {account.feed or '-'}, {account.day or '-'}"
            yield Finding("unbalanced", place, "reported; the counts stay as they are")
    if damaged := damaged_gaps(connection):
        yield Finding("gap_damaged", f"{damaged} known gaps", "reported; they are not shown any more")


def _batches(buffer: SqliteBuffer, connection: sqlite3.Connection) -> Iterator[Finding]:
    tails = dict(connection.execute("SELECT epoch, tail FROM epoch").fetchall())
    columns = ", ".join(BatchRow._fields)
    rows = connection.execute(f"SELECT {columns} FROM batch ORDER BY epoch, sequence")  # noqa: S608 - own names
    tampered = []
    for row in map(BatchRow._make, rows):
        place = f"feed {row.feed}, {row.day}, epoch {row.epoch}, sequence {row.sequence}"
        if tails.get(row.epoch, CHAIN_START) != row.previous:
            yield Finding("chain_broken", place, "reported; a batch before it is missing or was altered")
        tails[row.epoch] = chain_after(row.previous, row.body)
        try:
            buffer.open_batch(row)
        except BufferTamperError:
            tampered.append(row)
            yield Finding("batch_tampered", place, f"set aside, {row.records} records")
    for row in tampered:
        buffer.remove(row.epoch, row.sequence, row.body, reason=TAMPERED)


def _positions(buffer: SqliteBuffer, connection: sqlite3.Connection) -> Iterator[Finding]:
    for (feed,) in connection.execute("SELECT feed FROM source").fetchall():
        if buffer.position(feed) is None:
            buffer.forget_position(feed)
            yield Finding("position_tampered", f"feed {feed}", "forgotten; the feed is read again from its start")


def _quarantine(buffer: SqliteBuffer, connection: sqlite3.Connection) -> Iterator[Finding]:
    rows = connection.execute("SELECT id, epoch, feed, day, reason, content FROM quarantine").fetchall()
    for number, epoch, feed, day, reason, content in rows:
        try:
            buffer.open_blob(epoch, content, place=place_of("quarantine", epoch=epoch, name=feed))
        except BufferTamperError:
            yield Finding("quarantine_tampered", f"feed {feed}, {day}, item {number} ({reason})", "kept as it is")
