"""Which part of a NEC record is what: fixed places (``KA`` … ``KJ``) and tagged fields (``KK``, ``KL``, ``KM``).

Sources: NEAX 2400 IMX system operations and maintenance manual NDA-24238, 7.1 (the 128 characters of ``KA``, ``KE`` and
``KB``), zombat/NEC-SMDR-Collector ``parse-nec-smdr.js`` and its test data (all types, the tags). Places count from the
type's first letter.

A tagged field is its tag, the length of its data, the data; tags ascend. The lengths of dialled number, account code
and authorization code are seen one too large, those of a telephone number three too small (without the fusion point
code). A record is only read if exactly one reading of its lengths comes out at its last character.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

OUTGOING: Final = frozenset({"KA", "KH", "KK"})
INCOMING: Final = frozenset({"KE", "KI", "KL"})
INTERNAL: Final = frozenset({"KB", "KJ", "KM"})
_TAGGED: Final = frozenset({"KK", "KL", "KM"})
_STATIONS: Final = frozenset("03")
"""A station, a monitored number; 1 is an attendant console, 2 a trunk: no phone numbers."""
TRUNK: Final = "2"
_PRESENTED: Final = frozenset("14")
"""Displayed, from a public telephone; otherwise absent, restricted or out of area."""
_FORWARDED: Final = frozenset("46")

_FIXED_LENGTHS: Final = {"KA": 128, "KE": 128, "KB": 128, "KH": 162, "KI": 162, "KJ": 162}
_SHORTEST: Final = {"KB": 62, "KJ": 62}
"""Trailing blanks may be gone; these columns must be there."""
_SHORTEST_OTHER: Final = 53
_ONE_LESS: Final = frozenset({7, 10, 12})
_THREE_MORE: Final = frozenset({3, 5})
_SIZES: Final = {1: 12, 2: 10, 4: 10, 6: 34, 8: 3, 9: 18, 11: 8, 15: 3, 18: 10, 19: 17}
"""Of the tags whose data never differs in length; 19's length is seen twice too large."""
_TAG_MAX: Final = 29
"""19 is the last that is known; releases add fields at the end."""


def _sizes(tag: int, length: int) -> tuple[int, ...]:
    """Give how long a field's data may be, by its tag and its length field."""
    if tag in _SIZES:
        return (_SIZES[tag],) if length in {_SIZES[tag], 2 * _SIZES[tag]} else ()
    if tag in _ONE_LESS:
        return (length - 1, length) if length else (0,)
    return (length, length + 3) if tag in _THREE_MORE else (length,)


_HEADS: Final = {
    f"{tag:02}{length:02}": (tag, sizes)
    for tag in range(1, _TAG_MAX + 1)
    for length in range(100)
    if (sizes := _sizes(tag, length))
}
"""Each tag with each length it may have: how long the data may be."""
_Way = tuple[()] | tuple[int, int, int, "_Way"]
"""Tag, start and end of a field, and those of the fields before it."""


class NecCall(NamedTuple):
    """What is read of a record, as text; empty where the type has none or the PBX wrote none.

    Times are ``YYYYMMDDHHMMSSmmm``; where the year is missing, they are ``MMDDHHMMSS``.
    """

    kind: str
    party: str
    """``TRUNK`` where a call that goes out came in by a trunk."""
    calling: str
    called: str
    dialled: str
    presented: str
    start: str
    end: str
    received: str
    is_forwarded: bool


def read_fields(text: str) -> NecCall | None:
    """Read a record by its type; None if it does not fit."""
    kind = text[:2]
    if kind in _TAGGED:
        return _tagged(kind, text)
    length = _FIXED_LENGTHS.get(kind, 0)
    if not _SHORTEST.get(kind, _SHORTEST_OTHER) <= len(text) <= length:
        return None
    return _fixed(kind, text.ljust(length))


def _fixed(kind: str, text: str) -> NecCall:
    station = _station(text[8], text[11:17])
    start_year, end_year = text[113:115].strip(), text[115:117].strip()
    start, end = text[17:27], text[27:37]
    if start_year:
        start = f"20{start_year}{start}000"
        end = f"20{end_year or _year_of_end(start_year, start[4:], end)}{end}000"
    presented = text[130:162].strip() if text[129:130] in _PRESENTED else ""
    if kind == "KE":
        presented = text[95:113].strip()
    return NecCall(
        kind,
        text[8],
        "" if kind in INCOMING else station,
        station if kind in INCOMING else text[61:67].strip(),
        text[59:91].strip(),
        presented,
        start,
        end,
        "",
        kind in OUTGOING and text[51] in _FORWARDED,
    )


def _year_of_end(start_year: str, start: str, end: str) -> str:
    """Give the year's two digits: systems without them write one year, the start's."""
    return f"{int(start_year) + 1:02}" if end < start[:10] and start_year.isdecimal() else start_year


def _station(party: str, number: str) -> str:
    return number.strip() if party in _STATIONS else ""


def _tagged(kind: str, text: str) -> NecCall | None:
    readings = [fields for fields in _readings(text) if 6 in fields]  # noqa: PLR2004  the tag of the times
    if len(readings) != 1:
        return None
    fields = readings[0]
    from_party, to_party = fields.get(2, ""), fields.get(4, "")
    caller = fields.get(16, "")
    return NecCall(
        kind,
        from_party[:1],
        fields.get(3, "")[6:].strip() or _station(from_party[:1], from_party[4:]),
        fields.get(5, "")[6:].strip() or _station(to_party[:1], to_party[4:]),
        fields.get(10, "").strip(),
        caller[1:].strip() if caller[:1] in _PRESENTED else "",
        fields[6][:17],
        fields[6][17:],
        fields.get(19, ""),
        fields.get(8, "")[1:2] in _FORWARDED,
    )


def _readings(text: str) -> Iterator[dict[int, str]]:
    """Give each way in which the fields come out at the text's end; few of them can be read in two."""
    waiting: list[tuple[int, int, _Way]] = [(2, 0, ())]
    end = len(text)
    while waiting:
        place, last, way = waiting.pop()
        while place < end and (head := _HEADS.get(text[place : place + 4])) and head[0] > last:
            last, sizes = head
            start = place + 4
            waiting += [(start + size, last, (last, start, start + size, way)) for size in sizes[1:]]
            place = start + sizes[0]
            way = (last, start, place, way)
        if place == end:
            yield _cut(text, way)


def _cut(text: str, way: "_Way") -> dict[int, str]:
    fields = {}
    while way:
        tag, start, end, way = way
        fields[tag] = text[start:end]
    return fields
