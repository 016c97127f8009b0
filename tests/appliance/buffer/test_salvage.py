"""A damaged file costs what was damaged, and nobody has to log in."""

import sqlite3
from pathlib import Path

import pytest

from appliance.buffer.fsck import check
from appliance.buffer.salvage import Salvage, open_or_salvage
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.errors import BufferCorruptError
from appliance.ports import QuarantinedLine
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import decode_batch
from tests.support.buffer_file import MASTERS, drain, tallies
from tests.support.records import intake, token

SETTINGS = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=100)
BATCHES = 60


def filled(path: Path) -> None:
    """Many batches of 20 records, some refused lines, a position; closed."""
    buffer = SqliteBuffer.open(path, masters=MASTERS, settings=SETTINGS)
    for number in range(BATCHES):
        first = 1 + 20 * number
        lines = [QuarantinedLine(number, "binary", b"x")] if number % 10 == 0 else []
        buffer.append(intake(list(range(first, first + 20)), position=b"position", quarantined=lines))
    buffer.close()


def page_of(path: Path, table: str) -> int:
    """The number of the page in the middle of a table's leaves, from 0."""
    connection = sqlite3.connect(path)
    pages = connection.execute(
        "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno", (table,)
    ).fetchall()
    connection.close()
    return int(pages[len(pages) // 2][0]) - 1


def overwrite(path: Path, page: int) -> None:
    """Put noise over one page."""
    with path.open("r+b") as file:
        file.seek(page * 4096)
        file.write(b"\xa5" * 4096)


def test_a_sound_file_is_just_opened(tmp_path: Path) -> None:
    """Nothing is moved, nothing is said."""
    filled(tmp_path / "buffer.db")
    buffer, saved = open_or_salvage(tmp_path / "buffer.db", masters=MASTERS, settings=SETTINGS)
    assert (saved, buffer.stats().records) == (None, 20 * BATCHES)
    assert not (tmp_path / "buffer.db.damaged").exists()
    buffer.close()


def test_what_can_be_read_of_a_damaged_file_is_delivered(tmp_path: Path) -> None:
    """One page of the batches is noise: the others are saved, all of them true, and the feed is read again."""
    path = tmp_path / "buffer.db"
    filled(path)
    overwrite(path, page_of(path, "batch"))
    with pytest.raises(BufferCorruptError):
        SqliteBuffer.open(path, masters=MASTERS, settings=SETTINGS)

    buffer, saved = open_or_salvage(path, masters=MASTERS, settings=SETTINGS)

    assert isinstance(saved, Salvage)
    assert 10 <= saved.batches < BATCHES
    assert saved.refused == BATCHES // 10
    assert buffer.position("main") is None
    events = {call.event_id for batch in drain(buffer) for call in decode_batch(batch.body).records}
    assert len(events) == saved.records
    assert events <= {token(number) for number in range(1, 20 * BATCHES + 1)}
    counts = tallies(buffer)
    assert (counts["lost"], counts["salvaged"]) == (20 * BATCHES - saved.records, 1)
    assert check(buffer) == []
    assert (tmp_path / "buffer.db.damaged").exists()
    buffer.close()


@pytest.mark.parametrize("page", [0, 1])
def test_a_file_that_is_no_database_any_more_gives_an_empty_buffer(tmp_path: Path, page: int) -> None:
    """Nothing can be saved without the first pages, and the appliance starts all the same."""
    path = tmp_path / "buffer.db"
    filled(path)
    overwrite(path, page)
    buffer, saved = open_or_salvage(path, masters=MASTERS, settings=SETTINGS)
    assert saved is not None
    buffer.append(intake([1]))
    assert drain(buffer)
    buffer.close()


def test_a_second_damage_takes_the_first_ones_place(tmp_path: Path) -> None:
    """The disk is not filled with damaged copies."""
    path = tmp_path / "buffer.db"
    for _ in range(2):
        filled(path)
        overwrite(path, 0)
        open_or_salvage(path, masters=MASTERS, settings=SETTINGS)[0].close()
    assert len(list(tmp_path.glob("*damaged*"))) == 1
