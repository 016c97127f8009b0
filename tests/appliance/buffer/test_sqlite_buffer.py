"""The buffer keeps what it committed, in order, and goes on when it is full or refused."""

import sqlite3

import pytest

from appliance.buffer.inspection import open_stats
from appliance.buffer.schema import PRAGMAS
from appliance.errors import BufferUnusableError
from appliance.ports import QuarantinedLine
from appliance.wire.batch import Refusal, RefusalCode
from appliance.wire.codec import decode_batch
from tests.support.buffer_file import BufferFile, drain, fill, tallies
from tests.support.records import call, intake, verdict


def test_records_come_back_in_order_and_once(open_buffer: BufferFile) -> None:
    """What was appended is delivered in the order of appending, each record once."""
    buffer = open_buffer()
    buffer.append(intake(range(150)))
    buffer.append(intake(range(150, 160)))

    batches = drain(buffer)

    events = [record.event_id for batch in batches for record in decode_batch(batch.body).records]
    assert events == [call(number).event_id for number in range(160)]
    assert [(batch.sequence, batch.records) for batch in batches] == [(1, 100), (2, 50), (3, 10)]
    assert buffer.oldest() is None


def test_rows_and_position_survive_a_restart_together(open_buffer: BufferFile) -> None:
    """After a restart the position is the one of the last commit, and its records are there."""
    first = open_buffer()
    first.append(intake([1, 2], position=b"after two"))
    first.close()

    second = open_buffer()

    assert second.position("main") == b"after two"
    assert second.position("other") is None
    assert [batch.records for batch in drain(second)] == [2]


def test_each_process_start_writes_under_a_new_epoch(open_buffer: BufferFile) -> None:
    """A restart never writes under an old key, and delivers the old epoch first."""
    for number in (1, 2, 3):
        buffer = open_buffer()
        buffer.append(intake([number]))
        buffer.close()

    batches = drain(open_buffer())

    assert [(batch.epoch, batch.sequence) for batch in batches] == [(1, 1), (2, 1), (3, 1)]


def test_spent_epochs_are_forgotten(open_buffer: BufferFile) -> None:
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


def test_an_empty_intake_still_moves_the_position(open_buffer: BufferFile) -> None:
    """Lines that give no record are not read again."""
    buffer = open_buffer()
    buffer.append(intake([], position=b"past a header", ignored=1))
    assert buffer.position("main") == b"past a header"
    assert buffer.oldest() is None
    assert tallies(buffer) == {"read": 1, "ignored": 1}


def test_a_second_process_is_refused(open_buffer: BufferFile) -> None:
    """One connection holds the file: a second opener gets a typed error, and ``buffer stats`` says so."""
    open_buffer().append(intake([1]))
    with pytest.raises(BufferUnusableError, match="another process"):
        open_buffer()
    with pytest.raises(BufferUnusableError):
        open_stats(open_buffer.path, cap_bytes=2**24)


def test_a_full_buffer_refuses_whole_and_takes_again_after_acknowledgement(open_buffer: BufferFile) -> None:
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


def test_a_refused_record_goes_to_the_quarantine(open_buffer: BufferFile) -> None:
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


def test_a_poison_batch_is_set_aside_with_its_code(open_buffer: BufferFile) -> None:
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


def test_acknowledging_twice_is_an_error_not_a_loss(open_buffer: BufferFile) -> None:
    """A batch can be taken out once only."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    batch = buffer.oldest()
    assert batch is not None
    buffer.acknowledge(batch, verdict(1, 1, accepted=1))
    with pytest.raises(BufferUnusableError):
        buffer.acknowledge(batch, verdict(1, 1, accepted=1))


def test_stats_can_be_read_when_no_daemon_holds_the_buffer(open_buffer: BufferFile) -> None:
    """``buffer stats`` needs no key."""
    buffer = open_buffer()
    buffer.append(intake([1, 2]))
    expected = buffer.stats()
    buffer.close()

    stats = open_stats(open_buffer.path, cap_bytes=2**24)

    assert (stats.batches, stats.records, stats.cap_bytes) == (1, 2, 2**24)
    assert stats.tallies == expected.tallies


def test_the_database_is_private_and_synced(open_buffer: BufferFile) -> None:
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


def test_a_failing_database_is_reported_as_unusable(open_buffer: BufferFile) -> None:
    """An error that is not a full disk asks for a reopening and loses nothing that was committed."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer._connection.execute("DROP TABLE tally")
    with pytest.raises(BufferUnusableError):
        buffer.append(intake([2], position=b"not reached"))
    assert buffer.position("main") == b"position"
