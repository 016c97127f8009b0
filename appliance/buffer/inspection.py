"""What the buffer holds, in counts; readable without a key and shown by ``status`` and ``buffer stats``."""

import sqlite3
from pathlib import Path

import sqlite_utils

from appliance.buffer import ledger
from appliance.buffer.accounts import accounts
from appliance.buffer.schema import PAGE_BYTES
from appliance.errors import BufferUnusableError
from appliance.ports import BufferStats, QuarantineCount, Tally


def read_stats(connection: sqlite3.Connection) -> BufferStats:
    """Count on an open connection."""
    database = sqlite_utils.Database(connection)
    waiting = next(
        iter(
            database.query(
                "SELECT count(*) AS batches, coalesce(sum(records), 0) AS records,"
                " coalesce(sum(length(body)), 0) AS bytes FROM batch"
            )
        )
    )
    pages, page_bytes, cap = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size", "max_page_count")
    )
    epoch = connection.execute("SELECT coalesce(max(epoch), 0) FROM epoch").fetchone()[0]
    quarantine = database.query(
        "SELECT kind, reason, sum(records) AS records FROM quarantine GROUP BY kind, reason ORDER BY kind, reason"
    )
    return BufferStats(
        batches=waiting["batches"],
        records=waiting["records"],
        sealed_bytes=waiting["bytes"],
        file_bytes=pages * page_bytes,
        cap_bytes=cap * page_bytes,
        epoch=epoch,
        quarantine=[QuarantineCount(row["kind"], row["reason"], row["records"]) for row in quarantine],
        tallies=[Tally(feed, day, kinds) for (feed, day), kinds in ledger.tallies(connection).items()],
        accounts=accounts(connection),
    )


def open_stats(path: Path, *, cap_bytes: int) -> BufferStats:
    """Count in a buffer that no daemon holds.

    Raises:
        BufferUnusableError: no buffer there, or a running daemon holds it.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)
        try:
            connection.execute(f"PRAGMA max_page_count={cap_bytes // PAGE_BYTES}")
            return read_stats(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise BufferUnusableError("there is no buffer, or the running appliance holds it") from error
