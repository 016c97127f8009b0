"""Renewals while the appliance delivers without a pause: over real TLS, against the real receiver's process.

Every request must be answered, and the receiver must hold every batch. Batches and reports go out side by side on the
appliance's two kinds of connections, with never a break, while one certificate after another is renewed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.ports import PendingBatch
from appliance.renewal import leaf_of
from appliance.uplink.https_uplink import HttpsUplink
from appliance.wire.batch import Batch, HighWater, KeyProtection
from appliance.wire.codec import encode_batch
from appliance.wire.completeness import Completeness
from appliance.wire.invitation import decode_invitation
from tests.support.enrolled_machine import enrolled
from tests.support.hurried_renewal import HurriedClock, HurriedRenewal
from tests.support.receiver_process import ReceiverProcess
from tests.support.records import account, call

TENANT = "load"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """One receiver for the module."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        process.create_tenant(TENANT)
        yield process


@dataclass
class Load:
    """What goes out, and what comes back."""

    uplink: HttpsUplink
    batches: int = 0
    reports: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return self.batches + self.reports

    async def until(self, requests: int) -> None:
        """Wait until so many were sent."""
        while self.requests < requests:  # noqa: ASYNC110 - an event a request would slow the load down
            await asyncio.sleep(0.001)

    async def deliver(self) -> None:
        """Send batches for ever, each of one call."""
        while True:
            self.batches += 1
            body = encode_batch(Batch(1, self.batches, KeyProtection.FILE, [call(self.batches)]))
            try:
                verdict = await self.uplink.send(PendingBatch(1, self.batches, 1, body))
                assert verdict.high_water == HighWater(1, self.batches)
            except ApplianceError as error:
                self.failures.append(repr(error))

    async def report(self) -> None:
        """Send reports for ever."""
        while True:
            self.reports += 1
            try:
                await self.uplink.report(Completeness(self.reports, [account()]))
            except ApplianceError as error:
                self.failures.append(repr(error))


@asynccontextmanager
async def going_on(load: Load) -> AsyncIterator[None]:
    """Let the load go on for the length of a block."""
    tasks = [asyncio.create_task(load.deliver()), asyncio.create_task(load.report())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def renew_under_load(receiver: ReceiverProcess, folder: Path, *, requests: int, renewals: int) -> Load:
    """Enrol, and renew so many times while so many requests go out; give what came back."""
    invitation = decode_invitation(receiver.invite(folder.name, tenant=TENANT).read_bytes())
    identity, clock = await enrolled(folder, invitation), HurriedClock()
    certificates = {leaf_of(identity)}
    async with HttpsUplink(invitation.receiver, identity, clock) as uplink:
        renewal = HurriedRenewal(folder, invitation.receiver, uplink, clock)
        load = Load(uplink)
        async with going_on(load):
            for number in range(renewals):
                await load.until(number * requests // renewals)
                certificates.add(leaf_of(await renewal.once()))
            await load.until(requests)
        assert len(certificates) == renewals + 1
        # The last batch was on its way when the load ended.
        assert (await uplink.high_water()).sequence in {load.batches, load.batches - 1}
    return load


@pytest.mark.parametrize(
    ("requests", "renewals"),
    [
        pytest.param(500, 10, id="500 requests, 10 renewals"),
        pytest.param(
            10_000,
            100,
            id="10,000 requests, 100 renewals",
            marks=[pytest.mark.slow, pytest.mark.timeout(1800)],
        ),
    ],
)
async def test_no_request_fails_while_certificates_are_renewed(
    receiver: ReceiverProcess, tmp_path_factory: pytest.TempPathFactory, requests: int, renewals: int
) -> None:
    """Nor is the appliance taken for its own copy."""
    folder = tmp_path_factory.mktemp("site", numbered=True)
    load = await renew_under_load(receiver, folder, requests=requests, renewals=renewals)
    assert load.failures == []
    assert load.requests >= requests
    assert min(load.batches, load.reports) > requests / 10
    assert receiver.run("appliance", "alarms", "--tenant", TENANT).strip() == ""
