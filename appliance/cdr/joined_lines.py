"""Records whose facts stand in several lines: an INVITE and its BYE, the events of one channel.

A joiner says of each line which call it belongs to; the lines of a call that is not over are held here. Every line is
counted once: where a call gives its record, the line that ends it stands for the record and the others are ignored;
where it gives none, all of them are refused. A call whose end never comes is refused as unpaired, at the end of the
file or when more is held than the bounds allow; the oldest goes first.

A parser that starts in the middle of a file holds what ``held`` gave before, and nothing else: of the lines before it,
which may have a gap, it cannot know which calls are over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct

from appliance.cdr.line_parser import EARLIEST, Outcome, Splitter, bounded
from appliance.cdr.record import CallRecord, Line, Parsed, QuarantineReason, Refused
from appliance.cdr.zone_check import ZoneCheck

MAX_HELD_LINES: Final = 2000
"""Calls that are going on at one site; they are stored with the position at every step."""
MAX_HELD_BYTES: Final = 2 * 1024 * 1024
_AHEAD: Final = timedelta(days=2)

Made = TypeVar("Made")
Content_contra = TypeVar("Content_contra", contravariant=True)
Facts = TypeVar("Facts")


class Role(Enum):
    """What a line does to its call."""

    OPENS = auto()
    """A call begins; where it is known already, it is one more line of it."""
    ADDS = auto()
    """One more line of a call that is known; otherwise ``Joiner.alone`` decides."""
    ENDS = auto()
    """The last line of a call that is known; otherwise ``Joiner.alone`` decides."""


class Piece(Struct, Generic[Facts], frozen=True, gc=False):
    """What one line says about a call."""

    key: bytes
    """The same for all lines of a call."""
    role: Role
    facts: Facts


class Joiner(Protocol[Content_contra, Facts]):
    """One dialect at one file. A line that waits is read again after a restart, so that it must not be counted."""

    def read(self, line: Line, content: Content_contra, now: datetime, /) -> Piece[Facts] | Outcome:
        """Read one line: a piece, or what ``line_parser.Reader`` may say. Never raises on any content."""
        ...

    def alone(self, line: Line, facts: Facts, /) -> Outcome:
        """Decide about a line that adds to, or ends, a call of which nothing is held."""
        ...

    def join(self, line: Line, pieces: Sequence[Facts], /) -> CallRecord | QuarantineReason:
        """Make the record of a call from its lines in their order; ``line`` is the last."""
        ...


class _Call(Struct, Generic[Facts], frozen=True):
    lines: list[Line]
    facts: list[Facts]


class _Tally:
    """What lines gave so far."""

    __slots__ = ("_latest", "ignored", "records", "refused")

    def __init__(self, latest: datetime) -> None:
        self._latest = latest
        self.records: list[CallRecord] = []
        self.refused: list[Refused] = []
        self.ignored = 0

    def settle(self, lines: Sequence[Line], outcome: Outcome) -> None:
        """Count each of ``lines`` once, the lines of which ``outcome`` was made."""
        if isinstance(outcome, CallRecord):
            outcome = bounded(outcome, self._latest)
        if isinstance(outcome, CallRecord):
            self.records.append(outcome)
            self.ignored += len(lines) - 1
        elif outcome is None:
            self.ignored += len(lines)
        else:
            self.refused += [Refused(line, outcome) for line in lines]


class JoinedLines(Generic[Made, Facts]):
    """Implements ``dialect.LineParser`` for a joiner."""

    __slots__ = ("_calls", "_held_bytes", "_held_lines", "_joiner", "_lost", "_split", "zone_check")

    def __init__(
        self, joiner: Joiner[Made, Facts], split: Splitter[Made], *, zone_check: ZoneCheck | None = None
    ) -> None:
        """Start at the beginning of a file; ``zone_check`` is what the joiner notes times and epochs in, if it does."""
        self.zone_check = zone_check
        self._joiner = joiner
        self._split = split
        self._lost: list[Line] = []
        self._forget()

    def parse(self, lines: Sequence[Line], *, now: datetime) -> Parsed:
        """See ``dialect.LineParser``; dates over two days after ``now`` are refused."""
        tally = _Tally(now + _AHEAD)
        tally.settle(self._lost, QuarantineReason.UNPAIRED)
        self._lost = []
        read = self._joiner.read
        for line, content in zip(lines, self._split(lines), strict=True):
            outcome = content if isinstance(content, QuarantineReason) else read(line, content, now)
            if isinstance(outcome, Piece):
                self._take(line, outcome, tally)
            else:
                tally.settle((line,), outcome)
        return Parsed(tally.records, tally.refused, tally.ignored)

    def rewind(self, preceding: Sequence[Line], *, held: Sequence[Line] = ()) -> None:
        """See ``dialect.LineParser``; the lines before are for what the joiner itself remembers."""
        self.parse(preceding, now=EARLIEST)
        self._lost = []
        self._forget()
        self.parse(held, now=EARLIEST)
        waiting = set(map(id, self.held()))
        # The settings may have changed since: what cannot be read any more is refused with the next lines.
        self._lost = [line for line in held if id(line) not in waiting]

    def held(self) -> Sequence[Line]:
        """See ``dialect.LineParser``; the lines of the oldest call first."""
        return [*self._lost, *(line for call in self._calls.values() for line in call.lines)]

    def finish(self) -> Parsed:
        """See ``dialect.LineParser``."""
        refused = [Refused(line, QuarantineReason.UNPAIRED) for line in self.held()]
        self._lost = []
        self._forget()
        return Parsed([], refused, 0)

    def _forget(self) -> None:
        self._calls: dict[bytes, _Call[Facts]] = {}
        self._held_lines = self._held_bytes = 0

    def _take(self, line: Line, piece: Piece[Facts], tally: _Tally) -> None:
        call = self._calls.get(piece.key)
        if call is None:
            if piece.role is not Role.OPENS:
                tally.settle((line,), self._joiner.alone(line, piece.facts))
                return
            call = self._calls[piece.key] = _Call([], [])
        call.lines.append(line)
        call.facts.append(piece.facts)
        self._held_lines += 1
        self._held_bytes += len(line.content)
        if piece.role is Role.ENDS:
            self._release(piece.key)
            tally.settle(call.lines, self._joiner.join(line, call.facts))
            return
        while self._held_lines > MAX_HELD_LINES or self._held_bytes > MAX_HELD_BYTES:
            oldest = self._release(next(iter(self._calls)))
            tally.settle(oldest.lines, QuarantineReason.UNPAIRED)

    def _release(self, key: bytes) -> _Call[Facts]:
        call = self._calls.pop(key)
        self._held_lines -= len(call.lines)
        self._held_bytes -= sum(len(line.content) for line in call.lines)
        return call
