"""The order of a rollover's steps, and when a generation can go."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.authority_ledger import FIRST, Generation, Ledger, Step, announce, retire, switch
from receiver.domain.certificate_profile import MACHINE_LIFETIME
from receiver.errors import RolloverRefusedError
from tests.receiver.authorities import DAY, START


def _steps(ledger: Ledger) -> list[tuple[int, str]]:
    return [(generation.number, generation.step.value) for generation in ledger.generations]


def _switched(now: datetime = START) -> Ledger:
    return switch(announce(FIRST), now=now, bridge_ends_at=now)


def test_a_rollover_goes_step_by_step() -> None:
    """Announced, issuing, outgoing, retired: each generation in its turn."""
    announced = announce(FIRST)
    assert _steps(announced) == [(1, "issuing"), (2, "announced")]
    switched = switch(announced, now=START, bridge_ends_at=START)
    assert _steps(switched) == [(1, "outgoing"), (2, "issuing")]
    assert (switched.issuing.number, switched.newest.number) == (2, 2)
    assert _steps(retire(switched, now=START + MACHINE_LIFETIME)) == [(2, "issuing")]


def test_numbers_go_on_after_a_retirement() -> None:
    """A number never names two roots."""
    assert announce(retire(_switched(), now=START + 100 * DAY)).newest.number == 3


def test_several_may_go_out_at_once() -> None:
    """A second rollover need not wait for the first one's leaves."""
    twice = switch(announce(_switched()), now=START + DAY, bridge_ends_at=START)
    assert _steps(twice) == [(1, "outgoing"), (2, "outgoing"), (3, "issuing")]


def test_only_one_is_announced_at_a_time() -> None:
    """A second announcement is refused and names the first."""
    with pytest.raises(RolloverRefusedError, match="2"):
        announce(announce(FIRST))


@pytest.mark.parametrize("ledger", [FIRST, _switched()], ids=["first", "switched"])
def test_nothing_announced_is_nothing_to_switch_to(ledger: Ledger) -> None:
    """A switch without an announcement is refused."""
    with pytest.raises(RolloverRefusedError, match="announced"):
        switch(ledger, now=START, bridge_ends_at=START)


@pytest.mark.parametrize("ledger", [FIRST, announce(FIRST)], ids=["first", "announced"])
def test_what_issues_is_not_retired(ledger: Ledger) -> None:
    """Before a switch there is nothing to retire."""
    with pytest.raises(RolloverRefusedError, match="gone out"):
        retire(ledger, now=START + 10_000 * DAY)


@pytest.mark.parametrize("bridge", [-DAY, 3 * DAY, 40 * DAY], ids=["ended", "shorter", "longer"])
def test_a_generation_goes_when_nothing_of_it_is_valid(bridge: timedelta) -> None:
    """The last leaf, and the cross-certificate for its root, must have ended; the refusal says when that is."""
    ledger = switch(announce(FIRST), now=START, bridge_ends_at=START + bridge)
    ends = START + max(MACHINE_LIFETIME, bridge)
    with pytest.raises(RolloverRefusedError, match=f"{ends:%Y-%m-%dT%H:%M:%SZ}"):
        retire(ledger, now=ends - timedelta(seconds=1))
    assert _steps(retire(ledger, now=ends)) == [(2, "issuing")]


@given(st.lists(st.sampled_from(["announce", "switch", "retire"]), max_size=40))
def test_any_play_of_steps_keeps_the_rules(play: list[str]) -> None:
    """Whatever is asked for, one generation issues, one at most is announced, and what is written can be read."""
    ledger, now = FIRST, START
    for step in play:
        now += 5 * DAY
        try:
            ledger = {
                "announce": lambda ledger, _: announce(ledger),
                "switch": lambda ledger, now: switch(ledger, now=now, bridge_ends_at=now + 3 * DAY),
                "retire": lambda ledger, now: retire(ledger, now=now),
            }[step](ledger, now)
        except RolloverRefusedError:
            continue
        assert msgspec.json.decode(msgspec.json.encode(ledger), type=Ledger) == ledger
        assert [each.step for each in ledger.generations].count(Step.ISSUING) == 1


_GOING = Generation(number=1, step=Step.OUTGOING, retire_from=START)


@pytest.mark.parametrize(
    "generations",
    [
        (),
        (Generation(number=1, step=Step.ANNOUNCED),),
        (_GOING,),
        (Generation(number=1, step=Step.ISSUING), Generation(number=2, step=Step.ISSUING)),
        (Generation(number=1, step=Step.ISSUING), Generation(number=1, step=Step.ANNOUNCED)),
        (_GOING, Generation(number=3, step=Step.ISSUING)),
        (Generation(number=1, step=Step.OUTGOING), Generation(number=2, step=Step.ISSUING)),
        (Generation(number=1, step=Step.ISSUING, retire_from=START),),
    ],
    ids=["none", "announced alone", "outgoing alone", "two issue", "same number", "gap", "no date", "a date too many"],
)
def test_a_ledger_that_breaks_the_rules_is_refused(generations: tuple[Generation, ...]) -> None:
    """A damaged or edited file is not believed."""
    written = msgspec.json.encode({"version": 1, "generations": generations})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(written, type=Ledger)
