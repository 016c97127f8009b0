"""See that a transaction waits for another's lock, without guessing how long that takes."""

import asyncio
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_WAITING: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = current_user"
)


async def until_one_waits(engine: AsyncEngine) -> None:
    """Return when a transaction of the engine's role waits for a lock.

    Each look is a transaction of its own: within one, sessions that came after the first look do not show.
    """
    async with engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for _ in range(3000):
            if (await autocommit.execute(_WAITING)).scalar_one() > 0:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("nothing waited")
