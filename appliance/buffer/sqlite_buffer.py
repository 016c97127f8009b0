"""The encrypted disk buffer on stdlib sqlite3: one connection, one thread, one AEAD blob a batch.

Rules: rows and source position commit in one transaction, so a feed is read into the buffer exactly once. A method
that returns has committed with an fsync. A failed fsync is never tried again: the error says that the database must
be reopened. What does not authenticate is set aside and counted; everything else goes on.

Not here: framing, pseudonyms, the network. Not protected: deletion of the newest batches together with their epoch
row, which only the receiver's completeness figures show.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Struct

from appliance.buffer import accounts, ledger
from appliance.buffer.database_errors import named_errors
from appliance.buffer.inspection import read_stats
from appliance.buffer.keyring import Keyring
from appliance.buffer.ledger import EpochRow, Refused
from appliance.buffer.reserve import Reserve
from appliance.buffer.schema import SCHEMA_VERSION, prepare, require_sound
from appliance.buffer.sealed_blob import SALT_BYTES, BatchRow, EpochKey, chain_after, place_of, place_of_batch
from appliance.errors import BufferFullError, BufferTamperError, BufferUnusableError
from appliance.policy.high_water import is_believable, is_older_copy
from appliance.ports import BufferStats, Intake, PendingBatch, SecretBytes
from appliance.wire.batch import Batch, HighWater, KeyProtection, Verdict
from appliance.wire.call import Call
from appliance.wire.codec import decode_batch, encode_batch, encode_call
from appliance.wire.completeness import Account

TAMPERED: Final = "tampered"
_BATCH: Final = "epoch, sequence, feed, day, records, previous, body"


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")


class BufferSettings(Struct, frozen=True):
    """Whose buffer it is and how large it may grow."""

    tenant: str
    appliance: str
    key_protection: KeyProtection
    cap_bytes: int
    batch_records: int
    """Most records in one blob."""


class SqliteBuffer:
    """Implements ``ports.CallBuffer``."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        masters: Mapping[int, SecretBytes],
        settings: BufferSettings,
        reserve: Reserve | None = None,
    ) -> None:
        """Use ``open``; it owns the connection's pragmas."""
        self._connection = connection
        self._settings = settings
        self._keyring = Keyring(masters, tenant=settings.tenant, appliance=settings.appliance)
        self._reserve = reserve
        self._own_epoch = 0

    @classmethod
    def open(cls, path: Path, *, masters: Mapping[int, SecretBytes], settings: BufferSettings) -> Self:
        """Open or create the buffer at ``path`` (created 0600); the highest version of ``masters`` seals.

        Raises:
            BufferCorruptError: the file is damaged; ``salvage`` makes a new one of what can be read.
            BufferUnusableError: held by another process, or of another appliance.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise BufferUnusableError(f"the database cannot be opened ({error.strerror})") from None
        connection = sqlite3.connect(path, isolation_level=None, timeout=2, check_same_thread=False)
        # Text that was damaged must not keep a row from being read: its blob will not authenticate.
        connection.text_factory = _text
        return cls.attach(connection, masters=masters, settings=settings, reserve=Reserve(path))

    @classmethod
    def attach(
        cls,
        connection: sqlite3.Connection,
        *,
        masters: Mapping[int, SecretBytes],
        settings: BufferSettings,
        reserve: Reserve | None = None,
    ) -> Self:
        """Open or create the buffer behind a fresh connection, which is closed where that fails. Raises as ``open``."""
        buffer = cls(connection, masters=masters, settings=settings, reserve=reserve)
        try:
            with named_errors():
                prepare(connection, cap_bytes=settings.cap_bytes)
                require_sound(connection)
            with buffer._transaction():
                buffer._claim()
        except BaseException:
            connection.close()
            raise
        return buffer

    @property
    def connection(self) -> sqlite3.Connection:
        """For ``fsck``, which looks at every row."""
        return self._connection

    def close(self) -> None:
        """Close the database; the WAL is checkpointed."""
        self._connection.close()

    def stats(self) -> BufferStats:
        """See ``ports.CallBuffer``."""
        with named_errors():
            return read_stats(self._connection)

    def accounts(self) -> list[Account]:
        """See ``ports.CallBuffer``."""
        with named_errors():
            return accounts.accounts(self._connection)

    def drop_accounts(self, settled: Sequence[Account]) -> None:
        """See ``ports.CallBuffer``."""
        with self._transaction():
            accounts.drop_settled(self._connection, settled)

    def position(self, feed: str) -> bytes | None:
        """See ``ports.CallBuffer``. A position that does not authenticate counts as none: the feed is read again."""
        with named_errors():
            row = self._connection.execute("SELECT epoch, position FROM source WHERE feed = ?", (feed,)).fetchone()
            if row is None:
                return None
            try:
                return self._key(row[0]).open(row[1], place=place_of("position", epoch=row[0], name=feed))
            except BufferTamperError:
                return None

    def append(self, intake: Intake) -> None:
        """See ``ports.CallBuffer``."""
        with self._transaction():
            epoch = self._epoch_for_writing()
            step = self._settings.batch_records
            for start in range(0, len(intake.calls), step):
                epoch = self._insert(epoch, intake.feed, intake.day, intake.calls[start : start + step])
            self._quarantine_lines(epoch.epoch, intake)
            self._store_position(epoch.epoch, intake.feed, intake.position)
            accounts.count_intake(self._connection, intake)

    def oldest(self) -> PendingBatch | None:
        """See ``ports.CallBuffer``."""
        while True:
            with named_errors():
                found = self._connection.execute(
                    f"SELECT {_BATCH} FROM batch ORDER BY epoch, sequence LIMIT 1"  # noqa: S608 - names of columns
                ).fetchone()
            if found is None:
                return None
            row = BatchRow(*found)
            try:
                body = self.open_batch(row)
            except BufferTamperError:
                self.remove(row.epoch, row.sequence, row.body, reason=TAMPERED)
                continue
            return PendingBatch(row.epoch, row.sequence, row.records, body)

    def forget_position(self, feed: str) -> None:
        """Let a feed be read from its start again. Raises as ``append``."""
        with self._transaction():
            self._connection.execute("DELETE FROM source WHERE feed = ?", (feed,))

    def open_blob(self, epoch: int, blob: bytes, *, place: bytes) -> bytes:
        """Give the content of any blob of ``epoch``.

        Raises:
            BufferTamperError: altered or moved, or the epoch is not known.
        """
        with named_errors():
            return self._key(epoch).open(blob, place=place)

    def open_batch(self, row: BatchRow) -> bytes:
        """Give the body of a stored batch.

        Raises:
            BufferTamperError: the blob, or what stands in clear beside it, was altered or moved.
        """
        return self.open_blob(row.epoch, row.body, place=place_of_batch(row))

    def acknowledge(self, batch: PendingBatch, verdict: Verdict) -> None:
        """See ``ports.CallBuffer``."""
        with self._freeing_space(), self._transaction():
            feed, day = self._delete(batch.epoch, batch.sequence)
            ledger.count(
                self._connection,
                feed,
                day,
                acknowledged=verdict.accepted,
                duplicate=verdict.duplicate,
                refused=len(verdict.refused),
            )
            if verdict.refused:
                records = decode_batch(batch.body).records
                for refusal in verdict.refused:
                    content = encode_call(records[refusal.index])
                    self._set_aside(Refused(feed, day, "record", refusal.code, 1, content))
            ledger.drop_spent_epochs(self._connection)
        self._shred()

    def set_aside(self, batch: PendingBatch, code: str) -> None:
        """See ``ports.CallBuffer``."""
        self.remove(batch.epoch, batch.sequence, batch.body, reason=code)

    def note_high_water(self, remote: HighWater) -> bool:
        """See ``ports.CallBuffer``."""
        with named_errors():
            issued = ledger.issued(self._connection)
        if not is_believable(issued=issued, remote=remote):
            with self._transaction():
                ledger.count(self._connection, "", "", mark_not_believed=1)
            return False
        if older := is_older_copy(issued=issued, remote=remote):
            self.issue_anew(after=remote.epoch)
        return older

    def issue_anew(self, *, after: int = 0) -> None:
        """See ``ports.CallBuffer``."""
        with self._transaction():
            waiting = self._connection.execute(
                f"SELECT {_BATCH} FROM batch ORDER BY epoch, sequence"  # noqa: S608 - names of columns
            ).fetchall()
            epoch = self._open_epoch(after=after)
            for row in map(BatchRow._make, waiting):
                try:
                    body = self.open_batch(row)
                except BufferTamperError:
                    continue  # left where it is; ``oldest`` sets it aside
                self._delete(row.epoch, row.sequence)
                epoch = self._insert(epoch, row.feed, row.day, decode_batch(body).records)
            ledger.count(self._connection, "", "", older_copy=1)

    def rekey(self, version: int, master: SecretBytes) -> None:
        """See ``ports.CallBuffer``. Positions and the quarantine are sealed anew at once, batches as they were."""
        self._keyring.add(version, master)
        with self._transaction():
            epoch = self._open_epoch(after=0).epoch
            rows = self._connection.execute("SELECT feed, epoch, position FROM source").fetchall()
            for feed, old, blob in rows:
                with suppress(BufferTamperError):  # a position that does not open counts as none, now as before
                    position = self._key(old).open(blob, place=place_of("position", epoch=old, name=feed))
                    self._store_position(epoch, feed, position)
            ledger.reseal_quarantine(self._connection, epoch=epoch, key_of=self._key)
            ledger.drop_spent_epochs(self._connection)

    def spent_versions(self) -> set[int]:
        """See ``ports.CallBuffer``."""
        with named_errors():
            spent = self._keyring.versions - ledger.versions(self._connection) - {self._keyring.current}
        for version in spent:
            self._keyring.drop(version)
        return spent

    def _insert(self, epoch: EpochRow, feed: str, day: str, calls: Sequence[Call]) -> EpochRow:
        body = encode_batch(Batch(epoch.epoch, epoch.next_sequence, self._settings.key_protection, list(calls)))
        row = BatchRow(epoch.epoch, epoch.next_sequence, feed, day, len(calls), epoch.head, b"")
        row = row._replace(body=self._key(epoch.epoch).seal(body, place=place_of_batch(row)))
        self._connection.execute(
            f"INSERT INTO batch ({_BATCH}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns
            row,
        )
        after = epoch._replace(next_sequence=row.sequence + 1, head=chain_after(epoch.head, row.body))
        self._connection.execute(
            "UPDATE epoch SET next_sequence = ?, head = ? WHERE epoch = ?",
            (after.next_sequence, after.head, after.epoch),
        )
        return after

    def _delete(self, epoch: int, sequence: int) -> tuple[str, str]:
        """Take a batch out; give its feed and day. A batch missing before it is counted as a broken chain."""
        row = self._connection.execute(
            "DELETE FROM batch WHERE epoch = ? AND sequence = ? RETURNING feed, day, previous, body",
            (epoch, sequence),
        ).fetchone()
        if row is None:
            raise BufferUnusableError("a batch that was delivered is no longer stored")
        feed, day, previous, blob = row
        known = ledger.epoch_row(self._connection, epoch)
        if known is None or known.tail != previous:
            ledger.count(self._connection, feed, day, chain_broken=1)
        self._connection.execute("UPDATE epoch SET tail = ? WHERE epoch = ?", (chain_after(previous, blob), epoch))
        return str(feed), str(day)

    def remove(self, epoch: int, sequence: int, content: bytes, *, reason: str) -> None:
        """Move a batch into the quarantine. Raises as ``acknowledge``."""
        with self._freeing_space(), self._transaction():
            records = self._connection.execute(
                "SELECT records FROM batch WHERE epoch = ? AND sequence = ?", (epoch, sequence)
            ).fetchone()
            feed, day = self._delete(epoch, sequence)
            ledger.count(self._connection, feed, day, set_aside=records[0])
            self._set_aside(Refused(feed, day, "batch", reason, records[0], content))

    def _set_aside(self, item: Refused) -> None:
        epoch = self._epoch_for_writing()
        ledger.quarantine(self._connection, item, epoch=epoch.epoch, key_of=self._key)

    def _quarantine_lines(self, epoch: int, intake: Intake) -> None:
        """One sealed blob a reason: a flood of bad lines must not become a flood of rows."""
        by_reason: dict[str, list[tuple[int, bytes]]] = {}
        for line in intake.quarantined:
            by_reason.setdefault(line.reason, []).append((line.offset, line.content))
        for reason, lines in by_reason.items():
            content = msgspec.json.encode(lines)
            item = Refused(intake.feed, intake.day, "line", reason, len(lines), content)
            ledger.quarantine(self._connection, item, epoch=epoch, key_of=self._key)

    def _store_position(self, epoch: int, feed: str, position: bytes) -> None:
        sealed = self._key(epoch).seal(position, place=place_of("position", epoch=epoch, name=feed))
        self._connection.execute(
            "INSERT INTO source (feed, epoch, position) VALUES (?, ?, ?)"
            " ON CONFLICT (feed) DO UPDATE SET epoch = excluded.epoch, position = excluded.position",
            (feed, epoch, sealed),
        )

    def _shred(self) -> None:
        """Take what was deleted out of the WAL once nothing waits; ``secure_delete`` has it out of the database."""
        with suppress(BufferFullError), named_errors():  # what is done is done; the next delivery tries again
            if self._connection.execute("SELECT 1 FROM batch LIMIT 1").fetchone() is None:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _epoch_for_writing(self) -> EpochRow:
        """The epoch that this process opened; a fresh salt a process start keeps (key, nonce) from repeating."""
        if self._own_epoch:
            row = ledger.epoch_row(self._connection, self._own_epoch)
            if row is not None:
                return row
        return self._open_epoch(after=0)

    def _open_epoch(self, *, after: int) -> EpochRow:
        salt = os.urandom(SALT_BYTES)
        row = ledger.open_epoch(self._connection, after=after, salt=salt, key_version=self._keyring.current)
        self._own_epoch = row.epoch
        return row

    def _key(self, epoch: int) -> EpochKey:
        return self._keyring.key(ledger.epoch_row(self._connection, epoch))

    def _claim(self) -> None:
        """Write the owner into a new database, or check it."""
        owner = {
            "schema_version": str(SCHEMA_VERSION),
            "tenant": self._settings.tenant,
            "appliance": self._settings.appliance,
        }
        stored = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
        if not stored:
            self._connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", owner.items())
        elif stored != owner:
            raise BufferUnusableError("the database belongs to another appliance or version")

    @contextmanager
    def _freeing_space(self) -> Iterator[None]:
        """Deleting needs space in the WAL: on a full disk the reserve gives it, and the next call finds it there."""
        try:
            yield
        except BufferFullError:
            if self._reserve:
                self._reserve.release()
            raise
        if self._reserve:
            self._reserve.keep()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        own_epoch = self._own_epoch
        with named_errors():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back(own_epoch)
                raise

    def _roll_back(self, own_epoch: int) -> None:
        """Undo the transaction, and with it the epoch that it may have opened: its salt was never stored."""
        self._own_epoch = own_epoch
        self._keyring.forget_after(own_epoch)
        with suppress(sqlite3.Error):  # the first error is the one to report
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
