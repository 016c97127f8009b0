"""A store of one machine's identity, its secrets in memory."""

import pytest

from appliance.identity.file_identity import FileIdentityStore
from tests.support.fake_clock import FakeClock
from tests.support.memory_secrets import MemorySecrets


@pytest.fixture
def secrets() -> MemorySecrets:
    """No secret yet."""
    return MemorySecrets()


@pytest.fixture
def store(secrets: MemorySecrets) -> FileIdentityStore:
    """A store that judges at the authority's time."""
    return FileIdentityStore(secrets, FakeClock())
