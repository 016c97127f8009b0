"""``buffer fsck`` says what is wrong and sets it right as far as it can be."""

import pytest

from appliance.buffer.fsck import check
from appliance.ports import QuarantinedLine
from tests.support.buffer_file import BufferFile, drain
from tests.support.records import intake


def filled(open_buffer: BufferFile) -> None:
    """Three batches, a refused line, a position; closed."""
    buffer = open_buffer()
    for number in (1, 2, 3):
        buffer.append(intake([number], quarantined=[QuarantinedLine(number, "binary", b"x")]))
    buffer.close()


def codes(open_buffer: BufferFile) -> list[str]:
    """What is found, and that a second look finds nothing that was mended."""
    buffer = open_buffer()
    found = [finding.code for finding in check(buffer)]
    buffer.close()
    return found


def test_a_sound_buffer_has_no_findings(open_buffer: BufferFile) -> None:
    """Before and after deliveries."""
    filled(open_buffer)
    buffer = open_buffer()
    assert check(buffer) == []
    drain(buffer)
    assert check(buffer) == []


def test_an_altered_batch_is_set_aside_once(open_buffer: BufferFile) -> None:
    """It is counted, the chain after it is said to be broken, and delivery of the others goes on."""
    filled(open_buffer)
    open_buffer.flip("batch", "body", "sequence = 2")
    assert codes(open_buffer) == ["batch_tampered", "chain_broken"]
    buffer = open_buffer()
    assert [batch.sequence for batch in drain(buffer)] == [1, 3]
    assert "batch_tampered" not in [finding.code for finding in check(buffer)]


def test_a_batch_that_was_taken_out_is_missed(open_buffer: BufferFile) -> None:
    """The chain and the account both show it."""
    filled(open_buffer)
    open_buffer.edit("DELETE FROM batch WHERE sequence = 2")
    assert codes(open_buffer) == ["unbalanced", "chain_broken"]


def test_an_altered_position_is_forgotten(open_buffer: BufferFile) -> None:
    """The feed is read from its start again."""
    filled(open_buffer)
    open_buffer.flip("source", "position")
    assert codes(open_buffer) == ["position_tampered"]
    assert codes(open_buffer) == []


@pytest.mark.parametrize("change", ["count = count + 1 WHERE kind = 'read'", "count = 0 WHERE kind = 'recorded'"])
def test_an_altered_count_is_reported(open_buffer: BufferFile, change: str) -> None:
    """Both sums are held together."""
    filled(open_buffer)
    open_buffer.edit(f"UPDATE tally SET {change}")  # noqa: S608 - test's own words
    assert codes(open_buffer) == ["unbalanced"]


def test_an_altered_refusal_is_reported(open_buffer: BufferFile) -> None:
    """It cannot be read any more, and nothing else depends on it."""
    filled(open_buffer)
    open_buffer.flip("quarantine", "content", "id = 2")
    assert codes(open_buffer) == ["quarantine_tampered"]
