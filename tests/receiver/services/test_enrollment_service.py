"""What becomes of enrollments when time passes, the power goes, and machines come at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from sqlalchemy import text

from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import EnrollmentAnswer, TpmEvidence
from appliance.wire.problem import ProblemCode
from receiver.domain.enrollment import LIFETIME, EnrollmentName, parse_name, spell_name
from receiver.domain.invitation import parse
from receiver.domain.machine_evidence import verify_evidence
from receiver.errors import ProblemError, WrappedSecretError
from receiver.factory import ProcessContext
from receiver.kms.local_wrapper import LocalFileWrapper
from receiver.storage import appliances, machine_states
from receiver.storage.connection import DatabaseRole
from receiver.storage.machine_states import MachineState
from receiver.storage.tenant_scope import tenant_session
from tests.receiver.fleet_world import World, open_world, refusal
from tests.receiver.lock_watch import until_one_waits
from tests.receiver.newcomer import Newcomer
from tests.support.attested import witness_at
from tests.support.receiver_process import ReceiverProcess
from tests.support.swtpm import Swtpm

_SECOND = timedelta(seconds=1)


@dataclass
class Desk:
    """The receiver's enrollment desk for one tenant."""

    world: World
    tenant_id: UUID

    @property
    def service(self) -> ProcessContext:
        """The services."""
        return self.world.service

    async def invite(self, name: str = "hq") -> str:
        """Give a fresh token."""
        async with self.world.operator.invitations(self.tenant_id) as invitations:
            anchors = self.world.operator.authority.anchors
            return (await invitations.create(name, receiver="https://localhost", anchors=anchors)).token

    async def apply(self, machine: Newcomer, token: str) -> EnrollmentAnswer:
        """Take the first step."""
        async with self.service.enrollment(self.tenant_id) as desk:
            return await desk.apply(machine.request(token), token=parse(token))

    async def enroll(self, machine: Newcomer, answer: EnrollmentAnswer) -> x509.Certificate:
        """Take the second step."""
        csr = machine.csr()
        async with self.service.enrollment(self.tenant_id) as desk:
            return await desk.enroll(
                parse_name(answer.enrollment),
                password=machine.password(answer, csr),
                request=csr,
                authority=self.service.authority,
            )

    async def value(self, statement: str) -> object:
        """Run a query as the owner; give its one value."""
        engine = self.world.operator.engines[DatabaseRole.OWNER]
        async with tenant_session(engine, tenant_id=self.tenant_id) as session:
            found: object = (await session.execute(text(statement))).scalar_one_or_none()
            return found

    async def until_one_waits(self) -> None:
        """Return when an enrollment waits for another's lock."""
        await until_one_waits(self.service.engines[DatabaseRole.ENROLL])


@pytest.fixture
async def world(receiver: ReceiverProcess) -> AsyncIterator[World]:
    """The services on a clock of their own."""
    async with open_world(receiver.state_dir) as world:
        yield world


@pytest.fixture
async def desk(world: World) -> Desk:
    """The desk for a tenant of the test's own."""
    return Desk(world, await world.tenant())


async def test_of_two_machines_at_once_one_wins(desk: Desk) -> None:
    """While one machine's first step is not committed, another with the token waits, and then is refused."""
    token, first, second = await desk.invite(), Newcomer(), Newcomer()
    async with desk.service.enrollment(desk.tenant_id) as one:
        answer = await one.apply(first.request(token), token=parse(token))
        other = asyncio.create_task(refusal(lambda: desk.apply(second, token)))
        await desk.until_one_waits()
    assert await other is ProblemCode.INVITATION_USED
    assert await desk.enroll(first, answer) is not None


async def test_of_many_machines_at_once_one_wins(desk: Desk) -> None:
    """However they meet, exactly one machine of ten with one token is enrolled."""
    token, machines = await desk.invite(), [Newcomer() for _ in range(10)]

    async def run(machine: Newcomer) -> x509.Certificate:
        return await desk.enroll(machine, await desk.apply(machine, token))

    ends = await asyncio.gather(*map(run, machines), return_exceptions=True)
    refused = [end.problem for end in ends if isinstance(end, ProblemError)]
    assert refused == [ProblemCode.INVITATION_USED] * 9
    assert await desk.value("SELECT count(*) FROM natalia.machine_certificate") == 1


async def test_a_first_machine_that_fails_leaves_the_token_to_the_next(desk: Desk) -> None:
    """What is rolled back was never: the machine that waited owns the invitation."""
    token, second = await desk.invite(), Newcomer()

    async def fail() -> None:
        async with desk.service.enrollment(desk.tenant_id) as one:
            await one.apply(Newcomer().request(token), token=parse(token))
            waiting.append(asyncio.create_task(desk.apply(second, token)))
            await desk.until_one_waits()
            raise RuntimeError("the power goes")

    waiting: list[asyncio.Task[EnrollmentAnswer]] = []
    with pytest.raises(RuntimeError):
        await fail()
    assert await desk.enroll(second, await waiting[0]) is not None


async def test_two_machines_for_one_new_appliance_both_get_an_answer(desk: Desk) -> None:
    """Two invitations of one name, used at the same moment, make one appliance."""
    machines = [Newcomer(), Newcomer()]
    answers = [await desk.apply(machine, await desk.invite()) for machine in machines]
    await asyncio.gather(*(desk.enroll(*pair) for pair in zip(machines, answers, strict=True)))
    assert await desk.value("SELECT count(*) FROM natalia.appliance") == 1
    assert await desk.value("SELECT count(*) FROM natalia.machine_certificate") == 2


async def test_two_first_machines_of_a_tenant_get_one_secret(desk: Desk) -> None:
    """The tenant secret is made once, also when two appliances are the first at the same moment."""
    tokens = [await desk.invite("hq"), await desk.invite("branch")]
    first, second = Newcomer(), Newcomer()
    async with desk.service.enrollment(desk.tenant_id) as one:
        answer = await one.apply(first.request(tokens[0]), token=parse(tokens[0]))
        other = asyncio.create_task(desk.apply(second, tokens[1]))
        await desk.until_one_waits()
    assert first.open(answer)[1] == second.open(await other)[1]
    assert await desk.value("SELECT count(*) FROM natalia.tenant_secret") == 1


async def test_the_power_goes_at_the_receiver_in_each_step(desk: Desk) -> None:
    """A step that was not committed is taken again by the same key, and ends as if nothing had been."""
    token, machine = await desk.invite(), Newcomer()

    async def cut_first() -> None:
        async with desk.service.enrollment(desk.tenant_id) as one:
            await one.apply(machine.request(token), token=parse(token))
            raise RuntimeError("the power goes")

    async def cut_second(answer: EnrollmentAnswer) -> None:
        csr = machine.csr()
        async with desk.service.enrollment(desk.tenant_id) as one:
            name, password = parse_name(answer.enrollment), machine.password(answer, csr)
            await one.enroll(name, password=password, request=csr, authority=desk.service.authority)
            raise RuntimeError("the power goes")

    with pytest.raises(RuntimeError):
        await cut_first()
    assert await desk.value("SELECT count(*) FROM natalia.enrollment") == 0
    answer = await desk.apply(machine, token)
    with pytest.raises(RuntimeError):
        await cut_second(answer)
    assert await desk.value("SELECT count(*) FROM natalia.machine_certificate") == 0
    assert await desk.value("SELECT count(enrolled_at) FROM natalia.invitation") == 0
    assert await desk.enroll(machine, answer) is not None


def restarted(machine: Newcomer) -> Newcomer:
    """The machine after a restart: its TLS key is kept, its transport key is not."""
    again = Newcomer()
    again.key = machine.key
    return again


@pytest.mark.parametrize("lost", ["first answer", "second answer", "both, one after the other"])
async def test_the_power_goes_at_the_machine_after_each_step(desk: Desk, lost: str) -> None:
    """An answer that nobody read costs nothing: the machine begins again with the key that it kept."""
    token, machine = await desk.invite(), Newcomer()
    answer = await desk.apply(machine, token)
    if lost != "second answer":
        answer = await desk.apply(machine, token)
    if lost != "first answer":
        await desk.enroll(machine, answer)
    again = restarted(machine)
    certificate = await desk.enroll(again, await desk.apply(again, token))
    assert certificate.public_key() == machine.key.public_key()
    assert await desk.value("SELECT count(*) FROM natalia.appliance") == 1


async def test_the_second_step_may_be_repeated_after_a_lost_answer(desk: Desk) -> None:
    """Each time there is a certificate, of the same key, that is registered."""
    token, machine = await desk.invite(), Newcomer()
    answer = await desk.apply(machine, token)
    serials = {(await desk.enroll(machine, answer)).serial_number for _ in range(2)}
    assert await desk.value("SELECT count(*) FROM natalia.machine_certificate") == len(serials)


async def test_an_invitation_ends_after_a_day(desk: Desk) -> None:
    """A second before its end it is taken; at its end neither step is."""
    token, machine = await desk.invite(), Newcomer()
    desk.world.clock.advance(hours=24, seconds=-2)
    answer = await desk.apply(machine, token)
    desk.world.clock.advance(seconds=2)
    assert await refusal(lambda: desk.apply(machine, token)) is ProblemCode.INVITATION_EXPIRED
    assert await refusal(lambda: desk.enroll(machine, answer)) is ProblemCode.UNAUTHENTICATED


async def test_an_enrollment_ends_after_an_hour(desk: Desk) -> None:
    """The second step comes within the hour, or the first is taken again."""
    token, machine = await desk.invite(), Newcomer()
    answer = await desk.apply(machine, token)
    desk.world.clock.at += LIFETIME - _SECOND
    assert await desk.enroll(machine, answer) is not None
    desk.world.clock.at += _SECOND
    assert await refusal(lambda: desk.enroll(machine, answer)) is ProblemCode.UNAUTHENTICATED
    assert await desk.enroll(machine, await desk.apply(machine, token)) is not None


async def test_a_withdrawal_between_the_steps_holds(desk: Desk) -> None:
    """What was begun with an invitation ends with it; what has its certificate keeps it."""
    token, machine = await desk.invite(), Newcomer()
    answer = await desk.apply(machine, token)
    async with desk.world.operator.invitations(desk.tenant_id) as invitations:
        assert await invitations.withdraw("hq") == 1
    assert await refusal(lambda: desk.enroll(machine, answer)) is ProblemCode.INVITATION_UNKNOWN


async def test_a_secret_of_another_tenant_does_not_open(desk: Desk, world: World) -> None:
    """A wrapped secret that was moved to another tenant's row is refused, and no machine gets it."""
    other = Desk(world, await world.tenant())
    await desk.apply(Newcomer(), await desk.invite())
    await other.apply(Newcomer(), await other.invite())
    wrapped = await desk.value("SELECT encode(wrapped, 'hex') FROM natalia.tenant_secret")
    moved = "UPDATE natalia.tenant_secret SET wrapped = decode('HEX', 'hex') RETURNING 1".replace("HEX", str(wrapped))
    assert await other.value(moved) == 1
    with pytest.raises(WrappedSecretError):
        await other.apply(Newcomer(), await other.invite("branch"))


async def test_another_key_keeper_gives_nothing(desk: Desk) -> None:
    """Without the key that wrapped it a database holds no transport secret and no tenant secret."""
    token, machine = await desk.invite(), Newcomer()
    answer = await desk.apply(machine, token)
    desk.world.service = replace(desk.service, wrapper=LocalFileWrapper(bytes(32)))
    with pytest.raises(WrappedSecretError):
        await desk.enroll(machine, answer)
    with pytest.raises(WrappedSecretError):
        await desk.apply(machine, token)


async def test_an_enrollment_that_waits_for_an_administrator_has_no_proof(desk: Desk) -> None:
    """Where nothing was sealed yet, no password is right."""
    token, machine = await desk.invite(), Newcomer()
    answer = await desk.apply(machine, token)
    await desk.value("UPDATE natalia.enrollment SET transport_secret = NULL RETURNING 1")
    assert await refusal(lambda: desk.enroll(machine, answer)) is ProblemCode.UNAUTHENTICATED


async def test_an_unknown_enrollment_has_no_proof(desk: Desk) -> None:
    """An id that was never given out is refused like a wrong password."""
    machine = Newcomer()
    answer = await desk.apply(machine, await desk.invite())
    name = EnrollmentName(desk.tenant_id, UUID(int=0))
    csr = machine.csr()

    async def ask() -> None:
        async with desk.service.enrollment(desk.tenant_id) as one:
            password = machine.password(answer, csr)
            await one.enroll(name, password=password, request=csr, authority=desk.service.authority)

    assert spell_name(name) != answer.enrollment
    assert await refusal(ask) is ProblemCode.UNAUTHENTICATED


async def test_what_a_tpm_showed_is_kept_whole(desk: Desk, tmp_path: Path) -> None:
    """The facts that later evidence is compared with are those that were verified at the first step."""
    token = await desk.invite()
    with Swtpm(tmp_path / "tpm") as tpm:
        machine = Newcomer(witness_at(tpm))
        request = machine.request(token)
        async with desk.service.enrollment(desk.tenant_id) as one:
            answer = await one.apply(request, token=parse(token))
        await desk.enroll(machine, answer)
    assert isinstance(request.evidence, TpmEvidence)
    facts = verify_evidence(request.evidence, public_key=machine.public_key, occasion=token.encode())
    async with tenant_session(desk.world.operator.engines[DatabaseRole.OWNER], tenant_id=desk.tenant_id) as session:
        appliance_id = await appliances.find_id(session, "hq")
        assert appliance_id is not None
        kept = await machine_states.find(session, appliance_id)
    assert kept == MachineState(key_protection=KeyProtection.TPM, facts=facts, seen_at=desk.world.clock.now())
