"""How often an address may guess."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.problem import ProblemCode
from receiver.domain.guess_limit import FAILURES, MAX_ADDRESSES, WINDOW, GuessLimit
from receiver.errors import ProblemError
from tests.receiver.deliveries import NOON

_SECOND = timedelta(seconds=1)


def _failed(address: str, *, times: int = FAILURES) -> GuessLimit:
    limit = GuessLimit()
    for _ in range(times):
        limit.note_failure(address, now=NOON)
    return limit


def _wait(limit: GuessLimit, address: str, *, after: timedelta = timedelta()) -> int | None:
    """How long the address is told to wait; None if it has room."""
    try:
        limit.require_room(address, now=NOON + after)
    except ProblemError as error:
        return error.retry_after_seconds if error.problem is ProblemCode.RATE_LIMITED else -1
    return None


def test_a_few_failures_are_nothing() -> None:
    """One failure less than the bound leaves room."""
    assert _wait(_failed("192.0.2.1", times=FAILURES - 1), "192.0.2.1") is None


def test_too_many_must_wait_until_the_first_is_a_minute_old() -> None:
    """The wait is to the end of the window, rounded up, and then there is room."""
    limit = _failed("192.0.2.1")
    assert _wait(limit, "192.0.2.1") == 60
    assert _wait(limit, "192.0.2.1", after=59.5 * _SECOND) == 1
    assert _wait(limit, "192.0.2.1", after=WINDOW) is None


def test_another_address_is_free() -> None:
    """An address pays for its own guesses alone."""
    assert _wait(_failed("192.0.2.1"), "192.0.2.2") is None


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
        ("testclient", "192.0.2.1", False),
    ],
)
def test_an_address_is_a_site(first: str, second: str, *, is_one: bool) -> None:
    """A /64 of IPv6 counts as one, IPv4 within IPv6 as IPv4, and what is no address as itself."""
    assert (_wait(_failed(first), second) is not None) is is_one


def test_a_clock_set_back_locks_nobody_out() -> None:
    """Failures that lie in the future say nothing."""
    assert _wait(_failed("192.0.2.1"), "192.0.2.1", after=-_SECOND) is None


def test_its_memory_is_bounded() -> None:
    """Whoever failed least recently is forgotten when too many have."""
    limit = _failed("192.0.2.1")
    for number in range(MAX_ADDRESSES):
        limit.note_failure(f"10.0.{number >> 8}.{number & 255}", now=NOON)
    assert _wait(limit, "192.0.2.1") is None
    assert len(limit._failures) == MAX_ADDRESSES


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60).map(sorted))
def test_no_window_holds_more_than_the_bound(seconds: list[int]) -> None:
    """Of guesses at any times, no more than the bound get through within any minute."""
    limit = GuessLimit()
    passed = []
    for second in seconds:
        if _wait(limit, "a", after=second * _SECOND) is None:
            passed.append(second)
            limit.note_failure("a", now=NOON + second * _SECOND)
    spans = [later - earlier for earlier, later in zip(passed, passed[FAILURES:], strict=False)]
    assert all(span >= 60 for span in spans)
    assert all(earlier <= later for earlier, later in pairwise(passed))
