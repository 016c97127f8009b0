"""What a renewal takes up again: after a power cut, a full disk, a certificate that is refused, or one that ended."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import structs

from appliance.errors import CertificateRefusedError, TpmKeyUnusableError, UplinkUnavailableError
from appliance.policy.back_off import LONGEST_RENEWAL_WAIT_SECONDS
from appliance.ports import MachineIdentity
from appliance.renewal import LOOK_AROUND_SECONDS, RETURN_AFTER, leaf_of
from appliance.uplink.https_uplink import HttpsUplink
from appliance.wire.enrollment import EnrollmentAnswer
from appliance.wire.problem import ProblemCode
from tests.support.cut_disk import MortalDisk, PowerCut, full_disk
from tests.support.enrollment_desk import key_of, refusal
from tests.support.renewal_desk import ANCHORS, APPLY, ENROLL, RENEW, USE, RenewalDesk
from tests.support.renewing_machine import DUE, ENDED, FRESH, HOUR, RenewingMachine
from tests.support.tls_peer import DAY, Authority, reply


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[RenewingMachine]:
    """A machine at a desk; not enrolled."""
    desk = RenewalDesk(datetime.now(UTC))
    async with desk.watching_peer() as peer:
        yield RenewingMachine(tmp_path, desk, peer)


def leaves(machine: RenewingMachine) -> list[bytes]:
    """What the desk has issued."""
    return [leaf.public_bytes(Encoding.DER) for leaf in machine.desk.issued]


async def settle(machine: RenewingMachine) -> None:
    """Start the machine and let it look until nothing hinders; then it must work with what is on its disk."""
    async with machine.running() as running:
        while await running.step() is not None:
            assert len(running.waits) < 5, running.heard.problems
        await running.uplink.high_water()
    in_use = machine.in_use()
    assert machine.desk.log[-1] == (USE, leaf_of(in_use))
    assert leaf_of(in_use) == leaves(machine)[-1]
    assert machine.store().previous() is None


async def test_a_power_cut_at_any_step_of_the_disk_costs_no_more_than_a_try(machine: RenewingMachine) -> None:
    """A renewal with a rollover, cut off before or within each write: the next start carries it to its end.

    Each cut certifies at most one key that is then not used, because the appliance never knew of its certificate.
    """
    for step in count():
        machine.enroll(DUE)
        machine.desk.announced = [Authority(now=machine.desk.now)]
        certified, disk = machine.desk.keys_certified, MortalDisk(step)
        with suppress(PowerCut):
            async with machine.running(disk=disk) as running:
                assert await running.step() is None
        await settle(machine)
        assert machine.desk.keys_certified - certified == 1
        if not disk.ended:
            break
    assert step > 10


async def test_a_disk_that_is_full_at_any_step_changes_nothing_until_there_is_room(machine: RenewingMachine) -> None:
    """The uplink goes on meanwhile; the disk's refusal is said. Then somebody makes room."""
    refusals = set()
    for step in count():
        machine.enroll(DUE)
        disk = MortalDisk(step, error=full_disk())
        async with machine.running(disk=disk) as running:
            refusals.add(await running.step())
            await running.uplink.high_water()
            disk._left = None
            assert await running.step() is None
        await settle(machine)
        if not disk.ended:
            break
    assert refusals == {None, "seal_disk_refused"}


async def test_a_start_with_an_identity_that_was_never_tried_tries_it(machine: RenewingMachine) -> None:
    """The power went right after it was kept: the receiver takes it, and the one before is forgotten."""
    machine.enroll(DUE)
    machine.enroll(FRESH)
    assert machine.store().previous() is not None
    async with machine.running() as running:
        assert await running.step() is None
    assert machine.store().previous() is None
    assert RENEW not in machine.desk.paths


async def test_an_identity_that_was_never_tried_waits_for_the_receiver(machine: RenewingMachine) -> None:
    """Neither is thrown away while nothing is known."""
    machine.enroll(FRESH)
    newer = machine.enroll(FRESH)
    machine.desk.answers[USE] = [reply(503)] * 3
    async with machine.running() as running:
        for _ in range(3):
            assert await running.step() == "uplink_unavailable"
            assert machine.store().previous() is not None
        assert await running.step() is None
    assert leaf_of(machine.in_use()) == leaf_of(newer)
    assert machine.store().previous() is None


async def test_a_new_certificate_that_is_refused_gives_way_to_the_old(machine: RenewingMachine) -> None:
    """It says so, no request fails, and another one is asked for patiently."""
    before = machine.enroll(DUE)
    machine.desk.refuse_new = True
    async with machine.running() as running:
        for times in (1, 2):
            assert await running.step() == "uplink_certificate_refused"
            assert running.heard.went_back_times == times
            assert leaf_of(machine.in_use()) == leaf_of(before)
            assert machine.store().previous() is None
            await running.uplink.high_water()
            assert machine.desk.log[-1][1] == leaf_of(before)
        machine.desk.refuse_new = False
        assert await running.step() is None
    assert running.waits[:2] == [225, 450]
    assert machine.desk.keys_certified == 3


async def test_while_the_old_one_cannot_be_tried_the_question_stays_open(machine: RenewingMachine) -> None:
    """The new one is refused, then the receiver is unwell: neither is thrown away before both were judged."""
    before = machine.enroll(DUE)
    machine.desk.refused.add(leaf_of(machine.enroll(FRESH)))
    machine.desk.answers[USE] = [refusal(ProblemCode.FORBIDDEN), reply(503)]
    async with machine.running() as running:
        assert await running.step() == "uplink_unavailable"
        assert machine.store().previous() is not None
        assert await running.step() == "uplink_certificate_refused"
    assert leaf_of(machine.in_use()) == leaf_of(before)


async def test_a_start_with_a_refused_certificate_goes_back_too(machine: RenewingMachine) -> None:
    """The power went before the receiver's refusal was heard."""
    before = machine.enroll(DUE)
    machine.desk.refused.add(leaf_of(machine.enroll(FRESH)))
    async with machine.running() as running:
        assert await running.step() == "uplink_certificate_refused"
        await running.uplink.high_water()
    assert machine.desk.log[-1] == (USE, leaf_of(before))
    assert running.heard.went_back_times == 1


class Choosy:
    """Implements ``renewal.IdentityUser``; the first identity that it is given does not load."""

    certificate_refused = False

    def __init__(self, uplink: HttpsUplink) -> None:
        self._uplink = uplink
        self._is_first = True

    async def adopt(self, identity: MachineIdentity) -> None:
        if self._is_first:
            self._is_first = False
            raise TpmKeyUnusableError("OpenSSL does not load the key")
        await self._uplink.adopt(identity)


async def test_an_identity_that_does_not_load_gives_way_to_the_old(machine: RenewingMachine) -> None:
    """The receiver has not seen it; another one is asked for."""
    before = machine.enroll(DUE)
    async with machine.running() as running:
        running.renewal._user = Choosy(running.uplink)
        assert await running.step() == "identity_tpm_key_unusable"
        assert leaf_of(machine.in_use()) == leaf_of(before)
        assert await running.step() is None
    assert machine.desk.keys_certified == 2


async def test_while_both_are_refused_another_is_asked_for(machine: RenewingMachine) -> None:
    """The receiver takes neither: the machine comes back with the proof of the newer key."""
    machine.desk.refused |= {leaf_of(machine.enroll(FRESH)), leaf_of(machine.enroll(FRESH))}
    async with machine.running() as running:
        assert await running.step() == "uplink_certificate_refused"
        assert await running.step() is None
    assert machine.desk.paths[-5:] == [ANCHORS, RENEW, APPLY, ENROLL, USE]
    assert running.heard.went_back_times == 0


async def test_a_refused_certificate_does_not_give_way_to_one_that_ended(machine: RenewingMachine) -> None:
    """What ended is of no use: the machine comes back instead."""
    machine.enroll(ENDED)
    newer = machine.enroll(FRESH)
    machine.desk.refused.add(leaf_of(newer))
    async with machine.running() as running:
        assert await running.step() == "uplink_certificate_refused"
        assert leaf_of(machine.in_use()) == leaf_of(newer)
        assert await running.step() is None
    assert APPLY in machine.desk.paths


async def test_a_certificate_that_ended_is_replaced_by_a_return(machine: RenewingMachine) -> None:
    """In one look and without a visit: the old key proves who comes back; the tenant secret in use is not touched."""
    before = machine.enroll(ENDED)
    async with machine.running() as running:
        assert await running.step() is None
        await running.uplink.high_water()
    assert machine.desk.paths == [ANCHORS, APPLY, ENROLL, USE, USE]
    (asked,) = machine.desk.asked
    assert asked.returning is not None
    assert asked.returning.certificate == leaf_of(before)
    assert leaf_of(machine.in_use()) == leaves(machine)[-1]


async def test_a_return_that_must_be_approved_is_asked_for_until_it_is(machine: RenewingMachine) -> None:
    """With one key, within the hour each time, for as long as it takes."""
    machine.enroll(ENDED)
    machine.desk.waiting = 30
    async with machine.running() as running:
        for _ in range(30):
            assert await running.step() == "approval_pending"
        assert await running.step() is None
    assert len({key_of(asked.request) for asked in machine.desk.asked}) == 1
    assert running.waits[0] == 225
    assert set(running.waits[5:30]) == {0.75 * LONGEST_RENEWAL_WAIT_SECONDS}


@pytest.mark.parametrize("path", [APPLY, ENROLL, USE], ids=["apply", "enroll", "use"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_return_of_which_an_answer_is_lost_is_made_again(
    machine: RenewingMachine, path: str, when: str
) -> None:
    """With the same key."""
    machine.enroll(ENDED)
    machine.desk.fault = (when, {APPLY: "apply", ENROLL: "enroll"}.get(path, path))
    async with machine.running() as running:
        assert await running.step() in {"enrollment_unavailable", "uplink_unavailable"}
        assert await running.step() is None
    assert machine.desk.keys_certified == 1
    assert machine.store().previous() is None


async def test_a_power_cut_at_any_step_of_a_return_costs_no_more_than_a_try(machine: RenewingMachine) -> None:
    """As of a renewal."""
    for step in count():
        machine.enroll(ENDED)
        disk = MortalDisk(step)
        with suppress(PowerCut):
            async with machine.running(disk=disk) as running:
                await running.step()
        await settle(machine)
        if not disk.ended:
            break
    assert step > 10


async def test_an_answer_without_a_challenge_is_taken_for_waiting(machine: RenewingMachine) -> None:
    """The machine never goes on with a half answer."""
    machine.enroll(ENDED)
    machine.desk.alter = without_challenge
    async with machine.running() as running:
        assert await running.step() == "approval_pending"
        machine.desk.alter = lambda answer: answer
        assert await running.step() is None


def without_challenge(answer: EnrollmentAnswer) -> EnrollmentAnswer:
    """An answer that says ready, and is not."""
    return structs.replace(answer, challenge=None)


async def test_a_clock_that_is_behind_does_not_hide_that_a_certificate_ended(machine: RenewingMachine) -> None:
    """By that clock it is fresh; the receiver does not take it, and is asked why: the machine comes back."""
    machine.enroll(ENDED)
    machine.clock.wall = -20 * HOUR
    async with machine.running() as running:
        with pytest.raises(UplinkUnavailableError):
            await running.uplink.high_water()
        assert await running.step() == "uplink_unavailable"
        machine.desk.valid = (-30 * HOUR, DAY)
        assert await running.step() is None
    assert APPLY in machine.desk.paths


async def test_a_receiver_that_forgot_the_certificate_takes_the_machine_back(machine: RenewingMachine) -> None:
    """Its database was restored from yesterday: a renewal is forbidden, a return is not."""
    machine.desk.refused.add(leaf_of(machine.enroll(FRESH)))
    async with machine.running() as running:
        with pytest.raises(CertificateRefusedError):
            await running.uplink.high_water()
        assert await running.step() is None
    assert machine.desk.paths == [USE, ANCHORS, RENEW, APPLY, ENROLL, USE]


async def test_a_renewal_that_is_in_vain_again_and_again_becomes_a_return(machine: RenewingMachine) -> None:
    """The receiver can be reached, and the certificate looks well, but no renewal comes of it."""
    machine.enroll(DUE)
    machine.desk.answers[RENEW] = [refusal(ProblemCode.FORBIDDEN)] * RETURN_AFTER
    async with machine.running() as running:
        for _ in range(RETURN_AFTER - 1):
            assert await running.step() == "enrollment_refused"
        assert APPLY not in machine.desk.paths
        assert await running.step() is None
    assert machine.desk.paths[-3:] == [APPLY, ENROLL, USE]


async def test_a_certificate_that_ended_while_it_was_never_tried_is_replaced(machine: RenewingMachine) -> None:
    """The receiver was away from the moment it was kept until it ended: no answer to it will ever come."""
    machine.enroll((-3 * DAY, -2 * DAY))
    machine.enroll(ENDED)
    async with machine.running() as running:
        assert await running.step() is None
    assert machine.desk.paths == [ANCHORS, APPLY, ENROLL, USE]
    assert machine.store().previous() is None


async def test_anchors_that_do_not_verify_the_receiver_are_put_back(machine: RenewingMachine) -> None:
    """It says so, asks for the same set no more than once a day, and renews with those it had."""
    machine.enroll(FRESH)
    machine.desk.announced, machine.desk.hides_root = [Authority(now=machine.desk.now)], True
    async with machine.running() as running:
        assert await running.step() == "uplink_untrusted"
        assert machine.in_use().trust_anchors == machine.desk.root.pem
        assert running.heard.went_back_times == 1
        await running.uplink.high_water()
        machine.clock.running += LOOK_AROUND_SECONDS
        assert await running.step() == "uplink_untrusted"
        assert running.heard.went_back_times == 1
        machine.clock.wall = 18 * HOUR
        assert await running.step() == "uplink_untrusted"
        assert machine.desk.asked_for(RENEW) == 1
        machine.desk.hides_root = False
        machine.clock.running += LOOK_AROUND_SECONDS
        assert await running.step() is None
    assert len(machine.in_use().trust_anchors) > len(machine.desk.root.pem)


async def test_useless_anchors_do_not_keep_an_ended_certificate_from_coming_back(machine: RenewingMachine) -> None:
    """They are put back though the receiver does not take the old certificate: the question was whether it is ours."""
    machine.enroll(ENDED)
    machine.desk.announced, machine.desk.hides_root = [Authority(now=machine.desk.now)], True
    async with machine.running() as running:
        problems = [await running.step() for _ in range(4)]
        await running.uplink.high_water()
    assert problems[-1] == "uplink_untrusted"
    assert machine.in_use().trust_anchors == machine.desk.root.pem
    assert leaf_of(machine.in_use()) == leaves(machine)[-1]


async def test_where_neither_set_of_anchors_verifies_both_are_kept(machine: RenewingMachine) -> None:
    """Somebody else answers at the receiver's address: that says nothing of the anchors."""
    stranger = Authority(now=machine.desk.now)
    machine.enroll(FRESH)
    store = machine.store()
    store.trust(machine.desk.root.pem + Authority(now=machine.desk.now).pem)
    assert machine.peer.context is not None
    with NamedTemporaryFile() as file:
        file.write(b"".join(reversed(stranger.issue_server())))
        file.flush()
        machine.peer.context.load_cert_chain(file.name)
    async with machine.running() as running:
        assert await running.step() == "uplink_untrusted"
    assert store.previous() is not None
    assert running.heard.went_back_times == 0


async def test_anchors_that_are_none_hold_up_no_renewal(machine: RenewingMachine) -> None:
    """A set with a certificate that is no proper CA is not taken; that is said, and the certificate is renewed."""
    machine.enroll(DUE)
    machine.desk.announced = [Authority(now=machine.desk.now, strict=False)]
    async with machine.running() as running:
        assert await running.step() == "identity_untrusted"
    assert machine.desk.asked_for(RENEW) == 1
    assert machine.in_use().trust_anchors == machine.desk.root.pem
