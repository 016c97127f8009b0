"""A new master key is taken into use while the buffer is in use; the old one can go when nothing needs it."""

from appliance.buffer.fsck import check
from appliance.ports import QuarantinedLine, SecretBytes
from tests.support.buffer_file import MASTER, MASTERS, BufferFile, drain
from tests.support.records import intake, verdict

NEWER = SecretBytes(bytes(range(32, 64)))
BOTH = {1: MASTER, 2: NEWER}


def test_delivery_goes_on_across_a_new_key(open_buffer: BufferFile) -> None:
    """What waits is delivered under the old key, what comes is sealed under the new one."""
    buffer = open_buffer()
    buffer.append(intake([1], position=b"one", quarantined=[QuarantinedLine(0, "binary", b"x")]))
    buffer.rekey(2, NEWER)
    buffer.append(intake([2], position=b"two"))
    assert buffer.spent_versions() == set()
    assert [(batch.epoch, batch.sequence) for batch in drain(buffer)] == [(1, 1), (2, 1)]
    assert buffer.spent_versions() == {1}
    assert buffer.spent_versions() == set()


def test_positions_and_refusals_are_sealed_anew_at_once(open_buffer: BufferFile) -> None:
    """With the new key alone, everything but a batch that waits still opens."""
    buffer = open_buffer()
    buffer.append(intake([1], position=b"one", quarantined=[QuarantinedLine(0, "binary", b"x")]))
    batch = buffer.oldest()
    assert batch is not None
    buffer.acknowledge(batch, verdict(1, 1, accepted=1))
    buffer.rekey(2, NEWER)
    assert buffer.spent_versions() == {1}
    buffer.close()
    buffer = open_buffer(masters={2: NEWER})
    assert buffer.position("main") == b"one"
    assert check(buffer) == []


def test_a_restart_goes_on_under_the_newer_key(open_buffer: BufferFile) -> None:
    """Both keys are given; the highest version seals."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.rekey(2, NEWER)
    buffer.close()
    buffer = open_buffer(masters=BOTH)
    buffer.append(intake([2]))
    assert len(drain(buffer)) == 2
    assert buffer.spent_versions() == {1}


def test_without_the_old_key_its_batches_are_set_aside(open_buffer: BufferFile) -> None:
    """A key that was destroyed too early costs its batches, visibly, and nothing else."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.close()
    buffer = open_buffer(masters={2: NEWER})
    buffer.append(intake([2]))
    assert [batch.epoch for batch in drain(buffer)] == [2]
    assert [(item.reason, item.records) for item in buffer.stats().quarantine] == [("tampered", 1)]


def test_acknowledged_blobs_are_gone_from_the_disk(open_buffer: BufferFile) -> None:
    """Neither database nor WAL holds a blob that was delivered, while the buffer is still open."""
    buffer = open_buffer()
    for number in range(1, 30):
        buffer.append(intake([number]))
    blobs = [bytes(body) for (body,) in buffer.connection.execute("SELECT body FROM batch").fetchall()]
    drain(buffer)
    stored = b"".join(path.read_bytes() for path in open_buffer.path.parent.iterdir())
    assert not [blob for blob in blobs if blob[12:60] in stored]
    assert MASTERS[1].reveal() not in stored
