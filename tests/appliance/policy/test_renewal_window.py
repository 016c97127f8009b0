"""When a certificate is renewed, whatever the clocks do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.renewal_window import LOOK_SECONDS, RENEW_AT, SPREAD, RenewalWindow

START = datetime(2026, 3, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
draws = st.floats(0, 1, exclude_max=True)
lives = st.timedeltas(min_value=timedelta(minutes=10), max_value=timedelta(days=90))
steps = st.timedeltas(min_value=timedelta(days=-4000), max_value=timedelta(days=4000))


def week(*, draw: float = 0.5, seen_at: float = 1000.0) -> RenewalWindow:
    """A certificate of a week."""
    return RenewalWindow.plan(START, START + WEEK, draw=draw, seen_at=seen_at)


def due(window: RenewalWindow, after: timedelta, *, ran: timedelta = timedelta()) -> bool:
    """Whether it is due so long after its start by the wall clock, and after running so long."""
    return window.is_due(START + after, monotonic=1000.0 + ran.total_seconds())


def test_a_certificate_is_due_at_two_thirds_of_its_life() -> None:
    """Of a week, after four days and sixteen hours."""
    window = week()
    assert window.planned_at == START + timedelta(days=4, hours=16)
    assert not due(window, timedelta(days=4, hours=15, minutes=59))
    assert due(window, timedelta(days=4, hours=16))


@given(lives, draws)
def test_the_draw_spreads_a_fleet_over_a_twelfth_of_the_life(life: timedelta, draw: float) -> None:
    """Around two thirds, so that more than a quarter of the life is left for trying again."""
    window = RenewalWindow.plan(START, START + life, draw=draw, seen_at=0)
    share = (window.planned_at - START) / life
    assert RENEW_AT - SPREAD / 2 - 1e-6 <= share <= RENEW_AT + SPREAD / 2 + 1e-6
    assert window.ends_at - window.planned_at > life / 4


def test_a_thousand_appliances_that_were_enrolled_together_come_one_by_one() -> None:
    """Evenly over fourteen hours: in no quarter of an hour more than twice their share."""
    planned = [week(draw=number / 1000).planned_at for number in range(1000)]
    quarters = [int((moment - planned[0]) / timedelta(minutes=15)) for moment in planned]
    assert max(quarters) >= 54
    assert max(quarters.count(quarter) for quarter in range(56)) <= 2 * 1000 / 56


@given(draws)
def test_the_same_certificate_has_the_same_plan(draw: float) -> None:
    """A restart does not put it off."""
    assert week(draw=draw, seen_at=5).planned_at == week(draw=draw, seen_at=5_000_000).planned_at


@pytest.mark.parametrize("years", [1, 10, 100])
def test_a_clock_that_jumped_ahead_makes_it_due(years: int) -> None:
    """Asking is right whether the clock or the certificate is wrong; the back-off keeps it rare."""
    window = week()
    assert due(window, timedelta(days=365 * years))
    assert window.is_over(START + timedelta(days=365 * years))


@pytest.mark.parametrize("years", [1, 10, 50])
def test_a_certificate_that_is_not_valid_yet_is_due(years: int) -> None:
    """Only a clock that is behind can say so of a certificate in use, and then its word is worth nothing."""
    assert due(week(), -timedelta(days=365 * years))
    assert due(week(), -timedelta(seconds=1))


def test_a_clock_that_was_set_back_does_not_put_a_renewal_off() -> None:
    """What was planned after 112 hours is due after 112 hours of running, though the clock stands still."""
    assert not due(week(), HOUR, ran=timedelta(hours=111))
    assert due(week(), HOUR, ran=timedelta(hours=112))


def test_a_machine_that_was_suspended_renews_by_the_wall_clock() -> None:
    """Its monotonic clock stood still meanwhile."""
    assert due(week(), timedelta(days=5), ran=timedelta())


@given(draws, steps, st.timedeltas(min_value=timedelta(), max_value=WEEK))
def test_no_step_of_the_clock_hides_a_renewal_for_longer_than_was_planned(
    draw: float, step: timedelta, ran: timedelta
) -> None:
    """However wrong the wall clock is: after the planned time of running, it is due."""
    window = week(draw=draw)
    if ran >= window.planned_at - window.starts_at:
        assert due(window, ran + step, ran=ran)


@given(draws, steps)
def test_no_wait_is_longer_than_five_minutes_or_shorter_than_a_second(draw: float, step: timedelta) -> None:
    """So a step of the wall clock is seen soon, and nothing spins."""
    assert 1.0 <= week(draw=draw).wait_seconds(START + step) <= LOOK_SECONDS


def test_the_last_look_before_a_renewal_is_on_time() -> None:
    """It is not put off to the end of five minutes."""
    assert week().wait_seconds(START + timedelta(days=4, hours=15, minutes=59)) == 60.0


def test_a_renewal_that_must_rest_is_not_looked_for_each_second() -> None:
    """It is past its time, and left alone for an hour all the same."""
    assert week().wait_seconds(START + timedelta(days=5)) == LOOK_SECONDS


def test_a_certificate_is_over_at_its_end() -> None:
    """Not before."""
    assert not week().is_over(START + WEEK - timedelta(seconds=1))
    assert week().is_over(START + WEEK)
