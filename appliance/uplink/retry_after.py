"""When to try again, as the receiver asks (RFC 9110, 10.2.3). A function of values."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_WAIT_SECONDS: Final = 3600.0
"""A receiver cannot silence a site for longer, whatever it asks."""
MAX_HEADER_LENGTH: Final = 64
_SECONDS: Final = re.compile(r"[0-9]+", re.ASCII)


def retry_after_seconds(header: str | None, *, now: datetime) -> float | None:
    """Read a ``Retry-After`` header: seconds to wait from ``now``, 0 to 3600; None if it says nothing readable."""
    if header is None or len(header) > MAX_HEADER_LENGTH:
        return None
    text = header.strip()
    seconds = float(text) if _SECONDS.fullmatch(text) else _until(text, now=now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _until(date: str, *, now: datetime) -> float | None:
    """Seconds until an HTTP-date, which is always UTC."""
    try:
        moment = parsedate_to_datetime(date)
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
