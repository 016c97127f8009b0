"""An appliance that was off too long comes back with the administrator's approval, and nobody else does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import EnrollmentState, Return, binding, proof
from appliance.wire.problem import ProblemCode
from receiver.domain.enrollment import parse_name
from receiver.domain.fleet_rules import APPROVAL_LIFETIME
from receiver.domain.security_event import EventKind
from receiver.errors import ProblemError, ReturnContestedError, ReturnNotWaitingError
from tests.receiver.fleet_world import FleetMachine, Tpm, World, fresh_key, refusal, spki
from tests.receiver.newcomer import PlainWitness


@pytest.fixture
async def machine(world: World) -> FleetMachine:
    """A machine without a TPM that was off for a year."""
    machine = await world.machine(await world.tenant())
    await machine.deliver()
    world.clock.advance(days=365)
    return machine


async def approve(world: World, machine: FleetMachine) -> None:
    """The administrator agrees."""
    async with world.fleet(machine.tenant_id) as fleet:
        await fleet.approve(machine.name)


async def fetch(world: World, machine: FleetMachine, *, late: timedelta = timedelta(0)) -> None:
    """Ask again, open the challenge, and take the certificate into use; ``late`` passes between the two steps."""
    witness = PlainWitness()
    answer = await machine.come_back(transport_key=witness.transport_key)
    assert answer.challenge is not None
    assert machine.pending is not None
    secret = witness.open_challenge(answer.challenge, enrollment=answer.enrollment).reveal()
    request = machine.returning(machine.pending).request
    world.clock.at += late
    async with world.service.enrollment(machine.tenant_id) as desk:
        machine.certificate = await desk.enroll(
            parse_name(answer.enrollment),
            password=proof(secret, request),
            request=request,
            authority=world.service.authority,
        )
    machine.key, machine.pending = machine.pending, None


async def test_a_return_waits_for_its_approval(world: World, machine: FleetMachine) -> None:
    """It is told to wait, with nothing to open; asking again changes nothing, and the administrators see it once."""
    answers = [await machine.come_back() for _ in range(3)]
    assert {(answer.state, answer.challenge, answer.sealed) for answer in answers} == {
        (EnrollmentState.WAITING, None, None)
    }
    assert len({answer.enrollment for answer in answers}) == 1
    assert (answers[0].appliance, answers[0].tenant) == ("hq", str(machine.tenant_id))
    assert [event.kind for event in await world.events(machine.tenant_id)] == [EventKind.RETURN_REQUESTED]
    assert (await world.view(machine.tenant_id)).waits_for_approval


async def test_an_approved_return_has_its_certificate(world: World, machine: FleetMachine) -> None:
    """From there on it delivers and renews like any other."""
    await machine.come_back()
    await approve(world, machine)
    await fetch(world, machine)
    await machine.deliver()
    await machine.renew()
    await machine.deliver()
    assert await world.alarms(machine.tenant_id) == []
    assert not (await world.view(machine.tenant_id)).waits_for_approval


async def test_a_certificate_that_was_lost_is_fetched_again(world: World, machine: FleetMachine) -> None:
    """While the approval holds, the same key may fetch it again with the certificate that ended."""
    await machine.come_back()
    await approve(world, machine)
    before = machine.copy()
    await fetch(world, machine)
    await fetch(world, before)
    await before.deliver()
    assert await world.alarms(machine.tenant_id) == []


async def test_an_approval_is_for_one_key(world: World, machine: FleetMachine) -> None:
    """Another key that asks after it waits for another approval."""
    await machine.come_back()
    await approve(world, machine)
    copy = machine.copy()
    copy.pending = fresh_key()
    assert (await copy.come_back()).state is EnrollmentState.WAITING


async def test_an_approval_does_not_hold_for_ever(world: World, machine: FleetMachine) -> None:
    """After a week the administrator is asked again."""
    await machine.come_back()
    await approve(world, machine)
    world.clock.at += APPROVAL_LIFETIME
    assert (await machine.come_back()).state is EnrollmentState.WAITING
    await approve(world, machine)
    await fetch(world, machine)


async def test_where_two_ask_nobody_is_let_in(world: World, machine: FleetMachine) -> None:
    """An administrator cannot tell them apart by their name."""
    copy = machine.copy()
    for one in (machine, copy):
        await one.come_back()
    with pytest.raises(ReturnContestedError):
        await approve(world, machine)
    assert (await machine.come_back()).state is EnrollmentState.WAITING


async def test_a_wish_that_nobody_repeats_is_forgotten(world: World, machine: FleetMachine) -> None:
    """One that asked a week ago stands in nobody's way."""
    copy = machine.copy()
    await copy.come_back()
    world.clock.at += APPROVAL_LIFETIME
    with pytest.raises(ReturnNotWaitingError):
        await approve(world, machine)
    await machine.come_back()
    await approve(world, machine)
    await fetch(world, machine)


async def test_a_short_absence_needs_nobody(world: World) -> None:
    """A receiver that was away for three weeks finds its machines again; the administrators are told of each."""
    machine = await world.machine(await world.tenant())
    world.clock.advance(days=7 + 21)
    await fetch(world, machine)
    await machine.deliver()
    assert [event.kind for event in await world.events(machine.tenant_id)] == [EventKind.RETURN_REQUESTED]
    assert not (await world.view(machine.tenant_id)).waits_for_approval


async def test_of_two_that_come_back_by_themselves_the_second_one_is_kept_out(world: World) -> None:
    """A copy is found as at a renewal, also if both are certified before either is used."""
    machine = await world.machine(await world.tenant())
    world.clock.advance(days=20)
    copy, third = machine.copy(), machine.copy()
    for one in (machine, copy):
        await fetch(world, one)
    await machine.deliver()
    assert await refusal(copy.deliver) is ProblemCode.APPLIANCE_QUARANTINED
    world.clock.advance(seconds=1)
    assert await refusal(third.come_back) is ProblemCode.APPLIANCE_QUARANTINED
    await machine.deliver()
    assert await world.alarms(machine.tenant_id) == [
        EventKind.CERTIFICATE_REUSED,
        EventKind.CERTIFICATE_IN_TWO_PLACES,
    ]


async def test_a_second_return_with_the_same_certificate_is_an_alarm(world: World, machine: FleetMachine) -> None:
    """Once the machine is back, whoever comes with its old certificate is a copy."""
    copy = machine.copy()
    await machine.come_back()
    await approve(world, machine)
    await fetch(world, machine)
    await machine.deliver()
    for _ in range(2):
        assert await refusal(copy.come_back) is ProblemCode.APPLIANCE_QUARANTINED
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_REUSED]
    await machine.deliver()


async def test_a_certificate_in_its_time_is_renewed_instead(world: World) -> None:
    """A return is not a way round a renewal."""
    machine = await world.machine(await world.tenant())
    assert await refusal(machine.come_back) is ProblemCode.FORBIDDEN


async def test_a_revoked_appliance_does_not_come_back(world: World, machine: FleetMachine) -> None:
    """Before it asks, while it waits, and after it was approved."""
    await machine.come_back()
    await approve(world, machine)
    async with world.fleet(machine.tenant_id) as fleet:
        await fleet.revoke("hq")
    assert await refusal(machine.come_back) is ProblemCode.FORBIDDEN
    with pytest.raises(ReturnNotWaitingError):
        await approve(world, machine)


async def test_a_revocation_ends_an_enrollment_that_was_approved(world: World, machine: FleetMachine) -> None:
    """Also between the challenge and the certificate."""
    await machine.come_back()
    await approve(world, machine)
    witness = PlainWitness()
    answer = await machine.come_back(transport_key=witness.transport_key)
    assert answer.challenge is not None
    assert machine.pending is not None
    secret = witness.open_challenge(answer.challenge, enrollment=answer.enrollment).reveal()
    async with world.fleet(machine.tenant_id) as fleet:
        await fleet.revoke("hq")
    request = machine.returning(machine.pending).request
    async with world.service.enrollment(machine.tenant_id) as desk:
        code = await refusal(
            lambda: desk.enroll(
                parse_name(answer.enrollment),
                password=proof(secret, request),
                request=request,
                authority=world.service.authority,
            )
        )
    assert code is ProblemCode.FORBIDDEN


async def test_a_quarantined_certificate_does_not_come_back(world: World, machine: FleetMachine) -> None:
    """Waiting for its end does not help a copy."""
    copied = await world.machine(machine.tenant_id, "branch")
    assert await refusal(lambda: copied.ask(machine.key)) is ProblemCode.APPLIANCE_QUARANTINED
    world.clock.advance(days=365)
    assert await refusal(copied.come_back) is ProblemCode.APPLIANCE_QUARANTINED


async def test_an_approval_holds_when_the_certificate_is_fetched(world: World, machine: FleetMachine) -> None:
    """One that ended between the challenge and the certificate is none."""
    await machine.come_back()
    await approve(world, machine)
    world.clock.at += APPROVAL_LIFETIME - timedelta(minutes=10)
    before = machine.copy()
    await fetch(world, machine)
    with pytest.raises(ProblemError) as failure:
        await fetch(world, before, late=timedelta(minutes=10))
    assert failure.value.problem is ProblemCode.FORBIDDEN


async def test_a_lower_anchor_does_not_come_back(world: World) -> None:
    """What was pinned holds over a year too."""
    machine = await world.machine(await world.tenant(), tpm=Tpm())
    await machine.renew()
    world.clock.advance(days=365)
    machine.tpm, machine.key_protection = None, KeyProtection.FILE
    assert await refusal(machine.come_back) is ProblemCode.ANCHOR_LOWERED
    assert await world.alarms(machine.tenant_id) == [EventKind.ANCHOR_LOWERED]


async def test_a_tpm_that_counted_on_comes_back(world: World) -> None:
    """Its evidence is compared, however often it asks; another TPM's is an alarm."""
    machine = await world.machine(await world.tenant(), tpm=Tpm())
    await machine.renew()
    world.clock.advance(days=365)
    for _ in range(3):
        assert (await machine.come_back()).state is EnrollmentState.WAITING
    machine.tpm = Tpm()
    assert await refusal(machine.come_back) is ProblemCode.APPLIANCE_QUARANTINED
    assert await world.alarms(machine.tenant_id) == [EventKind.MACHINE_CHANGED]


def _signed_by_another(machine: FleetMachine, key: ec.EllipticCurvePrivateKey) -> Return:
    signature = fresh_key().sign(binding(spki(key), machine.der), ec.ECDSA(hashes.SHA256()))
    return Return(certificate=machine.der, signature=signature)


def _signed_for_another_key(machine: FleetMachine, _key: ec.EllipticCurvePrivateKey) -> Return:
    signature = machine.key.sign(binding(spki(fresh_key()), machine.der), ec.ECDSA(hashes.SHA256()))
    return Return(certificate=machine.der, signature=signature)


def _no_signature(machine: FleetMachine, _key: ec.EllipticCurvePrivateKey) -> Return:
    return Return(certificate=machine.der, signature=bytes(8))


@pytest.mark.parametrize("make", [_signed_by_another, _signed_for_another_key, _no_signature])
async def test_a_return_is_signed_by_the_old_key_for_the_new_one(
    world: World, machine: FleetMachine, make: Callable[[FleetMachine, Any], Return]
) -> None:
    """A certificate alone, which is no secret, brings nobody back."""
    machine.pending = fresh_key()
    returning = make(machine, machine.pending)
    assert await refusal(lambda: machine.come_back(returning=returning)) is ProblemCode.EVIDENCE_INVALID
    assert await world.events(machine.tenant_id) == []


async def test_a_return_brings_a_new_key(machine: FleetMachine) -> None:
    """The old key was on the disk for a year."""
    machine.pending = machine.key
    assert await refusal(machine.come_back) is ProblemCode.EVIDENCE_INVALID


async def test_a_certificate_of_another_tenant_brings_nobody_back(world: World, machine: FleetMachine) -> None:
    """It is looked for in the tenant that it names, and only there."""
    request = machine.returning(fresh_key())
    assert request.returning is not None
    async with world.service.returns(await world.tenant()) as desk:
        returning = request.returning
        assert await refusal(lambda: desk.apply(request, returning=returning)) is ProblemCode.FORBIDDEN


async def test_nobody_is_approved_who_does_not_ask(world: World, machine: FleetMachine) -> None:
    """A yes in advance would be one for whoever comes first."""
    with pytest.raises(ReturnNotWaitingError):
        await approve(world, machine)
