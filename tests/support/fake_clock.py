"""A clock whose time passes only while somebody sleeps on it."""

from datetime import datetime, timedelta

from tests.support.records import START


class FakeClock:
    """Implements ``appliance.ports.Clock`` and remembers each sleep."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
