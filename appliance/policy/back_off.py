"""How long to wait before a request is tried again."""

from typing import Final

from tenacity import RetryCallState
from tenacity.wait import wait_base, wait_random_exponential

from appliance.errors import UplinkUnavailableError

FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 300.0
FIRST_RENEWAL_WAIT_SECONDS: Final = 30.0
FIRST_PATIENT_WAIT_SECONDS: Final = 300.0
LONGEST_RENEWAL_WAIT_SECONDS: Final = 3600.0


class RetryAfter(wait_base):
    """What the receiver asked for, if it did; else exponential back-off with full jitter."""

    def __init__(self) -> None:
        """Start with the shortest wait."""
        self._jitter = wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)

    def __call__(self, retry_state: RetryCallState) -> float:
        """Give the seconds to wait after the try that ``retry_state`` speaks of."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after_seconds if isinstance(error, UplinkUnavailableError) else None
        return self._jitter(retry_state) if asked is None else asked


def renewal_wait(failures: int, *, draw: float) -> float:
    """Seconds to wait where trying again can help: exponential with full jitter, up to an hour.

    Args:
        failures: in a row, from 1.
        draw: 0 to 1, evenly spread.
    """
    return draw * _doubled(FIRST_RENEWAL_WAIT_SECONDS, failures)


def patient_wait(failures: int, *, draw: float) -> float:
    """Seconds to wait where somebody must do something first: minutes to an hour, at least half of it. Args as above.

    It is asked again all the same, so that whatever was put right takes effect without a visit.
    """
    return (1 + draw) / 2 * _doubled(FIRST_PATIENT_WAIT_SECONDS, failures)


def _doubled(first: float, failures: int) -> float:
    # 2**16 times any first wait is past the longest; a larger power would overflow after weeks of failing.
    return min(first * 2.0 ** min(failures - 1, 16), LONGEST_RENEWAL_WAIT_SECONDS)
