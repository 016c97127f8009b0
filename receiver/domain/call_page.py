"""One page of calls: what is asked for, what is answered, and the cursor between pages.

Keyset pagination: a cursor names the last row seen, so rows inserted meanwhile neither repeat nor hide others.
The cursor is opaque to clients but holds no secret; it is checked strictly, because it comes back from outside.
"""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from appliance.wire.call import Call, Direction, Disposition
from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
_POSITION: Final = re.compile(r"([0-9]{1,18})\.([a-p]{32})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Position(Struct, frozen=True):
    """A row's place in the order (started_at descending, event_id descending)."""

    started_at: datetime
    event_id: str


class CallFilter(Struct, frozen=True, kw_only=True):
    """Which calls; None does not filter. ``since`` is included, ``until`` is not."""

    since: datetime | None = None
    until: datetime | None = None
    direction: Direction | None = None
    disposition: Disposition | None = None
    pseudonym: str | None = None
    feed: str | None = None
    after: Position | None = None
    limit: int = DEFAULT_LIMIT


class CallPage(Struct, frozen=True):
    """The answer: at most ``limit`` calls, newest first, and the cursor of the next page or null at the end."""

    calls: list[Call]
    next: str | None


def to_cursor(call: Call) -> str:
    """Name the place after ``call``."""
    microseconds = (call.started_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{microseconds}.{call.event_id}".encode("ascii")).decode("ascii").rstrip("=")


def parse_cursor(text: str) -> Position:
    """Read a cursor.

    Raises:
        ProblemError: ``malformed_request``.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        match = _POSITION.fullmatch(raw)
        if match is not None:
            return Position(started_at=_EPOCH + timedelta(microseconds=int(match[1])), event_id=match[2])
    except (binascii.Error, UnicodeError, OverflowError, ValueError):
        pass
    raise ProblemError(
        ProblemCode.MALFORMED_REQUEST,
        detail="the cursor is not one that this receiver gave",
        hint="Use the `next` of the page before, unchanged, or leave it out.",
    )
