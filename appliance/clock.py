"""The product's only wall clock. Everything else takes a ``ports.Clock`` as an argument."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements ``ports.Clock`` on this machine's clocks."""

    __slots__ = ()

    def now(self) -> datetime:
        """The wall clock, aware, UTC; it may step when the machine is set right."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop's clock, which is the monotonic one."""
        await asyncio.sleep(seconds)
