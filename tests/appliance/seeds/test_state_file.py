"""What the first boot writes down for the console."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.errors import SealDiskError
from appliance.seed_ports import FirstBootState, Notice, SeedOrigin, Stage
from appliance.seeds.state_file import FILE_NAME, MAX_BYTES, read_state, write_state

STATE = FirstBootState(
    stage=Stage.WAITING,
    written_at=datetime(2026, 3, 1, tzinfo=UTC),
    origin=SeedOrigin.OVF,
    notice=Notice("enrollment_unavailable", ["no answer"], "Check the network."),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """In place of what was there, and with no other file beside it; the folder is made."""
    folder = tmp_path / "new" / "state"
    write_state(folder, FirstBootState(stage=Stage.REFUSED, written_at=STATE.written_at))
    write_state(folder, STATE)
    assert read_state(folder) == STATE
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b'{"stage": "other"}', b"\xff", b"[" * 100_000, b" " * (MAX_BYTES + 1) + b"{}"],
    ids=["none", "empty", "cut", "unknown", "binary", "deep", "huge"],
)
def test_what_does_not_read_is_nothing(tmp_path: Path, content: bytes | None) -> None:
    """The next call writes it anew."""
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    assert read_state(tmp_path) is None


def test_a_disk_that_refuses_is_a_typed_error(tmp_path: Path) -> None:
    """Here a folder stands where the file belongs."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(SealDiskError, match="first-boot"):
        write_state(tmp_path, STATE)
