"""Which column is what in a line of MiVoice Business' SMDR, in each of its fixed widths.

The option set decides the widths: 90 characters, 101 with "Extended Digit Length" (duration and parties are wider), 22
or 19 more with ANI/DNIS, 19 more with network OLI, up to 207 with "Extended Reporting" (ANI has 20 digits then, and a
column for the number that reached an attendant follows the called party). The date, the duration's width and the
columns' own types tell which; a line that fits none is refused. What collectors cut off at the end is blank.

Sources: Mitel's help pages "SMDR Summary of Fields Table", "SMDR Details - Recorded Information" and "SMDR Extended
Reporting"; gabaelmer/SMDR-Miner ``backend/parser/SMDRParser.ts`` for the extended widths.
"""

import re
from typing import Final, NamedTuple


class Fields(NamedTuple):
    """The columns that are read. Account codes are not among them."""

    date: tuple[int, int, int]
    """Year (0 where the line has none), month, day."""
    time: tuple[int, int, int]
    marker: str
    """``A``, ``P``, or empty: forenoon on a clock of twelve hours, or a clock of 24."""
    duration: str
    calling: str
    answer: str
    """Seconds until it was answered, asterisks where it never was, empty where it is not measured."""
    digits: tuple[str, ...]
    """What was dialled; with "Network Format", the caller's number before it."""
    completion: str
    speed: str
    called: str
    transfer: str = ""
    third: str = ""
    ani: str | None = None
    """The presented number; None where the line does not report it."""
    dnis: str = ""
    call_id: str = ""


_PARTY: Final = re.compile(r"(?:[TX]\d{1,4}|ATT\d{1,2}|[\d*#]{1,7})?", re.ASCII)
"""A trunk of the public network or another, an attendant, a station."""
_HEAD: Final = re.compile(
    r"[ %+-]?(\d\d)/(\d\d) (\d\d):(\d\d)(?::(\d\d))?([AaPp ]) (\d{2}(?:\d\d)?:\d\d:\d\d) ", re.ASCII
)
_STANDARD, _EXTENDED = 4, 7
"""How many characters a party has."""
_EXTENDED_DURATION: Final = len("0000:00:00")
_WIDEST: Final = 240
_PULSES: Final = 21
"""Meter pulses take the last five columns of the digits, after at least one blank."""


def _columns(party: int) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Compile what follows the duration: to the called party, then the rest as usual, and with extended reporting."""
    station, account = rf"[0-9A-Z*# ]{{{party}}}", r"[0-9A-Z*# ]{12}[Rr ](?:\d{3}| {3})  "
    identifier = r"([A-Z]\d{3}[0-9A-Z]{4}| {8})[A-Z ]"
    body = rf"({station}) ([*? \d]{{4}}) ([0-9A-D*# ]{{26}})([A-Z ])([A-Z ])({station})"
    dnis = 10 if party == _STANDARD else 7
    plain = rf"([A-Z ]) ({station}) {account} ([\d*# ]{{10}}) ([\d*# ]{{{dnis}}}) {identifier} [0-9A-Z ]{{8}} *"
    # Whether the transfer flag stands before or after the column that is more is not certain: it is not read.
    wide = rf"[0-9A-Z*# ]{{9}} ()(){station} {account} ([\d*# ]{{20}}) ([\d*# ]{{10}}) [\d ]{{7}} {identifier}.*"
    return re.compile(body, re.ASCII), re.compile(plain, re.ASCII), re.compile(wide, re.ASCII)


_COLUMNS: Final = {party: _columns(party) for party in (_STANDARD, _EXTENDED)}
_SHORT, _WIDE = 21, 29
"""From the end of the called party to that of the shortest record, but for one party's width."""
_COMPLETIONS: Final = frozenset({"", *"ABCDEIORSTU"})
_NUMBERS: Final = 2
_ANSWER: Final = re.compile(r"\*?(?:\d{0,4}|\*[*?]\*)", re.ASCII)


def fixed(text: str) -> Fields | None:
    """Read a line by its columns; None if it does not fit."""
    head = _HEAD.match(text)
    if head is None:
        return None
    month, day, hour, minute, second, marker, duration = head.groups()
    party = _EXTENDED if len(duration) == _EXTENDED_DURATION else _STANDARD
    body, plain, wide = _COLUMNS[party]
    padded = text.ljust(_WIDEST)
    columns = body.match(padded, head.end())
    if columns is None:
        return None
    end = columns.end()
    orders = ((plain, _SHORT), (wide, _WIDE))
    # Only extended reporting has seconds in the start.
    for tail, width in reversed(orders) if second else orders:
        rest = tail.fullmatch(padded, end)
        if rest is not None:
            calling, answer, digits, completion, speed, called = columns.groups()
            transfer, third, ani, dnis, call_id = rest.groups()
            fields = Fields(
                (0, int(month), int(day)),
                (int(hour), int(minute), int(second or 0)),
                marker.strip().upper(),
                duration,
                calling.strip(),
                answer.strip(),
                _without_pulses(digits),
                completion.strip(),
                speed.strip(),
                called.strip(),
                transfer.strip(),
                third.strip(),
                ani.strip() if len(text) > end + width + party else None,
                dnis.strip(),
                call_id.strip(),
            )
            return fields if is_valid(fields) and _is_whole(fields) else None
    return None


def _is_whole(fields: Fields) -> bool:
    """Whether the columns say why nobody was reached, where they name nobody: else the line was torn before that."""
    return bool(fields.called or fields.completion or fields.answer.endswith(("***", "*?*")))


def _without_pulses(cell: str) -> tuple[str, ...]:
    if cell[_PULSES - 1] == " " and cell[_PULSES:].isdecimal():
        cell = cell[:_PULSES]
    return tuple(cell.split())


def is_valid(fields: Fields) -> bool:
    """Whether each column that is read has its type."""
    return (
        bool(fields.calling)
        and _PARTY.fullmatch(fields.calling) is not None
        and _PARTY.fullmatch(fields.called) is not None
        and _PARTY.fullmatch(fields.third) is not None
        and _ANSWER.fullmatch(fields.answer) is not None
        and fields.completion in _COMPLETIONS
        and len(fields.digits) <= _NUMBERS
        and " " not in f"{fields.ani}{fields.dnis}"
    )
