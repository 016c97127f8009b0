"""The buffer keeps what it committed, in order, sealed to its place, and survives what it is given."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from appliance.buffer.inspection import open_stats
from appliance.buffer.schema import PRAGMAS
from appliance.buffer.sealed_blob import EpochKey, place_of
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.errors import BufferFullError, BufferTamperError, BufferUnusableError
from appliance.ports import Intake, PendingBatch, QuarantinedLine, SecretBytes
from appliance.wire.batch import HighWater, KeyProtection, Refusal, RefusalCode
from appliance.wire.codec import decode_batch
from tests.support.records import call, intake, verdict

MASTER = SecretBytes(bytes(range(32)))


class Opener:
    """Opens the same buffer file as often as a test likes."""

    def __init__(self, path: Path) -> None:
        """Keep the buffer at ``path``."""
        self.path = path
        self.opened: list[SqliteBuffer] = []

    def __call__(self, *, master: SecretBytes = MASTER, **changes: object) -> SqliteBuffer:
        """Open it with the tests' settings but for ``changes``."""
        settings = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=100)
        buffer = SqliteBuffer.open(self.path, master=master, settings=msgspec.structs.replace(settings, **changes))
        self.opened.append(buffer)
        return buffer

    def edit(self, statement: str, *arguments: object) -> None:
        """Change the closed database behind the product's back."""
        connection = sqlite3.connect(self.path)
        connection.execute(statement, arguments)
        connection.commit()
        connection.close()

    def flip(self, table: str, column: str, where: str = "true") -> None:
        """Flip one bit in the middle of a stored value."""
        connection = sqlite3.connect(self.path)
        (value,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()  # noqa: S608 (test's own words)
        connection.close()
        middle = len(value) // 2
        flipped = value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
        self.edit(f"UPDATE {table} SET {column} = ? WHERE {where}", flipped)  # noqa: S608 (as above)


@pytest.fixture
def open_buffer(tmp_path: Path) -> Iterator[Opener]:
    """One buffer file; whatever a test left open is closed at its end."""
    opener = Opener(tmp_path / "buffer.db")
    yield opener
    for buffer in opener.opened:
        buffer.close()


def drain(buffer: SqliteBuffer) -> list[PendingBatch]:
    """Deliver everything to an honest receiver."""
    delivered = []
    while batch := buffer.oldest():
        delivered.append(batch)
        buffer.acknowledge(batch, verdict(batch.epoch, batch.sequence, accepted=batch.records))
    return delivered


def fill(buffer: SqliteBuffer, intakes: Sequence[Intake]) -> int:
    """Append until the buffer is full; give how many it took."""
    for appended, item in enumerate(intakes):
        try:
            buffer.append(item)
        except BufferFullError:
            return appended
    return len(intakes)


def tallies(buffer: SqliteBuffer) -> dict[str, int]:
    """All counts of the feed the tests use, over all days."""
    total: dict[str, int] = {}
    for tally in buffer.stats().tallies:
        for kind, number in tally.counts.items():
            total[kind] = total.get(kind, 0) + number
    return total


def test_records_come_back_in_order_and_once(open_buffer: Opener) -> None:
    """What was appended is delivered in the order of appending, each record once."""
    buffer = open_buffer()
    buffer.append(intake(range(150)))
    buffer.append(intake(range(150, 160)))

    batches = drain(buffer)

    events = [record.event_id for batch in batches for record in decode_batch(batch.body).records]
    assert events == [call(number).event_id for number in range(160)]
    assert [(batch.sequence, batch.records) for batch in batches] == [(1, 100), (2, 50), (3, 10)]
    assert buffer.oldest() is None


def test_rows_and_position_survive_a_restart_together(open_buffer: Opener) -> None:
    """After a restart the position is the one of the last commit, and its records are there."""
    first = open_buffer()
    first.append(intake([1, 2], position=b"after two"))
    first.close()

    second = open_buffer()

    assert second.position("main") == b"after two"
    assert second.position("other") is None
    assert [batch.records for batch in drain(second)] == [2]


def test_each_process_start_writes_under_a_new_epoch(open_buffer: Opener) -> None:
    """A restart never writes under an old key, and delivers the old epoch first."""
    for number in (1, 2, 3):
        buffer = open_buffer()
        buffer.append(intake([number]))
        buffer.close()

    batches = drain(open_buffer())

    assert [(batch.epoch, batch.sequence) for batch in batches] == [(1, 1), (2, 1), (3, 1)]


def test_spent_epochs_are_forgotten(open_buffer: Opener) -> None:
    """When nothing refers to an epoch its salt goes, so that what it sealed can never be opened again."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()
    buffer = open_buffer()
    buffer.append(intake([2]))
    drain(buffer)
    buffer.close()

    connection = sqlite3.connect(open_buffer.path)
    assert connection.execute("SELECT epoch FROM epoch").fetchall() == [(2,)]
    connection.close()


def test_an_empty_intake_still_moves_the_position(open_buffer: Opener) -> None:
    """Lines that give no record are not read again."""
    buffer = open_buffer()
    buffer.append(intake([], position=b"past a header", ignored=1))
    assert buffer.position("main") == b"past a header"
    assert buffer.oldest() is None
    assert tallies(buffer) == {"read": 1, "ignored": 1}


def test_nothing_from_the_feed_stands_in_clear_on_disk(open_buffer: Opener, tmp_path: Path) -> None:
    """Records, refused lines and positions are sealed in the database and its WAL."""
    buffer = open_buffer()
    line = b'"0475123456","Jane Doe"'
    buffer.append(intake([1], position=b"secret-position", quarantined=[QuarantinedLine(0, "column_count", line)]))
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    buffer.close()
    stored += open_buffer.path.read_bytes()

    assert b"column_count" in stored
    for secret in (b"0475123456", b"Jane", b"secret-position", b"event_id", call(1).event_id.encode()):
        assert secret not in stored


@pytest.mark.parametrize("column", ["body", "previous"])
def test_an_altered_batch_is_set_aside_and_the_rest_is_delivered(open_buffer: Opener, column: str) -> None:
    """A flipped bit costs one batch, visibly, and never gives a wrong record."""
    buffer = open_buffer()
    for number in (1, 2, 3):
        buffer.append(intake([number]))
    buffer.close()
    open_buffer.flip("batch", column, "sequence = 2")

    buffer = open_buffer()

    assert [batch.sequence for batch in drain(buffer)] == [1, 3]
    counts = tallies(buffer)
    assert (counts["set_aside"], counts["acknowledged"]) == (1, 2)
    assert [(item.kind, item.reason, item.records) for item in buffer.stats().quarantine] == [("batch", "tampered", 1)]


def test_every_byte_of_a_blob_is_guarded(open_buffer: Opener) -> None:
    """Whichever byte of a stored blob changes, the batch does not open."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()
    connection = sqlite3.connect(open_buffer.path)
    (blob,) = connection.execute("SELECT body FROM batch").fetchone()
    place, salt = connection.execute("SELECT previous, salt FROM batch JOIN epoch USING (epoch)").fetchone()
    connection.close()
    key = EpochKey(MASTER, salt=salt, tenant="tenant-a", appliance="edge-a")
    where = place_of("batch", epoch=1, sequence=1, previous=place)
    assert key.open(blob, place=where)
    for index in range(len(blob)):
        altered = blob[:index] + bytes([blob[index] ^ 1]) + blob[index + 1 :]
        with pytest.raises(BufferTamperError):
            key.open(altered, place=where)


def test_two_batches_swapped_do_not_open(open_buffer: Opener) -> None:
    """A blob is bound to its sequence: exchanging two stored batches exposes both."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.append(intake([2]))
    buffer.close()
    connection = sqlite3.connect(open_buffer.path)
    bodies = dict(connection.execute("SELECT sequence, body FROM batch").fetchall())
    for sequence, other in ((1, 2), (2, 1)):
        connection.execute("UPDATE batch SET body = ? WHERE sequence = ?", (bodies[other], sequence))
    connection.commit()
    connection.close()

    buffer = open_buffer()

    assert drain(buffer) == []
    assert tallies(buffer)["set_aside"] == 2


def test_a_deleted_batch_is_counted_as_a_broken_chain(open_buffer: Opener) -> None:
    """Taking a batch out of the middle shows when the next one is delivered."""
    buffer = open_buffer()
    for number in (1, 2, 3):
        buffer.append(intake([number]))
    buffer.close()
    open_buffer.edit("DELETE FROM batch WHERE sequence = 2")

    buffer = open_buffer()
    drain(buffer)

    assert tallies(buffer)["chain_broken"] == 1


def test_an_altered_position_counts_as_none(open_buffer: Opener) -> None:
    """The feed is then read from its start again, and the receiver tells the duplicates."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()
    open_buffer.flip("source", "position")
    assert open_buffer().position("main") is None


def test_a_missing_epoch_row_costs_its_batches_only(open_buffer: Opener) -> None:
    """Without its salt an epoch's batches cannot be opened; later epochs go on."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()
    buffer = open_buffer()
    buffer.append(intake([2]))
    buffer.close()
    open_buffer.edit("DELETE FROM epoch WHERE epoch = 1")

    buffer = open_buffer()

    assert [batch.epoch for batch in drain(buffer)] == [2]
    assert tallies(buffer)["set_aside"] == 1


@pytest.mark.parametrize("changes", [{"tenant": "tenant-b"}, {"appliance": "edge-b"}])
def test_a_database_of_another_appliance_is_refused(open_buffer: Opener, changes: dict[str, str]) -> None:
    """A copied database does not become another appliance's."""
    open_buffer().close()
    with pytest.raises(BufferUnusableError, match="another appliance"):
        open_buffer(**changes)


def test_another_master_key_opens_nothing(open_buffer: Opener) -> None:
    """Without the sealed master key the stored batches are set aside, not misread."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()

    buffer = open_buffer(master=SecretBytes(bytes(32)))

    assert drain(buffer) == []
    assert tallies(buffer)["set_aside"] == 1


def test_a_second_process_is_refused(open_buffer: Opener) -> None:
    """One connection holds the file: a second opener gets a typed error, and ``buffer stats`` says so."""
    open_buffer().append(intake([1]))
    with pytest.raises(BufferUnusableError, match="another process"):
        open_buffer()
    with pytest.raises(BufferUnusableError):
        open_stats(open_buffer.path, cap_bytes=2**24)


def test_no_database_is_refused_in_words(open_buffer: Opener) -> None:
    """A file that is no database gives the typed error, and is left as it is."""
    path = open_buffer.path
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(BufferUnusableError):
        open_buffer()
    assert path.read_bytes().startswith(b"not a database")


def test_a_full_buffer_refuses_whole_and_takes_again_after_acknowledgement(open_buffer: Opener) -> None:
    """At the cap an intake fails without a trace; deletes still work, and then there is room again."""
    buffer = open_buffer(cap_bytes=2**18)
    big = intake([], quarantined=[QuarantinedLine(0, "binary", bytes(20_000))])
    rows = [intake(range(start, start + 100), position=b"%d" % start) for start in range(0, 100_000, 100)]

    appended = fill(buffer, rows)
    assert 0 < appended < len(rows)
    assert buffer.position("main") == rows[appended - 1].position
    assert fill(buffer, [big] * 100) < 100

    assert len(drain(buffer)) == appended
    buffer.append(intake([1]))
    assert buffer.stats().records == 1


def test_a_refused_record_goes_to_the_quarantine(open_buffer: Opener) -> None:
    """The receiver's refusal of one record keeps that record, sealed, and deletes the rest."""
    buffer = open_buffer()
    buffer.append(intake([1, 2, 3]))
    batch = buffer.oldest()
    assert batch is not None

    buffer.acknowledge(
        batch, verdict(1, 1, accepted=1, duplicate=1, refused=[Refusal(1, RefusalCode.TIME_OUT_OF_RANGE)])
    )

    assert tallies(buffer) == {"read": 3, "recorded": 3, "acknowledged": 1, "duplicate": 1, "refused": 1}
    assert [(item.kind, item.reason) for item in buffer.stats().quarantine] == [("record", "time_out_of_range")]
    assert buffer.oldest() is None


def test_a_poison_batch_is_set_aside_with_its_code(open_buffer: Opener) -> None:
    """A batch that the receiver refuses for good makes way for the next one."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.append(intake([2]))
    batch = buffer.oldest()
    assert batch is not None

    buffer.set_aside(batch, "batch_invalid")

    following = buffer.oldest()
    assert following is not None
    assert following.sequence == 2
    assert [(item.reason, item.records) for item in buffer.stats().quarantine] == [("batch_invalid", 1)]


def test_acknowledging_twice_is_an_error_not_a_loss(open_buffer: Opener) -> None:
    """A batch can be taken out once only."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    batch = buffer.oldest()
    assert batch is not None
    buffer.acknowledge(batch, verdict(1, 1, accepted=1))
    with pytest.raises(BufferUnusableError):
        buffer.acknowledge(batch, verdict(1, 1, accepted=1))


def test_a_restored_snapshot_is_recognised_and_issues_its_batches_anew(open_buffer: Opener) -> None:
    """When the receiver holds more than was issued, what waits goes out under an epoch nobody has seen."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.append(intake([2]))

    assert buffer.note_high_water(HighWater(7, 3)) is True

    batches = drain(buffer)
    assert [(batch.epoch, batch.sequence) for batch in batches] == [(8, 1), (8, 2)]
    assert [decode_batch(batch.body).epoch for batch in batches] == [8, 8]
    assert tallies(buffer)["older_copy"] == 1


def test_an_honest_high_water_mark_changes_nothing(open_buffer: Opener) -> None:
    """A mark at or below what was issued is no alarm."""
    buffer = open_buffer()
    assert buffer.note_high_water(HighWater(0, 0)) is False
    buffer.append(intake([1]))
    assert buffer.note_high_water(HighWater(1, 1)) is False
    assert buffer.note_high_water(HighWater(1, 0)) is False


def test_an_altered_batch_does_not_hinder_the_new_epoch(open_buffer: Opener) -> None:
    """A restored snapshot with a damaged batch issues the others anew and sets the damaged one aside."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.append(intake([2]))
    buffer.close()
    open_buffer.flip("batch", "body", "sequence = 1")
    buffer = open_buffer()

    assert buffer.note_high_water(HighWater(7, 3)) is True

    assert [(batch.epoch, batch.sequence) for batch in drain(buffer)] == [(8, 1)]
    assert tallies(buffer)["set_aside"] == 1


def test_stats_can_be_read_when_no_daemon_holds_the_buffer(open_buffer: Opener) -> None:
    """``buffer stats`` needs no key."""
    buffer = open_buffer()
    buffer.append(intake([1, 2]))
    expected = buffer.stats()
    buffer.close()

    stats = open_stats(open_buffer.path, cap_bytes=2**24)

    assert (stats.batches, stats.records, stats.cap_bytes) == (1, 2, 2**24)
    assert stats.tallies == expected.tallies


def test_the_database_is_private_and_synced(open_buffer: Opener) -> None:
    """0600, WAL, synchronous=FULL and an exclusive lock: what the durability promise rests on."""
    buffer = open_buffer()
    assert open_buffer.path.stat().st_mode & 0o777 == 0o600
    connection = buffer._connection
    facts = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "locking_mode", "temp_store", "trusted_schema")
    }
    assert facts == {
        "journal_mode": "wal",
        "synchronous": 2,
        "locking_mode": "exclusive",
        "temp_store": 2,
        "trusted_schema": 0,
    }
    assert len(PRAGMAS) >= len(facts)


def test_a_failing_database_is_reported_as_unusable(open_buffer: Opener) -> None:
    """An error that is not a full disk asks for a reopening and loses nothing that was committed."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer._connection.execute("DROP TABLE tally")
    with pytest.raises(BufferUnusableError):
        buffer.append(intake([2], position=b"not reached"))
    assert buffer.position("main") == b"position"
