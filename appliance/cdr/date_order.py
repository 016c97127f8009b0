"""In which order a PBX writes year, month and day, where its text alone does not say.

The declared order goes first, then the order of dates that can be read in one way only (``21/09/26``) among the lines
just before, then in the head of the file, then the order that is usual in the site's country. Where the lines before
contradict each other, or the country has no usual order, a date has two readings and the record is refused.

What was learned is a function of the lines within ``REWIND_BYTES`` and of the file's head, so that a parser which
starts in the middle of a file reads dates as one that read it whole.
"""

from typing import Final

from appliance.cdr.dialect import FeedContext
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES
from appliance.cdr.record import Line

Date = tuple[int, int, int]
"""Year, month, day."""

_DAY_FIRST: Final = "dmy"
_MONTH_FIRST: Final = "mdy"
_YEAR_FIRST: Final = "ymd"
_USUAL: Final = (
    dict.fromkeys(("US", "PH", "PR", "GU", "FM", "MH", "PW"), _MONTH_FIRST)
    | dict.fromkeys(("CN", "HU", "JP", "KR", "LT", "MN", "SE", "TW"), _YEAR_FIRST)
    | dict.fromkeys(("CA", "ZA"), "")
)
"""Unicode CLDR's short dates; elsewhere the day stands first. Empty where more than one order is usual."""
_CENTURY: Final = 2000
_MONTHS: Final = 12
_DAYS: Final = 31


class DateOrder:
    """Reads dates of three numbers; remembers where the order last was beyond doubt."""

    __slots__ = ("_certain", "_declared", "_head", "_usual")

    def __init__(self, context: FeedContext) -> None:
        """Start at the beginning of a file."""
        self._declared = context.layout.date_order
        self._usual = _USUAL.get(context.country, _DAY_FIRST)
        self._head: set[str] = set()
        self._certain: dict[str, int] = {}

    def read(self, line: Line, first: int, second: int, third: int) -> list[Date]:
        """Give the dates that ``first/second/third`` in ``line`` can be; a year has two digits or four."""
        if first > _CENTURY:
            return [(first, second, third)]
        year = third if third > _CENTURY else _CENTURY + third
        if self._declared == _YEAR_FIRST or (self._declared is None and self._usual == _YEAR_FIRST):
            return [(_CENTURY + first, second, third)]
        by_order = {_DAY_FIRST: (year, second, first), _MONTH_FIRST: (year, first, second)}
        if self._declared:
            return [by_order[self._declared]]
        if first > _MONTHS or second > _MONTHS:
            order = _DAY_FIRST if first > _MONTHS else _MONTH_FIRST
            if max(first, second) <= _DAYS and min(first, second) <= _MONTHS:
                self._note(order, line.offset)
            return [by_order[order]]
        known = self._known(line.offset)
        return [by_order[order] for order in known] if first != second else [(year, first, second)]

    def _note(self, order: str, offset: int) -> None:
        self._certain[order] = offset
        if offset < HEAD_BYTES:
            self._head.add(order)

    def _known(self, offset: int) -> list[str]:
        """Give the orders that a date may have: one, if the file or the country says so."""
        recent = sorted(order for order, place in self._certain.items() if place >= offset - REWIND_BYTES)
        return recent or sorted(self._head) or ([self._usual] if self._usual else [_DAY_FIRST, _MONTH_FIRST])
