"""The services of one running receiver, on a clock that a test moves."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.receiver.fleet_world import World, open_world
from tests.support.receiver_process import ReceiverProcess


@pytest.fixture
async def world(receiver: ReceiverProcess) -> AsyncIterator[World]:
    """The services on a clock of their own."""
    async with open_world(receiver.state_dir) as world:
        yield world


@pytest.fixture
async def tenant_id(world: World) -> UUID:
    """A tenant of the test's own."""
    return await world.tenant()
