"""The rules that tell a copy from an honest appliance."""

from datetime import datetime, timedelta
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.batch import KeyProtection
from appliance.wire.problem import ProblemCode
from receiver.domain.fleet_rules import (
    APPROVAL_LIFETIME,
    GRACE,
    RETURN_BY_ITSELF,
    CertifiedKey,
    is_approved,
    is_lowered,
    judge_renewal,
    judge_use,
    needs_approval,
)
from receiver.domain.security_event import ALARMS, DECISIONS, EventKind
from receiver.errors import ProblemError
from tests.receiver.domain.histories import START, Ledger, Site, fresh_key, live

OLD, MINE, NEXT, OTHER = b"old", b"mine", b"next", b"other"
SECOND: Final = timedelta(seconds=1)
TWO_PLACES: Final = EventKind.CERTIFICATE_IN_TWO_PLACES


def used(key: bytes, predecessor: bytes | None, at: datetime = START, *, revoked: bool = False) -> CertifiedKey:
    """A key that was first used ``at``."""
    return CertifiedKey(key, predecessor, at, revoked)


def unused(key: bytes, predecessor: bytes | None) -> CertifiedKey:
    """A key that no request ever came with."""
    return CertifiedKey(key, predecessor, None)


def refusal(mine: CertifiedKey, *others: CertifiedKey, asked: bytes, at: datetime = START) -> ProblemCode:
    """The code with which a renewal is refused."""
    with pytest.raises(ProblemError) as failure:
        judge_renewal(mine, others, asked=asked, at=at)
    return failure.value.problem


@given(random=st.randoms(use_true_random=True))
def test_an_honest_life_raises_no_alarm(random: Random) -> None:
    """Whatever is lost on the way, and wherever the power goes, one machine is never taken for two."""
    ledger = Ledger()
    site = Site(ledger, fresh_key())
    ledger.enroll(site.key)
    live([site], random, steps=60)
    assert ledger.alarms == []
    assert site.renewals > 0


@given(random=st.randoms(use_true_random=True))
def test_a_copy_is_found_before_both_have_renewed_twice(random: Random) -> None:
    """A machine and its copy cannot both go on: by the second renewal of both there was an alarm."""
    ledger = Ledger()
    site = Site(ledger, fresh_key())
    ledger.enroll(site.key)
    live([site], random, steps=random.randrange(20))
    sites = [site.copy(), site.copy()]
    while not ledger.alarms:
        live(sites, random, steps=1)
        assert ledger.alarms or min(one.renewals for one in sites) < 2


@pytest.mark.parametrize("delay", [timedelta(0), GRACE])
def test_a_request_on_its_way_is_no_alarm(delay: timedelta) -> None:
    """The old certificate may come in for as long as the grace after the new one's first use."""
    assert judge_use(used(MINE, OLD), [used(NEXT, MINE)], at=START + delay) is None


def test_the_old_certificate_in_use_after_the_grace_is_an_alarm() -> None:
    """From then on two machines are at work."""
    assert judge_use(used(MINE, OLD), [used(NEXT, MINE)], at=START + GRACE + SECOND) is TWO_PLACES


def test_the_grace_counts_from_the_first_successor() -> None:
    """A later one does not extend it."""
    others = [used(OTHER, MINE, START + GRACE), used(NEXT, MINE)]
    assert judge_use(used(MINE, OLD), others, at=START + GRACE + SECOND) is TWO_PLACES


@pytest.mark.parametrize(
    "other", [unused(NEXT, MINE), used(NEXT, MINE, revoked=True), used(NEXT, OTHER)], ids=["unused", "revoked", "other"]
)
def test_what_is_no_successor_in_use_is_no_alarm(other: CertifiedKey) -> None:
    """A certificate that never arrived, one that was decided about, and another line prove nothing."""
    assert judge_use(used(MINE, OLD), [other], at=START + 2 * GRACE) is None
    assert judge_renewal(used(MINE, OLD), [other], asked=b"fresh", at=START + 2 * GRACE) is None


@pytest.mark.parametrize("mine", [unused(MINE, OLD), used(MINE, OLD, START + SECOND)], ids=["first", "again"])
def test_of_two_successors_the_second_one_is_kept_out(mine: CertifiedKey) -> None:
    """Both asked before either answer was used; whoever comes second is the newcomer."""
    assert judge_use(mine, [used(OTHER, OLD)], at=START + SECOND) is TWO_PLACES


@pytest.mark.parametrize(
    "rival", [unused(OTHER, OLD), used(OTHER, OLD, START + SECOND), used(OTHER, OLD, revoked=True)]
)
def test_of_two_successors_the_first_one_goes_on(rival: CertifiedKey) -> None:
    """The one that was in use before is not the newcomer."""
    assert judge_use(used(MINE, OLD), [rival], at=START + 2 * SECOND) is None


def test_first_certificates_are_no_rivals() -> None:
    """Two enrollments of one appliance follow nothing, so neither stands against the other."""
    assert judge_use(unused(MINE, None), [used(OTHER, None)], at=START) is None


def test_a_renewal_after_another_key_took_over_is_an_alarm() -> None:
    """Nobody honest asks with a key whose successor is in use; no grace."""
    finding = judge_renewal(used(MINE, OLD), [used(NEXT, MINE)], asked=b"fresh", at=START)
    assert finding is EventKind.CERTIFICATE_REUSED


def test_a_lost_answer_is_asked_for_again() -> None:
    """The same key with the same certificate is no alarm, used or not."""
    for known in (unused(NEXT, MINE), used(NEXT, MINE)):
        assert judge_renewal(used(MINE, OLD), [known], asked=NEXT, at=START + SECOND) is None


def test_a_lost_answer_is_no_excuse_for_another_key_in_use() -> None:
    """Where one of two keys that were asked for is in use, asking for the other one again is an alarm."""
    others = [unused(NEXT, MINE), used(OTHER, MINE)]
    assert judge_renewal(used(MINE, OLD), others, asked=NEXT, at=START) is EventKind.CERTIFICATE_REUSED


def test_a_renewal_that_was_on_its_way_is_refused_without_an_alarm() -> None:
    """It came in before the successor's first use, and was judged after it."""
    assert refusal(used(MINE, OLD), used(NEXT, MINE), asked=b"fresh", at=START - SECOND) is ProblemCode.FORBIDDEN


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        pytest.param(MINE, unused(NEXT, MINE), id="the key in use"),
        pytest.param(OTHER, used(OTHER, OLD), id="another line's"),
        pytest.param(OLD, used(OLD, None), id="the one before"),
        pytest.param(NEXT, used(NEXT, MINE, revoked=True), id="a revoked one"),
    ],
)
def test_a_renewal_brings_a_new_key(asked: bytes, other: CertifiedKey) -> None:
    """A key that was certified before would make two machines look like one."""
    assert refusal(used(MINE, OLD), other, asked=asked) is ProblemCode.EVIDENCE_INVALID


def test_anchors_are_lowered_in_one_direction() -> None:
    """File, TPM, measured boot: only a step down is one."""
    levels = [KeyProtection.FILE, KeyProtection.TPM, KeyProtection.TPM_MEASURED_BOOT]
    for pinned in levels:
        for offered in levels:
            assert is_lowered(pinned, offered=offered) is (levels.index(offered) < levels.index(pinned))


@pytest.mark.parametrize(
    ("approved_at", "holds"),
    [(None, False), (START, True), (START - APPROVAL_LIFETIME, False), (START - APPROVAL_LIFETIME + SECOND, True)],
)
def test_an_approval_ends(approved_at: datetime | None, holds: bool) -> None:  # noqa: FBT001 - a table's column
    """An old yes is none."""
    assert is_approved(approved_at, now=START) is holds


def test_an_absence_of_a_month_needs_nobody() -> None:
    """An outage of the receiver for weeks costs no site a decision; a machine that was off for longer is one."""
    assert not needs_approval(START - RETURN_BY_ITSELF, now=START)
    assert needs_approval(START - RETURN_BY_ITSELF - SECOND, now=START)


def test_every_kind_is_an_alarm_a_decision_or_neither() -> None:
    """No kind closes itself."""
    assert ALARMS.isdisjoint(DECISIONS)
    assert set(EventKind) - ALARMS - DECISIONS == {EventKind.RETURN_REQUESTED, EventKind.RETURN_APPROVED}
