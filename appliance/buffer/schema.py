"""The buffer's tables and pragmas; the final schema of version 1.

In clear stand counts, days, feed ids, reason codes and the order of batches; everything that came from a PBX stands
in sealed blobs, the source positions included (a hash of the start of a file of calls could be guessed at).
"""

import sqlite3
from typing import Final

import sqlite_utils

from appliance.errors import BufferCorruptError

SCHEMA_VERSION: Final = 1
PAGE_BYTES: Final = 4096

PRAGMAS: Final = (
    f"PRAGMA page_size={PAGE_BYTES}",
    # One connection holds the file for itself: no -shm file, and out of reach of the WAL-reset bug of
    # SQLite 3.7.0-3.51.2, which needs two.
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    # NORMAL would lose acknowledged rows on a power cut.
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=1000",
    "PRAGMA journal_size_limit=16777216",
)

_TABLES: Final[dict[str, tuple[dict[str, type], str | tuple[str, ...]]]] = {
    "meta": ({"key": str, "value": str}, "key"),
    "epoch": (
        {
            "epoch": int,
            "salt": bytes,
            "key_version": int,
            "next_sequence": int,
            "head": bytes,
            "tail": bytes,
        },
        "epoch",
    ),
    "batch": (
        {
            "epoch": int,
            "sequence": int,
            "feed": str,
            "day": str,
            "records": int,
            "previous": bytes,
            "body": bytes,
        },
        ("epoch", "sequence"),
    ),
    "source": ({"feed": str, "epoch": int, "position": bytes}, "feed"),
    "quarantine": (
        {
            "id": int,
            "epoch": int,
            "feed": str,
            "day": str,
            "kind": str,
            "reason": str,
            "records": int,
            "content": bytes,
        },
        "id",
    ),
    "gap": (
        {"id": int, "feed": str, "day": str, "began_at": str, "ended_at": str, "records": int, "cause": str},
        "id",
    ),
    "tally": ({"feed": str, "day": str, "kind": str, "count": int}, ("feed", "day", "kind")),
}


def prepare(connection: sqlite3.Connection, *, cap_bytes: int) -> None:
    """Set the pragmas, bound the file to ``cap_bytes`` and create what is missing.

    The bound makes an insert fail before the disk is full, which keeps deletes possible: a WAL database on a full
    disk cannot even delete.
    """
    for pragma in PRAGMAS:
        connection.execute(pragma)
    connection.execute(f"PRAGMA max_page_count={max(cap_bytes // PAGE_BYTES, 64)}")
    database = sqlite_utils.Database(connection)
    existing = set(database.table_names())
    for name, (columns, key) in _TABLES.items():
        if name not in existing:
            database.create_table(name, columns, pk=key, not_null=set(columns), strict=True)


def require_sound(connection: sqlite3.Connection) -> None:
    """Look at every page once: about two seconds a gigabyte.

    Raises:
        BufferCorruptError: a page is not what the others say it is.
    """
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise BufferCorruptError("the database is damaged")
