"""One page of accounts: what is asked for, what is answered, and the cursor between pages (as ``call_page``)."""

import base64
import binascii
import re
from datetime import date, datetime
from typing import Final

from msgspec import Struct

from appliance.wire.completeness import Account
from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
_PLACE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([a-z0-9-]{1,63}) ([a-z0-9-]{1,36})", re.ASCII)


class Place(Struct, frozen=True):
    """An account's place in the order (day descending, then appliance and feed ascending)."""

    day: date
    appliance: str
    feed: str


class CompletenessFilter(Struct, frozen=True, kw_only=True):
    """Which accounts; None does not filter. Both days are included."""

    appliance: str | None = None
    feed: str | None = None
    first: date | None = None
    last: date | None = None
    after: Place | None = None
    limit: int = DEFAULT_LIMIT


class ReportedAccount(Struct, frozen=True):
    """An account as its appliance gave it, and what follows from it."""

    appliance: str
    reported_at: datetime
    balanced: bool
    """Whether every line that was read became something, and every record is somewhere; gaps do not count here."""
    account: Account


class CompletenessPage(Struct, frozen=True):
    """The answer: at most ``limit`` accounts, newest day first, and the cursor of the next page or null at the end."""

    accounts: list[ReportedAccount]
    next: str | None


def to_cursor(shown: ReportedAccount) -> str:
    """Name the place after ``shown``."""
    place = f"{shown.account.day} {shown.appliance} {shown.account.feed}"
    return base64.urlsafe_b64encode(place.encode("ascii")).decode("ascii").rstrip("=")


def parse_cursor(text: str) -> Place:
    """Read a cursor.

    Raises:
        ProblemError: ``malformed_request``.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        match = _PLACE.fullmatch(raw)
        if match is not None:
            return Place(day=date.fromisoformat(match[1]), appliance=match[2], feed=match[3])
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise ProblemError(
        ProblemCode.MALFORMED_REQUEST,
        detail="the cursor is not one that this receiver gave",
        hint="Use the `next` of the page before, unchanged, or leave it out.",
    )
