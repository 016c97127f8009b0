"""Cut what an OmniPCX Enterprise sends, or a file of it, into tickets, and a ticket into its fields.

Sources: Jeepers-Gitters/OXE_EAcc ``ED5.2.txt`` (48 fields, places from 1), ``tabs24.ps1`` (the Ethernet stream: marks,
772 bytes a message, and how the header of a ``TAX*.DAT`` file lists name, first and last place, length),
``fix2csv.ps1`` (one ticket).

- On the stream, ``03 04`` announces a message. It is 772 bytes long: ``01 00``, its kind, ``00``, the ticket, NULs.
  Kind 2 is a call's ticket; 1 (empty), 6 (statistics), 7 (voice quality) are not, nor are handshake and keep-alive.
- In a file, a ticket is a line; a first line that begins with ``#`` says where the fields stand in this edition.
- Collectors write the fields, without their blanks, with tabs between them, the edition left out.
"""

import re
from typing import Final, NamedTuple

from appliance.cdr.documents import DocumentFramer
from appliance.cdr.record import QuarantineReason
from appliance.cdr.record import QuarantineReason as Reason

_MESSAGE: Final = 772
_LABEL: Final = re.compile(rb"\x01\x00[\x00-\x09]\x00")
_CALL_LABEL: Final = b"\x01\x00\x02\x00"
_BORDER: Final = re.compile(rb"[\r\n]|\x03\x04(?=\x01\x00)|\x01\x00[\x00-\x09]\x00|\x00\x08TEST_R|ED\d\.\d")
_LONGEST_BORDER: Final = 9
_CONTROL: Final = re.compile(rb"[\x00-\x08]{0,4}(?:TEST_R[A-Z]{2}|[SP])?[\x00-\x08]{0,4}")
_BINARY: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_SHORTEST: Final = 211
"""Up to the duration: no other ticket begins before."""
_HEADER_FIELD: Final = re.compile(r"([A-Za-z]\w{1,40})[,;\t ] ?(\d{1,4})[,;\t ] ?(\d{1,4})(?!\d)", re.ASCII)
_MOST_PLACES: Final = 4096


class Ticket(NamedTuple):
    """The fields that are read, as text without blanks; empty where the edition has none."""

    called: str
    charged: str
    node: str
    calling: str
    call_type: str
    end: str
    duration: str
    reference: str
    initial: str
    waiting: str
    redirected: str
    start: str


_NAMES: Final = (
    *("CalledNumber", "ChargedNumber", "ChargedPartyNode", "CallingNumber", "CallType", "EndDateTime", "Duration"),
    *("CallReference", "InitialDialledNumber", "WaitingDuration", "RedirectedCallIndicator", "StartDateTime"),
)
"""Of ``Ticket``'s fields, in the manual's words."""
_REQUIRED: Final = frozenset({"CalledNumber", "ChargedNumber", "CallingNumber", "CallType", "EndDateTime", "Duration"})


class Edition(NamedTuple):
    """Where the fields stand."""

    places: tuple[slice, ...]
    """Of each of ``Ticket``'s fields."""
    shortest: int
    """A ticket that ends before was torn: up to here, something stands in every one."""


ED_5_2: Final = Edition(
    (
        *(slice(5, 35), slice(35, 65), slice(111, 116), slice(136, 166), slice(166, 168), slice(169, 186)),
        *(slice(201, 211), slice(348, 358), slice(395, 425), slice(425, 430), slice(440, 441), slice(441, 458)),
    ),
    458,
)
_TABBED: Final = ((0, 1, 5, 7, 8, 10, 13, 26, 34, 35, 37, 38), 47)
"""Which of the tab-separated fields, and how many there are."""


class OxeScanner:
    """Finds where a ticket or a message ends; see ``documents.Scanner``."""

    __slots__ = ("_scanned",)

    def __init__(self) -> None:
        """Start before the document."""
        self._scanned = 1

    def end(self, data: bytes, start: int, /) -> int:
        """See ``documents.Scanner``."""
        if data[start : start + 1] in {b"\n", b"\r"}:
            return start + 1
        if _LABEL.match(data, start):
            return self._message_end(data, start)
        for match in _BORDER.finditer(data, start + self._scanned):
            if match[0] in {b"\n", b"\r"}:
                return match.end()
            if match[0][:1] != b"E" or match.start() - start >= _SHORTEST:
                return match.start()
        self._scanned = max(1, len(data) - start - _LONGEST_BORDER)
        return 0

    def _message_end(self, data: bytes, start: int) -> int:
        torn = data.find(b"\x03\x04\x01\x00", start + 4, start + _MESSAGE)
        if torn >= 0:
            return torn
        return start + _MESSAGE if len(data) - start >= _MESSAGE else 0


def oxe_framer(offset: int) -> DocumentFramer:
    """Cut tickets, from a stream or a file."""
    return DocumentFramer(OxeScanner, offset)


def ticket_text(document: bytes) -> str | QuarantineReason | None:
    """Give the ticket, or the header, that a document holds; None if it is known to hold none."""
    if _LABEL.match(document):
        if not document.startswith(_CALL_LABEL):
            return None
        document = document[4:]
    elif _CONTROL.fullmatch(document):
        return None
    if len(document) > _MOST_PLACES:
        return Reason.LINE_TOO_LONG
    document = document.rstrip(b"\0")
    return Reason.BINARY if _BINARY.search(document) else document.decode("latin-1")


def header_edition(header: str) -> Edition | None:
    """Read where the fields stand from a file's header; None if it does not say."""
    places = {
        name: slice(int(first) - 1, int(last))
        for name, first, last in _HEADER_FIELD.findall(header)
        if 0 < int(first) <= int(last) <= _MOST_PLACES
    }
    if not places.keys() >= _REQUIRED:
        return None
    shortest = max(places[name].stop for name in ("CallType", "EndDateTime", "Duration"))
    return Edition(tuple(places.get(name, slice(0)) for name in _NAMES), shortest)


def read_ticket(text: str, edition: Edition) -> Ticket | None:
    """Read a ticket by its edition; None if it is too short to be one."""
    if "\t" in text:
        wanted, count = _TABBED
        cells = text.split("\t")
        return Ticket(*(cells[index].strip() for index in wanted)) if len(cells) == count else None
    return Ticket(*(text[place].strip() for place in edition.places)) if len(text) >= edition.shortest else None
