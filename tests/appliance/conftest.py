"""A receiver at which a machine is enrolled, for the commands that do it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.support.enrollment_desk import Desk
from tests.support.tls_peer import TlsPeer


@pytest.fixture
def desk() -> Desk:
    """A receiver."""
    return Desk(datetime.now(UTC))


@pytest.fixture
async def peer(desk: Desk) -> AsyncIterator[TlsPeer]:
    """The desk on a port."""
    async with desk.peer() as listening:
        yield listening
