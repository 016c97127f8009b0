"""Durations as PBXs write them, to whole seconds that the wire can carry."""

from datetime import datetime
from typing import Final

from appliance.wire.limits import MAX_DURATION_SECONDS

USUAL_SECONDS: Final = {str(value): value for value in range(7200)}
"""Two hours of durations, so that few need the slow way."""
_MAX_DIGITS: Final = len(str(MAX_DURATION_SECONDS))
_CLOCK_PARTS: Final = (2, 3)


def seconds(text: str) -> int | None:
    """Read whole seconds; None if it is no duration, or one that no call can have."""
    value = USUAL_SECONDS.get(text)
    if value is None and text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
        value = int(text)
    return value if value is None or value <= MAX_DURATION_SECONDS else None


def clock_seconds(text: str) -> int | None:
    """Read ``H:MM:SS`` or ``MM:SS``, the first part of any length; None as ``seconds``."""
    parts = text.split(":")
    if len(parts) not in _CLOCK_PARTS or not all(part.isascii() and part.isdecimal() for part in parts):
        return None
    first, *rest = parts
    if len(first) > _MAX_DIGITS or any(len(part) != 2 or part > "59" for part in rest):  # noqa: PLR2004  two digits each
        return None
    value = int(first)
    for part in rest:
        value = value * 60 + int(part)
    return value if value <= MAX_DURATION_SECONDS else None


def between(earlier: datetime, later: datetime) -> int:
    """Give the whole seconds from one time to another; negative if they are the other way round."""
    span = later - earlier
    return span.days * 86_400 + span.seconds
