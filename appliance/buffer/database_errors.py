"""What SQLite reports, in the appliance's own terms."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from appliance.errors import BufferCorruptError, BufferFullError, BufferUnusableError

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY: Final = 0xFF
"""An extended result code has the primary one in its lowest byte."""


def is_in_use(error: BufferUnusableError) -> bool:
    """Whether another process holds the database, and nothing is wrong with it."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & _PRIMARY
    return code == sqlite3.SQLITE_BUSY


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn SQLite's errors into the buffer's.

    Raises:
        BufferFullError: the cap is reached, or the disk is full.
        BufferCorruptError: the file is damaged.
        BufferUnusableError: anything else; what was in progress did not happen, or must be looked at anew.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code == sqlite3.SQLITE_FULL:
            raise BufferFullError("the buffer's cap is reached, or the disk is full") from error
        if code in _DAMAGED:
            raise BufferCorruptError("the database is damaged") from error
        raise BufferUnusableError("the database failed, or another process holds it; reopen it") from error
