"""A disk whose power can be cut: an SQLite VFS in memory that knows which writes were synced.

After a cut, what was synced is there; of the writes since then any may have arrived, whole, torn at any byte, or not
at all, in any order; a file that was never synced may be gone. That is what POSIX allows a disk with a volatile cache,
and more than most do. Deleted and truncated files follow the same rule: a change that was not synced may be undone.

The product's own statements run over it: ``connect`` gives what looks like ``sqlite3.Connection``, over apsw, because
the standard library has no way to pass a VFS.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, Self

import apsw

SECTOR_BYTES = 512
POWERSAFE_OVERWRITE = 0x1000
"""SQLITE_IOCAP_POWERSAFE_OVERWRITE: a torn write harms no byte beside it, as SQLite's unix VFS assumes by default."""
Hook = Callable[[], None]
Write = tuple[int, bytes]


class File:
    """One file: what a reader sees, what is certain to survive, and the writes in between."""

    def __init__(self, durable: bytes = b"", *, exists: bool = False) -> None:
        self.content = bytearray(durable)
        self.durable = durable
        self.exists = exists
        """Whether the file itself survives."""
        self.pending: list[Write | int] = []
        """Writes (offset, bytes) and truncations (size) since the last sync."""

    def write(self, data: bytes, offset: int) -> None:
        """Write, into the cache."""
        self._apply(self.content, (offset, data))
        self.pending.append((offset, data))

    def truncate(self, size: int) -> None:
        """Cut, in the cache."""
        self._apply(self.content, size)
        self.pending.append(size)

    def sync(self) -> None:
        """Make all of it certain."""
        self.durable = bytes(self.content)
        self.exists = True
        self.pending.clear()

    def after_cut(self, random: Random) -> "File | None":
        """Give the file as it may be found after a cut; None where it is gone."""
        if not self.exists and random.random() < 0.5:
            return None
        found = bytearray(self.durable)
        for change in self.pending:
            fate = random.random()
            if fate < 0.4:
                self._apply(found, change)
            elif fate < 0.6 and isinstance(change, tuple):
                offset, data = change
                self._apply(found, (offset, data[: random.randrange(len(data) + 1)]))
        return File(bytes(found), exists=True)

    @staticmethod
    def _apply(content: bytearray, change: Write | int) -> None:
        if isinstance(change, int):
            del content[change:]
            return
        offset, data = change
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data


class Disk:
    """Files by name. ``before`` is called ahead of every write, truncation, sync and deletion; it may raise.

    ``after`` is called when it was done, and may raise as well: it failed, and persisted all the same. ``doing`` says
    to both what it is, and to which file.
    """

    def __init__(self, files: dict[str, File] | None = None) -> None:
        self.files = files or {}
        self.before: Hook = lambda: None
        self.after: Hook = lambda: None
        self.doing = ("", "")

    @contextmanager
    def change(self, what: str, name: str) -> Iterator[None]:
        """Call the hooks around a change."""
        self.doing = (what, name)
        self.before()
        yield
        self.after()

    def after_cut(self, random: Random) -> "Disk":
        """Give a disk as it may be found after a cut now; this one goes on."""
        found = {name: file.after_cut(random) for name, file in self.files.items()}
        return Disk({name: file for name, file in found.items() if file is not None})

    def copy(self) -> "Disk":
        """Give a disk with the same files, all synced."""
        return Disk({name: File(bytes(file.content), exists=True) for name, file in self.files.items()})


class _Handle:
    """An open file, as apsw's VFS wants it. Locks are not needed: one connection holds the disk."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self._name = name
        self._file = disk.files.setdefault(name, File())

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        with self._disk.change("write", self._name):
            self._file.write(bytes(data), offset)

    def xTruncate(self, size: int) -> None:
        with self._disk.change("truncate", self._name):
            self._file.truncate(size)

    def xSync(self, _flags: int) -> None:
        with self._disk.change("sync", self._name):
            self._file.sync()

    def xFileSize(self) -> int:
        return len(self._file.content)

    def xLock(self, _level: int) -> None: ...
    def xUnlock(self, _level: int) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, _operation: int, _pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR_BYTES

    def xDeviceCharacteristics(self) -> int:
        return POWERSAFE_OVERWRITE

    def xClose(self) -> None: ...


class _Vfs(apsw.VFS):
    """Routes SQLite to a disk."""

    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, base="")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        flags[1] = flags[0]
        return _Handle(self._disk, name.filename() if isinstance(name, apsw.URIFilename) else str(name))

    def xDelete(self, name: str, _sync_directory: bool) -> None:  # noqa: FBT001 - apsw calls it so
        with self._disk.change("delete", name):
            self._disk.files.pop(name, None)

    def xAccess(self, name: str, _flags: int) -> bool:
        return name in self._disk.files

    def xFullPathname(self, name: str) -> str:
        return name


class _Rows:
    """A cursor whose rows were all read when it was made."""

    def __init__(self, description: Sequence[tuple[Any, ...]], rows: list[tuple[Any, ...]]) -> None:
        self.description = description
        self._rows = iter(rows)

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


class Connection:
    """What of ``sqlite3.Connection`` the product uses, over apsw; errors are ``sqlite3``'s."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        return not self._connection.get_autocommit()

    def execute(self, statement: str, values: Iterable[Any] = ()) -> _Rows:
        with _errors():
            cursor = self._connection.cursor()
            description: list[Sequence[tuple[Any, ...]]] = []
            cursor.exec_trace = lambda item, *_: description.append(item.get_description()) or True
            rows = list(cursor.execute(statement, tuple(values)))
            return _Rows(description[0] if description else (), rows)

    def executemany(self, statement: str, values: Iterable[Iterable[Any]]) -> None:
        with _errors():
            self._connection.cursor().executemany(statement, [tuple(row) for row in values])

    def close(self) -> None:
        with _errors():
            self._connection.close(force=True)

    def __enter__(self) -> Self:
        """Give the connection, as sqlite-utils uses it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the transaction to whoever began it."""


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except apsw.FullError as error:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise full from error
    except (apsw.Error, OSError, UnicodeDecodeError) as error:
        raise sqlite3.OperationalError(type(error).__name__) from error


@contextmanager
def connect(disk: Disk, name: str = "buffer.db") -> Iterator[Any]:
    """Open a database on ``disk``."""
    vfs_name = f"power-cut-{id(disk)}"
    vfs = _Vfs(vfs_name, disk)
    connection = apsw.Connection(name, vfs=vfs_name)
    try:
        yield Connection(connection)
    finally:
        with suppress(apsw.Error):  # the checkpoint of a clean end may fail, as on a real disk
            connection.close(force=True)
        vfs.unregister()
