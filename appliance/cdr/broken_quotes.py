"""Put rows of Asterisk's columns together again whose quotes were not doubled, or whose commas were not quoted.

A caller id is ``"Name" <number>``. Exporters that enclose it as it stands write ``""Maes, Ro" <115>"``, others enclose
nothing, and a name may hold whatever the caller likes. So a line is read in every way in which it may have been
written, and each reading must fit all typed columns, and have the caller's number both in its column and at the end
of the caller id. Only if all readings that do agree on every column that is looked at, the row is taken; a name that
imitates columns makes two readings, and the row is refused.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from appliance.cdr.asterisk_layout import DISPOSITIONS, Fields, Layout, Layouts, fit
from appliance.cdr.asterisk_record import Times
from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.record import Line, QuarantineReason

MAX_SURPLUS: Final = 12
"""How many separators the caller's name and the last application's arguments may hold together."""
_SHARES: Final = [
    [
        (of_caller_id, of_caller, surplus - of_caller_id - of_caller)
        for of_caller_id in range(surplus + 1)
        for of_caller in range(surplus - of_caller_id + 1)
    ]
    for surplus in range(MAX_SURPLUS + 1)
]
"""By surplus: how many separators caller id, caller and arguments may hold. A caller with one is never taken, but it
may be the truth behind a row that otherwise reads well."""
_CHANNEL: Final = re.compile(r"-[0-9a-f]{8}(?![0-9a-f])", re.ASCII)
"""How a channel's name ends: where one stands among arguments, columns slid into them."""


def mended(line: Line, layouts: Layouts, separators: Sequence[str], times: Times) -> Fields | None:
    """Give the fields of a line on which all its readings agree; None if there is none, or they differ."""
    found: dict[Fields, None] = {}
    for separator in separators:
        for row in _readings(line, separator):
            for fields in _placements(row, layouts, separator):
                if times.read(fields.start) is not None:
                    found[fields] = None
    if len(found) != 1:
        return None
    [only] = found
    return None if any(separator in only.src for separator in separators) else only


def _readings(line: Line, separator: str) -> Iterator[Row]:
    """Cut the text as it was written by who doubles quotes, who only encloses, and who never quotes."""
    for row in csv_rows(separator)([line]):
        if not isinstance(row, QuarantineReason):
            yield row
    text = line.content.decode("latin-1")
    enclosed = _enclosed(text, separator)
    if enclosed is not None:
        yield enclosed
    yield text.split(separator)


def _enclosed(text: str, separator: str) -> Row | None:
    """Cut where a quote before a separator ends what began with a quote; None if such an end is missing."""
    ends = re.compile(f'"(?={re.escape(separator)}|\\Z)')
    row, place = [], 0
    while place <= len(text):
        if text.startswith('"', place):
            end = ends.search(text, place + 1)
            if end is None:
                return None
            row.append(text[place + 1 : end.start()])
            place = end.end() + 1
        else:
            stop = text.find(separator, place)
            stop = len(text) if stop < 0 else stop
            row.append(text[place:stop])
            place = stop + 1
    return row


def _placements(row: Row, layouts: Layouts, separator: str) -> Iterator[Fields]:
    """Give the fields of a row, for each way to share its surplus pieces between the texts that may hold them."""
    ends = {place for place, piece in enumerate(row) if piece in DISPOSITIONS}
    for surplus in range(MAX_SURPLUS + 1) if ends else ():
        candidates = [
            layout for layout in layouts.get(len(row) - surplus, ()) if not ends.isdisjoint(_shifted(layout, surplus))
        ]
        for shares in _SHARES[surplus] if candidates else ():
            for layout in candidates:
                fields = _placed(row, layout, shares, separator)
                if fields is not None:
                    yield fields
                    break


def _shifted(layout: Layout, surplus: int) -> range:
    """Give where the disposition may stand: after all of the surplus if all texts come before it."""
    last = layout.disposition + surplus
    is_behind = max(layout.clid, layout.src, layout.lastdata) < layout.disposition
    return range(last if is_behind else layout.disposition, last + 1)


def _placed(row: Row, layout: Layout, shares: tuple[int, ...], separator: str) -> Fields | None:
    """Give the fields if caller id, caller and arguments hold so many separators; None if that cannot be."""
    for column, pieces in sorted(zip((layout.clid, layout.src, layout.lastdata), shares, strict=True)):
        if pieces:
            if column == layout.width:
                return None
            after = column + pieces + 1
            row = [*row[:column], separator.join(row[column:after]), *row[after:]]
    row = [*row, ""]
    fields = fit(layout, row)
    if fields is None or not _is_channel(row, layout) or (shares[-1] and _CHANNEL.search(row[layout.lastdata])):
        return None
    caller = fields.clid.replace('"', "").replace("\\", "").strip()
    # A name that nobody will look at must not make two readings of one.
    fields = fields._replace(clid="" if fields.src else caller)
    return fields if _is_of(caller, fields.src) and not any('"' in field for field in fields) else None


def _is_channel(row: Row, layout: Layout) -> bool:
    return layout.channel == layout.width or "/" in row[layout.channel]


def _is_of(caller: str, number: str) -> bool:
    """Whether a caller id is one of that number: ``Name <number>``, or the number alone."""
    return (caller.rpartition("<")[2].rstrip(">").strip() if caller.endswith(">") else caller) == number
