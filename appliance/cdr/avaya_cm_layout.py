"""Which column is what in a CDR line of Avaya Communication Manager: as its administrator customized it, or as shipped.

A customized layout is declared by the names and lengths of the form ``change system-parameters cdr`` (a ``/`` in a name
is written ``-``). Without a declaration a line must fit exactly one of the standard formats whose positions the manuals
print: TELESEER, printer, enhanced printer, LSU-expand, unformatted, and expanded with int-ISDN; their enhanced and ISDN
variants have what is read in the same places. The formats LSU and ISDN LSU have no time of day, so that no call of
theirs can be placed; 59-character, int-process and int-direct are not known well enough. All of these can be declared.

Sources: DEFINITY ECS 8.2 Administrator's Guide (555-233-506) tables 27-45; Avaya MultiVantage Administrator's Guide 1.2
tables 31-51; Administrator's Guide for Avaya Communication Manager (2003) tables 51-54; OlegPowerC/avayacdrparce.
"""

import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from appliance.cdr.dialect import Layout
from appliance.errors import SettingsError

READ: Final = {
    "date": "time: the date of the end, converted to UTC",
    "time": "time: the time of day of the end, converted to UTC",
    "duration": "hours, minutes and tenths of a minute, to whole seconds",
    "sec-dur": "whole seconds",
    "cond-code": "tells the direction, and what became of the call",
    "calling-num": "number: becomes the calling party",
    "clg-num-in-tac": "number: becomes the calling party, but for a trunk's access code",
    "dialed-num": "number: becomes the called party",
    "in-trk-code": "never leaves; tells a trunk's access code in the calling number",
    "out-crt-id": "never leaves; tells a call that went on to another trunk",
    "ucid": "never leaves; goes into a keyed hash",
}
"""What is read, and what becomes of it."""

UNREAD: Final = frozenset(
    {
        *("acct-code", "attd-console", "auth-code", "bandwidth", "bcc", "clg-pty-cat", "code-dial", "code-used"),
        *("contact-uri", "country-from", "country-to", "feat-flag", "from-uri", "frl", "in-crt-id", "ins", "isdn-cc"),
        *("ixc-code", "location-from", "location-to", "ma-uui", "node-num", "ppm", "request-uri", "res_flag"),
        *("start-date", "start-time", "timezone-from", "timezone-to", "to-uri", "tsc_ct", "tsc_flag", "vdn"),
    }
)
_ALIASES: Final = {"dur": "duration"}
_ENDS: Final = frozenset({"return", "line-feed", "null"})
"""They end a line, so that none of them stands in it."""
_NUMBER: Final = r" *[\d*#+]* *"
_SHAPES: Final = {
    "date": r"\d{6}",
    "time": r"\d{4}",
    "duration": r"\d[0-5]\d\d",
    "sec-dur": r" *\d+ *",
    "cond-code": r"[0-9A-Z]",
    "calling-num": _NUMBER,
    "clg-num-in-tac": _NUMBER,
    "dialed-num": r" *[\dA-E*#+]* *",
    "in-trk-code": _NUMBER,
    "out-crt-id": _NUMBER,
    "ucid": r" *\d* *",
    "space": r" *",
} | dict.fromkeys(
    ("acct-code", "auth-code", "code-dial", "code-used", "feat-flag", "frl", "in-crt-id", "ixc-code"), r"[\dA-Z*# ]*"
)
_FIXED: Final = {"date": 6, "time": 4, "duration": 4, "cond-code": 1}
"""Columns of one length only."""
_NEEDED: Final = ("date", "time", "duration", "sec-dur", "cond-code", "dialed-num")
_DURATIONS: Final = frozenset({"duration", "sec-dur"})
_CALLING: Final = frozenset({"calling-num", "clg-num-in-tac"})


class Fields(NamedTuple):
    """The columns that are read, without the blanks around them; empty where the layout has none."""

    date: str
    time: str
    duration: str
    seconds: str
    condition: str
    calling: str
    dialed: str
    trunk: str
    circuit: str
    ucid: str


class Columns:
    """One layout, compiled: ``read`` gives the fields of a line that fits."""

    __slots__ = ("_least", "_may_trail", "_places", "_shapes", "_width")

    def __init__(self, names: Sequence[str], widths: Sequence[int], *, is_shipped: bool = False) -> None:
        """Compile columns without mistakes; ``is_shipped`` ones have to be told apart by their length."""
        pairs = [(name, width) for name, width in zip(names, widths, strict=True) if name not in _ENDS]
        ends = list(accumulate((width for _, width in pairs), initial=0))
        self._width = ends[-1]
        places = {name: slice(start, start + width) for (name, width), start in zip(pairs, ends, strict=False)}
        calling = places.get("calling-num") or places.get("clg-num-in-tac") or slice(0, 0)
        wanted = (
            "date",
            "time",
            "duration",
            "sec-dur",
            "cond-code",
            "",
            "dialed-num",
            "in-trk-code",
            "out-crt-id",
            "ucid",
        )
        self._places = [calling if not name else places.get(name, slice(0, 0)) for name in wanted]
        # A line that ends before was torn off; the blanks at its end may be missing.
        self._least = calling.stop - 1 if is_shipped else max(places[name].start for name in _NEEDED if name in places)
        self._may_trail = not is_shipped
        self._shapes = [
            (re.compile(_SHAPES[name], re.ASCII).fullmatch, slice(start, start + width))
            for (name, width), start in zip(pairs, ends, strict=False)
            if name in _SHAPES
        ]

    def read(self, text: str) -> Fields | None:
        """Give the fields, or None if a column does not have its type."""
        if self._may_trail and len(text) > self._width:
            text = text.rstrip()
        if not self._least < len(text) <= self._width:
            return None
        padded = text.ljust(self._width)
        for fits, place in self._shapes:
            if not fits(padded[place]):
                return None
        return Fields._make([padded[place].strip() for place in self._places])


def declared(layout: Layout) -> Columns | None:
    """Compile what the layout declares; None if it declares no columns.

    Raises:
        SettingsError: lists what makes no sense in it.
    """
    mistakes = ["layout.date_order: is `mdy` or `dmy`"] if layout.date_order == "ymd" else []
    if not layout.columns and not layout.widths and not mistakes:
        return None
    names = tuple(_ALIASES.get(name, name) for name in layout.columns)
    if len(names) != len(layout.widths):
        mistakes.append("layout.widths: as many are needed as there are columns")
    mistakes += [
        f"layout.columns: column {place} is no data item of Communication Manager"
        for place, name in enumerate(names, start=1)
        if name not in READ and name not in UNREAD and name not in _ENDS and name not in {"space", "-"}
    ]
    mistakes += [f"layout.columns: {wrong}" for is_wrong, wrong in _RULES if is_wrong(names)]
    mistakes += [
        f"layout.widths: `{name}` has {_FIXED[name]} characters"
        for name, width in zip(names, layout.widths, strict=False)
        if _FIXED.get(name, width) != width
    ]
    if mistakes:
        raise SettingsError(mistakes)
    return Columns(names, layout.widths)


_RULES: Final[tuple[tuple[Callable[[tuple[str, ...]], bool], str], ...]] = (
    (lambda names: "time" not in names, "`time` is missing"),
    (lambda names: len(_DURATIONS.intersection(names)) != 1, "one of `duration` and `sec-dur` is needed"),
    (lambda names: len(_CALLING.intersection(names)) != 1, "one of `calling-num` and `clg-num-in-tac` is needed"),
    (lambda names: "dialed-num" not in names, "`dialed-num` is missing"),
    (lambda names: any(names.count(name) > 1 for name in READ), "a column that is read stands there twice"),
)


def _standard(columns: str) -> Columns:
    pairs = [item.split(":") for item in columns.split()]
    return Columns([name for name, _ in pairs], [int(width) for _, width in pairs], is_shipped=True)


_TIMED: Final = "time:4 space:1 duration:4 space:1 cond-code:1 space:1"
STANDARD: Final = (
    # TELESEER and ISDN TELESEER (tables 27, 28).
    _standard(
        "space:3 time:4 duration:4 cond-code:1 code-dial:3 code-used:3 dialed-num:15 calling-num:5 acct-code:15 frl:1 "
        "ixc-code:1 in-crt-id:3 out-crt-id:3 feat-flag:1 auth-code:7 -:7"
    ),
    # Printer (table 31).
    _standard(
        f"{_TIMED} code-dial:3 space:1 code-used:3 space:1 dialed-num:15 space:1 calling-num:5 space:1 acct-code:15 "
        "space:1 auth-code:7 -:4 frl:1 space:1 ixc-code:1 space:1 in-crt-id:3 space:1 -:7"
    ),
    # Enhanced printer (table 33).
    _standard(
        f"{_TIMED} ixc-code:4 space:1 code-used:4 space:1 dialed-num:15 space:1 calling-num:5 space:1 acct-code:15 "
        "space:1 auth-code:7 space:1 ins:3 space:1 frl:1 space:1 in-crt-id:3 space:1 out-crt-id:3 space:1 feat-flag:1"
    ),
    # LSU-expand (table 34): the first digit of a calling number of five stands apart, and such a line is refused.
    _standard(
        f"{_TIMED} code-dial:3 code-used:3 space:1 dialed-num:15 space:1 calling-num:4 space:1 acct-code:5 space:1 "
        "auth-code:7 -:4 frl:1 space:3 in-crt-id:2 space:1 feat-flag:1 space:1 -:7"
    ),
    # Unformatted and enhanced unformatted (tables 40, 41).
    _standard(
        "time:4 duration:4 cond-code:1 code-dial:4 code-used:4 dialed-num:15 calling-num:10 acct-code:15 auth-code:7 "
        "-:2 frl:1 in-crt-id:3 out-crt-id:3 feat-flag:1 attd-console:2 in-trk-code:4 node-num:2 -:26"
    ),
    # Expanded and int-ISDN (tables 44 of both guides, 52 of the third).
    _standard(
        f"{_TIMED} code-dial:4 space:1 code-used:4 space:1 dialed-num:15 space:1 calling-num:10 space:1 acct-code:15 "
        "-:76"
    ),
)
"""What is shipped, up to the last column whose position the manuals print."""


def standard(text: str) -> Fields | None:
    """Read a line by the standard format that it fits; None if it fits none, or several with different parties."""
    found = [fields for fields in (columns.read(text) for columns in STANDARD) if fields is not None]
    parties = {(fields.calling, fields.dialed) for fields in found}
    return found[0] if len(parties) == 1 else None
