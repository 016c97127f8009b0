"""When a receiver has failed again and again, ask it something small before it is sent a whole batch again."""

from typing import Final

OPENS_AFTER: Final = 5
"""Failures in a row; with full jitter these take about a quarter of a minute."""


class Circuit:
    """Counts failures in a row."""

    __slots__ = ("_failures",)

    def __init__(self) -> None:
        """Start closed: batches are sent."""
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether only a probe may be sent."""
        return self._failures >= OPENS_AFTER

    def failed(self) -> None:
        """A request was not answered, or not soundly."""
        self._failures += 1

    def succeeded(self) -> None:
        """A batch was answered soundly."""
        self._failures = 0
