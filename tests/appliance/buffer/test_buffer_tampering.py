"""Whatever is done to the buffer's files behind its back is detected or harmless, never a wrong record."""

import sqlite3
from pathlib import Path

import pytest

from appliance.buffer.sealed_blob import BatchRow, EpochKey, place_of_batch
from appliance.errors import BufferTamperError, BufferUnusableError
from appliance.ports import QuarantinedLine, SecretBytes
from appliance.wire.batch import HighWater
from appliance.wire.codec import decode_batch
from tests.support.buffer_file import MASTER, BufferFile, drain, tallies
from tests.support.records import call, intake


def test_nothing_from_the_feed_stands_in_clear_on_disk(open_buffer: BufferFile, tmp_path: Path) -> None:
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
def test_an_altered_batch_is_set_aside_and_the_rest_is_delivered(open_buffer: BufferFile, column: str) -> None:
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


def test_every_byte_of_a_blob_is_guarded(open_buffer: BufferFile) -> None:
    """Whichever byte of a stored blob changes, the batch does not open."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()
    connection = sqlite3.connect(open_buffer.path)
    row = BatchRow(
        *connection.execute("SELECT epoch, sequence, feed, day, records, previous, body FROM batch").fetchone()
    )
    (salt,) = connection.execute("SELECT salt FROM epoch").fetchone()
    connection.close()
    key = EpochKey(MASTER, salt=salt, tenant="tenant-a", appliance="edge-a")
    where = place_of_batch(row)
    assert key.open(row.body, place=where)
    for index in range(len(row.body)):
        altered = row.body[:index] + bytes([row.body[index] ^ 1]) + row.body[index + 1 :]
        with pytest.raises(BufferTamperError):
            key.open(altered, place=where)


def test_two_batches_swapped_do_not_open(open_buffer: BufferFile) -> None:
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


def test_a_deleted_batch_is_counted_as_a_broken_chain(open_buffer: BufferFile) -> None:
    """Taking a batch out of the middle shows when the next one is delivered."""
    buffer = open_buffer()
    for number in (1, 2, 3):
        buffer.append(intake([number]))
    buffer.close()
    open_buffer.edit("DELETE FROM batch WHERE sequence = 2")

    buffer = open_buffer()
    drain(buffer)

    assert tallies(buffer)["chain_broken"] == 1


def test_an_altered_position_counts_as_none(open_buffer: BufferFile) -> None:
    """The feed is then read from its start again, and the receiver tells the duplicates."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()
    open_buffer.flip("source", "position")
    assert open_buffer().position("main") is None


def test_a_missing_epoch_row_costs_its_batches_only(open_buffer: BufferFile) -> None:
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
def test_a_database_of_another_appliance_is_refused(open_buffer: BufferFile, changes: dict[str, str]) -> None:
    """A copied database does not become another appliance's."""
    open_buffer().close()
    with pytest.raises(BufferUnusableError, match="another appliance"):
        open_buffer(**changes)


def test_another_master_key_opens_nothing(open_buffer: BufferFile) -> None:
    """Without the sealed master key the stored batches are set aside, not misread."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()

    buffer = open_buffer(masters={1: SecretBytes(bytes(32))})

    assert drain(buffer) == []
    assert tallies(buffer)["set_aside"] == 1


def test_no_database_is_refused_in_words(open_buffer: BufferFile) -> None:
    """A file that is no database gives the typed error, and is left as it is."""
    path = open_buffer.path
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(BufferUnusableError):
        open_buffer()
    assert path.read_bytes().startswith(b"not a database")


def test_a_restored_snapshot_is_recognised_and_issues_its_batches_anew(open_buffer: BufferFile) -> None:
    """When the receiver holds more than was issued, what waits goes out under an epoch nobody has seen."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.append(intake([2]))

    assert buffer.note_high_water(HighWater(7, 3)) is True

    batches = drain(buffer)
    assert [(batch.epoch, batch.sequence) for batch in batches] == [(8, 1), (8, 2)]
    assert [decode_batch(batch.body).epoch for batch in batches] == [8, 8]
    assert tallies(buffer)["older_copy"] == 1


def test_an_honest_high_water_mark_changes_nothing(open_buffer: BufferFile) -> None:
    """A mark at or below what was issued is no alarm."""
    buffer = open_buffer()
    assert buffer.note_high_water(HighWater(0, 0)) is False
    buffer.append(intake([1]))
    assert buffer.note_high_water(HighWater(1, 1)) is False
    assert buffer.note_high_water(HighWater(1, 0)) is False


def test_an_altered_batch_does_not_hinder_the_new_epoch(open_buffer: BufferFile) -> None:
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


@pytest.mark.parametrize(
    "change", ["records = 7", "feed = 'other'", "day = '2020-01-01'", "feed = CAST(x'ff' AS TEXT)"]
)
def test_what_stands_in_clear_beside_a_blob_is_bound_to_it(open_buffer: BufferFile, change: str) -> None:
    """A changed count would never fit its verdict, and text that is none would be an error at each look."""
    buffer = open_buffer()
    for number in (1, 2):
        buffer.append(intake([number]))
    buffer.close()
    open_buffer.edit(f"UPDATE batch SET {change} WHERE sequence = 1")  # noqa: S608 - test's own words

    buffer = open_buffer()

    assert [batch.sequence for batch in drain(buffer)] == [2]
    assert [(item.kind, item.reason) for item in buffer.stats().quarantine] == [("batch", "tampered")]
