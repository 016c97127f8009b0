"""A certificate renews itself: at a desk over real TLS, with real sealed files, on a clock that can be set."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.policy.back_off import LONGEST_RENEWAL_WAIT_SECONDS
from appliance.policy.renewal_window import LOOK_SECONDS, REST_SECONDS
from appliance.ports import MachineIdentity
from appliance.renewal import LOOK_AROUND_SECONDS, draw_of, leaf_of
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import FileEvidence, RenewalEvidence
from appliance.wire.problem import ProblemCode
from tests.support.enrollment_desk import refusal
from tests.support.renewal_desk import ANCHORS, APPLY, RENEW, USE, RenewalDesk
from tests.support.renewing_machine import DUE, FRESH, HOUR, RenewingMachine
from tests.support.tls_peer import DAY, Authority, reply


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[RenewingMachine]:
    """A machine at a desk; not enrolled."""
    desk = RenewalDesk(datetime.now(UTC))
    async with desk.watching_peer() as peer:
        yield RenewingMachine(tmp_path, desk, peer)


def public_key(certificate: bytes) -> bytes:
    """The key of a certificate in DER."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def anchors_of(identity: MachineIdentity) -> set[x509.Certificate]:
    """What an identity trusts."""
    return set(x509.load_pem_x509_certificates(identity.trust_anchors))


async def test_a_certificate_that_is_due_is_replaced_in_one_look(machine: RenewingMachine) -> None:
    """Another key, the same name; the uplink shows it, and nothing of the one before is kept."""
    before = machine.enroll(DUE)
    async with machine.running() as running:
        assert await running.step() is None
        await running.uplink.high_water()
    after = machine.in_use()
    assert machine.desk.paths == [ANCHORS, RENEW, USE, USE]
    assert [shown for _, shown in machine.desk.log] == [b"", leaf_of(before), leaf_of(after), leaf_of(after)]
    assert public_key(leaf_of(after)) != public_key(leaf_of(before))
    assert (after.tenant, after.appliance) == (before.tenant, before.appliance)
    assert machine.store().previous() is None
    assert running.waits == [LOOK_SECONDS]


async def test_a_renewal_carries_evidence_of_the_machine(machine: RenewingMachine) -> None:
    """One without a TPM has nothing to show but says what guards its key."""
    machine.enroll(DUE)
    async with machine.running() as running:
        await running.step()
    assert machine.desk.evidence == [RenewalEvidence(KeyProtection.FILE, FileEvidence())]


async def test_a_fresh_certificate_is_left_alone(machine: RenewingMachine) -> None:
    """A day of looks asks only what is to be trusted and whether it is taken, at the start and a day later."""
    machine.enroll((-HOUR, timedelta(days=20)))
    async with machine.running() as running:
        for _ in range(int(DAY.total_seconds() / LOOK_SECONDS) + 1):
            assert await running.step() is None
            await machine.clock.sleep(running.waits[-1])
    assert machine.desk.paths == [ANCHORS, USE] * 2
    assert set(running.waits) == {LOOK_SECONDS}


async def test_renewals_follow_one_another(machine: RenewingMachine) -> None:
    """A day and a half of certificates of six hours, looked at every hour: a renewal every fourth or fifth look."""
    machine.desk.valid = (-HOUR, 5 * HOUR)
    machine.enroll((-HOUR, 5 * HOUR))
    async with machine.running() as running:
        for _ in range(36):
            assert await running.step() is None
            machine.clock.running += 3600
    renewals = machine.desk.asked_for(RENEW)
    assert 36 // 5 - 1 <= renewals <= 36 // 4
    assert machine.desk.keys_certified == renewals


async def test_it_looks_just_when_the_renewal_is_planned(machine: RenewingMachine) -> None:
    """The last wait before it is shorter."""
    machine.enroll(FRESH)
    async with machine.running() as running:
        await running.step()
        assert running.heard.window is not None
        machine.clock.wall = running.heard.window.planned_at - machine.clock.started_at - timedelta(seconds=40)
        await running.step()
        assert running.waits[-1] == pytest.approx(40)
        await machine.clock.sleep(running.waits[-1])
        await running.step()
    assert machine.desk.asked_for(RENEW) == 1


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (ProblemCode.APPLIANCE_QUARANTINED, "appliance_quarantined"),
        (ProblemCode.ANCHOR_LOWERED, "seal_anchor_lowered"),
        (ProblemCode.EVIDENCE_INVALID, "evidence_invalid"),
    ],
)
async def test_a_machine_that_is_judged_asks_again_patiently(
    machine: RenewingMachine, code: ProblemCode, problem: str
) -> None:
    """Somebody must decide: it says why, goes on with what it has, asks within the hour, and tries no other way."""
    before = machine.enroll(DUE)
    machine.desk.answers[RENEW] = [refusal(code)] * 12
    async with machine.running() as running:
        for _ in range(12):
            assert await running.step() == problem
            await running.uplink.high_water()
        assert leaf_of(machine.in_use()) == leaf_of(before)
        assert await running.step() is None
    assert running.waits[0] == 225
    assert running.waits[:-1] == sorted(running.waits[:-1])
    assert running.waits[-2] == 0.75 * LONGEST_RENEWAL_WAIT_SECONDS
    assert APPLY not in machine.desk.paths
    assert machine.desk.keys_certified == 1


@pytest.mark.parametrize(
    ("path", "problem"),
    [(ANCHORS, "enrollment_unavailable"), (RENEW, "enrollment_unavailable"), (USE, "uplink_unavailable")],
    ids=["anchors", "renew", "use"],
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_whatever_is_lost_on_the_way_is_asked_again(
    machine: RenewingMachine, path: str, problem: str, when: str
) -> None:
    """The request or its answer: the same key is certified, once more if need be, and then it goes on."""
    machine.enroll(DUE)
    machine.desk.fault = (when, path)
    async with machine.running() as running:
        assert await running.step() == problem
        assert running.waits == [15]
        assert await running.step() is None
    assert machine.desk.keys_certified == 1
    assert machine.store().previous() is None
    assert leaf_of(machine.in_use()) == machine.desk.issued[-1].public_bytes(Encoding.DER)


async def test_a_certificate_whose_first_answer_was_lost_is_not_taken_back(machine: RenewingMachine) -> None:
    """The receiver may have seen it, and would take the old one for a copy of the machine."""
    machine.enroll(DUE)
    machine.desk.fault = ("after", USE)
    async with machine.running() as running:
        assert await running.step() == "uplink_unavailable"
        await running.uplink.high_water()
    assert machine.desk.log[-1][1] == leaf_of(machine.in_use())


async def test_a_receiver_that_is_away_is_asked_for_as_long_as_it_takes(machine: RenewingMachine) -> None:
    """Waits grow to an hour, half of it on average; when it is back, one look is enough."""
    machine.enroll((-60 * DAY, 20 * DAY))
    machine.desk.answers[ANCHORS] = [reply(503)] * 60
    async with machine.running() as running:
        for _ in range(60):
            assert await running.step() == "enrollment_unavailable"
        assert await running.step() is None
    assert max(running.waits) == LONGEST_RENEWAL_WAIT_SECONDS / 2
    assert sum(running.waits) > 50 * 1800


async def test_the_receiver_may_ask_for_a_longer_wait_but_not_for_none(machine: RenewingMachine) -> None:
    """``Retry-After`` stretches the back-off; 0 does not empty it."""
    machine.enroll(DUE)
    waits = ["Retry-After: 600", "Retry-After: 0"]
    machine.desk.answers[RENEW] = [reply(503, headers=[wait]) for wait in waits]
    async with machine.running() as running:
        for _ in waits:
            assert await running.step() == "enrollment_unavailable"
    assert running.waits == [600, 30]


async def test_a_name_that_is_not_this_machines_is_not_taken(machine: RenewingMachine) -> None:
    """A receiver that mixes appliances up changes nothing here."""
    before = machine.enroll(DUE)
    machine.desk.names = {"appliance": "edge-b"}
    async with machine.running() as running:
        assert await running.step() == "identity_mismatch"
        machine.desk.names = {}
        assert leaf_of(machine.in_use()) == leaf_of(before)
        assert await running.step() is None


@pytest.mark.parametrize("years", [1, -1, 30], ids=["ahead", "behind", "far ahead"])
async def test_a_clock_that_is_wrong_by_years_neither_hammers_nor_misses(machine: RenewingMachine, years: int) -> None:
    """What comes does not verify by that clock: rare tries, nothing lost, and a renewal when the clock is right."""
    before = machine.enroll(DUE)
    machine.clock.wall = timedelta(days=365 * years)
    async with machine.running() as running:
        for _ in range(24):
            assert await running.step() == "clock_off"
        assert sum(running.waits) > 12 * 3600
        assert leaf_of(machine.in_use()) == leaf_of(before)
        machine.clock.wall = timedelta()
        assert await running.step() is None
    assert machine.desk.keys_certified == 1


async def test_a_clock_that_stands_still_does_not_put_a_renewal_off(machine: RenewingMachine) -> None:
    """It is due after as much running as was planned."""
    machine.enroll(FRESH)
    async with machine.running() as running:
        await running.step()
        machine.clock.running += 17 * 3600
        await running.step()
    assert machine.desk.asked_for(RENEW) == 1


async def test_a_renewed_certificate_that_looks_due_at_once_is_left_alone_for_an_hour(
    machine: RenewingMachine,
) -> None:
    """By a clock that is some hours ahead each one looks due: one renewal an hour, not one a look."""
    machine.enroll(DUE)
    machine.desk.valid = DUE
    async with machine.running() as running:
        for _ in range(int(6 * 3600 / LOOK_SECONDS)):
            assert await running.step() is None
            machine.clock.running += LOOK_SECONDS
    assert machine.desk.asked_for(RENEW) == 6 == 6 * 3600 / REST_SECONDS


async def test_a_certificate_that_the_receiver_refuses_is_replaced_whatever_the_clock_says(
    machine: RenewingMachine,
) -> None:
    """A request was answered with 403: the machine does not wait for two thirds of the life."""
    machine.enroll(FRESH)
    async with machine.running() as running:
        await running.step()
        machine.desk.answers[USE] = [refusal(ProblemCode.FORBIDDEN)]
        with pytest.raises(Exception, match="forbidden"):
            await running.uplink.high_water()
        assert await running.step() is None
    assert machine.desk.asked_for(RENEW) == 1


async def test_announced_anchors_arrive_without_a_renewal(machine: RenewingMachine) -> None:
    """Within a day, beside those that are trusted; the uplink goes on with them."""
    machine.enroll((-HOUR, timedelta(days=20)))
    async with machine.running() as running:
        await running.step()
        machine.desk.announced = [Authority(now=machine.desk.now)]
        await running.step()
        assert machine.in_use().trust_anchors == machine.desk.root.pem
        machine.clock.running += LOOK_AROUND_SECONDS
        assert await running.step() is None
        await running.uplink.high_water()
    assert anchors_of(machine.in_use()) == {machine.desk.root.certificate, machine.desk.announced[0].certificate}
    assert machine.store().previous() is None
    assert RENEW not in machine.desk.paths


async def test_announced_anchors_arrive_with_a_renewal(machine: RenewingMachine) -> None:
    """They are fetched first: what is issued may already lead to the new root."""
    machine.enroll(DUE)
    machine.desk.announced = [Authority(now=machine.desk.now)]
    machine.desk.issuing = Authority(now=machine.desk.now, issuer=machine.desk.announced[0])
    assert machine.peer.context is not None
    machine.peer.context.load_verify_locations(cadata=machine.desk.announced[0].pem.decode())
    async with machine.running() as running:
        assert await running.step() is None
    assert anchors_of(machine.in_use()) == {machine.desk.root.certificate, machine.desk.announced[0].certificate}
    assert machine.store().previous() is None


async def test_the_same_anchors_are_not_kept_again(machine: RenewingMachine) -> None:
    """A start and a look change nothing on the disk."""
    machine.enroll(FRESH)
    (sealed,) = (machine.folder / "secrets").glob("machine-identity*")
    content = sealed.read_bytes()
    async with machine.running() as running:
        assert await running.step() is None
    assert sealed.read_bytes() == content


def test_the_draw_of_a_certificate_is_its_own() -> None:
    """The same after a restart, and spread over certificates."""
    authority = Authority()
    draws = [draw_of(authority.identity()) for _ in range(200)]
    identity = authority.identity()
    assert draw_of(identity) == draw_of(identity)
    assert 0 <= min(draws) < 0.1
    assert 0.9 < max(draws) < 1
    assert 0.4 < sum(draws) / 200 < 0.6
