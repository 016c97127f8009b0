"""Dialect ``threecx_v20_cdroutput``: 3CX v20's table ``cdroutput`` (Update 6 and later), exported from PostgreSQL.

A row is a segment: one source that reaches one destination (a queue, each of its agents, a script, an extension, a
line), or tries to. All segments of a call are its legs; the one that goes on in another (``continued_in_cdr_id``) does
not say where, the other row does. Columns are those of the header, in any order and separated by whatever ``psql``,
pgAdmin or ``COPY`` put there; without a header they are the table's 42.
A party inside is its ``dn_number``; one outside is its phone number, for its ``dn_number`` is the trunk. Times have
their offset (``timestamptz``).

Sources: public index 52467670521 (the table's columns and words), 44263594577 (3CX' own reports on it);
goboss33/GRR-Stats-3CX (real rows).
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.cdr.csv_rows import Row
from appliance.cdr.dialect import Dialect, FeedContext, LineParser, unread
from appliance.cdr.durations import between
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.line_parser import Outcome, ReaderParser
from appliance.cdr.local_time import Reading, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.separated_rows import SeparatedRows, names_separator
from appliance.cdr.threecx_words import direction_between, is_inside, unanswered_disposition
from appliance.cdr.written_number import is_number
from appliance.cdr.written_times import WrittenTimes
from appliance.wire.call import Disposition

_TABLE: Final = (
    *("cdr_id", "call_history_id", "source_participant_id", "source_entity_type", "source_dn_number"),
    *("source_dn_type", "source_dn_name", "source_participant_name", "source_participant_phone_number"),
    *("source_participant_trunk_did", "source_participant_is_incoming", "source_participant_is_already_connected"),
    *("source_participant_group_name", "source_participant_billing_suffix", "destination_participant_id"),
    *("destination_entity_type", "destination_dn_number", "destination_dn_type", "destination_dn_name"),
    *("destination_participant_name", "destination_participant_phone_number"),
    *("destination_participant_trunk_did", "destination_participant_is_incoming"),
    *("destination_participant_is_already_connected", "destination_participant_group_name"),
    *("destination_participant_billing_suffix", "base_cdr_id", "originating_cdr_id", "creation_method"),
    *("creation_forward_reason", "termination_reason", "terminated_by_participant_id", "continued_in_cdr_id"),
    *("cdr_started_at", "cdr_ended_at", "cdr_answered_at", "termination_reason_details", "processed", "migrated"),
    *("main_call_history_id", "source_presentation", "offload_id"),
)
_NEEDED: Final = frozenset(
    {"cdr_id", "cdr_started_at", "cdr_ended_at", "source_entity_type", "destination_entity_type"}
)
_NULLS: Final = frozenset({"\\N", "NULL", "null", "[null]", "<null>", "(null)", '""'})
"""How tools spell SQL's NULL; 3CX itself writes two quotes for an empty text."""
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_WORD: Final = re.compile(r"[a-z_]{0,40}", re.ASCII)
_FOOTER: Final = re.compile(r"\(\d{1,12} [A-Za-z]{1,12}\)", re.ASCII)
_RULE: Final = frozenset("-+|= ")
_WITHIN: Final = "s"
"""Numbering's word for a target within the PBX that has no number: a script, an inbound rule."""

COLUMNS: Final = {
    "cdr_id": "never leaves; goes into a keyed hash",
    "call_history_id": "never leaves; goes into a keyed hash where `main_call_history_id` is empty",
    "main_call_history_id": "never leaves; goes into a keyed hash",
    "source_entity_type": "never leaves; tells which number is the caller's, and the direction",
    "source_dn_number": "number: becomes the calling party, if it is inside",
    "source_participant_phone_number": "number: becomes the calling party, if it is outside",
    "destination_entity_type": "never leaves; tells which number is the called one, and the direction",
    "destination_dn_number": "number: becomes the called party, if it is inside",
    "destination_participant_phone_number": "number: becomes the called party, if it is outside",
    "termination_reason": "never leaves; tells how an unanswered segment ended",
    "termination_reason_details": "never leaves; tells how an unanswered segment ended",
    "cdr_started_at": "time: converted to UTC",
    "cdr_answered_at": "time: converted to UTC; empty if nobody answered",
    "cdr_ended_at": "time: converted to UTC",
} | unread(
    "source_participant_id source_dn_type source_dn_name source_participant_name source_participant_trunk_did",
    "source_participant_is_incoming source_participant_is_already_connected source_participant_group_name",
    "source_participant_billing_suffix destination_participant_id destination_dn_type destination_dn_name",
    "destination_participant_name destination_participant_trunk_did destination_participant_is_incoming",
    "destination_participant_is_already_connected destination_participant_group_name",
    "destination_participant_billing_suffix base_cdr_id originating_cdr_id creation_method creation_forward_reason",
    "terminated_by_participant_id continued_in_cdr_id processed migrated source_presentation offload_id",
)


class _Fields(NamedTuple):
    """The columns that are read; the names are the table's."""

    cdr_id: str
    call_history_id: str
    main_call_history_id: str
    source_entity_type: str
    source_dn_number: str
    source_participant_phone_number: str
    destination_entity_type: str
    destination_dn_number: str
    destination_participant_phone_number: str
    termination_reason: str
    termination_reason_details: str
    cdr_started_at: str
    cdr_answered_at: str
    cdr_ended_at: str


class _Columns(Struct, frozen=True):
    """A column set, compiled: ``pick`` reads the fields from a row to which one empty column was appended."""

    width: int
    pick: Callable[[Sequence[str]], tuple[str, ...]]


def _compiled(names: Sequence[str]) -> _Columns:
    where = {name: place for place, name in enumerate(names)}
    return _Columns(len(names), itemgetter(*(where.get(field, len(names)) for field in _Fields._fields)))


_WHOLE_TABLE: Final = _compiled(_TABLE)


def _header(row: Row) -> _Columns | None:
    names = [name.strip().lower() for name in row]
    return _compiled(names) if _NEEDED.issubset(names) else None


class SegmentReader:
    """Reads the rows of one file in order; remembers a header in the file's head, and 64 KiB of calls."""

    __slots__ = ("_columns", "_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._columns = _WHOLE_TABLE
        self._times = WrittenTimes(context.zone, None)
        self._window = OccurrenceWindow()

    def read(self, line: Line, row: Row, now: datetime, /) -> Outcome:  # noqa: ARG002  the date is in the row
        """See ``line_parser.Reader``."""
        width = self._columns.width
        row.append("")
        if len(row) > width and not any(map(str.strip, row[width:])):
            fields = _Fields._make(map(_cell, self._columns.pick(row)))
            if _GUID.fullmatch(fields.cdr_id):
                return self._segment(line, fields)
        del row[-1]
        if self._is_known(line, row):
            return None
        return Reason.TYPE_SIGNATURE if len(row) >= width else Reason.COLUMN_COUNT

    def _is_known(self, line: Line, row: Row) -> bool:
        """Say whether the row is known to be no record; remember it if it is a header."""
        header = _header(row)
        if header is not None and line.offset < HEAD_BYTES:
            self._columns = header
        text = "".join(row).strip()
        return header is not None or _RULE.issuperset(text) or bool(_FOOTER.fullmatch(text)) or names_separator(line)

    def _segment(self, line: Line, fields: _Fields) -> CallRecord | Reason:
        read = self._times.read
        start, end = read(fields.cdr_started_at), read(fields.cdr_ended_at)
        answer = read(fields.cdr_answered_at) if fields.cdr_answered_at else None
        words = (fields.source_entity_type, fields.destination_entity_type, fields.termination_reason)
        if (
            start is None
            or end is None
            or (answer is None) != (not fields.cdr_answered_at)
            or not all(map(_WORD.fullmatch, words))
        ):
            return Reason.TYPE_SIGNATURE
        # Legs are counted before anything that depends on the times can refuse the row.
        natural_key = b"cdr_id\0" + fields.cdr_id.lower().encode("latin-1")
        call = fields.main_call_history_id or fields.call_history_id or fields.cdr_id
        call_key = b"call\0" + call.lower().encode("latin-1")
        leg = self._window.leg(call_key, line)
        span = _settled(start, answer, end)
        if isinstance(span, Reason):
            return span
        started_at, answered_at, ended_at = span
        calling_inside, called_inside = is_inside(fields.source_entity_type), is_inside(fields.destination_entity_type)
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            max(between(started_at, answered_at or ended_at), 0),
            max(between(answered_at or ended_at, ended_at), 0),
            between(started_at, ended_at),
            direction_between(calling_inside, called_inside),
            Disposition.ANSWERED
            if answered_at is not None
            else unanswered_disposition(fields.termination_reason_details, fields.termination_reason),
            _party(calling_inside, fields.source_dn_number, fields.source_participant_phone_number),
            _party(called_inside, fields.destination_dn_number, fields.destination_participant_phone_number),
            "",
        )


def _cell(text: str) -> str:
    text = text.strip()
    return "" if text in _NULLS else text


def _party(inside: bool | None, line: str, phone: str) -> str:  # noqa: FBT001 - what ``is_inside`` says
    """Give the number of a party, as written; the empty text for one outside that did not show it."""
    if inside is False:
        return phone
    return next(filter(is_number, (line, phone)), _WITHIN if inside else phone)


def _settled(
    start: Reading, answer: Reading | None, end: Reading
) -> tuple[datetime, datetime | None, datetime] | Reason:
    """Decide each time; they are uncertain only in exports that lost the offset."""
    started_at = decide(start, near=end if isinstance(end, datetime) else None)
    if isinstance(started_at, Reason):
        return started_at
    ended_at = decide(end, near=started_at)
    if isinstance(ended_at, Reason):
        return ended_at
    answered_at = decide(answer, near=ended_at) if answer is not None else None
    return answered_at if isinstance(answered_at, Reason) else (started_at, answered_at, ended_at)


def _shows_separator(row: Row) -> bool:
    return _header(row) is not None or (len(row) == _WHOLE_TABLE.width and bool(_GUID.fullmatch(_cell(row[0]))))


def _open(context: FeedContext) -> LineParser:
    return ReaderParser(SegmentReader(context), SeparatedRows(context.layout.separator, _shows_separator).split)


DIALECT: Final = Dialect(
    name="threecx_v20_cdroutput",
    description="3CX v20 table cdroutput, exported from PostgreSQL with or without its header",
    transports=("file",),
    identity="cdr_id; main_call_history_id joins the segments of a call",
    inherent_loss="3CX removes old rows: what is not exported before is lost",
    manual="3CX v20 table cdroutput; goboss33/GRR-Stats-3CX",
    columns=COLUMNS,
    open=_open,
    options=frozenset({"separator"}),
)
