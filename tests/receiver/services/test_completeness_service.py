"""What two reports do to each other while neither is committed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from appliance.wire.codec import encode_completeness
from appliance.wire.completeness import Completeness, Receipt
from receiver.factory import ProcessContext, open_service
from receiver.services.machine_certificates import MachineClaim, read_claim
from receiver.storage.connection import DatabaseRole
from receiver.storage.tenant_scope import tenant_session
from tests.receiver.deliveries import Machine
from tests.receiver.lock_watch import until_one_waits
from tests.support.receiver_process import ReceiverProcess
from tests.support.records import account

_READ = text("SELECT account ->> 'read' FROM natalia.completeness")


@pytest.fixture
async def service(receiver: ReceiverProcess) -> AsyncIterator[ProcessContext]:
    """A second service process's context, in this process."""
    async with open_service(receiver.state_dir) as context:
        yield context


@pytest.fixture
def claim(machine: Machine) -> MachineClaim:
    """What the appliance's certificate says."""
    (leaf, _) = x509.load_pem_x509_certificates(machine.certificate.read_bytes())
    return read_claim(leaf.public_bytes(Encoding.DER))


def report(number: int) -> bytes:
    """A report in which ``number`` lines were read."""
    return encode_completeness(Completeness(number, [account(read=number)]))


async def _read_lines(service: ProcessContext, claim: MachineClaim) -> list[str]:
    async with tenant_session(service.engines[DatabaseRole.APP], tenant_id=claim.name.tenant_id) as session:
        return list((await session.execute(_READ)).scalars())


async def test_a_late_report_waits_and_then_changes_nothing(service: ProcessContext, claim: MachineClaim) -> None:
    """It comes while a newer one is not committed: it must not look past that and overwrite it."""

    async def late() -> Receipt:
        async with service.reports(claim.name.tenant_id) as reports:
            return await reports.receive(claim, body=report(3))

    async with service.reports(claim.name.tenant_id) as reports:
        assert (await reports.receive(claim, body=report(9))).stored
        second = asyncio.create_task(late())
        await until_one_waits(service.engines[DatabaseRole.INGEST])
    assert await second == Receipt(3, stored=False, newest=9)
    assert await _read_lines(service, claim) == ["9"]


async def test_what_was_rolled_back_was_not_reported(service: ProcessContext, claim: MachineClaim) -> None:
    """A report that fails before its commit leaves neither accounts nor its number: a retry does it all."""

    async def fail() -> None:
        async with service.reports(claim.name.tenant_id) as reports:
            await reports.receive(claim, body=report(1))
            raise RuntimeError("the power goes")

    with pytest.raises(RuntimeError):
        await fail()
    assert await _read_lines(service, claim) == []
    async with service.reports(claim.name.tenant_id) as reports:
        assert (await reports.receive(claim, body=report(1))).stored
