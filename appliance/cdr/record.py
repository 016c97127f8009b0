"""What every dialect yields, and why a line may be refused.

These values hold phone digits: they live between ``intake`` and ``pseudonymization``, in memory only, and their
``repr`` shows none of it.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from appliance.wire.call import Direction, Disposition


class QuarantineReason(StrEnum):
    """Permanent codes: why a line gives no record. Each is defended in docs/reference/dialects.md."""

    LINE_TOO_LONG = "line_too_long"
    """More than 64 KiB without a line end, or a document over 1 MiB."""
    LINE_TORN = "line_torn"
    """The file ends, or was replaced, within the line."""
    BINARY = "binary"
    """Control bytes where text belongs."""
    COLUMN_COUNT = "column_count"
    """No known layout of the dialect has that many columns."""
    TYPE_SIGNATURE = "type_signature"
    """The columns do not have the types of any known layout."""
    DATE_INVALID = "date_invalid"
    """No such date or time of day."""
    DATE_OUT_OF_RANGE = "date_out_of_range"
    """Before the year 2000, or more than two days ahead."""
    DATE_AMBIGUOUS = "date_ambiguous"
    """Day and month cannot be told apart, and no epoch in the line decides."""
    LOCAL_TIME_NONEXISTENT = "local_time_nonexistent"
    """Within the hour that the site's zone skips, and no epoch in the line decides."""
    TIME_ORDER = "time_order"
    """It ends before it starts, or was answered outside that span."""
    UNPAIRED = "unpaired"
    """Its record needs another line (the end of a call, or its beginning) that never came."""


class CallRecord(Struct, frozen=True, gc=False):
    """One leg as the PBX wrote it, times already UTC, numbers still clear.

    ``natural_key`` is what makes the record itself unique within the feed; ``call_key`` is shared by the legs of
    one call. Both are hashed with a secret before anything leaves.
    """

    natural_key: bytes
    call_key: bytes
    leg: int
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    ring_seconds: int
    talk_seconds: int
    total_seconds: int
    direction: Direction
    """``UNKNOWN`` where the PBX does not say; ``numbering`` then decides from the parties."""
    disposition: Disposition
    calling: str
    called: str
    forwarded_to: str
    """Empty where the leg was not forwarded."""

    def __repr__(self) -> str:
        """Show that it is a record, and nothing of it."""
        return "CallRecord(…)"


class Line(Struct, frozen=True, gc=False):
    """One framed line or document: where it starts in the feed (bytes), and its bytes without what ends it."""

    offset: int
    content: bytes

    def __repr__(self) -> str:
        """Say where it stands, not what it holds."""
        return f"Line(offset={self.offset})"


class Refused(Struct, frozen=True, gc=False):
    """A line that gives no record, and why. Its content goes into the encrypted quarantine and nowhere else."""

    line: Line
    reason: QuarantineReason


class Parsed(Struct, frozen=True):
    """What lines gave. Lines that are in none of the three are held: their record needs a line that is yet to come."""

    records: list[CallRecord]
    refused: list[Refused]
    ignored: int
    """How many lines are known to be no record (a header, an empty line), or part of another line's record."""
