"""The words of exports, stated a second time: what headers call their columns, and cells their values.

A word that is taken off a table by mistake makes a whole customer's file unreadable, or its calls unanswered.
"""

import pytest

from appliance.cdr.declared_columns import VOCABULARY, header_columns
from appliance.cdr.dialect import Layout
from appliance.cdr.threecx_words import direction_between, is_inside, plain_word, unanswered_disposition
from appliance.wire.call import Direction, Disposition
from tests.support import reading

HEADERS = {
    ("calling", "english"): [
        "Calling",
        "Calling Number",
        "Caller",
        "Caller ID",
        "From",
        "Source",
        "src",
        "A-Number",
        "ANI",
    ],
    ("calling", "german"): ["Anrufer", "Anrufernummer", "Von", "Quelle", "Rufnummer Anrufer"],
    ("calling", "french"): ["Appelant", "Num\u00e9ro appelant", "N\u00b0 appelant", "\u00c9metteur"],
    ("calling", "spanish"): ["Origen", "N\u00famero origen", "Llamante"],
    ("calling", "dutch"): ["Van", "Beller", "Bron", "Nummer beller"],
    ("called", "english"): [
        "Called",
        "Called Number",
        "Callee",
        "To",
        "Destination",
        "dst",
        "Dialed Number",
        "B Number",
        "DNIS",
    ],
    ("called", "german"): ["Ziel", "Zielrufnummer", "Angerufener", "Gew\u00e4hlte Nummer", "An", "Nach"],
    ("called", "french"): ["Appel\u00e9", "Num\u00e9ro appel\u00e9", "Num\u00e9ro compos\u00e9", "Destinataire"],
    ("called", "spanish"): ["Destino", "N\u00famero de destino", "Llamado", "N\u00famero marcado"],
    ("called", "dutch"): ["Naar", "Gebelde", "Gekozen nummer", "Bestemming"],
    ("duration", "english"): ["Duration", "Duration (s)", "Call Duration", "Total Duration", "Length", "duration_sec"],
    ("duration", "german"): ["Dauer", "Gesamtdauer", "Dauer (Sek)"],
    ("duration", "french"): ["Dur\u00e9e", "Dur\u00e9e totale", "Dur\u00e9e de l'appel"],
    ("duration", "spanish"): ["Duraci\u00f3n", "Duraci\u00f3n total"],
    ("duration", "dutch"): ["Duur", "Totale duur"],
    ("talk", "english"): ["Talk", "Talking", "Talk Time", "billsec", "BillSec", "Billable Seconds", "Conversation"],
    ("talk", "german"): ["Gespr\u00e4chsdauer", "Sprechzeit"],
    ("talk", "french"): ["Dur\u00e9e de conversation", "Dur\u00e9e communication"],
    ("talk", "spanish"): ["Tiempo hablado", "Tiempo conversaci\u00f3n"],
    ("talk", "dutch"): ["Gespreksduur", "Gesprekstijd", "Spreektijd"],
    ("ring", "english"): ["Ring", "Ringing", "Ring Time", "Wait Time"],
    ("ring", "german"): ["Klingeldauer", "Wartezeit"],
    ("ring", "french"): ["Sonnerie", "Attente"],
    ("ring", "spanish"): ["Tiempo de espera"],
    ("ring", "dutch"): ["Beltijd", "Wachttijd"],
    ("answer", "english"): ["Answer", "Answer Time", "Answered At", "AnswerTime", "Connect Time", "Connected"],
    ("answer", "german"): ["Angenommen"],
    ("answer", "french"): ["D\u00e9croch\u00e9", "Heure de r\u00e9ponse"],
    ("end", "english"): ["End", "End Time", "EndTime", "Ended At", "Hangup", "Disconnect Time", "Stop"],
    ("end", "german"): ["Ende", "Endzeit"],
    ("end", "french"): ["Fin", "Heure de fin"],
    ("end", "spanish"): ["Hora fin"],
    ("end", "dutch"): ["Eindtijd", "Einde"],
    ("direction", "english"): ["Direction", "Call Type", "Type", "In/Out"],
    ("direction", "german"): ["Richtung", "Anruftyp"],
    ("direction", "french"): ["Sens", "Type d'appel"],
    ("direction", "spanish"): ["Sentido", "Tipo"],
    ("direction", "dutch"): ["Richting", "Soort"],
    ("disposition", "english"): ["Disposition", "Status", "Call Status", "Result", "Hangup Cause"],
    ("disposition", "german"): ["Ergebnis"],
    ("disposition", "french"): ["Statut", "\u00c9tat", "R\u00e9sultat"],
    ("disposition", "spanish"): ["Estado", "Resultado"],
    ("disposition", "dutch"): ["Resultaat", "Toestand"],
    ("forwarded_to", "english"): ["Forwarded to", "Transferred To", "Redirected To"],
    ("forwarded_to", "german"): ["Weitergeleitet an"],
    ("forwarded_to", "french"): ["Transf\u00e9r\u00e9 \u00e0", "Renvoy\u00e9 vers"],
    ("forwarded_to", "dutch"): ["Doorgeschakeld naar"],
    ("record_id", "english"): ["Record ID", "CDR ID", "UUID"],
    ("call_id", "english"): ["Call ID", "CallID", "uniqueid", "linkedid", "Session-ID"],
}
STARTS = {
    "english": [
        "Start",
        "Start Time",
        "StartTime",
        "Call Date",
        "calldate",
        "Call Time",
        "Timestamp",
        "Date/Time",
        "Date",
    ],
    "german": ["Datum", "Startzeit", "Beginn", "Datum/Uhrzeit"],
    "french": ["Date", "Date d'appel", "D\u00e9but", "Date et heure"],
    "spanish": ["Fecha", "Inicio", "Fecha y hora"],
    "dutch": ["Datum", "Starttijd", "Datum en tijd"],
}
UNREAD = [
    *("Caller Name", "Account Code", "PIN", "Password", "User", "Trunk", "Channel", "IP Address", "Cost", "Recording"),
    *("Extension Name", "Notes", "Transcription", "DTMF", "Name", "Number", "ID", "Row", "Nummer", "Teilnehmer"),
]


@pytest.mark.parametrize(("column", "language"), HEADERS)
def test_a_header_s_names(column: str, language: str) -> None:
    """As given, in capitals, and in small letters; UTF-8 or not."""
    other = "called" if column == "calling" else "calling"
    for name in HEADERS[column, language]:
        for spelled in (name, name.upper(), name.lower(), name.encode().decode("latin-1"), f"{name}:", f" {name} "):
            columns = header_columns(["timestamp", other, spelled])
            assert columns is not None
            assert columns.names == ("start", other, column), spelled


@pytest.mark.parametrize("language", STARTS)
def test_a_header_s_names_of_the_start(language: str) -> None:
    """A date alone may hold the time of day."""
    for name in STARTS[language]:
        columns = header_columns([name, "calling"])
        assert columns is not None, name
        assert columns.names == ("start", "calling"), name


@pytest.mark.parametrize("name", UNREAD)
def test_what_no_layout_may_read_by_its_name(name: str) -> None:
    """Names of people, codes, addresses, contents: the column is not read."""
    columns = header_columns(["start", "calling", name])
    assert columns is not None
    assert columns.names == ("start", "calling", "-")


@pytest.mark.parametrize("name", VOCABULARY)
def test_the_vocabulary_is_understood_in_a_header(name: str) -> None:
    """So that a file can be made to fit."""
    columns = header_columns(["start", "date", "time", "calling", "called", name])
    assert columns is not None


DIRECTIONS = {
    Direction.INBOUND: [
        "in",
        "IN",
        "I",
        "Inbound",
        "incoming",
        "Incoming call",
        "eingehend",
        "Kommend",
        "Entrant",
        "re\u00e7u",
    ],
    Direction.OUTBOUND: [
        "out",
        "O",
        "OUTBOUND",
        "Outgoing",
        "dialed",
        "abgehend",
        "Gehend",
        "Sortant",
        "saliente",
        "Uitgaand",
    ],
    Direction.INTERNAL: ["internal", "Internal", "INT", "local", "intern", "Interne", "Interno"],
    Direction.TRANSIT: ["transit", "Tandem"],
    Direction.UNKNOWN: ["", "-", "sideways", "7", "in out"],
}
DISPOSITIONS = {
    Disposition.ANSWERED: [
        *(
            "ANSWERED",
            "Answered",
            "answer",
            "ok",
            "Success",
            "Completed",
            "connected",
            "200",
            "angenommen",
            "Verbunden",
        ),
        *("R\u00e9pondu", "Contestada", "Beantwoord"),
    ],
    Disposition.NO_ANSWER: [
        *(
            "NO ANSWER",
            "No Answer",
            "no_answer",
            "NoAnswer",
            "NOANSWER",
            "Unanswered",
            "Missed",
            "missed call",
            "CANCEL",
        ),
        *("Cancelled", "Abandoned", "timeout", "rejected", "Redirected", "487", "480", "603", "Nicht angenommen"),
        *("verpasst", "Sans r\u00e9ponse", "Manqu\u00e9", "No contestada", "Gemist", "niet beantwoord"),
    ],
    Disposition.BUSY: ["BUSY", "Busy", "user_busy", "486", "besetzt", "Occup\u00e9", "ocupado", "Bezet", "In gesprek"],
    Disposition.FAILED: [
        "FAILED",
        "Failed",
        "error",
        "CHANUNAVAIL",
        "404",
        "not found",
        "Fehlgeschlagen",
        "\u00c9chec",
        "Mislukt",
    ],
    Disposition.CONGESTION: ["CONGESTION", "Congestion", "503", "circuit_congestion"],
    Disposition.UNKNOWN: ["parked", "16", "x"],
}


def outcome(column: str, word: str) -> tuple[Direction, Disposition]:
    """What a word gives in a column."""
    layout = Layout(columns=("start", "calling", "duration", column))
    record = reading.only("generic_csv", f"2026-10-19 08:00:00,0470112233,20,{word}\n".encode(), layout=layout)
    return record.direction, record.disposition


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_words_of_directions(direction: Direction) -> None:
    """In five languages; anything else says nothing."""
    for word in DIRECTIONS[direction]:
        assert outcome("direction", word)[0] is direction, word


@pytest.mark.parametrize("disposition", DISPOSITIONS)
def test_words_of_dispositions(disposition: Disposition) -> None:
    """In five languages, and codes of SIP; anything else says nothing."""
    for word in DISPOSITIONS[disposition]:
        assert outcome("disposition", word)[1] is disposition, word


INSIDE = [
    *("Extension", "extension", "Queue", "queue", "RingGroup", "ring_group_ring_all", "ring_group_hunt", "Ivr", "ivr"),
    *("VoiceMail", "voicemail", "Conference", "ConfPlace", "Parking", "Fax", "script", "inbound_routing", "EndCall"),
]
OUTSIDE = ["Line", "line", "external_line", "ExternalLine", "External", "provider", "outbound_rule"]


@pytest.mark.parametrize("kind", INSIDE)
def test_kinds_inside_the_pbx(kind: str) -> None:
    """In the spellings of v18 and v20."""
    assert is_inside(kind) is True


@pytest.mark.parametrize("kind", OUTSIDE)
def test_kinds_outside_the_pbx(kind: str) -> None:
    """Lines and what chooses them."""
    assert is_inside(kind) is False


@pytest.mark.parametrize("kind", ["", "unknown", "Robot", "0470112233"])
def test_other_kinds_say_nothing(kind: str) -> None:
    """And are no refusal."""
    assert is_inside(kind) is None
    assert direction_between(is_inside(kind), is_inside("extension")) is Direction.UNKNOWN
    assert direction_between(is_inside("extension"), is_inside(kind)) is Direction.UNKNOWN


@pytest.mark.parametrize(
    ("reasons", "disposition"),
    [
        (["busy", "rejected"], Disposition.BUSY),
        (["none", "cancelled"], Disposition.NO_ANSWER),
        (["by_did", "redirected"], Disposition.NO_ANSWER),
        (["forward_all", "redirected"], Disposition.NO_ANSWER),
        (["no_destinations", "redirected"], Disposition.NO_ANSWER),
        (["completed_elsewhere", "cancelled"], Disposition.NO_ANSWER),
        (["Failed_Busy"], Disposition.BUSY),
        (["Failed_Cancelled"], Disposition.NO_ANSWER),
        (["Failed_NoAnswer"], Disposition.NO_ANSWER),
        (["Failed_NotFound"], Disposition.FAILED),
        (["TerminatedByDst"], Disposition.NO_ANSWER),
        (["dst_participant_terminated"], Disposition.NO_ANSWER),
        (["", "none"], Disposition.UNKNOWN),
        ([], Disposition.UNKNOWN),
    ],
)
def test_ends_of_unanswered_calls(reasons: list[str], disposition: Disposition) -> None:
    """The first word that says it decides."""
    assert unanswered_disposition(*reasons) is disposition


def test_words_are_compared_without_underscores() -> None:
    """Both spellings occur in one file after an upgrade."""
    assert plain_word("ring_group_ring_all") == plain_word("RingGroupRingAll")
