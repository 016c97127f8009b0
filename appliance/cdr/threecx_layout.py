"""Which column is what in a line of 3CX' CDR output, whose columns and their order the administrator chooses.

Known are 3CX' own order (27 columns, or the first 12 and more of them: older versions and shorter selections) and two
orders seen in use. Others are declared, named by a header, or inferred from a line that leaves no doubt: three
different times, and a chain that tells the caller's column from the called extension's.
Columns are proven on each line by their types: a line that has something else where a time, a clock, a word, an id or
the chain must be fits no layout. Commas are not quoted: one that stands in a name is put back if there is one way only.

Sources: 3cx.com/docs/cdr-call-data-records; dorel14/3CX-Cdr-Server; tim4biz.com/pbx/3cx.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import combinations_with_replacement
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec import Struct

from appliance.cdr.declared_columns import UNREAD, name_mistakes
from appliance.cdr.written_times import WrittenTimes
from appliance.errors import SettingsError

COLUMNS: Final = (
    *("historyid", "callid", "duration", "time-start", "time-answered", "time-end", "reason-terminated"),
    *("from-no", "to-no", "from-dn", "to-dn", "dial-no", "reason-changed", "final-number", "final-dn"),
    *("bill-code", "bill-rate", "bill-cost", "bill-name", "chain", "from-type", "to-type", "final-type"),
    *("from-dispname", "to-dispname", "final-dispname", "missed-queue-calls"),
)
"""All columns, in 3CX' own order."""
_DURATION_FIRST: Final = (
    *("duration", "time-start", "time-answered", "time-end", "from-no", "to-no", "from-type", "to-type"),
    *("final-type", "reason-terminated", "historyid", "callid", "dial-no", "final-number", "chain"),
    *("missed-queue-calls", "from-dn", "to-dn", "reason-changed", "final-dn", "bill-rate", "bill-cost", "bill-name"),
    *("from-dispname", "to-dispname", "final-dispname", "bill-code"),
)
_START_FIRST: Final = (
    *("time-start", "dial-no", "from-dn", "duration", "time-answered", "time-end", "reason-terminated"),
    *("reason-changed", "missed-queue-calls", "from-no", "to-no", "to-dn", "final-number", "final-dn", "from-type"),
    *("to-type", "final-type", "from-dispname", "to-dispname", "final-dispname"),
)
UNTOLD: Final = "-"
"""Stands for ``time-answered`` where the layout does not have it: an empty one says that nobody answered."""
_SHORTEST: Final = 12
_MOST_SURPLUS: Final = 3
"""How many commas the names of one line may hold."""
_PREFIX: Final = "Call "
CHAIN: Final = "Chain:"
_TIMES: Final = ("time-start", "time-answered", "time-end")
_PARTIES: Final = frozenset({"from-no", "to-no"})
_UNMISTAKABLE: Final = {
    "duration": re.compile(r"\d\d:\d\d:\d\d", re.ASCII),
    "callid": re.compile(r"[0-9A-F]{16}_\d{1,9}", re.ASCII | re.IGNORECASE),
    "reason-terminated": re.compile(r"TerminatedBy(?:Src|Dst)|(?:src|dst)_participant_terminated", re.ASCII),
}
"""Forms that no other column has, a name least of all."""


class Fields(NamedTuple):
    """The columns that are read, as text; empty where the layout has none. No name is among them."""

    historyid: str
    callid: str
    duration: str
    start: str
    answered: str
    end: str
    terminated: str
    from_no: str
    to_no: str
    dial_no: str
    final_number: str
    chain: str
    from_type: str
    to_type: str


_READ: Final = {
    "historyid": "historyid",
    "callid": "callid",
    "duration": "duration",
    "time-start": "start",
    "time-answered": "answered",
    "time-end": "end",
    "reason-terminated": "terminated",
    "from-no": "from_no",
    "to-no": "to_no",
    "dial-no": "dial_no",
    "final-number": "final_number",
    "chain": "chain",
    "from-type": "from_type",
    "to-type": "to_type",
}
_SPARE: Final = {"from-dn": "from-no", "to-dn": "to-no"}
_NUMBERS: Final = {"from-no": frozenset({"from-no"}), "to-no": frozenset({"to-no", "dial-no"})}
# Possessive throughout: a line is looked at once, whatever it holds.
_TIME: Final = r"\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9}+)?+Z?+"
_ID: Final = r"[0-9A-Za-z_.-]{0,64}+"
_NUMBER: Final = r"(?!Chain:)[^\s,;]{0,64}+"
_WORD: Final = r"[A-Za-z_]{0,40}+"
_TEXT: Final = r"[^,]*+"
_TYPES: Final = (
    dict.fromkeys(("historyid", "callid"), _ID)
    | dict.fromkeys(("from-no", "to-no", "dial-no", "final-number", "from-dn", "to-dn", "final-dn"), _NUMBER)
    | dict.fromkeys(("reason-terminated", "reason-changed", "from-type", "to-type", "final-type"), _WORD)
    | {
        "duration": r"(?:\d{1,3}+:\d\d:\d\d)?+",
        "time-start": _TIME,
        "time-answered": f"(?:{_TIME})?+",
        "time-end": _TIME,
        "chain": r"(?:Chain:[^,]*+)?+",
    }
)
"""What each column must be, without the blanks around it; any other is text, which is not read."""
_DATED: Final = re.compile(_TIME, re.ASCII)


class Layout(Struct, frozen=True):
    """One column set, compiled: ``pattern`` proves and cuts a line, ``pick`` sorts what it found."""

    names: tuple[str, ...]
    pattern: re.Pattern[str]
    head: re.Pattern[str]
    """The columns before the first of text, where no comma can have been put in."""
    pick: Callable[[Sequence[str]], tuple[str, ...]]
    texts: tuple[int, ...]
    """Places of the columns that hold text, and may hold commas."""

    def fit(self, text: str) -> Fields | None:
        """Read a line; None unless each column has its type."""
        match = self.pattern.fullmatch(text)
        return Fields._make(self.pick((*match.groups(), "", UNTOLD))) if match else None


def compile_layout(names: Sequence[str]) -> Layout:
    """Compile the columns ``names``."""
    # Where the number of a party is not there, that of its line has to do.
    spare = {name: party for name, party in _SPARE.items() if not _NUMBERS[party] & {*names}}
    read = [spare.get(name, name) for name in names if spare.get(name, name) in _READ]
    places = {"answered": len(read) + 1} | {_READ[name]: place for place, name in enumerate(read)}
    cells = [_cell(spare.get(name, name)) for name in names]
    texts = tuple(place for place, name in enumerate(names) if name not in _TYPES)
    return Layout(
        names=tuple(names),
        # Columns that are empty may follow.
        pattern=re.compile(",".join(cells) + "(?:, *+){0,64}+", re.ASCII),
        head=re.compile(",".join(cells[: texts[0]] if texts else cells), re.ASCII),
        pick=itemgetter(*(places.get(field, len(read)) for field in Fields._fields)),
        texts=texts,
    )


def _cell(name: str) -> str:
    if name in _READ:
        return f" *+({_TYPES[name]}) *+"
    return f" *+{_TYPES[name]} *+" if name in _TYPES else _TEXT


LAYOUTS: Final = (
    *(compile_layout(COLUMNS[:width]) for width in range(len(COLUMNS), _SHORTEST - 1, -1)),
    compile_layout(_DURATION_FIRST),
    compile_layout(_START_FIRST),
)
"""In the order in which they are tried: 3CX' own first."""


def line_text(text: str) -> str:
    """Take off what stands before the first column; cells in quotes are given without them, and without commas."""
    text = text.strip().removeprefix(_PREFIX)
    if text.startswith('"') or ',"' in text:
        # An open quote would swallow the empty text, and be no quoting at all.
        row, *rest = csv.reader([text, ""])
        text = ",".join(cell.replace(",", " ") for cell in row) if rest else text
    return text


def fit_any(text: str, layouts: Sequence[Layout]) -> Fields | None:
    """Read a line by the first layout that it fits; None if it fits none, or if commas leave a doubt."""
    width = text.count(",") + 1
    for layout in layouts:
        if len(layout.names) <= width and (fields := layout.fit(text)):
            return fields
    for layout in layouts:
        surplus = width - len(layout.names)
        if 0 < surplus <= _MOST_SURPLUS and layout.texts and layout.head.match(text):
            found = {fields for mended in _mended(text.split(","), layout, surplus) if (fields := layout.fit(mended))}
            return found.pop() if len(found) == 1 else None
    return None


def _mended(cells: list[str], layout: Layout, surplus: int) -> Iterator[str]:
    """Put back ``surplus`` commas into the columns of text, in each way there is."""
    for places in combinations_with_replacement(layout.texts, surplus):
        columns, place = [], 0
        for column in range(len(layout.names)):
            more = places.count(column)
            columns.append(" ".join(cells[place : place + 1 + more]))
            place += 1 + more
        yield ",".join(columns)


def declared_layout(names: Sequence[str]) -> Layout:
    """Compile what the administrator declares, by 3CX' names (``time_start`` is ``time-start``).

    Raises:
        SettingsError: lists what makes no sense in it.
    """
    names = [name if name == UNREAD else name.replace("_", "-") for name in names]
    mistakes = name_mistakes(names, COLUMNS)
    if not mistakes and "time-start" not in names:
        mistakes.append("layout.columns: no column is `time-start`")
    if not mistakes and {*_PARTIES, *_SPARE, "dial-no"}.isdisjoint(names):
        mistakes.append("layout.columns: no column is `from-no` or `to-no`")
    if mistakes:
        raise SettingsError(mistakes)
    return compile_layout(names)


def header_layout(text: str) -> Layout | None:
    """Compile the layout that a line of names declares; None if it is none."""
    names = [cell.strip(' "').lower().replace("_", "-") for cell in text.split(",")]
    if len(names) > len(COLUMNS) or len(set(names)) < len(names) or not {"time-start", *names} <= set(COLUMNS):
        return None
    return compile_layout(names) if "time-start" in names else None


def inferred_layout(text: str, times: WrittenTimes) -> Layout | None:
    """Find out which column is what from one line; None if the line leaves a doubt.

    Of an answered call to an extension, times and chain tell: start, answer and end are three different times in this
    order, the caller's number opens the chain, the called extension's is next and no other column has it.
    """
    cells = [cell.strip() for cell in text.split(",")]
    read = ((times.read(cell), place) for place, cell in enumerate(cells) if _DATED.fullmatch(cell))
    dated = sorted((moment, place) for moment, place in read if isinstance(moment, datetime))
    chains = [place for place, cell in enumerate(cells) if cell.startswith(CHAIN)]
    if len(dated) != len(_TIMES) or len({moment for moment, _ in dated}) < len(_TIMES) or len(chains) != 1:
        return None
    chain = chain_of(cells[chains[0]])
    found = {place: name for (_, place), name in zip(dated, _TIMES, strict=True)} | {chains[0]: "chain"}
    sought = {"from-no": chain[:1], "to-no": chain[1:2], "final-number": chain[-1:] if len(chain) > len("ab") else []}
    for name, number in sought.items():
        places = [place for place, cell in enumerate(cells) if [cell] == number]
        if name in _PARTIES and len(places) != 1:
            return None
        found |= dict.fromkeys(places[:1], name)
    for name, form in _UNMISTAKABLE.items():
        places = [place for place, cell in enumerate(cells) if form.fullmatch(cell)]
        found |= {place: name for place in places if len(places) == 1}
    return compile_layout([found.get(place, UNREAD) for place in range(len(cells))])


def chain_of(text: str) -> list[str]:
    """Give the parties that a call went through, in their order."""
    return [party.strip() for party in text.removeprefix(CHAIN).replace("'", ";").split(";") if party.strip()]
