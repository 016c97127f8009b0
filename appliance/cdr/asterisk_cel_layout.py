"""Which column is what in Asterisk's channel event logs, and what of an event is read.

Without a header or a declared layout, rows are those of the sample configuration's ``Master.csv``: 20 columns, or 21
with the literal that newer samples show. A row is proved by its time, its flags and its id.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.cdr.dialect import unread

SAMPLE: Final = (
    *("eventtype", "eventtime", "cidname", "cidnum", "ani", "rdnis", "dnid", "exten", "context", "channame"),
    *("appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "bridgepeer", "userfield"),
    *("userdeftype", "eventextra"),
)
"""The columns of ``Master.csv`` in cel_custom.conf.sample."""
WITH_LITERAL: Final = (SAMPLE[0], "-", *SAMPLE[1:])
COLUMNS: Final = {
    "eventtype": "which event: says what the line does to its call",
    "eventenum": "which event, where `eventtype` does not say",
    "eventtime": "time: converted to UTC",
    "cidnum": "number: becomes the calling party, or the called one of a channel that was dialled",
    "exten": "number: becomes the called party",
    "dnid": "number: becomes the called party where `exten` names none",
    "cidname": "never leaves; looked at only to see that the caller withheld the number",
    "context": "never leaves; looked at only to tell an incoming call",
    "channame": "never leaves; a number that a local channel dials becomes the called party",
    "amaflags": "never leaves; proves the row",
    "uniqueid": "never leaves; goes into a keyed hash, and its epoch decides what a local time meant",
    "linkedid": "never leaves; goes into a keyed hash",
    "eventextra": "never leaves; looked at for the cause of a hangup and the number that a call is sent on to",
} | unread(
    "ani rdnis appname appdata accountcode bridgepeer userfield userdeftype peeraccount tenantid usereventname",
    "eventtimeusec",
)
"""What becomes of each column; the lines of DTMF events are not looked at any further."""
_SPELLINGS: Final = {
    "name": "cidname",
    "num": "cidnum",
    "cidani": "ani",
    "cidrdnis": "rdnis",
    "ciddnid": "dnid",
    "acctcode": "accountcode",
    "peer": "bridgepeer",
    "peeracct": "peeraccount",
    "extra": "eventextra",
}
"""Other names of the same, in advanced mappings and in the table ``cel``; blanks and underscores are left out."""
_REQUIRED: Final = frozenset({"eventtime", "uniqueid"})
_EVENT_NAMES: Final = frozenset({"eventtype", "eventenum"})
_FLAGS: Final = frozenset(
    {"", "0", "1", "2", "3", "NONE", "OMIT", "BILLING", "DOCUMENTATION", "IGNORE", "BILL", "Unknown", "UNKNOWN"}
)


class Event(NamedTuple):
    """The columns that are read, as text; empty where the layout has none."""

    eventtype: str
    eventenum: str
    eventtime: str
    cidname: str
    cidnum: str
    dnid: str
    exten: str
    context: str
    channame: str
    amaflags: str
    uniqueid: str
    linkedid: str
    eventextra: str


class EventLayout(Struct, frozen=True):
    """One column set, compiled: ``pick`` reads an ``Event`` from a row to which one empty column was appended."""

    width: int
    pick: Callable[[Sequence[str]], tuple[str, ...]]

    def event(self, row: Sequence[str]) -> Event:
        """Read a row that is at least as wide as the layout."""
        return Event._make(self.pick([*row[: self.width], ""]))


def fits(event: Event) -> bool:
    """Whether the flags and the id are such, and no quote stands where numbers do."""
    is_id = event.uniqueid != "" and " " not in event.uniqueid
    return event.amaflags in _FLAGS and is_id and '"' not in event.cidnum and '"' not in event.exten


def compile_events(names: Sequence[str]) -> EventLayout | None:
    """Compile columns by any of their names; None unless those that every event needs are among them."""
    known = [spelled(name) for name in names]
    if not (set(known) >= _REQUIRED and not _EVENT_NAMES.isdisjoint(known)):
        return None
    where = {name: index for index, name in reversed(list(enumerate(known)))}
    width = len(known)
    return EventLayout(width, itemgetter(*(where.get(field, width) for field in Event._fields)))


def spelled(name: str) -> str:
    """Give the name of a column as ``COLUMNS`` has it."""
    name = name.strip().lower().replace("_", "").replace(" ", "")
    return _SPELLINGS.get(name, name)
