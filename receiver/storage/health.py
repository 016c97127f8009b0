"""Whether the database answers."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


async def ping(engine: AsyncEngine) -> None:
    """Ask for nothing and wait for the answer; raise what the driver raises."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
