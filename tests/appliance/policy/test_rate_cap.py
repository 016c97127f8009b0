"""So many bytes a second: over any sequence of sends the cap holds, and an idle line is not saved up."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.circuit import OPENS_AFTER, Circuit
from appliance.policy.rate_cap import RateCap


def test_one_second_of_bytes_goes_at_once() -> None:
    """Then the next byte waits."""
    cap = RateCap(100)
    assert cap.wait_seconds(100, now=50.0) == 0
    assert cap.wait_seconds(50, now=50.0) == 0
    assert cap.wait_seconds(1, now=50.0) == 0.5


def test_an_idle_hour_saves_no_more_than_a_second() -> None:
    """A backlog after a quiet night is capped as any other."""
    cap = RateCap(100)
    cap.wait_seconds(1, now=0.0)
    assert cap.wait_seconds(200, now=3600.0) == 0
    assert cap.wait_seconds(1, now=3600.0) == 1.0


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0, 5)), min_size=1, max_size=50))
def test_the_cap_holds_over_any_sends(sends: list[tuple[int, float]]) -> None:
    """What went by any time is at most the rate, one second more, and one batch."""
    cap, now, sent = RateCap(100), 0.0, 0
    for size, pause in sends:
        now += pause
        now += cap.wait_seconds(size, now=now)
        sent += size
        assert sent <= 100 * (now + 1) + size + 1e-6


def test_a_circuit_opens_after_failures_in_a_row_and_closes_with_a_success() -> None:
    """One failure less, or a success between, leaves it closed."""
    circuit = Circuit()
    for _ in range(OPENS_AFTER - 1):
        circuit.failed()
    assert not circuit.is_open
    circuit.failed()
    assert circuit.is_open
    circuit.succeeded()
    circuit.failed()
    assert not circuit.is_open
