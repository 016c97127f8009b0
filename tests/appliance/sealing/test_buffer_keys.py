"""Versions of the buffer's key: made, taken into use, renewed in time, destroyed when spent."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.clock import SystemClock
from appliance.errors import SealingError
from appliance.sealing.buffer_keys import RENEW_AFTER, BufferKeys
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.wire.batch import KeyProtection
from tests.support.buffer_file import drain
from tests.support.records import intake

SETTINGS = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=100)


class Setup:
    """A store, its keys and a buffer that uses them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "secrets"
        self.store = SecretStore(self.folder, FileSealer.open(folder / "anchor"))
        self.keys = BufferKeys(self.store, SystemClock())
        self.path = folder / "buffer.db"

    def open(self) -> SqliteBuffer:
        """Open the buffer with every version there is."""
        return SqliteBuffer.open(self.path, masters=self.keys.masters(), settings=SETTINGS)

    def names(self) -> list[str]:
        """The versions that are kept."""
        return sorted(path.name for path in self.folder.glob("buffer-master-*"))

    def age(self, days: float) -> None:
        """Let every version have been made so many days ago."""
        then = (datetime.now(UTC) - timedelta(days=days)).timestamp()
        for path in self.folder.glob("buffer-master-*"):
            os.utime(path, (then, then))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Nothing is made yet."""
    return Setup(tmp_path)


def test_the_first_version_is_made_at_first_use(setup: Setup) -> None:
    """And given again at the next."""
    first = setup.keys.masters()
    assert list(first) == [1]
    assert setup.keys.masters()[1].reveal() == first[1].reveal()


def test_a_step_changes_nothing_without_need(setup: Setup) -> None:
    """One version, not due: it stays."""
    buffer = setup.open()
    buffer.append(intake([1]))
    setup.keys.step(buffer)
    assert setup.names() == ["buffer-master-1.sealed"]
    assert len(drain(buffer)) == 1
    buffer.close()


def test_a_version_that_was_made_elsewhere_is_taken_into_use(setup: Setup) -> None:
    """What waits keeps the older one; after its delivery that one is destroyed."""
    buffer = setup.open()
    buffer.append(intake([1]))
    assert BufferKeys(setup.store, SystemClock()).make_next() == 2
    setup.keys.step(buffer)
    buffer.append(intake([2]))
    setup.keys.step(buffer)
    assert len(setup.names()) == 2
    assert len(drain(buffer)) == 2
    setup.keys.step(buffer)
    assert setup.names() == ["buffer-master-2.sealed"]
    buffer.close()


def test_a_version_is_renewed_when_it_has_served_its_time(setup: Setup) -> None:
    """Not before."""
    buffer = setup.open()
    setup.age(RENEW_AFTER.days - 1)
    setup.keys.step(buffer)
    assert setup.names() == ["buffer-master-1.sealed"]
    setup.age(RENEW_AFTER.days + 1)
    setup.keys.step(buffer)
    assert setup.names() == ["buffer-master-2.sealed"]
    buffer.close()


def test_a_restart_seals_anew_what_an_older_version_sealed(setup: Setup) -> None:
    """A position that nothing overwrites would keep the older version for ever."""
    buffer = setup.open()
    buffer.append(intake([1], position=b"place"))
    drain(buffer)
    buffer.close()
    setup.keys.make_next()
    again = Setup(setup.path.parent)
    buffer = again.open()
    again.keys.step(buffer)
    assert again.names() == ["buffer-master-2.sealed"]
    assert buffer.position("main") == b"place"
    buffer.close()


def test_a_version_that_vanished_is_a_sealing_error(setup: Setup) -> None:
    """It is not made anew under the same number."""
    with pytest.raises(SealingError):
        setup.store.written_at("buffer-master-1")
