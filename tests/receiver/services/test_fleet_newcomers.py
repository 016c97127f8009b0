"""A machine that another appliance holds is kept out at its enrollment, until an administrator decides."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import EnrollmentAnswer, EnrollmentRequest, FileEvidence
from appliance.wire.problem import ProblemCode
from receiver.domain.fleet_rules import ApplianceState
from receiver.domain.invitation import parse
from receiver.domain.security_event import EventKind
from tests.receiver.fleet_world import FleetMachine, Tpm, World, fresh_key, refusal, renewal_csr
from tests.receiver.newcomer import PlainWitness

QUARANTINED = ProblemCode.APPLIANCE_QUARANTINED


@dataclass
class Applicant:
    """A machine with an invitation to be the appliance ``name``."""

    world: World
    tenant_id: UUID
    token: str
    key: ec.EllipticCurvePrivateKey
    tpm: Tpm | None

    async def apply(self) -> EnrollmentAnswer:
        """Take the first step."""
        has_tpm = self.tpm is not None
        request = EnrollmentRequest(
            request=renewal_csr(self.key, []),
            key_protection=KeyProtection.TPM if has_tpm else KeyProtection.FILE,
            evidence=FileEvidence() if self.tpm is None else self.tpm.evidence(self.key, self.token.encode()),
            transport_key=None if has_tpm else PlainWitness().transport_key,
            token=self.token,
        )
        async with self.world.service.enrollment(self.tenant_id) as desk:
            return await desk.apply(request, token=parse(self.token))


async def invited(world: World, tenant_id: UUID, name: str, *, tpm: Tpm | None = None) -> Applicant:
    """Invite a machine."""
    async with world.operator.invitations(tenant_id) as invitations:
        anchors = world.service.authority.anchors
        made = await invitations.create(name, receiver="https://127.0.0.1:8443", anchors=anchors)
    return Applicant(world, tenant_id, made.token, fresh_key(), tpm)


@pytest.fixture
async def holder(world: World) -> FleetMachine:
    """An appliance whose TPM the receiver knows."""
    machine = await world.machine(await world.tenant(), tpm=Tpm())
    await machine.renew()
    return machine


async def test_a_tpm_of_another_appliance_is_kept_out(world: World, holder: FleetMachine) -> None:
    """The newcomer stands in the list, quarantined, with one alarm however often it asks; the holder goes on."""
    newcomer = await invited(world, holder.tenant_id, "branch", tpm=holder.tpm)
    for _ in range(3):
        assert await refusal(newcomer.apply) is QUARANTINED
    (event,) = await world.events(holder.tenant_id)
    assert (event.kind, event.appliance, event.open) == (EventKind.MACHINE_HELD_TWICE, "branch", True)
    assert event.facts == {"held_by": "hq"}
    assert (await world.view(holder.tenant_id, "branch")).state is ApplianceState.QUARANTINED
    assert await refusal(lambda: world.machine(holder.tenant_id, "branch")) is QUARANTINED
    await holder.renew()
    await holder.deliver()


async def test_a_released_newcomer_needs_the_machine_to_be_free(world: World, holder: FleetMachine) -> None:
    """One machine is one appliance: released alone it is kept out again, after the other's revocation it is let in."""
    newcomer = await invited(world, holder.tenant_id, "branch", tpm=holder.tpm)
    assert await refusal(newcomer.apply) is QUARANTINED
    async with world.fleet(holder.tenant_id) as desk:
        await desk.release("branch")
    world.clock.advance(seconds=1)
    assert await refusal(newcomer.apply) is QUARANTINED
    assert len(await world.alarms(holder.tenant_id)) == 1
    async with world.fleet(holder.tenant_id) as desk:
        await desk.revoke("hq")
        await desk.release("branch")
    assert (await newcomer.apply()).appliance == "branch"
    assert await world.alarms(holder.tenant_id) == []


async def test_a_newcomer_waits_for_its_release(world: World, holder: FleetMachine) -> None:
    """That the machine is free again does not decide about it."""
    newcomer = await invited(world, holder.tenant_id, "branch", tpm=holder.tpm)
    assert await refusal(newcomer.apply) is QUARANTINED
    async with world.fleet(holder.tenant_id) as desk:
        await desk.revoke("hq")
    assert await refusal(newcomer.apply) is QUARANTINED


async def test_revoking_a_newcomer_ends_its_invitation(world: World, holder: FleetMachine) -> None:
    """It is not let in by asking again."""
    newcomer = await invited(world, holder.tenant_id, "branch", tpm=holder.tpm)
    assert await refusal(newcomer.apply) is QUARANTINED
    async with world.fleet(holder.tenant_id) as desk:
        assert await desk.revoke("branch") == 0
    assert await refusal(newcomer.apply) is ProblemCode.INVITATION_UNKNOWN
    assert (await world.view(holder.tenant_id, "branch")).state is ApplianceState.REVOKED


async def test_a_quarantined_newcomer_is_revoked_as_a_copy(world: World, holder: FleetMachine) -> None:
    """It has no certificate yet; the decision is about the appliance."""
    newcomer = await invited(world, holder.tenant_id, "branch", tpm=holder.tpm)
    assert await refusal(newcomer.apply) is QUARANTINED
    async with world.fleet(holder.tenant_id) as desk:
        assert await desk.revoke_copy("branch") == 0
    assert (await world.view(holder.tenant_id, "branch")).state is ApplianceState.REVOKED
    assert await refusal(newcomer.apply) is ProblemCode.INVITATION_UNKNOWN


async def test_a_key_of_another_appliance_is_kept_out(world: World, holder: FleetMachine) -> None:
    """A machine without a TPM is known by its key alone."""
    newcomer = await invited(world, holder.tenant_id, "branch")
    newcomer.key = holder.key
    assert await refusal(newcomer.apply) is QUARANTINED
    assert await world.alarms(holder.tenant_id) == [EventKind.MACHINE_HELD_TWICE]


async def test_an_appliance_that_exists_is_not_quarantined_by_a_newcomer(world: World, holder: FleetMachine) -> None:
    """Whoever holds an invitation for it cannot stop it."""
    branch = await world.machine(holder.tenant_id, "branch")
    newcomer = await invited(world, holder.tenant_id, "branch", tpm=holder.tpm)
    for _ in range(2):
        assert await refusal(newcomer.apply) is QUARANTINED
    assert await world.alarms(holder.tenant_id) == [EventKind.MACHINE_HELD_TWICE]
    await branch.deliver()
    assert (await world.view(holder.tenant_id, "branch")).state is ApplianceState.ACTIVE


async def test_the_same_machine_may_enrol_again_as_itself(world: World, holder: FleetMachine) -> None:
    """A new invitation for the same name is for the same machine, or for its successor."""
    again = await invited(world, holder.tenant_id, "hq", tpm=holder.tpm)
    assert (await again.apply()).appliance == "hq"
    assert await world.events(holder.tenant_id) == []


async def test_another_tenants_machine_is_nobodys(world: World, holder: FleetMachine) -> None:
    """What a tenant's appliances hold is not seen from another tenant."""
    stranger = await invited(world, await world.tenant(), "branch", tpm=holder.tpm)
    assert (await stranger.apply()).appliance == "branch"


async def test_two_that_show_one_machine_at_once_take_turns(world: World) -> None:
    """Whoever is judged second finds that the first one holds it."""
    tenant_id, tpm = await world.tenant(), Tpm()
    machines = [await world.machine(tenant_id, name, tpm=tpm) for name in ("hq", "branch")]
    outcomes = await asyncio.gather(*(machine.renew() for machine in machines), return_exceptions=True)
    assert sorted(outcome is None for outcome in outcomes) == [False, True]
    assert await world.alarms(tenant_id) == [EventKind.MACHINE_HELD_TWICE]
