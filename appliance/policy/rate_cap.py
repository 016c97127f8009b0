"""So many bytes a second and no more, so that a backlog of days does not fill the site's line.

A token bucket on the monotonic clock: up to one second's worth may go at once.
"""

import math


class RateCap:
    """Says how long to wait before sending."""

    __slots__ = ("_bytes_per_second", "_free_at")

    def __init__(self, bytes_per_second: float) -> None:
        """Allow ``bytes_per_second`` on average."""
        self._bytes_per_second = bytes_per_second
        self._free_at = -math.inf

    def wait_seconds(self, size: int, *, now: float) -> float:
        """Book ``size`` bytes and give how many seconds from ``now`` (monotonic) they must wait."""
        # What was not used is not saved up, but for one second.
        start = max(self._free_at, now - 1.0)
        self._free_at = start + size / self._bytes_per_second
        return max(0.0, start - now)
