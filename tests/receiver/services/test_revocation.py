"""A revocation and a renewal at once, two renewals at once, and what becomes of a revoked appliance."""

import asyncio

import pytest
from sqlalchemy import text

from appliance.wire.problem import ProblemCode
from receiver.domain.fleet_rules import ApplianceState, RevocationReason
from receiver.domain.idempotency import BatchKey
from receiver.domain.security_event import EventKind
from receiver.errors import InvitationMissingError
from receiver.storage import fleet, invitations
from receiver.storage.connection import DatabaseRole
from receiver.storage.tenant_scope import tenant_session
from tests.receiver.deliveries import make_batch, make_call
from tests.receiver.fleet_world import FleetMachine, Tpm, World, fresh_key, refusal

_WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture
async def machine(world: World) -> FleetMachine:
    """A machine without a TPM, of a tenant of its own."""
    return await world.machine(await world.tenant())


async def _until_one_waits(world: World) -> None:
    """Return when a transaction waits for another's lock."""
    async with world.operator.engines[DatabaseRole.OWNER].connect() as connection:
        for _ in range(3000):
            if (await connection.execute(_WAITING)).scalar_one() > 0:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("nothing waited")


async def test_a_revocation_holds_from_the_next_request_on(world: World, machine: FleetMachine) -> None:
    """Every certificate of the appliance is refused, to deliver and to renew."""
    before = machine.copy()
    await machine.renew()
    async with world.fleet(machine.tenant_id) as desk:
        assert await desk.revoke("hq", reason=RevocationReason.KEY_COMPROMISE) == 2
    for work in (machine.deliver, before.deliver, machine.renew, before.renew):
        assert await refusal(work) is ProblemCode.FORBIDDEN
    view = await world.view(machine.tenant_id)
    assert (view.state, view.certificate_expires_at) == (ApplianceState.REVOKED, None)
    (event,) = await world.events(machine.tenant_id)
    assert (event.kind, event.facts) == (EventKind.REVOKED, {"certificates": 2, "reason": "key_compromise"})


async def test_a_renewal_that_meets_a_revocation_is_refused(world: World, machine: FleetMachine) -> None:
    """It waits for the decision, and is judged by it."""
    async with world.fleet(machine.tenant_id) as desk:
        await desk.revoke("hq")
        renewal = asyncio.create_task(refusal(machine.renew))
        await _until_one_waits(world)
    assert await renewal is ProblemCode.FORBIDDEN


async def test_a_revocation_that_meets_a_renewal_takes_its_certificate_too(world: World, machine: FleetMachine) -> None:
    """It waits for the renewal, and revokes what came of it."""
    key = fresh_key()

    async def revoke() -> int:
        async with world.fleet(machine.tenant_id) as desk:
            return await desk.revoke("hq")

    async with world.service.renewals(machine.tenant_id) as desk:
        machine.certificate = await desk.renew(
            machine.claim, request=machine.request(key), authority=world.service.authority
        )
        revocation = asyncio.create_task(revoke())
        await _until_one_waits(world)
    assert await revocation == 2
    assert await refusal(machine.deliver) is ProblemCode.FORBIDDEN


async def test_deliveries_go_on_during_a_renewal(world: World, machine: FleetMachine) -> None:
    """The lock that renewals take is none that a delivery waits for."""
    await machine.deliver()
    key = BatchKey(appliance="hq", epoch=1, sequence=1)
    async with world.service.renewals(machine.tenant_id) as desk:
        request = machine.request(fresh_key())
        await desk.renew(machine.claim, request=request, authority=world.service.authority)
        async with asyncio.timeout(20), world.service.ingest(machine.tenant_id) as ingest:
            assert await ingest.receive(machine.claim, key=key, body=make_batch([make_call()]))


async def test_two_renewals_at_once_with_the_same_key_are_one(world: World, machine: FleetMachine) -> None:
    """A request that was sent twice gives two certificates of one key, and no alarm."""
    key = fresh_key()
    certificates = await asyncio.gather(*(machine.ask(key) for _ in range(4)))
    assert all(certificate.public_key() == key.public_key() for certificate in certificates)
    assert await world.events(machine.tenant_id) == []


async def test_two_renewals_at_once_with_two_keys_are_told_apart(world: World) -> None:
    """Of two copies of a TPM that renew at once one is certified, and the other one is kept out."""
    machine = await world.machine(await world.tenant(), tpm=Tpm())
    await machine.renew()
    copies = [machine.copy(), machine.copy()]
    outcomes = await asyncio.gather(*(copy.renew() for copy in copies), return_exceptions=True)
    assert sorted(outcome is None for outcome in outcomes) == [False, True]
    assert await world.alarms(machine.tenant_id) == [EventKind.COUNTER_FELL]


async def test_a_revoked_appliance_is_certified_anew_by_the_operator(world: World, machine: FleetMachine) -> None:
    """It is active again, and its old certificates stay revoked."""
    async with world.fleet(machine.tenant_id) as desk:
        await desk.revoke("hq")
    again = await world.machine(machine.tenant_id)
    await again.deliver()
    await again.renew()
    assert await refusal(machine.deliver) is ProblemCode.FORBIDDEN
    assert (await world.view(machine.tenant_id)).state is ApplianceState.ACTIVE


async def test_a_revocation_withdraws_open_invitations(world: World, machine: FleetMachine) -> None:
    """Whoever holds one does not get in behind the administrator's back."""
    async with world.operator.invitations(machine.tenant_id) as letters:
        anchors = world.service.authority.anchors
        await letters.create("hq", receiver="https://127.0.0.1:8443", anchors=anchors)
    async with world.fleet(machine.tenant_id) as desk:
        await desk.revoke("hq")
    async with world.operator.invitations(machine.tenant_id) as letters:
        with pytest.raises(InvitationMissingError):
            await letters.withdraw("hq")


async def test_a_revocation_and_an_enrollment_take_turns(world: World, machine: FleetMachine) -> None:
    """Both lock invitation and appliance, in one order: neither waits for the other for ever."""
    async with world.operator.invitations(machine.tenant_id) as desk:
        await desk.create("hq", receiver="https://127.0.0.1:8443", anchors=world.service.authority.anchors)
        (invitation,) = await desk.list_all()

    async def revoke() -> int:
        async with world.fleet(machine.tenant_id) as fleet_desk:
            return await fleet_desk.revoke("hq")

    async with tenant_session(world.service.engines[DatabaseRole.ENROLL], tenant_id=machine.tenant_id) as session:
        await invitations.find(session, invitation.invitation_id)
        revocation = asyncio.create_task(revoke())
        await _until_one_waits(world)
        assert await fleet.lock(session, "hq") is not None
    assert await revocation == 1


async def test_another_tenants_appliance_of_the_same_name_goes_on(world: World, machine: FleetMachine) -> None:
    """A decision is one tenant's."""
    other = await world.machine(await world.tenant())
    async with world.fleet(machine.tenant_id) as desk:
        await desk.revoke("hq")
    await other.deliver()
    await other.renew()
    assert await world.events(other.tenant_id) == []


async def test_the_view_of_a_tenant_is_its_own(world: World, machine: FleetMachine) -> None:
    """Another tenant's list and events are empty."""
    async with world.fleet(machine.tenant_id) as desk:
        await desk.revoke("hq")
    other = await world.tenant()
    async with world.fleet(other) as desk:
        assert await desk.list_all() == []
        assert await desk.events() == []
