"""The fields of a declared layout to a record: what times, durations and words mean where only they are given.

What a file does not give is worked out: the end from the start and the durations, the answer from the talk or ring
time. Where one duration is all that a file gives, a call that lasted was answered at once: such lists are bills.
A field that should be a time or a duration and is neither refuses the row, whatever else is in it.
It does not know columns; ``declared_columns`` does.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from appliance.cdr.declared_columns import Columns, Fields, plain_words
from appliance.cdr.dialect import FeedContext
from appliance.cdr.durations import USUAL_SECONDS, between
from appliance.cdr.local_time import Reading, decide
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.written_number import number_beside_name
from appliance.cdr.written_times import WrittenTimes, written_seconds
from appliance.wire.call import Direction, Disposition

Word = TypeVar("Word", Direction, Disposition)

_NOTHING: Final = frozenset({"", "-", "--", "null", "\\n", "n/a", "none", "nil"})
"""How exports spell an empty cell (in small letters)."""
_NO_TIME: Final = _NOTHING | frozenset({"0", "0000-00-00 00:00:00", "1970-01-01 00:00:00", "1970-01-01t00:00:00z"})
"""How they spell an answer or an end that was not."""
_LONGEST_WORD: Final = 40
_LONGEST_CODE: Final = 3
_WITHHELD: Final = frozenset(
    {
        *(
            "anonymous",
            "restricted",
            "withheld",
            "private",
            "unavailable",
            "anonym",
            "anonyme",
            "anoniem",
            "anonimo",
            "anonymous caller",
            "private caller",
            "blocked",
            "hidden",
        ),
        *("hidden number", "number withheld", "caller id withheld", "unterdruckt", "rufnummer unterdruckt"),
        *("unbekannt", "unbekannte rufnummer", "masque", "numero masque", "prive", "numero prive", "inconnu"),
        *("oculto", "numero oculto", "privado", "numero privado", "desconocido", "onbekend", "onbekend nummer"),
        *("prive nummer", "privenummer", "afgeschermd", "geheim nummer"),
    }
)
"""How exports in other languages than English spell a withheld number."""


class _RefusedError(Exception):
    """The row gives no record."""

    def __init__(self, reason: Reason) -> None:
        """Keep why."""
        super().__init__(reason)
        self.reason = reason


def _spelled(table: Mapping[Word, str]) -> dict[str, Word]:
    """Give the words in their usual spellings."""
    words = {word: value for value, row in table.items() for word in row.split("|")}
    return {form(word): value for form in (str.upper, str.title, str.capitalize, str) for word, value in words.items()}


_DIRECTIONS: Final = _spelled(
    {
        Direction.INBOUND: "in|i|inbound|incoming|incoming call|received|inbound call|terminating|eingehend|ankommend|"
        "kommend|entrant|entrante|appel entrant|recu|inkomend|binnenkomend",
        Direction.OUTBOUND: "out|o|outbound|outgoing|outgoing call|outbound call|dialed|dialled|placed|originating|"
        "ausgehend|abgehend|gehend|sortant|saliente|appel sortant|emis|uitgaand",
        Direction.INTERNAL: "internal|int|local|internal call|intern|interne|interno|interna|extension",
        Direction.TRANSIT: "transit|tandem",
    }
)
_DISPOSITIONS: Final = _spelled(
    {
        Disposition.ANSWERED: "answered|answer|ok|success|successful|completed|complete|connected|accepted|yes|"
        "call answered|angenommen|beantwortet|verbunden|erfolgreich|repondu|decroche|abouti|contestada|contestado|"
        "atendida|beantwoord|aangenomen|200",
        Disposition.NO_ANSWER: "no answer|noanswer|not answered|unanswered|missed|missed call|no|cancel|cancelled|"
        "canceled|originator cancel|abandoned|no user response|no response|timeout|timed out|ring no answer|rejected|"
        "declined|call rejected|nicht angenommen|unbeantwortet|verpasst|abgelehnt|non repondu|sans reponse|manque|"
        "appel manque|redirected|no contestada|perdida|niet beantwoord|onbeantwoord|gemist|geen antwoord|408|480|487|"
        "603",
        Disposition.BUSY: "busy|user busy|line busy|besetzt|occupe|ocupado|bezet|in gesprek|486|600",
        Disposition.FAILED: "failed|failure|fail|error|unreachable|not found|unallocated number|invalid number|"
        "no route|chanunavail|fehlgeschlagen|fehler|echec|echoue|fallida|fallido|mislukt|403|404|484|500|502",
        Disposition.CONGESTION: "congestion|circuit congestion|no circuit|network congestion|503",
    }
)
_NOT_ANSWERED: Final = frozenset(Disposition) - {Disposition.ANSWERED, Disposition.UNKNOWN}


class FieldReader:
    """Reads the rows of one feed in order; remembers the last 64 KiB of keys."""

    __slots__ = ("_times", "_window")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._times = WrittenTimes(context.zone, context.layout.date_order)
        self._window = OccurrenceWindow()

    def record(self, line: Line, columns: Columns, fields: Fields) -> CallRecord | Reason:
        """Give the record of ``fields`` (without blanks around them), which ``line`` holds."""
        try:
            return self._record(line, columns, fields)
        except _RefusedError as refused:
            return refused.reason

    def _record(self, line: Line, columns: Columns, fields: Fields) -> CallRecord:
        start = self._start(fields)
        total, talk, ring = _duration(fields.duration), _duration(fields.talk), _duration(fields.ring)
        direction = _word(_DIRECTIONS, fields.direction) or Direction.UNKNOWN
        disposition = _word(_DISPOSITIONS, fields.disposition) or Disposition.UNKNOWN
        answer = self._later(fields.answer, start)
        end = self._later(_end(fields), start)
        # Keys are counted before anything that depends on the times can refuse the row.
        natural_key, call_key, leg = self._keys(line, fields)
        started_at, answered_at, ended_at = _settled(start, answer, end, (total, talk, ring))
        if total is None:
            total = between(started_at, ended_at)
        if answered_at is None and _was_answered(disposition, columns, (total, talk, ring)):
            answered_at = started_at + timedelta(seconds=_rung(total, talk, ring))
        if answered_at is None:
            talk, ring = 0, total
        elif talk is None:
            talk = max(between(answered_at, ended_at), 0)
        if disposition is Disposition.UNKNOWN and fields.disposition in _NOTHING:
            disposition = _told_by_times(columns, answered=answered_at is not None)
        return CallRecord(
            natural_key,
            call_key,
            leg,
            started_at,
            answered_at,
            ended_at,
            max(between(started_at, answered_at), 0) if ring is None and answered_at else ring or 0,
            talk,
            total,
            direction,
            disposition,
            _party(fields.calling),
            _party(fields.called),
            _party(fields.forwarded_to),
        )

    def _start(self, fields: Fields) -> Reading:
        reading = self._times.read(f"{fields.date} {fields.time}" if fields.date else fields.start)
        if reading is None and fields.date:
            # Some exports have the date in a column of its own and once more beside the time.
            reading = self._times.read(fields.time)
        if reading is None:
            raise _RefusedError(Reason.TYPE_SIGNATURE)
        return reading

    def _later(self, text: str, start: Reading) -> Reading | None:
        """Read an answer or an end; None if there was none."""
        if not text or text.lower() in _NO_TIME:
            return None
        first = start if isinstance(start, datetime) else next(iter(start.candidates), None)
        if first is None:
            # The start's date does not exist, and refuses the row once its key is counted.
            return None
        reading = self._times.read_after(text, first)
        if reading is None:
            raise _RefusedError(Reason.TYPE_SIGNATURE)
        return reading

    def _keys(self, line: Line, fields: Fields) -> tuple[bytes, bytes, int]:
        """Give the natural key, the call's key and the leg's number."""
        if fields.record_id:
            natural_key = b"id\0" + fields.record_id.encode("utf-8", "surrogateescape")
        else:
            natural_key = self._window.line_key(line)
        if not fields.call_id:
            return natural_key, natural_key, 1
        call_key = b"call\0" + fields.call_id.encode("utf-8", "surrogateescape")
        return natural_key, call_key, self._window.leg(call_key, line)


_Durations = tuple[int | None, int | None, int | None]


def _settled(
    start: Reading, answer: Reading | None, end: Reading | None, durations: _Durations
) -> tuple[datetime, datetime | None, datetime]:
    """Decide each uncertain time by the others, and work out the end where there is none."""
    total, talk, ring = durations
    if total is None and (talk is not None or ring is not None):
        total = (talk or 0) + (ring or 0)
    length = timedelta(seconds=total or 0)
    started_at = _decided(start, near=end - length if isinstance(end, datetime) else None)
    ended_at = started_at + length if end is None else _decided(end, near=started_at + length)
    if answer is None:
        return started_at, None, ended_at
    near = ended_at - timedelta(seconds=talk) if talk is not None else started_at + timedelta(seconds=ring or 0)
    answered_at = _decided(answer, near=near)
    if end is None and total is None:
        ended_at = answered_at
    return started_at, answered_at, ended_at


def _decided(reading: Reading, *, near: datetime | None) -> datetime:
    decided = decide(reading, near=near)
    if isinstance(decided, Reason):
        raise _RefusedError(decided)
    return decided


def _was_answered(disposition: Disposition, columns: Columns, durations: _Durations) -> bool:
    """Say whether a row without the time of an answer is of a call that was answered."""
    total, talk, ring = durations
    if disposition in _NOT_ANSWERED:
        return False
    if disposition is Disposition.ANSWERED:
        return True
    if talk is not None:
        return talk > 0
    if columns.has_answer:
        return False
    return bool(total and total > (ring or 0))


def _rung(total: int, talk: int | None, ring: int | None) -> int:
    """Give how long it rang before the answer: what is not talk, within the call."""
    rung = ring if ring is not None else total - talk if talk is not None else 0
    return min(max(rung, 0), total)


def _told_by_times(columns: Columns, *, answered: bool) -> Disposition:
    if answered:
        return Disposition.ANSWERED
    return Disposition.NO_ANSWER if columns.says_unanswered else Disposition.UNKNOWN


def _end(fields: Fields) -> str:
    return f"{fields.end_date} {fields.end_time}" if fields.end_date and fields.end_time else fields.end


def _duration(text: str) -> int | None:
    """Read a duration; None if there is none."""
    value = USUAL_SECONDS.get(text)
    if value is None and text.lower() not in _NOTHING:
        value = written_seconds(text)
        if value is None:
            raise _RefusedError(Reason.TYPE_SIGNATURE)
    return value


def _word(table: Mapping[str, Word], text: str) -> Word | None:
    """Read a word; None if it is none that is known. What cannot be a word or a code slid into the column."""
    if not text:
        return None
    if len(text) > _LONGEST_WORD or (len(text) > _LONGEST_CODE and text.isdecimal()):
        raise _RefusedError(Reason.TYPE_SIGNATURE)
    return table.get(text) or table.get(plain_words(text))


def _party(text: str) -> str:
    """Give a number as written, without the name beside it; the empty text for none."""
    if text[-1:].isdecimal():
        return text
    number = number_beside_name(text)
    if number is not text:
        return number
    if text.lower() in _NOTHING:
        return ""
    # "Anonymous (anonymous)": in the brackets stands what was presented.
    beside = text[:-1].rpartition("(")[2] if text.endswith(")") else text
    return "anonymous" if plain_words(beside) in _WITHHELD else text
