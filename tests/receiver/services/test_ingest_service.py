"""What two deliveries do to each other while neither is committed."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from receiver.domain.idempotency import BatchKey
from receiver.factory import ProcessContext, open_service
from receiver.services.machine_certificates import MachineClaim, read_claim
from receiver.storage.connection import DatabaseRole
from tests.receiver.deliveries import NOON, Machine, make_batch, make_call
from tests.receiver.lock_watch import until_one_waits
from tests.support.receiver_process import ReceiverProcess


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


async def test_a_retry_waits_for_the_first(service: ProcessContext, claim: MachineClaim) -> None:
    """A retry that comes while the first is not committed waits, and is given the first one's answer."""
    key, body = BatchKey(claim.name.appliance, 1, 1), make_batch([make_call()])

    async def retry() -> bytes:
        async with service.ingest(claim.name.tenant_id) as ingest:
            return await ingest.receive(claim, key=key, body=body)

    async with service.ingest(claim.name.tenant_id) as first:
        answer = await first.receive(claim, key=key, body=body)
        second = asyncio.create_task(retry())
        await until_one_waits(service.engines[DatabaseRole.INGEST])
    assert await second == answer
    assert json.loads(answer)["accepted"] == 1


async def test_what_was_rolled_back_was_not_delivered(service: ProcessContext, claim: MachineClaim) -> None:
    """A delivery that fails before its commit leaves neither records nor answer nor mark: a retry does it all."""
    key, body = BatchKey(claim.name.appliance, 1, 1), make_batch([make_call()])

    async def fail() -> None:
        async with service.ingest(claim.name.tenant_id) as ingest:
            await ingest.receive(claim, key=key, body=body)
            raise RuntimeError("the power goes")

    with pytest.raises(RuntimeError):
        await fail()
    async with service.ingest(claim.name.tenant_id) as ingest:
        assert (await ingest.high_water(claim)).sequence == 0
        assert json.loads(await ingest.receive(claim, key=key, body=body))["accepted"] == 1


async def test_two_new_months_at_once_are_both_opened(
    service: ProcessContext, claim: MachineClaim, sibling: Machine
) -> None:
    """Two appliances that bring the same unopened months at the same time both deliver."""
    (leaf, _) = x509.load_pem_x509_certificates(sibling.certificate.read_bytes())
    claims = [claim, read_claim(leaf.public_bytes(Encoding.DER))]
    months = [NOON.replace(year=2003, month=month) for month in range(1, 13)]

    async def deliver(who: MachineClaim, *, backwards: bool) -> int:
        calls = [make_call(month) for month in (reversed(months) if backwards else months)]
        async with service.ingest(who.name.tenant_id) as ingest:
            key = BatchKey(who.name.appliance, 1, 1)
            return int(json.loads(await ingest.receive(who, key=key, body=make_batch(calls)))["accepted"])

    deliveries = (deliver(who, backwards=backwards) for who, backwards in zip(claims, (False, True), strict=True))
    assert await asyncio.gather(*deliveries) == [12, 12]
