"""How long a machine waits before it asks for a certificate again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.back_off import LONGEST_RENEWAL_WAIT_SECONDS, patient_wait, renewal_wait

failures = st.integers(1, 100_000)
draws = st.floats(0, 1, exclude_max=True)


@given(failures, draws)
def test_a_renewal_is_tried_again_within_the_hour(number: int, draw: float) -> None:
    """After a thousand failures as after one."""
    assert 0 <= renewal_wait(number, draw=draw) <= LONGEST_RENEWAL_WAIT_SECONDS
    assert 150 <= patient_wait(number, draw=draw) <= LONGEST_RENEWAL_WAIT_SECONDS


@pytest.mark.parametrize(("number", "most"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (500, 3600)])
def test_the_waits_double_and_spread_from_nothing_to_all(number: int, most: float) -> None:
    """Full jitter: a fleet that was cut off at one moment does not come back at one moment."""
    assert renewal_wait(number, draw=0) == 0
    assert renewal_wait(number, draw=0.25) == most / 4
    assert renewal_wait(number, draw=1) == most


@pytest.mark.parametrize(("number", "most"), [(1, 300), (2, 600), (4, 2400), (5, 3600), (500, 3600)])
def test_what_somebody_must_decide_is_asked_again_patiently(number: int, most: float) -> None:
    """From minutes to an hour, and never less than half of it."""
    assert patient_wait(number, draw=0) == most / 2
    assert patient_wait(number, draw=1) == most


@given(failures, draws)
def test_waits_do_not_shrink(number: int, draw: float) -> None:
    """With the same draw a later wait is at least as long."""
    assert renewal_wait(number + 1, draw=draw) >= renewal_wait(number, draw=draw)
    assert patient_wait(number + 1, draw=draw) >= patient_wait(number, draw=draw)
