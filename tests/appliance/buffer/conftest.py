"""The buffer file that each test of this folder works on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buffer_file import BufferFile


@pytest.fixture
def open_buffer(tmp_path: Path) -> Iterator[BufferFile]:
    """One buffer file; whatever a test left open is closed at its end."""
    opener = BufferFile(tmp_path / "buffer.db")
    yield opener
    for buffer in opener.opened:
        buffer.close()
