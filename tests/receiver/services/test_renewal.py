"""Certificates renew with the one in use; what is asked wrongly is refused, and what is asked twice is one."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from appliance.wire.batch import HighWater, KeyProtection
from appliance.wire.problem import ProblemCode
from receiver.domain.security_event import EventKind
from receiver.storage.connection import DatabaseRole
from receiver.storage.tenant_scope import tenant_session
from tests.receiver.fleet_world import FleetMachine, Tpm, World, fresh_key, refusal


@pytest.fixture
async def machine(world: World, tenant_id: UUID) -> FleetMachine:
    """A machine without a TPM."""
    return await world.machine(tenant_id)


async def test_a_certificate_is_renewed_and_both_are_valid(world: World, machine: FleetMachine) -> None:
    """The new one lives a week at most, of the same name, and the old one serves on meanwhile."""
    before = machine.copy()
    await machine.renew()
    lifetime = machine.certificate.not_valid_after_utc - machine.certificate.not_valid_before_utc
    assert lifetime <= timedelta(days=7)
    assert machine.claim.name == before.claim.name
    assert machine.certificate.public_key() == machine.key.public_key()
    for one in (machine, before):
        assert await one.deliver() == HighWater(0, 0)
    assert await world.alarms(machine.tenant_id) == []


async def test_a_lost_answer_is_given_again(world: World, machine: FleetMachine) -> None:
    """The same key with the same certificate is certified again, also after it came into use; no alarm."""
    key = fresh_key()
    first, second = [await machine.ask(key) for _ in range(2)]
    assert first.public_key() == second.public_key() == key.public_key()
    changed = machine.copy()
    changed.key, changed.certificate = key, first
    await changed.deliver()
    assert (await machine.ask(key)).public_key() == key.public_key()
    assert await world.alarms(machine.tenant_id) == []


async def test_a_key_that_was_forgotten_is_replaced(world: World, machine: FleetMachine) -> None:
    """A machine that lost its new key before its use asks with another one; no alarm."""
    await machine.ask(fresh_key())
    world.clock.advance(days=1)
    await machine.renew()
    await machine.deliver()
    world.clock.advance(days=1)
    await machine.renew()
    assert await world.alarms(machine.tenant_id) == []


async def test_a_year_of_renewals_is_quiet(world: World, tenant_id: UUID) -> None:
    """Renewed at two thirds of its life, with a TPM that counts, an appliance is never locked out."""
    machine = await world.machine(tenant_id, tpm=Tpm())
    for _ in range(80):
        await machine.renew()
        await machine.deliver()
        world.clock.advance(days=4.7)
    assert await world.events(tenant_id) == []
    assert (await world.view(tenant_id)).key_protection is KeyProtection.TPM


async def test_a_certificate_from_before_keys_were_kept_is_renewed(world: World, machine: FleetMachine) -> None:
    """A database that was brought up knows such certificates by their bytes alone; a copy shows all the same."""
    engine = world.operator.engines[DatabaseRole.OWNER]
    async with tenant_session(engine, tenant_id=machine.tenant_id) as session:
        await session.execute(text("UPDATE natalia.machine_certificate SET public_key = NULL"))
    copy = machine.copy()
    await machine.renew()
    await machine.deliver()
    for _ in range(2):
        assert await refusal(copy.renew) is ProblemCode.APPLIANCE_QUARANTINED
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_REUSED]
    await machine.deliver()


async def test_a_renewal_with_an_ended_certificate_is_refused(world: World, machine: FleetMachine) -> None:
    """That is what a return is for."""
    world.clock.advance(days=8)
    assert await refusal(machine.renew) is ProblemCode.FORBIDDEN


async def test_the_key_in_use_is_not_renewed(machine: FleetMachine) -> None:
    """A renewal that keeps its key would hide a copy for ever."""
    assert await refusal(lambda: machine.ask(machine.key)) is ProblemCode.EVIDENCE_INVALID


async def test_an_older_key_is_not_certified_again(machine: FleetMachine) -> None:
    """Nor one that this appliance once had."""
    old = machine.key
    await machine.renew()
    assert await refusal(lambda: machine.ask(old)) is ProblemCode.EVIDENCE_INVALID


async def test_another_appliances_key_is_an_alarm(world: World, machine: FleetMachine) -> None:
    """One key in two appliances is one machine in two places."""
    other = await world.machine(machine.tenant_id, "branch")
    assert await refusal(lambda: machine.ask(other.key)) is ProblemCode.APPLIANCE_QUARANTINED
    assert await world.alarms(machine.tenant_id) == [EventKind.MACHINE_HELD_TWICE]
    assert await refusal(machine.deliver) is ProblemCode.APPLIANCE_QUARANTINED
    await other.deliver()


async def test_another_tenants_certificate_is_no_ones(world: World, machine: FleetMachine) -> None:
    """A certificate is looked up in the tenant that it names, and only there."""
    other = await world.tenant()
    async with world.service.renewals(other) as desk:
        request = machine.request(fresh_key())
        authority = world.service.authority
        code = await refusal(lambda: desk.renew(machine.claim, request=request, authority=authority))
    assert code is ProblemCode.FORBIDDEN


async def test_a_lowered_anchor_costs_the_renewal_only(world: World, tenant_id: UUID) -> None:
    """The alarm is raised once however often it is asked, and the certificate works until its end."""
    machine = await world.machine(tenant_id, tpm=Tpm())
    await machine.renew()
    machine.tpm, machine.key_protection = None, KeyProtection.FILE
    for _ in range(2):
        assert await refusal(machine.renew) is ProblemCode.ANCHOR_LOWERED
    await machine.deliver()
    assert await world.alarms(tenant_id) == [EventKind.ANCHOR_LOWERED]


async def test_a_higher_anchor_is_pinned(world: World, machine: FleetMachine) -> None:
    """Secrets that moved into a TPM stay there."""
    await machine.renew()
    machine.tpm, machine.key_protection = Tpm(), KeyProtection.TPM
    await machine.renew()
    assert (await world.view(machine.tenant_id)).key_protection is KeyProtection.TPM
    machine.tpm, machine.key_protection = None, KeyProtection.FILE
    assert await refusal(machine.renew) is ProblemCode.ANCHOR_LOWERED


async def test_a_release_settles_a_lowered_anchors_alarm(world: World, tenant_id: UUID) -> None:
    """And revokes nothing, as nothing is quarantined; what was pinned stays."""
    machine = await world.machine(tenant_id, tpm=Tpm())
    await machine.renew()
    machine.tpm, machine.key_protection = None, KeyProtection.FILE
    assert await refusal(machine.renew) is ProblemCode.ANCHOR_LOWERED
    async with world.fleet(tenant_id) as fleet:
        outcome = await fleet.release("hq")
    assert (outcome.released, outcome.revoked) == (0, 0)
    assert await world.alarms(tenant_id) == []
    await machine.deliver()
    assert await refusal(machine.renew) is ProblemCode.ANCHOR_LOWERED


async def test_a_refused_renewal_leaves_nothing_behind(world: World, machine: FleetMachine) -> None:
    """What is not recorded on purpose is rolled back."""
    assert await refusal(lambda: machine.send(b"nothing")) is ProblemCode.MALFORMED_REQUEST
    count = text("SELECT count(*) FROM natalia.machine_certificate")
    async with tenant_session(world.operator.engines[DatabaseRole.OWNER], tenant_id=machine.tenant_id) as session:
        assert (await session.execute(count)).scalar_one() == 1
    assert await world.events(machine.tenant_id) == []
