"""Drives a dialect's reader over lines, and holds every record to the bounds that no dialect may widen.

A reader decides about one row, text or document. What is the same for all of them is here: which lines are text, the
dates and the order of times that a call can have, and the count of what became of each line.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from appliance.cdr.record import CallRecord, Line, Parsed, QuarantineReason, Refused
from appliance.cdr.zone_check import ZoneCheck
from appliance.wire.limits import MAX_DURATION_SECONDS

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""No PBX that is still in use wrote a record before."""
_AHEAD: Final = timedelta(days=2)
_LONGEST: Final = timedelta(seconds=MAX_DURATION_SECONDS)

Content_contra = TypeVar("Content_contra", contravariant=True)
Made = TypeVar("Made")
Outcome = CallRecord | QuarantineReason | None
"""What a reader says of a line: a record, why there is none, or None where the line is known to be no record."""


class Reader(Protocol[Content_contra]):
    """One dialect at one file: it may remember a header, or how often a key occurred."""

    def read(self, line: Line, content: Content_contra, now: datetime, /) -> Outcome:
        """Decide about one line, whose ``content`` the splitter made. Never raises on any content."""
        ...


Splitter = Callable[[Sequence[Line]], Iterator[Made | QuarantineReason]]
"""Makes, of lines, what the reader takes, one for each line, or says why it cannot."""


class ReaderParser(Generic[Made]):
    """Implements ``dialect.LineParser`` for a reader that decides about each line when it comes."""

    __slots__ = ("_reader", "_split", "zone_check")

    def __init__(self, reader: Reader[Made], split: Splitter[Made], *, zone_check: ZoneCheck | None = None) -> None:
        """Start at the beginning of a file; ``zone_check`` is what the reader notes times and epochs in, if it does."""
        self._reader = reader
        self._split = split
        self.zone_check = zone_check

    def parse(self, lines: Sequence[Line], *, now: datetime) -> Parsed:
        """See ``dialect.LineParser``; dates over two days after ``now`` are refused."""
        records: list[CallRecord] = []
        refused: list[Refused] = []
        latest = now + _AHEAD
        read = self._reader.read
        for line, content in zip(lines, self._split(lines), strict=True):
            outcome = content if isinstance(content, QuarantineReason) else read(line, content, now)
            if isinstance(outcome, CallRecord):
                outcome = bounded(outcome, latest)
                if isinstance(outcome, CallRecord):
                    records.append(outcome)
                    continue
            if outcome is not None:
                refused.append(Refused(line, outcome))
        return Parsed(records, refused, len(lines) - len(records) - len(refused))

    def rewind(self, preceding: Sequence[Line], *, held: Sequence[Line] = ()) -> None:
        """See ``dialect.LineParser``."""
        self.parse(sorted([*held, *preceding], key=lambda line: line.offset), now=EARLIEST)

    def held(self) -> Sequence[Line]:
        """See ``dialect.LineParser``."""
        return ()

    def finish(self) -> Parsed:
        """See ``dialect.LineParser``."""
        return Parsed([], [], 0)


def bounded(record: CallRecord, latest: datetime) -> CallRecord | QuarantineReason:
    """Give the record back, or why a call cannot have its times."""
    start, end, answer = record.started_at, record.ended_at, record.answered_at
    if start < EARLIEST or end > latest or end - start > _LONGEST:
        return QuarantineReason.DATE_OUT_OF_RANGE
    if start > end or (answer is not None and not start <= answer <= end):
        return QuarantineReason.TIME_ORDER
    return record
