"""The system clock."""

from datetime import timedelta

from appliance.clock import SystemClock


def test_the_wall_clock_is_aware_and_utc() -> None:
    """A time without a zone could be read as local somewhere."""
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_the_monotonic_clock_does_not_fall() -> None:
    """Waits and leases run on it."""
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


async def test_sleeping_takes_at_least_the_time_asked_for() -> None:
    """It waits on the clock that ``monotonic`` reads."""
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009
