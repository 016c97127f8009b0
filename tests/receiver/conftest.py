"""One receiver for all tests of a worker; each test that writes has a tenant of its own."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.receiver.deliveries import Machine, client_context, open_client
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """A running receiver."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        yield process


@pytest.fixture(scope="session")
def office(receiver: ReceiverProcess) -> Office:
    """The operator of the running receiver."""
    return Office(receiver.state_dir)


@pytest.fixture
def machine(office: Office, tmp_path: Path) -> Machine:
    """A certified appliance of a tenant of its own."""
    tenant, tenant_id = office.tenant()
    return office.machine(tmp_path, tenant=tenant, tenant_id=tenant_id)


@pytest.fixture
def sibling(office: Office, machine: Machine, tmp_path: Path) -> Machine:
    """Another appliance of the same tenant."""
    return office.machine(tmp_path, tenant=machine.tenant, tenant_id=UUID(machine.tenant_id))


@pytest.fixture
def line(receiver: ReceiverProcess, machine: Machine) -> Iterator[httpx.Client]:
    """The appliance's connection."""
    with machine.connect(receiver) as client:
        yield client


@pytest.fixture
def api_key(office: Office, machine: Machine) -> str:
    """A viewer's key of the appliance's tenant."""
    return office.key(UUID(machine.tenant_id))


@pytest.fixture
def reader(receiver: ReceiverProcess, api_key: str) -> Iterator[httpx.Client]:
    """An API client of the appliance's tenant."""
    context = client_context(receiver.trust_anchors)
    with open_client(receiver, context, Authorization=f"Bearer {api_key}") as client:
        yield client


@pytest.fixture
def anonymous(receiver: ReceiverProcess) -> Iterator[httpx.Client]:
    """A client with neither certificate nor key."""
    with open_client(receiver, client_context(receiver.trust_anchors)) as client:
        yield client
