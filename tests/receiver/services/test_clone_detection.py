"""A machine and its copy cannot both go on; a decision of the administrator ends it."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from appliance.wire.batch import KeyProtection
from appliance.wire.problem import ProblemCode
from receiver.domain.fleet_rules import GRACE, ApplianceState, RevocationReason
from receiver.domain.security_event import EventKind
from receiver.errors import ApplianceUnknownError, NothingQuarantinedError
from tests.receiver.fleet_world import FleetMachine, Tpm, World, fresh_key, refusal

QUARANTINED = ProblemCode.APPLIANCE_QUARANTINED


@pytest.fixture
async def machine(world: World, tenant_id: UUID) -> FleetMachine:
    """A machine without a TPM."""
    return await world.machine(tenant_id)


@pytest.fixture
async def measured(world: World, tenant_id: UUID) -> FleetMachine:
    """A machine with a TPM whose counts the receiver knows."""
    machine = await world.machine(tenant_id, tpm=Tpm())
    await machine.renew()
    await machine.deliver()
    return machine


async def test_a_copy_that_renews_second_is_kept_out(world: World, machine: FleetMachine) -> None:
    """The first one goes on; the newcomer gets neither a certificate nor the door."""
    copy = machine.copy()
    await machine.renew()
    await machine.deliver()
    for work in (copy.renew, copy.renew, copy.deliver):
        assert await refusal(work) is QUARANTINED
    await machine.deliver()
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_REUSED]


async def test_a_copy_that_delivers_after_the_grace_is_kept_out(world: World, machine: FleetMachine) -> None:
    """Within it, what comes may have been on its way."""
    copy = machine.copy()
    await machine.renew()
    await machine.deliver()
    world.clock.at += GRACE
    await copy.deliver()
    world.clock.advance(seconds=1)
    assert await refusal(copy.deliver) is QUARANTINED
    await machine.deliver()
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_IN_TWO_PLACES]


async def test_two_that_renew_before_either_is_used_are_found_at_the_first_use(
    world: World, machine: FleetMachine
) -> None:
    """Each has a certificate of its own; the one that is used second is the newcomer."""
    copy = machine.copy()
    for one in (machine, copy):
        await one.renew()
    await machine.deliver()
    assert await refusal(copy.deliver) is QUARANTINED
    await machine.deliver()
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_IN_TWO_PLACES]


async def test_a_copy_with_the_same_waiting_key_is_found_at_the_second_renewal(
    world: World, machine: FleetMachine
) -> None:
    """Copied between its request and the answer, both get the next certificate, and only one the one after."""
    machine.pending = fresh_key()
    copy = machine.copy()
    for one in (machine, copy):
        await one.renew()
        await one.deliver()
    assert await world.alarms(machine.tenant_id) == []
    await machine.renew()
    await machine.deliver()
    assert await refusal(copy.renew) is QUARANTINED
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_REUSED]


async def test_a_key_that_is_kept_out_is_not_certified_again(world: World, machine: FleetMachine) -> None:
    """Asking for it again with the certificate before does not wash it clean."""
    before, other = machine.copy(), await world.machine(machine.tenant_id, "branch")
    await machine.renew()
    assert await refusal(lambda: machine.ask(other.key)) is QUARANTINED
    assert await refusal(lambda: before.ask(machine.key)) is QUARANTINED
    assert await refusal(machine.deliver) is QUARANTINED


async def test_a_copied_tpm_is_found_by_its_counts(world: World, measured: FleetMachine) -> None:
    """Of two that both count, one repeats; its certificate is kept out, whoever else holds it."""
    copy = measured.copy()
    await measured.renew()
    assert await refusal(copy.renew) is QUARANTINED
    (event,) = await world.events(measured.tenant_id)
    assert event.kind is EventKind.COUNTER_FELL
    assert "counter_repeated" in str(event.facts["findings"])


@pytest.mark.parametrize("fall", ["counter", "reset_count", "clock"])
async def test_counts_that_fall_are_an_alarm(world: World, measured: FleetMachine, fall: str) -> None:
    """A TPM that was set back, or another one's copy."""
    assert measured.tpm is not None
    by = {"counter": 1, "reset_count": 1, "clock": 5000}[fall]
    setattr(measured.tpm, fall, getattr(measured.tpm, fall) - by)
    assert await refusal(measured.renew) is QUARANTINED
    assert await world.alarms(measured.tenant_id) == [EventKind.COUNTER_FELL]


async def test_another_tpm_is_an_alarm(world: World, measured: FleetMachine) -> None:
    """The disk in another machine, with a TPM of the same rank."""
    measured.tpm = Tpm()
    assert await refusal(measured.renew) is QUARANTINED
    assert await world.alarms(measured.tenant_id) == [EventKind.MACHINE_CHANGED]


async def test_the_same_evidence_again_is_a_lost_answer(world: World, measured: FleetMachine) -> None:
    """A request that is sent again byte by byte repeats its count, and is no copy's."""
    request = measured.request(fresh_key())
    for _ in range(2):
        await measured.send(request)
    assert await world.events(measured.tenant_id) == []


async def test_evidence_that_was_overtaken_is_no_alarm(world: World, measured: FleetMachine) -> None:
    """It came in before the one that was judged last: ask again."""
    before = measured.copy()
    late = measured.request(fresh_key())
    world.clock.advance(minutes=1)
    await measured.renew()
    world.clock.advance(minutes=-1)
    assert await refusal(lambda: before.send(late)) is ProblemCode.UNAVAILABLE
    assert await world.events(measured.tenant_id) == []


async def test_a_tpm_that_another_appliance_holds_is_an_alarm(world: World, measured: FleetMachine) -> None:
    """One TPM is one appliance; the one that held it first goes on."""
    other = await world.machine(measured.tenant_id, "branch", tpm=measured.tpm)
    assert await refusal(other.renew) is QUARANTINED
    (event,) = await world.events(measured.tenant_id)
    assert (event.kind, event.appliance) == (EventKind.MACHINE_HELD_TWICE, "branch")
    await measured.renew()


async def test_a_revoked_appliance_holds_no_tpm(world: World, measured: FleetMachine) -> None:
    """A machine may become another appliance once the administrator has revoked the first."""
    async with world.fleet(measured.tenant_id) as fleet:
        await fleet.revoke("hq")
    other = await world.machine(measured.tenant_id, "branch", tpm=measured.tpm)
    await other.renew()


async def test_a_release_takes_the_quarantined_machine_for_the_right_one(world: World, machine: FleetMachine) -> None:
    """It goes on as if it had never been out, and the other one is revoked."""
    right = machine.copy()
    await machine.renew()
    await machine.deliver()
    assert await refusal(right.renew) is QUARANTINED
    async with world.fleet(machine.tenant_id) as fleet:
        outcome = await fleet.release("hq")
    assert (outcome.released, outcome.revoked) == (1, 1)
    assert await refusal(machine.deliver) is ProblemCode.FORBIDDEN
    world.clock.advance(days=1)
    await right.deliver()
    await right.renew()
    await right.deliver()
    assert await world.alarms(machine.tenant_id) == []


async def test_a_released_tpm_is_believed_anew(world: World, measured: FleetMachine) -> None:
    """After a snapshot was restored on purpose its counts start where they are."""
    assert measured.tpm is not None
    measured.tpm.reset_count -= 1
    assert await refusal(measured.renew) is QUARANTINED
    async with world.fleet(measured.tenant_id) as fleet:
        await fleet.release("hq")
    await measured.renew()
    await measured.renew()


async def test_revoking_the_copy_leaves_the_rest(world: World, machine: FleetMachine) -> None:
    """The machine that goes on has nothing to do, and the alarm is settled."""
    copy = machine.copy()
    await machine.renew()
    await machine.deliver()
    assert await refusal(copy.renew) is QUARANTINED
    async with world.fleet(machine.tenant_id) as fleet:
        assert await fleet.revoke_copy("hq", reason=RevocationReason.KEY_COMPROMISE) == 1
    assert await refusal(copy.deliver) is ProblemCode.FORBIDDEN
    await machine.deliver()
    view = await world.view(machine.tenant_id)
    assert (view.state, view.quarantined_certificates, view.open_alarms) == (ApplianceState.ACTIVE, 0, [])


async def test_the_view_shows_a_quarantine(world: World, machine: FleetMachine) -> None:
    """What is kept out, which alarms are open, and the end of the certificate that still opens the door."""
    copy = machine.copy()
    await machine.renew()
    await machine.deliver()
    assert await refusal(copy.renew) is QUARANTINED
    view = await world.view(machine.tenant_id)
    assert view.quarantined_certificates == 1
    assert view.open_alarms == [EventKind.CERTIFICATE_REUSED]
    assert view.certificate_expires_at == machine.certificate.not_valid_after_utc


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (lambda fleet: fleet.release("hq"), NothingQuarantinedError),
        (lambda fleet: fleet.revoke_copy("hq"), NothingQuarantinedError),
        (lambda fleet: fleet.release("nobody"), ApplianceUnknownError),
        (lambda fleet: fleet.revoke("nobody"), ApplianceUnknownError),
    ],
    ids=["release nothing", "revoke no copy", "release nobody", "revoke nobody"],
)
async def test_nothing_to_decide_is_refused(
    world: World, machine: FleetMachine, step: Callable[[Any], Any], error: type[Exception]
) -> None:
    """A decision about nothing is a mistake of the name."""
    with pytest.raises(error):
        async with world.fleet(machine.tenant_id) as fleet:
            await step(fleet)
    assert await world.events(machine.tenant_id) == []


async def test_two_copies_that_renew_at_once_raise_one_alarm(world: World, machine: FleetMachine) -> None:
    """Of requests at the same time, too, only one is told of."""
    copies = [machine.copy() for _ in range(4)]
    await machine.renew()
    await machine.deliver()
    codes = await asyncio.gather(*(refusal(copy.renew) for copy in copies))
    assert set(codes) == {QUARANTINED}
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_REUSED]


async def test_deliveries_of_a_copy_at_once_raise_one_alarm(world: World, machine: FleetMachine) -> None:
    """They wait for no lock, and whoever quarantines second finds it done."""
    copies = [machine.copy() for _ in range(4)]
    await machine.renew()
    await machine.deliver()
    world.clock.at += 2 * GRACE
    codes = await asyncio.gather(*(refusal(copy.deliver) for copy in copies))
    assert set(codes) == {QUARANTINED}
    assert await world.alarms(machine.tenant_id) == [EventKind.CERTIFICATE_IN_TWO_PLACES]


async def test_a_lower_claim_than_evidence_is_refused(machine: FleetMachine) -> None:
    """Evidence of one kind of machine does not go with the protection of another."""
    changes = {"key_protection": KeyProtection.TPM}
    assert await refusal(lambda: machine.ask(fresh_key(), **changes)) is ProblemCode.EVIDENCE_INVALID
