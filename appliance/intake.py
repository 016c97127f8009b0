"""Use case: source → dialect → pseudonym → buffer. One step is one read and one commit.

Clear numbers exist only within a step. A step that the full buffer refuses is kept, already translated, and offered
again; the source is not read meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from appliance.cdr.record import (
    CallRecord,
    Dialect,
    FeedContext,
    Line,
    LineParser,
    Outcome,
    Quarantined,
    QuarantineReason,
)
from appliance.ports import CallBuffer, CdrSource, Clock, Intake, QuarantinedLine, SourceBatch
from appliance.pseudonymization.call import CallEncoder
from appliance.wire.codec import encode_call

READ_BYTES: Final = 1024 * 1024
"""About 4,000 rows of a backlog: a number that returns among them is normalised and hashed once."""


class Translation(Struct, frozen=True):
    """Lines as they may leave: encoded records, refused lines, and how many were known to be no record."""

    calls: list[bytes]
    quarantined: list[QuarantinedLine]
    ignored: int


class Translator:
    """Dialect, numbering and pseudonyms in one: lines of one feed in, encoded records out."""

    def __init__(self, dialect: Dialect, context: FeedContext, encoder: CallEncoder) -> None:
        """Translate what ``dialect`` reads at a site with ``context``, by ``encoder``'s policy."""
        self._dialect = dialect
        self._context = context
        self._encoder = encoder
        self._parser: LineParser = dialect.open(context)

    def restart(self, preceding: Sequence[Line]) -> None:
        """Begin another file, of which ``preceding`` was recorded before."""
        self._parser = self._dialect.open(self._context)
        self._parser.rewind(preceding)

    def translate(self, lines: Sequence[Line], *, now: datetime, unterminated: bool = False) -> Translation:
        """Translate lines in order; ``unterminated`` says that the last one may be torn."""
        outcomes = self._parser.parse(lines, now=now)
        if unterminated:
            outcomes[-1:] = [_as_torn(outcome) for outcome in outcomes[-1:]]
        calls: list[bytes] = []
        quarantined: list[QuarantinedLine] = []
        to_call = self._encoder.to_call
        for line, outcome in zip(lines, outcomes, strict=True):
            if isinstance(outcome, CallRecord):
                calls.append(encode_call(to_call(outcome)))
            elif isinstance(outcome, Quarantined):
                quarantined.append(QuarantinedLine(line.offset, outcome.reason, line.content))
        self._encoder.forget()
        return Translation(calls, quarantined, len(outcomes) - len(calls) - len(quarantined))


class FeedIntake:
    """Moves one feed into the buffer."""

    def __init__(self, source: CdrSource, translator: Translator, buffer: CallBuffer, clock: Clock) -> None:
        """Read ``source`` from where ``buffer`` says it stood."""
        self._source = source
        self._translator = translator
        self._buffer = buffer
        self._clock = clock
        self._held: Intake | None = None
        source.resume(buffer.position(source.feed))

    @property
    def feed(self) -> str:
        """The feed's id."""
        return self._source.feed

    def step(self) -> bool:
        """Read, translate and commit once; False if there was nothing new.

        Raises:
            SourceError: the feed cannot be read now.
            BufferFullError: what was read is held and offered again by the next step.
            BufferUnusableError: the buffer must be reopened.
        """
        intake = self._held or self._next()
        if intake is None:
            return False
        self._held = intake
        self._buffer.append(intake)
        self._held = None
        return True

    def _next(self) -> Intake | None:
        batch = self._source.read(max_bytes=READ_BYTES)
        if batch is None:
            return None
        now = self._clock.now()
        translation = self._translate(batch, now)
        return Intake(
            feed=self._source.feed,
            day=now.date().isoformat(),
            calls=translation.calls,
            quarantined=translation.quarantined,
            ignored=translation.ignored,
            position=batch.position,
        )

    def _translate(self, batch: SourceBatch, now: datetime) -> Translation:
        if batch.restarted:
            self._translator.restart(batch.preceding)
        return self._translator.translate(batch.lines, now=now, unterminated=batch.unterminated)


def _as_torn(outcome: Outcome) -> Outcome:
    """A last line without line end that gives no record was cut off, whatever it looks like."""
    return Quarantined(QuarantineReason.LINE_TORN) if isinstance(outcome, Quarantined) else outcome
