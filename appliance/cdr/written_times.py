"""Dates, times of day and durations in the spellings that exports use, where the feed's layout is not fixed.

Read are: ISO 8601 with or without a zone; Go's ``+0000 UTC``; epochs in seconds, milliseconds or microseconds; compact
digits; day, month and year in the order that the layout gives, with strokes, dots or dashes and with years of two or
four digits; English names of months; clocks of 12 and 24 hours. Without an order, dots mean day.month.year (no country
writes it otherwise with dots), and anything else that can be read in two ways stays uncertain. A fraction of a second
is cut off: nothing depends on it, and it would tell one call from all others.
Reads no clock: zone and order are arguments.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from appliance.cdr.durations import clock_seconds, seconds
from appliance.cdr.local_time import WITHIN_HOUR, LocalTimes, Reading, Uncertain
from appliance.cdr.record import QuarantineReason

_Civil = tuple[int, int, int]

_LONGEST_TEXT: Final = 48
_HOURS_KEPT: Final = 4096
_CLOCK_TEXT: Final = len(":MM:SS")
_NUMERIC: Final = r"(?P<a>\d{1,4})(?P<sign>[-/.])(?P<b>\d{1,2})(?P=sign)(?P<c>\d{1,4})"
_NAMED: Final = (
    r"(?P<day>\d{1,2})[- ./](?P<month>[A-Za-z]{3,9})[- ./,]{1,2}(?P<year>\d{4}|\d\d)"
    r"|(?P<month2>[A-Za-z]{3,9})\.? (?P<day2>\d{1,2}),? (?P<year2>\d{4})"
)
_CLOCK: Final = (
    r"(?:(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d))?|(?P<digits>\d{6}|\d{4}))"
    r"(?:[.,]\d{1,9})?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE: Final = r"(?: ?(?P<utc>Z|UTC|GMT)| ?(?P<offset>[-+]\d\d:?(?:\d\d)?)(?: ?\(?[A-Za-z]{1,5}\)?)?)?"
_TEXT: Final = re.compile(
    rf"(?:[A-Za-z]{{2,9}}\.?,? )?(?:{_NUMERIC}|{_NAMED}|(?P<compact>\d{{8}}))(?:T|,? {{1,2}}){_CLOCK}{_ZONE}", re.ASCII
)
_TIME_OF_DAY: Final = re.compile(_CLOCK, re.ASCII)
_FRACTION: Final = re.compile(r"[.,]\d{1,9}", re.ASCII)
_EPOCH: Final = re.compile(r"([1-9]\d{8,9})(?:\.\d{1,9})?|([1-9]\d{9})\d{3}(?:\d{3})?", re.ASCII)
_LENGTH: Final = re.compile(
    r"(?:(\d{1,4}) ?h(?:ours?|rs?)?)? ?(?:(\d{1,6}) ?m(?:in(?:utes?|s)?)?)? ?"
    r"(?:(\d{1,9}) ?(?:s|sec|secs|seconds?)?(?:[.,]\d{1,9} ?(?:s|sec|secs|seconds?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_MONTH_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_USUAL_CLOCKS: Final = {
    form.format(value // 3600, value // 60 % 60, value % 60): value
    for value in range(7200)
    for form in ("{}:{:02}:{:02}", "{:02}:{:02}:{:02}")
}
"""Two hours of durations by the clock, so that few need the slow way."""
_INVALID: Final = Uncertain((), QuarantineReason.DATE_INVALID)
_YEARS: Final = range(1970, 2200)
"""Far from the years whose instants Python cannot shift to another zone."""
_HALF_DAY: Final = 12
_FOUR_DIGITS: Final = 4
_DIGITS_OF_TIME: Final = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M"}


class WrittenTimes:
    """Reads the times of one feed; remembers a bounded number of hours, because calls crowd in a few."""

    __slots__ = ("_hours", "_local", "_order", "_zone")

    def __init__(self, zone: tzinfo, order: str | None) -> None:
        """Read wall-clock times as those of ``zone``, and dates in ``order`` (``dmy``, ``mdy``, ``ymd``)."""
        self._zone = zone
        self._local = LocalTimes(zone)
        self._order = order
        self._hours: dict[tuple[str, str], datetime] = {}

    def read(self, text: str) -> Reading | None:
        """Read a date with a time of day, or an epoch; None if it is neither."""
        place = text.find(":")
        head, clock, rest = text[:place], text[place : place + _CLOCK_TEXT], text[place + _CLOCK_TEXT :]
        try:
            return self._hours[head, rest] + WITHIN_HOUR[clock]
        except KeyError:
            if clock not in WITHIN_HOUR or len(text) > _LONGEST_TEXT:
                return self._read(text)
        fraction = _FRACTION.match(rest)
        if fraction:
            rest = rest[fraction.end() :]
            hour = self._hours.get((head, rest))
            if hour is not None:
                return hour + WITHIN_HOUR[clock]
        reading = self._read(text)
        if isinstance(reading, datetime):
            self._remember(head, rest)
        return reading

    def read_after(self, text: str, start: datetime) -> Reading | None:
        """Read as ``read``; a time of day alone is of the day of ``start``, or of the next if that is less far."""
        reading = self.read(text)
        match = _TIME_OF_DAY.fullmatch(text) if reading is None else None
        if match is None:
            return reading
        time = _time_of_day(match)
        day = start.astimezone(self._zone)
        if time is None:
            return _INVALID
        if day.hour - time[0] > _HALF_DAY:
            day += timedelta(days=1)
        return self._local.civil([(day.year, day.month, day.day)], time)

    def _remember(self, head: str, rest: str) -> None:
        """Keep an hour in which nothing is uncertain; ``rest`` stands behind the seconds and their fraction."""
        first, last = (self._read(f"{head}{clock}{rest}") for clock in (":00:00", ":59:59"))
        if isinstance(first, datetime) and isinstance(last, datetime) and last - first == timedelta(seconds=3599):
            if len(self._hours) >= _HOURS_KEPT:
                self._hours.clear()
            self._hours[head, rest] = first

    def _read(self, text: str) -> Reading | None:
        if len(text) > _LONGEST_TEXT:
            return None
        if text[:9].isdecimal():
            return self._digits(text)
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        time = _time_of_day(match)
        dates = [date for date in self._dates(match) if date[0] in _YEARS]
        if time is None or not dates:
            return _INVALID
        zoned = match["utc"] or match["offset"]
        return _at_offset(dates, time, match["offset"]) if zoned else self._local.civil(dates, time)

    def _digits(self, text: str) -> Reading | None:
        """Read an epoch, or date and time without a sign between them."""
        match = _EPOCH.fullmatch(text)
        if match:
            return datetime.fromtimestamp(int(match[1] or match[2]), UTC)
        if not text.isascii() or len(text) not in _DIGITS_OF_TIME or not text.isdecimal():
            return None
        if not text.startswith("20"):
            # Twelve digits with a year of two digits have seconds.
            text = f"20{text}"[:14]
        date, clock = (int(text[:4]), int(text[4:6]), int(text[6:8])), f"{text[8:]:0<6}"
        return self._local.civil([date], (int(clock[:2]), int(clock[2:4]), int(clock[4:])))

    def _dates(self, match: re.Match[str]) -> list[_Civil]:
        """Give the dates that can be meant (year, month, day)."""
        if match["compact"]:
            compact = match["compact"]
            return [(int(compact[:4]), int(compact[4:6]), int(compact[6:]))]
        name = match["month"] or match["month2"]
        if name:
            month = _MONTHS.get(name[:3].lower(), 0)
            return [(_year(match["year"] or match["year2"]), month, int(match["day"] or match["day2"]))]
        return self._numeric(match["a"], match["b"], match["c"], dotted=match["sign"] == ".")

    def _numeric(self, first: str, middle: str, last: str, *, dotted: bool) -> list[_Civil]:
        if len(first) == _FOUR_DIGITS:
            return [(int(first), int(middle), int(last))]
        if len(last) not in {2, _FOUR_DIGITS} or len(first) > 2:  # noqa: PLR2004  a day has two digits at most
            return []
        by_order = {
            "dmy": (_year(last), int(middle), int(first)),
            "mdy": (_year(last), int(first), int(middle)),
        }
        if len(last) == len(first) == 2:  # noqa: PLR2004  a year of two digits can stand at either end
            by_order["ymd"] = (_year(first), int(middle), int(last))
        order = self._order if self._order in by_order else None
        if order is None and dotted:
            order = "dmy"
        return [by_order[order]] if order else list(dict.fromkeys(by_order.values()))


def written_seconds(text: str) -> int | None:
    """Read a duration: seconds, ``H:MM:SS``, ``MM:SS``, ``10s``, ``1m20s``, ``1 h 2 min``; None if it is none.

    A fraction of a second is cut off.
    """
    value = _USUAL_CLOCKS.get(text)
    if value is None:
        value = seconds(text)
    if value is not None or not text or len(text) > _LONGEST_TEXT:
        return value
    if ":" in text:
        whole, sign, fraction = text.partition(".")
        return clock_seconds(whole) if not sign or fraction.isdecimal() else None
    match = _LENGTH.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return seconds(str(hours * 3600 + minutes * 60 + rest))


def _year(text: str) -> int:
    return int(text) if len(text) == _FOUR_DIGITS else 2000 + int(text)


def _time_of_day(match: re.Match[str]) -> _Civil | None:
    """Give hour, minute and second; None if no clock shows them."""
    if match["digits"]:
        digits = f"{match['digits']:0<6}"
        hour, minute, second = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    else:
        hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if match["half"]:
        if not 1 <= hour <= _HALF_DAY:
            return None
        hour = hour % _HALF_DAY + (_HALF_DAY if match["half"] in "pP" else 0)
    return (hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None  # noqa: PLR2004  a clock


def _at_offset(dates: list[_Civil], time: _Civil, offset: str | None) -> Reading:
    """Give the instants of a time that says how far from UTC it is."""
    text = (offset or "+0000").replace(":", "")
    shift = timedelta(hours=int(text[1:3]), minutes=int(text[3:] or 0))
    utc = LocalTimes(UTC).civil(dates, time)
    shift = -shift if text[0] == "+" else shift
    if isinstance(utc, datetime):
        return utc + shift
    return Uncertain(tuple(candidate + shift for candidate in utc.candidates), utc.reason)
