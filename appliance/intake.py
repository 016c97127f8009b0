"""Use case: source → dialect → pseudonym → buffer. One step is one read and one commit.

Clear numbers exist only within a step. A step that the full buffer refuses is kept, already translated, and offered
again; the source is not read meanwhile. One that cannot wait tells with its next batch what it lost: the gaps are
committed with the rows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from appliance.cdr.dialect import Dialect, FeedContext, LineParser, start
from appliance.cdr.record import Line, Parsed, QuarantineReason
from appliance.cdr.zone_check import ZoneCheck
from appliance.ports import CallBuffer, CdrSource, Clock, Intake, QuarantinedLine, SourceBatch
from appliance.pseudonymization.call import CallEncoder
from appliance.wire.call import Call

READ_BYTES: Final = 1024 * 1024
"""About 4,000 rows of a backlog: a number that returns among them is normalised and hashed once."""


class Translation(Struct, frozen=True):
    """Lines as they may leave: records, refused lines, and how many were known to be no record."""

    calls: list[Call]
    quarantined: list[QuarantinedLine]
    ignored: int


class Translator:
    """Dialect, numbering and pseudonyms in one: lines of one feed in, records that may leave out."""

    def __init__(self, dialect: Dialect, context: FeedContext, encoder: CallEncoder) -> None:
        """Translate what ``dialect`` reads at a site with ``context``, by ``encoder``'s policy.

        Raises:
            SettingsError: the context's layout is not one of the dialect's.
        """
        self._dialect = dialect
        self._context = context
        self._encoder = encoder
        self._parser: LineParser = start(dialect, context)

    def restart(self, preceding: Sequence[Line], *, held: Sequence[Line] = ()) -> None:
        """Begin another file, of which ``preceding`` was recorded before, or go on with what was ``held``."""
        self._parser = start(self._dialect, self._context)
        self._parser.rewind(preceding, held=held)

    def held(self) -> Sequence[Line]:
        """Lines whose record needs a line that is yet to come; ``restart`` must be shown them."""
        return self._parser.held()

    @property
    def zone_check(self) -> ZoneCheck | None:
        """What this file's epochs say of the site's time zone; None where the dialect has no epochs."""
        return self._parser.zone_check

    def translate(self, lines: Sequence[Line], *, now: datetime, unterminated: bool = False) -> Translation:
        """Translate lines in order; ``unterminated`` says that the last one may be torn."""
        torn = lines[-1].offset if unterminated and lines else None
        return self._translated(self._parser.parse(lines, now=now), torn)

    def finish(self) -> Translation:
        """Nothing follows in this file: translate what was held."""
        return self._translated(self._parser.finish(), None)

    def _translated(self, parsed: Parsed, torn: int | None) -> Translation:
        calls = self._encoder.to_calls(parsed.records)
        self._encoder.forget()
        quarantined = [
            # A last line without line end that gives no record was cut off, whatever it looks like.
            QuarantinedLine(
                item.line.offset,
                QuarantineReason.LINE_TORN if item.line.offset == torn else item.reason,
                item.line.content,
            )
            for item in parsed.refused
        ]
        return Translation(calls, quarantined, parsed.ignored)


class _Position(Struct, frozen=True):
    """What is stored with the rows: where the source stands, and the lines that wait for another."""

    source: bytes | None
    held: Sequence[Line]


class FeedIntake:
    """Moves one feed into the buffer."""

    def __init__(self, source: CdrSource, translator: Translator, buffer: CallBuffer, clock: Clock) -> None:
        """Read ``source`` from where ``buffer`` says it stood."""
        self._source = source
        self._translator = translator
        self._buffer = buffer
        self._clock = clock
        self._held: Intake | None = None
        stored = buffer.position(source.feed)
        position = msgspec.msgpack.decode(stored, type=_Position) if stored else _Position(None, ())
        translator.restart((), held=position.held)
        self._held_lines = len(position.held)
        source.resume(position.source)

    @property
    def feed(self) -> str:
        """The feed's id."""
        return self._source.feed

    @property
    def problems(self) -> dict[str, int]:
        """See ``ports.CdrSource``."""
        return dict(self._source.problems)

    @property
    def zone_check(self) -> ZoneCheck | None:
        """See ``Translator``."""
        return self._translator.zone_check

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
        held = self._translator.held()
        before, self._held_lines = self._held_lines, len(held)
        return Intake(
            feed=self._source.feed,
            day=now.date().isoformat(),
            read=len(batch.lines),
            calls=translation.calls,
            quarantined=translation.quarantined,
            ignored=translation.ignored,
            held=len(held) - before,
            gaps=batch.gaps,
            position=msgspec.msgpack.encode(_Position(batch.position, held)),
        )

    def _translate(self, batch: SourceBatch, now: datetime) -> Translation:
        if batch.restarted:
            # A call may begin in one file and end in the next.
            self._translator.restart(batch.preceding, held=self._translator.held())
        return self._translator.translate(batch.lines, now=now, unterminated=batch.unterminated)
