"""A database of its own for tests that break it, and put it right again."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from receiver.factory import initialise
from receiver.settings import StateFolder
from receiver.storage.embedded_server import running_server
from tests.receiver.office import Office
from tests.receiver.storage.scratch import Scratch


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """An initialised state folder whose server runs, with two tenants that have one row in every table."""
    folder = tmp_path_factory.mktemp("scratch") / "state"
    asyncio.run(initialise(folder, hosts=[], dsn=None))
    with running_server(StateFolder.at(folder).postgres_folder) as socket_folder:
        office = Office(folder)
        tenants = []
        for _ in range(2):
            tenant, tenant_id = office.tenant()
            office.key(tenant_id)
            office.machine(folder, tenant=tenant, tenant_id=tenant_id)
            tenants.append(tenant_id)
        made = Scratch(folder=folder, socket_folder=socket_folder, first=tenants[0], second=tenants[1])
        asyncio.run(made.fill())
        yield made


@pytest.fixture
async def engines(scratch: Scratch) -> AsyncIterator[dict[str, AsyncEngine]]:
    """An engine for each database role, the superuser among them."""
    async with scratch.engines() as engines:
        yield engines
