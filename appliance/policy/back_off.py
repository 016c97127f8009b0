"""How long to wait before a request is tried again."""

from typing import Final

from tenacity import RetryCallState
from tenacity.wait import wait_base, wait_random_exponential

from appliance.errors import UplinkUnavailableError

FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 300.0


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
