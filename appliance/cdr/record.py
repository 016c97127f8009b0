"""What every dialect yields, and why a line may be refused.

These values hold phone digits: they live between ``intake`` and ``pseudonymization``, in memory only, and their
``repr`` shows none of it.
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from appliance.wire.call import Direction, Disposition


class QuarantineReason(StrEnum):
    """Permanent codes: why a line gives no record. Each is defended in docs/reference/dialects.md."""

    LINE_TOO_LONG = "line_too_long"
    """More than 64 KiB without a line end."""
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


class Quarantined(Struct, frozen=True, gc=False):
    """A line refused: its reason. The content stays with the caller, who encrypts or forgets it."""

    reason: QuarantineReason


class Ignored(Struct, frozen=True, gc=False):
    """A line that is known to be no record: a header, an empty line."""


Outcome = CallRecord | Quarantined | Ignored


class Line(NamedTuple):
    """One framed line: where it starts in the file (bytes), and its bytes without the line end."""

    offset: int
    content: bytes


class FeedContext(Struct, frozen=True):
    """What a dialect must be told of the site: it never reads a clock or a settings file."""

    zone: tzinfo


class LineParser(Protocol):
    """Reads the lines of one file in order. It may remember earlier lines (a header, how often a line occurred)."""

    def parse(self, lines: Sequence[Line], *, now: datetime) -> list[Outcome]:
        """Give one outcome for each line, in order; ``now`` (UTC) bounds dates. Never raises on any bytes."""
        ...

    def rewind(self, preceding: Sequence[Line]) -> None:
        """Start in the middle of a file: take note of the lines before, which were recorded earlier."""
        ...


class Dialect(Protocol):
    """One way PBXs write call records: metadata for ``natalia-appliance dialects``, and a parser for each file."""

    @property
    def name(self) -> str:
        """As in settings and on the wire."""
        ...

    @property
    def description(self) -> str:
        """One line for the installer: which PBX, which versions."""
        ...

    @property
    def transports(self) -> tuple[str, ...]:
        """How the feed reaches the appliance."""
        ...

    @property
    def identity(self) -> str:
        """What identifies a record."""
        ...

    @property
    def inherent_loss(self) -> str:
        """Which loss the feed itself can have, before the appliance sees it."""
        ...

    @property
    def manual(self) -> str:
        """The manual or source that the column map cites."""
        ...

    def open(self, context: FeedContext) -> LineParser:
        """Start a parser for one file."""
        ...
