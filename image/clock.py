"""The only place that reads the wall clock."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, aware, UTC."""
    return datetime.now(tz=UTC)
