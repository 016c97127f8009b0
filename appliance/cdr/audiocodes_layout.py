"""Which field is what in the CDRs of an AudioCodes SBC.

Which fields there are, their order and their titles is the administrator's choice (``SBC CDR Format``). The device
writes its titles into the log now and then; a layout can declare the fields as well; without either they have the order
of the manuals, which grew at its end from release 6.6 (33 fields) to 7.4 (39), and in 6.8 had the method as its third.
A layout is only proposed here: ``Fields.fit`` proves it on each row by the types that cannot be mistaken.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.errors import SettingsError

UNREAD: Final = "-"
NAMES: Final = {
    "report": "sbcreporttype|gwreporttype|cdrreporttype|cdrtype|reporttype",
    "call_id": "sipcallid|callid",
    "session_id": "sessionid|globalsessionid",
    "leg_id": "legid",
    "orig": "orig|callorig|callorigin|callorigination",
    "src_uri": "srcuri|sourceuri|sourceuriaftermanipulation",
    "src_uri_before": "srcuribeforemap|sourceuribeforemanipulation",
    "dst_uri": "dsturi|destinationuri|destinationuriaftermanipulation|desturi",
    "dst_uri_before": "dsturibeforemap|destinationuribeforemanipulation",
    "redirect_uri": "redirecturinum|redirecturi",
    "redirect_uri_before": "redirecturinumbeforemap|redirecturibeforemanipulation",
    "duration": "duration|durat|callduration",
    "term_side": "trmsd|terminationside|termside",
    "term_reason": "trmreason|terminationreason|termreason",
    "term_category": "trmreasoncategory|terminationreasoncategory|termreasoncategory",
    "sip_reason": "siptrmreason|sipterminationreason|siptermreason",
    "setup_time": "setuptime|callsetuptime",
    "connect_time": "connecttime|callconnecttime",
    "release_time": "releasetime|callreleasetime",
}
"""What may be declared, and the titles that devices and manuals use, without blanks and what stands in brackets."""
_BY_TITLE: Final = {title: name for name, titles in NAMES.items() for title in titles.split("|")}
_REQUIRED: Final = frozenset({"report", "setup_time"})
_PARTIES: Final = frozenset({"src_uri", "src_uri_before", "dst_uri", "dst_uri_before"})
_ENDS: Final = frozenset({"release_time", "duration"})

_HEAD: Final = ("report", UNREAD)
_BODY: Final = (
    *("call_id", "session_id", "orig", UNREAD, UNREAD, UNREAD, UNREAD, UNREAD),
    *(
        "src_uri",
        "src_uri_before",
        "dst_uri",
        "dst_uri_before",
        "duration",
        "term_side",
        "term_reason",
        "term_category",
    ),
    *("setup_time", "connect_time", "release_time", UNREAD, "redirect_uri", "redirect_uri_before"),
    *(UNREAD, UNREAD, UNREAD, UNREAD, UNREAD, UNREAD, UNREAD, UNREAD, "sip_reason"),
)
_GROWN: Final = (UNREAD, UNREAD, UNREAD, UNREAD, "leg_id", UNREAD)
"""Description of the reason; caller and callee (names); trigger; leg; name of a voice connector."""


class Fields(NamedTuple):
    """What is read of a row, as text without padding; empty where the layout has none."""

    report: str
    call_id: str
    session_id: str
    leg_id: str
    orig: str
    src_uri: str
    src_uri_before: str
    dst_uri: str
    dst_uri_before: str
    redirect_uri: str
    redirect_uri_before: str
    duration: str
    term_side: str
    term_reason: str
    term_category: str
    sip_reason: str
    setup_time: str
    connect_time: str
    release_time: str


_SIDES: Final = frozenset({"", "LCL", "RMT", "UNKN", "UNKNOWN", "LOCAL", "REMOTE"})


class Layout(Struct, frozen=True):
    """One set of fields, compiled."""

    width: int
    pick: Callable[[Sequence[str]], tuple[str, ...]]

    def fit(self, row: Sequence[str]) -> Fields | None:
        """Read ``row``; None unless its length is the layout's and each field of a certain type has it.

        That the times are times is for the caller to see, who reads them anyway.
        """
        surplus = len(row) - self.width
        if surplus < 0 or any(row[self.width :]):
            return None
        fields = Fields._make(self.pick([*row[: self.width], ""]))
        fits = (
            fields.report == "CALL_END"
            and fields.orig.upper() in _SIDES
            and fields.term_side.upper() in _SIDES
            and (not fields.duration or _is_count(fields.duration))
            and (not fields.leg_id or _is_count(fields.leg_id))
        )
        return fields if fits else None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10  # noqa: PLR2004  digits of 31 days in milliseconds


def _compiled(names: Sequence[str]) -> Layout:
    where = {name: place for place, name in reversed(list(enumerate(names)))}
    return Layout(len(names), itemgetter(*(where.get(field, len(names)) for field in Fields._fields)))


def _usual() -> tuple[Layout, ...]:
    orders = [(*_HEAD, *_BODY, *_GROWN[:count]) for count in range(len(_GROWN), -1, -1)]
    return tuple(map(_compiled, [*orders, (*_HEAD, UNREAD, *_BODY), (*_HEAD, UNREAD, *_BODY, UNREAD)]))


USUAL: Final = _usual()
"""The orders of the manuals, the widest first: a row that ends in empty fields fits the one it was written by."""


def titled_layout(row: Sequence[str]) -> Layout | None:
    """Compile a row of titles; None if the row is none, or has not what a record needs."""
    names = [_BY_TITLE.get(_plain(title), UNREAD) for title in row]
    return _compiled(names) if _is_enough(frozenset(names)) else None


def declared_layout(columns: Sequence[str]) -> Layout:
    """Compile the fields that an administrator declares.

    Raises:
        SettingsError: lists what makes no sense in them.
    """
    mistakes = [
        f"layout.columns: column {place} is none of -, {', '.join(NAMES)}, or declared a second time"
        for place, name in enumerate(columns, start=1)
        if name != UNREAD and (name not in NAMES or name in columns[: place - 1])
    ]
    if not _is_enough(frozenset(columns)):
        mistakes.append("layout.columns: report, setup_time, release_time or duration, and a URI are needed")
    if mistakes:
        raise SettingsError(mistakes)
    return _compiled(columns)


def _is_enough(known: frozenset[str]) -> bool:
    return known >= _REQUIRED and not known.isdisjoint(_PARTIES) and not known.isdisjoint(_ENDS)


def _plain(title: str) -> str:
    """Give a title in small letters, without blanks, signs and what stands in brackets."""
    return "".join(sign for sign in title[:60].partition("(")[0].lower() if sign.isalnum())
