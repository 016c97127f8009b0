"""What an appliance says of each feed and day: what was read, what became of it, where it is, and what never came.

Counts, days, feed ids, codes and the times of gaps; nothing of a call. A day is the UTC date of reading. Every line
and every record has one place, so two sums must hold; ``balanced`` says whether they do.
"""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from appliance.wire.call import FeedId, UtcTime
from appliance.wire.limits import MAX_ACCOUNTS_PER_REPORT, MAX_COUNT, MAX_GAPS_PER_ACCOUNT, MAX_REASONS_PER_ACCOUNT

Tally = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Change = Annotated[int, Meta(ge=-MAX_COUNT, le=MAX_COUNT)]
ReportNumber = Annotated[int, Meta(ge=1, le=2**53 - 1, description="Orders one appliance's reports")]
Day = Annotated[
    str,
    Meta(
        pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]\Z",
        description="UTC date of reading",
        examples=["2026-10-20"],
    ),
]
ReasonCode = Annotated[
    str,
    Meta(
        pattern=r"^(?!.{41})[a-z]+(?:_[a-z]+)*(?:_[0-9]{3})?\Z",
        description="A permanent code of this product, or `http_` and a status",
        examples=["column_count"],
    ),
]


class GapCause(StrEnum):
    """Why a source could not deliver."""

    BUFFER_FULL = "buffer_full"
    """Nothing could be kept, and the source does not keep either."""
    DISCONNECTED = "disconnected"
    """The PBX could not be reached, or left."""
    SEQUENCE_GAP = "sequence_gap"
    """The PBX numbers its records, and numbers are missing."""
    TORN = "torn"
    """The connection or the file ended within a record."""
    TOO_LONG = "too_long"
    """A record without an end was cut off."""


class Gap(Struct, frozen=True, forbid_unknown_fields=True):
    """A span of time in which a feed's records were lost before they could be read."""

    began_at: UtcTime
    ended_at: UtcTime
    records: Annotated[Tally | None, Meta(description="How many, as far as that can be known")]
    cause: GapCause


class ReasonCount(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of what was kept back lies in the quarantine for one reason."""

    kind: Annotated[Literal["line", "record", "batch"], Meta(description="What was kept back")]
    reason: ReasonCode
    records: Tally


class Account(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One feed and one day. Lines became something; what was recorded is somewhere."""

    feed: FeedId
    day: Day
    read: Tally
    recorded: Tally
    quarantined: Tally
    ignored: Tally
    held: Annotated[Change, Meta(description="Lines that came to wait for another, less those that ceased to")]
    waiting: Tally
    acknowledged: Tally
    duplicate: Tally
    refused: Tally
    set_aside: Tally
    lost: Tally
    chain_broken: Tally
    reasons: Annotated[list[ReasonCount], Meta(max_length=MAX_REASONS_PER_ACCOUNT)]
    gaps: Annotated[list[Gap], Meta(max_length=MAX_GAPS_PER_ACCOUNT)]

    @property
    def missing_lines(self) -> int:
        """Lines that were read and became nothing; negative if more became something than were read."""
        return self.read - self.recorded - self.quarantined - self.ignored - self.held

    @property
    def missing_records(self) -> int:
        """Records that did not go and are not there; negative if there are more than were recorded."""
        went = self.acknowledged + self.duplicate + self.refused + self.set_aside + self.lost
        return self.recorded - went - self.waiting

    @property
    def balanced(self) -> bool:
        """Whether both sums hold. Gaps do not count here: their records were never read."""
        return self.missing_lines == 0 == self.missing_records


class Completeness(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="completeness.v1"):
    """What changed since the last report; each account replaces the one that the receiver holds."""

    number: ReportNumber
    accounts: Annotated[list[Account], Meta(min_length=1, max_length=MAX_ACCOUNTS_PER_REPORT)]


class Receipt(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="receipt.v1"):
    """The receiver's answer to a report. One that is not newer than another was not stored."""

    number: ReportNumber
    stored: bool
    newest: Annotated[int, Meta(ge=0, le=2**53 - 1, description="The highest number that the receiver has stored")]
