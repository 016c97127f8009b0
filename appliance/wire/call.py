"""What leaves the site about one call leg: this list and nothing else.

Every field is required, so that one value has one encoding and a missing field is an error, not a default.
Tokens are spelled in letters only: a search for digits in what leaves finds the clear digits that policy
allows, times, durations and versions, never an accident of a random token.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from appliance.wire.limits import MAX_CLEAR_DIGITS, MAX_DURATION_SECONDS

NIBBLE_LETTERS: Final = "abcdefghijklmnop"
"""One letter a nibble: ``a`` is 0, ``p`` is 15 (big-endian, as hexadecimal)."""

Token = Annotated[
    str,
    Meta(
        pattern=r"^[a-p]{32}\Z",
        description="128 bits of a keyed MAC, one letter a-p per nibble; equal tokens mean equal inputs",
        examples=["aokbnjciplmdehfgaokbnjciplmdehfg"],
    ),
]
Pseudonym = Annotated[
    str,
    Meta(
        pattern=r"^k[1-9][0-9]{0,3}_[a-p]{32}\Z",
        description="The key version and 128 bits of a keyed MAC of the canonical number",
        examples=["k1_aokbnjciplmdehfgaokbnjciplmdehfg"],
    ),
]
ClearDigits = Annotated[
    str,
    Meta(
        pattern=rf"^[0-9]{{1,{MAX_CLEAR_DIGITS}}}\Z",
        description="The last digits of an external number of at least 8 national digits, as the site's policy allows",
        examples=["0193"],
    ),
]
Seconds = Annotated[int, Meta(ge=0, le=MAX_DURATION_SECONDS, description="Whole seconds")]
UtcTime = Annotated[datetime, Meta(tz=True, description="UTC, RFC 3339, millisecond precision at most")]
Leg = Annotated[int, Meta(ge=1, le=9999, description="Orders the legs of one call; 1 is the first")]
KeyVersion = Annotated[int, Meta(ge=1, le=9999, description="Version of the tenant secret the tokens were made with")]
FeedId = Annotated[
    str,
    Meta(
        pattern=r"^[a-z](?:[a-z-]{0,30}[a-z])?[0-9]{0,4}\Z",
        description="The site's name of the feed; at most four digits, so that no number can be one",
        examples=["main", "branch-office2"],
    ),
]
DialectName = Annotated[
    str,
    Meta(
        pattern=r"^(?!.*[0-9]{5})[a-z][a-z0-9_]{0,31}\Z",
        description="How the PBX wrote the record; never five digits in a row, so that no number can be one",
        examples=["asterisk_csv"],
    ),
]


class Category(StrEnum):
    """What kind of number a party has; all that is said of a number whose digits may not be shown."""

    EXTERNAL = "external"
    """A public number, E.164."""
    INTERNAL = "internal"
    """An extension of the site."""
    EMERGENCY = "emergency"
    """112 and the country's own emergency numbers."""
    SHORT = "short"
    """A public number too short for E.164: help lines, operator services."""
    SERVICE = "service"
    """A feature code or an internal target of the PBX: ``*60``, ``s``, ``i``."""
    WITHHELD = "withheld"
    """The caller withheld the number; never a pseudonym, which would look like one person."""
    URI = "uri"
    """A SIP address whose user part is no number."""
    UNKNOWN = "unknown"
    """Nothing of the above, a name in a number column included; never a pseudonym."""


class Direction(StrEnum):
    """Seen from the site."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"
    TRANSIT = "transit"
    """From outside to outside through the PBX, as a forward does."""
    UNKNOWN = "unknown"


class Disposition(StrEnum):
    """How the leg ended."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    CONGESTION = "congestion"
    UNKNOWN = "unknown"


class Party(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One side of a leg. ``pseudonym`` and ``clear_digits`` are null where the category forbids them."""

    category: Category
    pseudonym: Pseudonym | None
    clear_digits: ClearDigits | None


class Call(Struct, frozen=True, forbid_unknown_fields=True, gc=False, tag_field="type", tag="call.v1"):
    """One leg of one call."""

    event_id: Token
    call_id: Token
    leg: Leg
    started_at: UtcTime
    answered_at: UtcTime | None
    ended_at: UtcTime
    ring_seconds: Seconds
    talk_seconds: Seconds
    total_seconds: Seconds
    direction: Direction
    disposition: Disposition
    calling: Party
    called: Party
    forwarded_to: Party | None
    feed: FeedId
    dialect: DialectName
    key_version: KeyVersion
