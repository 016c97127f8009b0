"""The columns of a file whose layout an administrator declares, or whose header names them.

``VOCABULARY`` is all that a layout may name; ``-`` is a column that is not read. A header is understood by the names
that exports use for the same things, in English, German, French, Spanish and Dutch; a column whose name is none of
them is not read. Nothing is guessed from the rows.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.errors import SettingsError

VOCABULARY: Final = {
    "start": "time: date and time of day, or an epoch; converted to UTC",
    "date": "time: the date of the start; with `time`, or alone as `start`",
    "time": "time: the time of day of the start; with `date`",
    "answer": "time: as `start`, or a time of day alone; empty if nobody answered",
    "end": "time: as `start`, or a time of day alone",
    "end_date": "time: the date of the end; with `end_time`",
    "end_time": "time: the time of day of the end",
    "duration": "duration, ringing included",
    "talk": "duration, from the answer to the end",
    "ring": "duration, from the start to the answer",
    "direction": "one of the usual words; anything else is unknown",
    "disposition": "one of the usual words; anything else is unknown",
    "calling": "number: becomes the calling party",
    "called": "number: becomes the called party",
    "forwarded_to": "number: becomes the forwarded-to party",
    "record_id": "never leaves; goes into a keyed hash: identifies the record, and must differ for each",
    "call_id": "never leaves; goes into a keyed hash: is shared by the legs of one call",
}
"""What a declared column may be, and what becomes of it."""

UNREAD: Final = "-"
_START: Final = frozenset({"start", "date"})
_PARTIES: Final = frozenset({"calling", "called"})

_NAMES: Final = {
    "start": "start|start time|starttime|start date time|start datetime|started|started at|call start|call start time|"
    "calldate|call time|date time|datetime|date and time|timestamp|time stamp|setup time|setuptime|begin|begin time|"
    "beginn|startzeit|anfang|date heure|date et heure|debut|heure debut|heure de debut|datum zeit|datum uhrzeit|"
    "inicio|hora inicio|hora de inicio|fecha hora|fecha y hora|starttijd|begintijd|datum tijd|datum en tijd",
    "date": "date|call date|start date|startdate|day|datum|anrufdatum|gesprachsdatum|startdatum|date appel|"
    "date d appel|jour|fecha|fecha llamada|fecha de inicio|dia|begindatum",
    "time": "time|time of day|hour|uhrzeit|zeit|heure|heure appel|heure d appel|hora|hora llamada|tijd|tijdstip",
    "answer": "answer|answer time|answertime|answered|answered at|answer date|connect|connect time|connected|"
    "connected at|pickup time|angenommen|annahmezeit|heure de reponse|decroche|hora respuesta|beantwoord|antwoordtijd",
    "end": "end|end time|endtime|ended|ended at|call end|call end time|stop|stop time|hangup|hangup time|disconnect|"
    "disconnect time|ende|endzeit|fin|heure fin|heure de fin|hora fin|hora de fin|eindtijd|einde|eind",
    "end_date": "end date|enddate|enddatum|date fin|date de fin|fecha fin|fecha de fin|einddatum",
    "duration": "duration|call duration|total duration|length|call length|total time|elapsed|dauer|gesamtdauer|duree|"
    "duree totale|duree appel|duree de l appel|duracion|duracion total|duur|totale duur|usage",
    "talk": "talk|talking|talk time|talktime|talk duration|billsec|bill sec|billable|billable seconds|billed|"
    "billed duration|conversation|conversation time|connected duration|answered duration|gesprachsdauer|"
    "gesprachszeit|sprechzeit|duree conversation|duree de conversation|duree communication|tiempo conversacion|"
    "tiempo hablado|gespreksduur|gesprekstijd|spreektijd",
    "ring": "ring|ringing|ring time|ringtime|ringing time|ring duration|wait|wait time|waiting time|klingeldauer|"
    "klingelzeit|rufdauer|wartezeit|sonnerie|duree sonnerie|attente|temps d attente|tiempo timbre|tiempo de espera|"
    "beltijd|wachttijd",
    "direction": "direction|call direction|type|call type|calltype|in out|richtung|anrufrichtung|anruftyp|typ|sens|"
    "type d appel|type appel|direccion|sentido|tipo|tipo de llamada|richting|soort",
    "disposition": "disposition|status|call status|result|call result|outcome|state|hangup cause|cause|"
    "disconnect reason|ergebnis|zustand|statut|etat|resultat|estado|resultado|resultaat|toestand",
    "calling": "calling|calling number|calling party|calling party number|caller|caller id|callerid|caller number|"
    "caller id number|from|from number|source|source number|src|origin|origin number|originating number|a number|"
    "a party|ani|anrufer|anrufernummer|rufnummer anrufer|von|quelle|appelant|numero appelant|"
    "numero de l appelant|n appelant|emetteur|de|origen|numero origen|numero de origen|llamante|beller|"
    "nummer beller|van|bron",
    "called": "called|called number|called party|called party number|callee|callee number|to|to number|destination|"
    "destination number|dst|dest|dialed|dialled|dialed number|dialled number|number dialed|number dialled|b number|"
    "b party|dnis|ziel|zielnummer|zielrufnummer|angerufener|angerufene nummer|gewahlte nummer|an|nach|appele|"
    "numero appele|n appele|numero compose|destinataire|a destination de|destino|numero destino|numero de destino|"
    "llamado|numero marcado|gebelde|gebeld nummer|gekozen nummer|naar|bestemming",
    "forwarded_to": "forwarded to|forward to|transferred to|transfer to|redirected to|diverted to|weiterleitung|"
    "weitergeleitet an|umgeleitet an|transfere a|transfere vers|renvoye vers|desviado a|transferido a|"
    "doorgeschakeld naar|doorverbonden met",
    "record_id": "record id|recordid|cdr id|cdrid|uuid|guid",
    "call_id": "call id|callid|linkedid|linked id|uniqueid|unique id|call uuid|session id|sessionid|originid",
}
_BY_NAME: Final = {name: column for column, names in _NAMES.items() for name in names.split("|")} | {
    name.replace("_", " "): name for name in VOCABULARY
}
_UNITS: Final = frozenset(
    {"in", "s", "sec", "secs", "seconds", "sek", "sekunden", "secondes", "segundos", "seconden", "utc"}
)
_LONGEST_NAME: Final = 40


_CONTRADICTIONS: Final[tuple[tuple[Callable[[frozenset[str]], bool], str], ...]] = (
    (lambda known: {"start", "date"} <= known, "the start is either `start`, or `date` and `time`"),
    (lambda known: "time" in known and "date" not in known, "`time` needs `date`"),
    (lambda known: "end_date" in known and "end_time" not in known, "`end_date` needs `end_time`"),
    (lambda known: {"end", "end_time"} <= known, "the end is either `end`, or `end_time` with or without `end_date`"),
)


class Fields(NamedTuple):
    """The columns that are read, as text; empty where the layout has none."""

    start: str
    date: str
    time: str
    answer: str
    end: str
    end_date: str
    end_time: str
    duration: str
    talk: str
    ring: str
    direction: str
    disposition: str
    calling: str
    called: str
    forwarded_to: str
    record_id: str
    call_id: str


class Columns(Struct, frozen=True):
    """One column set, compiled: ``pick`` reads ``Fields`` from a row to which one empty column was appended."""

    names: tuple[str, ...]
    width: int
    pick: Callable[[Sequence[str]], tuple[str, ...]]
    has_answer: bool
    """Whether there is a column for the answer, so that an empty one says that nobody answered."""
    says_unanswered: bool
    """Whether a call that nobody answered can be told from the times."""


def compile_columns(names: Sequence[str]) -> Columns:
    """Compile a column set without mistakes."""
    names = tuple(_settled(names))
    where = {name: index for index, name in enumerate(names)}
    return Columns(
        names=names,
        width=len(names),
        pick=itemgetter(*(where.get(field, len(names)) for field in Fields._fields)),
        has_answer="answer" in where,
        says_unanswered=not {"answer", "talk", "ring"}.isdisjoint(where),
    )


def declared_columns(names: Sequence[str]) -> Columns:
    """Compile what the layout declares.

    Raises:
        SettingsError: lists what makes no sense in it.
    """
    mistakes = name_mistakes(names, VOCABULARY)
    if not mistakes:
        known = frozenset(names)
        if not known & _START:
            mistakes.append("layout.columns: no column is `start` or `date`")
        if not known & _PARTIES:
            mistakes.append("layout.columns: no column is `calling` or `called`")
        mistakes += [f"layout.columns: {wrong}" for either, wrong in _CONTRADICTIONS if either(known)]
    if mistakes:
        raise SettingsError(mistakes)
    return compile_columns(names)


def name_mistakes(names: Sequence[str], known: Collection[str]) -> list[str]:
    """Say which of the declared columns are not ``known``, or declared twice; by their places, not by what they say."""
    unknown = [
        f"layout.columns: column {place} is none of -, {', '.join(known)}"
        for place, name in enumerate(names, start=1)
        if name != UNREAD and name not in known
    ]
    return unknown + [
        f"layout.columns: column {place} is declared a second time"
        for place, name in enumerate(names, start=1)
        if name in known and name in names[: place - 1]
    ]


def header_columns(cells: Sequence[str]) -> Columns | None:
    """Compile what a header names; None if the cells are no header."""
    names: list[str] = []
    for cell in cells:
        name = _column(cell)
        names.append(UNREAD if name in names else name)
    known = frozenset(names)
    return compile_columns(names) if known & _START and known & _PARTIES else None


def names_columns(texts: Iterable[str]) -> bool:
    """Say whether at least two of ``texts`` are names of columns."""
    return sum(_column(text) != UNREAD for text in texts) > 1


def _settled(names: Sequence[str]) -> list[str]:
    """Say of the columns of a start which is what: exports call the time of day `start time` beside a date."""
    known = frozenset(names)
    renamed = {}
    if "date" in known and "time" not in known:
        renamed = {"start": "time"} if "start" in known else {"date": "start"}
    if "end_date" in known and "end_time" not in known:
        renamed["end"] = "end_time"
        if "end" not in known:
            renamed["end_date"] = "end"
    if "end_time" in known and "end_date" not in known:
        renamed["end_time"] = UNREAD if "end" in known else "end"
    return [renamed.get(name, name) for name in names]


def plain_words(cell: str) -> str:
    """Give a short text in small letters without accents and signs; the empty text for one that is no name."""
    if len(cell) > _LONGEST_NAME:
        return ""
    with suppress(UnicodeError):
        # Where the bytes are no UTF-8, the cell is what it was read as.
        cell = cell.encode("latin-1").decode()
    spelled = unicodedata.normalize("NFKD", _spaced(cell)).lower()
    letters = "".join(sign if sign.isalnum() else " " for sign in spelled if not unicodedata.combining(sign))
    return " ".join(letters.split())


def _column(cell: str) -> str:
    """Give the column that a header's cell names, with or without the unit behind it."""
    name = plain_words(cell)
    words = name.split()
    while len(words) > 1 and words[-1] in _UNITS:
        words.pop()
    return _BY_NAME.get(name) or _BY_NAME.get(" ".join(words), UNREAD)


def _spaced(cell: str) -> str:
    """Part the words of ``CallDate``."""
    return "".join(
        f" {sign}" if sign.isupper() and place and cell[place - 1].islower() else sign
        for place, sign in enumerate(cell)
    )
