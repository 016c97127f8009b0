"""One receiver for all tests of a worker; each test that writes has an appliance or a tenant of its own."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.domain.authz import Role
from receiver.factory import ProcessContext, open_operator
from tests.receiver.deliveries import Machine, client_context, key_pem, make_csr, open_client
from tests.support.receiver_process import ReceiverProcess

_NUMBERS: Final = count(1)


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """A running receiver."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        yield process


@pytest.fixture
async def operator(receiver: ReceiverProcess) -> AsyncIterator[ProcessContext]:
    """The owner's way in, beside the running service."""
    async with open_operator(receiver.state_dir) as context:
        yield context


async def make_tenant(operator: ProcessContext) -> tuple[str, UUID]:
    """Create a tenant of a fresh name; give name and id."""
    name = f"tenant {next(_NUMBERS)}"
    async with operator.tenants() as tenants:
        return name, await tenants.create(name)


async def make_key(operator: ProcessContext, tenant_id: UUID, role: Role = Role.VIEWER) -> str:
    """Make an API key."""
    async with operator.api_keys(tenant_id) as keys:
        return await keys.create(role)


async def make_machine(operator: ProcessContext, folder: Path, *, tenant: str, tenant_id: UUID) -> Machine:
    """Certify an appliance of a fresh name; its files lie in ``folder``."""
    name, key = f"site-{next(_NUMBERS)}", ec.generate_private_key(ec.SECP256R1())
    async with operator.machine_certificates(tenant_id) as certificates:
        issued = await certificates.certify(name, csr=make_csr(key), authority=operator.authority)
    certificate, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(issued.certificate_chain)
    key_file.write_bytes(key_pem(key))
    return Machine(tenant, str(tenant_id), name, certificate, key_file)


@pytest.fixture
async def machine(operator: ProcessContext, tmp_path: Path) -> Machine:
    """A certified appliance of a tenant of its own."""
    tenant, tenant_id = await make_tenant(operator)
    return await make_machine(operator, tmp_path, tenant=tenant, tenant_id=tenant_id)


@pytest.fixture
async def sibling(operator: ProcessContext, machine: Machine, tmp_path: Path) -> Machine:
    """Another appliance of the same tenant."""
    return await make_machine(operator, tmp_path, tenant=machine.tenant, tenant_id=UUID(machine.tenant_id))


@pytest.fixture
def line(receiver: ReceiverProcess, machine: Machine) -> Iterator[httpx.Client]:
    """The appliance's connection."""
    with machine.connect(receiver) as client:
        yield client


@pytest.fixture
async def api_key(operator: ProcessContext, machine: Machine) -> str:
    """A viewer's key of the appliance's tenant."""
    return await make_key(operator, UUID(machine.tenant_id))


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
