"""Reads both kinds of record of Cisco Unified Communications Manager (CUCM), which come in one folder or one feed.

A CDR (``cdrRecordType`` 1) is one leg between two parties: a plain call has one, a transfer three, each with parties
and times of its own. All share the global call id (cluster, node, number); the node counts its numbers anew after a
while, so that they identify no record: ``pkid`` does. In a forwarded call ``originalCalledPartyNumber`` was dialled and
``finalCalledPartyNumber`` was reached. ``lastRedirectDn`` is who sent the call on last, a party that the record names
already or that has a record of its own, so that it is not read. ``dateTimeConnect`` is 0 where nobody answered.

A CMR (``cdrRecordType`` 2) says how well one device heard one leg: no other party, no start but what its duration
gives. It is not a call of its own: whoever counts calls counts call ids, which CDRs and CMRs of one call share.

Times are epoch seconds, so that no zone and no clock change matters. The header may change within a feed, after an
upgrade; rows go by the header before them. One that stands behind the file's head is kept for a restart.
It does not normalise numbers; ``b00…`` are conference and recording bridges, no telephones.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from appliance.cdr.cisco_cucm_layout import (
    CALL,
    KINDS,
    CallFields,
    Layout,
    QualityFields,
    call_times,
    declared,
    quality_times,
)
from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.q850 import unanswered
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition

_call_fields: Final[Callable[[Sequence[str]], CallFields]] = partial(tuple.__new__, CallFields)
"""``_make`` without its check of the length, which ``pick`` fixes: half the time."""
_quality_fields: Final[Callable[[Sequence[str]], QualityFields]] = partial(tuple.__new__, QualityFields)


class CucmReader:
    """Reads the rows of one file in order; remembers its headers and the last 64 KiB of call ids."""

    __slots__ = ("_headers", "_known", "_window")

    def __init__(self) -> None:
        """Start at the beginning of a file."""
        self._window = OccurrenceWindow()
        self._known: dict[str, Layout] = {}
        self._headers: dict[str, Line] = {}

    def headers(self) -> list[Line]:
        """The header lines in force that a restart would not be shown with the file's head."""
        return [line for line in self._headers.values() if line.offset >= HEAD_BYTES]

    def read(self, line: Line, row: Row, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        width = len(row)
        # Columns that a layout does not have are read from this empty one.
        row.append("")
        fitting = False
        for kind in KINDS:
            layout = self._known.get(kind.record_type) or kind.standard.get(width)
            if layout is not None and layout.has(row):
                fitting = True
                picked = layout.pick(row)
                if picked[0] == kind.record_type:
                    return self._call(line, picked) if kind is CALL else self._quality(line, picked)
        if not any(row):
            return None
        header = declared(row, self._known)
        if header is None:
            return Reason.TYPE_SIGNATURE if fitting else Reason.COLUMN_COUNT
        kind, layout = header
        if layout is not self._known.get(kind.record_type):
            self._known[kind.record_type] = layout
            self._headers[kind.record_type] = line
        return None

    def _call(self, line: Line, picked: tuple[str, ...]) -> CallRecord | Reason:
        fields = _call_fields(picked)
        times = call_times(fields)
        if times is None:
            return Reason.TYPE_SIGNATURE
        started_at, answered_at, ended_at = times
        call_key, leg = self._leg(line, fields)
        total = ended_at - started_at
        total_seconds = ring_seconds = total.days * 86_400 + total.seconds
        talk_seconds = 0
        disposition = Disposition.ANSWERED
        if answered_at is None:
            disposition = unanswered(fields.destcause_value, fields.origcause_value)
        else:
            rung = answered_at - started_at
            ring_seconds = rung.days * 86_400 + rung.seconds
            talk_seconds = int(fields.duration)
        called = fields.originalcalledpartynumber or fields.originalcalledpartynumber_uri
        final = fields.finalcalledpartynumber or fields.finalcalledpartynumber_uri
        # In the order of the record's fields: naming all of them would cost as much again.
        return CallRecord(
            b"pkid\0" + fields.pkid.lower().strip("{}").encode(),
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            ring_seconds,
            talk_seconds,
            total_seconds,
            Direction.UNKNOWN,
            disposition,
            fields.callingpartynumber or fields.callingpartynumber_uri,
            called or final,
            final if called and final != called else "",
        )

    def _quality(self, line: Line, picked: tuple[str, ...]) -> CallRecord | Reason:
        fields = _quality_fields(picked)
        times = quality_times(fields)
        if times is None:
            return Reason.TYPE_SIGNATURE
        ended_at, duration = times
        call_key, leg = self._leg(line, fields)
        started_at = ended_at - timedelta(seconds=duration)
        return CallRecord(
            b"cmr\0" + fields.pkid.lower().strip("{}").encode(),
            call_key,
            leg,
            started_at,
            started_at,
            ended_at,
            0,
            duration,
            duration,
            Direction.UNKNOWN,
            Disposition.ANSWERED,
            fields.directorynum,
            "",
            "",
        )

    def _leg(self, line: Line, fields: CallFields | QualityFields) -> tuple[bytes, int]:
        """Give the key of the call, the same from a CDR and a CMR, and which leg of it this is."""
        node, number = fields.globalcallid_callmanagerid, fields.globalcallid_callid
        call_key = f"cucm\0{fields.globalcallid_clusterid}\0{node}\0{number}".encode("latin-1")
        return call_key, self._window.leg(call_key, line)


class CucmParser(ReaderParser[Row]):
    """A ``ReaderParser`` that has the headers in the middle of a feed shown to it again after a restart."""

    __slots__ = ("_headers",)

    def __init__(self, reader: CucmReader) -> None:
        """Start at the beginning of a file."""
        super().__init__(reader, csv_rows())
        self._headers = reader.headers

    def held(self) -> Sequence[Line]:
        """See ``dialect.LineParser``."""
        return self._headers()


def open_cucm(_context: FeedContext) -> LineParser:
    """Start a parser; neither zone nor country matters to it."""
    return CucmParser(CucmReader())
