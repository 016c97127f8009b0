"""A machine becomes an appliance: over real TLS, with real sealed files, and whatever goes wrong on the way."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from appliance.errors import (
    AlreadyEnrolledError,
    AnchorLoweredError,
    ApplianceError,
    ApprovalPendingError,
    CertificateUntrustedError,
    ClockOffError,
    EnrollmentUnavailableError,
    IdentityMismatchError,
    InvitationUnknownError,
    InvitationUsedError,
    QuarantinedError,
    RetryableError,
    TenantSecretConflictError,
    WrongMachineError,
)
from appliance.identity.file_identity import IDENTITY, PENDING_KEY
from appliance.sealing.tenant_key import TENANT_KEY, install_tenant_key, load_tenant_key
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import EnrollmentAnswer, FileEvidence, HpkeChallenge, TenantSecrets
from appliance.wire.problem import ProblemCode
from tests.support.enrolling_machine import NOW, Machine, NowClock, complete
from tests.support.enrollment_desk import SECRETS, TOKEN, Desk, key_of
from tests.support.tls_peer import APPLIANCE, DAY, TENANT, Authority, TlsPeer, reply, server_context

OTHER_SECRETS = TenantSecrets(1, bytes(32))
OTHER_TENANT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def desk() -> Desk:
    """A receiver."""
    return Desk(NOW)


@pytest.fixture
async def peer(desk: Desk) -> AsyncIterator[TlsPeer]:
    """The desk on a port."""
    async with desk.peer() as listening:
        yield listening


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A fresh machine."""
    return Machine(tmp_path, NowClock())


async def refused(machine: Machine, desk: Desk, peer: TlsPeer) -> ApplianceError:
    """Enrol; give the error. Whatever it is, no identity and no tenant secret may be left, and no secret shown."""
    with pytest.raises(ApplianceError) as caught:
        await machine.enroll(desk, peer)
    assert machine.names() == [PENDING_KEY]
    assert TOKEN not in str(caught.value)
    return caught.value


async def test_a_machine_is_enrolled(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """It holds the tenant's secret and one certificate for the key that it proposed; nothing else is left."""
    identity = await machine.enroll(desk, peer)
    assert (identity.tenant, identity.appliance) == (TENANT, APPLIANCE)
    assert machine.identities().load().certificate_chain == identity.certificate_chain
    assert identity.trust_anchors == desk.root.pem
    assert load_tenant_key(machine.store()) == SECRETS
    assert machine.names() == [IDENTITY, TENANT_KEY]
    assert len(desk.issued) == 1


async def test_the_request_says_what_the_machine_has_to_say(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """Token, evidence and what guards its secrets."""
    await machine.enroll(desk, peer)
    (asked,) = desk.asked
    assert asked.token == TOKEN
    assert asked.key_protection is KeyProtection.FILE
    assert asked.evidence == FileEvidence()
    assert asked.returning is None
    assert key_of(asked.request) == desk.owner


async def test_an_enrolled_machine_asks_nothing(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """The invitation is not used up; the message says until when."""
    await machine.enroll(desk, peer)
    with pytest.raises(AlreadyEnrolledError, match=f"edge-a, certificate until {NOW + DAY:%Y-%m-%d}"):
        await machine.enroll(desk, peer)
    assert len(desk.asked) == 1


async def test_a_machine_whose_certificate_ended_enrols_again(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """With a new key and a new invitation; its secret stays, and the certificate before stays at hand."""
    hour = timedelta(hours=1)
    desk.valid = (-hour, hour)
    first = await machine.enroll(desk, peer)
    machine.clock.slept.append(2 * hour.total_seconds())
    desk.owner, desk.valid = None, (hour, 3 * hour)
    second = await machine.enroll(desk, peer)
    assert second.private_key.reveal() != first.private_key.reveal()
    assert load_tenant_key(machine.store()) == SECRETS
    assert machine.identities().previous() is not None


@pytest.mark.parametrize("name", [IDENTITY, TENANT_KEY])
async def test_a_machine_that_lost_a_part_enrols_again(machine: Machine, desk: Desk, peer: TlsPeer, name: str) -> None:
    """Its identity's file was damaged, or the tenant secret is gone: no reinstallation."""
    await machine.enroll(desk, peer)
    blob = machine.folder / "secrets" / f"{name}.sealed"
    if name == IDENTITY:
        blob.write_bytes(blob.read_bytes()[:-4])
    else:
        blob.unlink()
    desk.owner = None
    await machine.enroll(desk, peer)
    assert load_tenant_key(machine.store()) == SECRETS
    assert desk.keys_certified == 2


async def test_while_an_administrator_must_agree_it_is_said(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """Nothing is kept meanwhile but the key, and the next run goes on with it."""
    desk.waiting = 1
    assert isinstance(await refused(machine, desk, peer), ApprovalPendingError)
    await machine.enroll(desk, peer)
    assert key_of(desk.asked[0].request) == key_of(desk.asked[1].request)


async def test_it_asks_again_by_itself_until_it_is_decided(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """Ever less often, up to a minute; each time it says why."""
    desk.waiting, told = 6, []
    async with machine.door(desk, peer) as door:
        enrollment = machine.enrollment(desk, door)
        identity = await enrollment.run_until_decided(lambda error, seconds: told.append((error.code, seconds)))
    assert identity.appliance == APPLIANCE
    assert told == [("approval_pending", seconds) for seconds in (5, 10, 20, 40, 60, 60)]
    assert machine.clock.slept == [5, 10, 20, 40, 60, 60]


async def test_a_receiver_that_is_away_does_not_end_the_waiting(machine: Machine, desk: Desk) -> None:
    """And if it says for how long, it is asked then."""
    answers = [reply(503), reply(429, headers=["Retry-After: 17"])]
    peer = TlsPeer(
        server_context(desk.root, ask_client=False), lambda asked: answers.pop(0) if answers else desk(asked)
    )
    told: list[RetryableError] = []
    async with peer, machine.door(desk, peer) as door:
        await machine.enrollment(desk, door).run_until_decided(lambda error, _: told.append(error))
    assert [error.code for error in told] == ["enrollment_unavailable"] * 2
    assert machine.clock.slept == [5, 17]


async def test_a_refusal_ends_the_waiting(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """Asking again would not help."""
    desk.refuse = ProblemCode.APPLIANCE_QUARANTINED
    async with machine.door(desk, peer) as door:
        with pytest.raises(QuarantinedError):
            await machine.enrollment(desk, door).run_until_decided(lambda error, _: pytest.fail(error.code))


async def test_another_tenant_secret_in_use_is_a_conflict(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """Restored from an escrow, say: nothing is issued, and the secret stays."""
    install_tenant_key(machine.store(), OTHER_SECRETS)
    with pytest.raises(TenantSecretConflictError):
        await machine.enroll(desk, peer)
    assert desk.issued == []
    assert load_tenant_key(machine.store()) == OTHER_SECRETS
    assert machine.names() == [PENDING_KEY, TENANT_KEY]


async def test_the_same_secret_restored_before_is_none(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """A new machine of the tenant, by escrow and then by invitation."""
    install_tenant_key(machine.store(), SECRETS)
    await machine.enroll(desk, peer)
    assert load_tenant_key(machine.store()) == SECRETS


def without_challenge(answer: EnrollmentAnswer) -> EnrollmentAnswer:
    """An answer that lacks it."""
    return structs.replace(answer, challenge=None)


def without_secrets(answer: EnrollmentAnswer) -> EnrollmentAnswer:
    """An answer that lacks them."""
    return structs.replace(answer, sealed=None)


def with_others_challenge(answer: EnrollmentAnswer) -> EnrollmentAnswer:
    """A challenge to another key."""
    return structs.replace(answer, challenge=HpkeChallenge(bytes(80)))


def with_altered_secrets(answer: EnrollmentAnswer) -> EnrollmentAnswer:
    """Secrets of which a bit was turned."""
    assert answer.sealed is not None
    return structs.replace(answer, sealed=answer.sealed[:-1] + bytes([answer.sealed[-1] ^ 1]))


def for_another_appliance(answer: EnrollmentAnswer) -> EnrollmentAnswer:
    """Another name than the invitation's."""
    return structs.replace(answer, appliance="edge-b")


@pytest.mark.parametrize(
    ("alter", "kind"),
    [
        (without_challenge, EnrollmentUnavailableError),
        (without_secrets, EnrollmentUnavailableError),
        (with_altered_secrets, EnrollmentUnavailableError),
        (with_others_challenge, WrongMachineError),
        (for_another_appliance, IdentityMismatchError),
    ],
)
async def test_an_answer_that_is_not_for_this_machine_is_refused(
    machine: Machine,
    desk: Desk,
    peer: TlsPeer,
    alter: Callable[[EnrollmentAnswer], EnrollmentAnswer],
    kind: type[ApplianceError],
) -> None:
    """Before a certificate is asked for; an honest answer is taken afterwards."""
    desk.alter = alter
    assert type(await refused(machine, desk, peer)) is kind
    assert desk.issued == []
    desk.alter = lambda answer: answer
    await machine.enroll(desk, peer)


@pytest.mark.parametrize("names", [{"appliance": "edge-b"}, {"tenant": OTHER_TENANT}], ids=["appliance", "tenant"])
async def test_a_certificate_in_another_name_is_refused(
    machine: Machine, desk: Desk, peer: TlsPeer, names: dict[str, str]
) -> None:
    """Than the answer's, which was the invitation's."""
    desk.names = names
    assert type(await refused(machine, desk, peer)) is IdentityMismatchError


async def test_a_certificate_of_another_authority_is_refused(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """It must lead to the invitation's trust anchors."""
    desk.issuing = Authority(now=NOW, issuer=Authority(now=NOW))
    assert type(await refused(machine, desk, peer)) is CertificateUntrustedError


@pytest.mark.parametrize("days", [-1, 1], ids=["the clock is behind", "the clock is ahead"])
async def test_a_certificate_out_of_its_time_speaks_of_the_clock(
    machine: Machine, desk: Desk, peer: TlsPeer, days: int
) -> None:
    """Once the clock is right, the same key gets its certificate: nothing was used up."""
    desk.valid = (-timedelta(hours=1), timedelta(hours=1))
    machine.clock.slept.append(days * DAY.total_seconds() * 0.9)
    error = await refused(machine, desk, peer)
    assert type(error) is ClockOffError
    assert f"{machine.clock.now():%Y-%m-%d}" in str(error)
    machine.clock.slept.clear()
    await complete(machine, desk, peer)


async def test_a_clock_off_by_years_is_noticed_before_anything_is_sent(machine: Machine) -> None:
    """The receiver's certificate is not valid yet by this machine's clock; it was made in years to come."""
    desk = Desk(NOW + timedelta(days=3650))
    async with desk.peer() as peer:
        with pytest.raises(ClockOffError, match=f"{NOW:%Y-%m-%d}"):
            await machine.enroll(desk, peer)
    assert desk.asked == []


async def test_an_invitation_serves_one_machine(machine: Machine, desk: Desk, peer: TlsPeer) -> None:
    """A second one learns that another was faster."""
    await machine.enroll(desk, peer)
    second = Machine(machine.folder / "second", machine.clock)
    assert type(await refused(second, desk, peer)) is InvitationUsedError


@pytest.mark.parametrize(
    ("code", "kind"),
    [(ProblemCode.INVITATION_UNKNOWN, InvitationUnknownError), (ProblemCode.ANCHOR_LOWERED, AnchorLoweredError)],
)
async def test_a_refusal_leaves_a_machine_that_can_try_again(
    machine: Machine, desk: Desk, peer: TlsPeer, code: ProblemCode, kind: type[ApplianceError]
) -> None:
    """Each class is ``est_desk``'s; here it passes, and nothing stays in the way."""
    desk.refuse = code
    assert type(await refused(machine, desk, peer)) is kind
    desk.refuse = None
    await complete(machine, desk, peer)
