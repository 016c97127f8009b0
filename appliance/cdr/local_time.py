"""Local wall-clock text to UTC, with the two hours a year that need more than the text.

A time that occurs twice (the clock went back) is decided by whatever instant it must lie near: the epoch in the
record's id, or another time of the record and a duration. A time that does not exist (the clock went forward) and a
date whose day and month cannot be told apart need such evidence, within ``PLAUSIBLE``, or the record is refused.
Reads no clock: the zone is an argument.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from msgspec import Struct

from appliance.cdr.record import QuarantineReason

PLAUSIBLE: Final = timedelta(hours=36)
"""How far a record's time may lie from its evidence: a call may last a day, day and month swapped are 28 days apart."""

_ISO: Final = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})[ T](\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_DAY_FIRST: Final = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}) (\d{1,2}):(\d\d)(?::(\d\d))?(?: ([AaPp])[Mm])?", re.ASCII
)
"""Or month first: spreadsheets write dates as their country does; only with dots it is always the day."""
_NOON: Final = 12
WITHIN_HOUR: Final = {f":{second // 60:02}:{second % 60:02}": timedelta(seconds=second) for second in range(3600)}
_HOUR_TEXT: Final = len("2026-10-19 08")
_FULL_TEXT: Final = len("2026-10-19 08:00:00")
_HOURS_KEPT: Final = 4096
"""Bound of the memo: about half a year of hours, some 600 KiB."""


class Uncertain(Struct, frozen=True):
    """A time that the text alone does not give. Without evidence: ``reason``, or the first candidate if it is None."""

    candidates: tuple[datetime, ...]
    reason: QuarantineReason | None


Reading = datetime | Uncertain


def decide(reading: Reading, *, near: datetime | None) -> datetime | QuarantineReason:
    """Choose the candidate closest to ``near`` (UTC), the best evidence there is."""
    if isinstance(reading, datetime):
        return reading
    if near is not None and reading.candidates:
        best = min(reading.candidates, key=lambda candidate: abs(candidate - near))
        if reading.reason is None or abs(best - near) <= PLAUSIBLE:
            return best
    return reading.reason or reading.candidates[0]


class LocalTimes:
    """Reads the times of one zone; remembers a bounded number of hours, because calls crowd in a few."""

    __slots__ = ("_hours", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        """Read wall-clock times as those of ``zone``."""
        self._zone = zone
        self._hours: dict[str, datetime] = {}

    def read(self, text: str) -> Reading | None:
        """Read ``YYYY-mm-dd HH:MM:SS``, or day/month/year in either order; None if it is no time at all.

        A spreadsheet may have left out the seconds and the zeros in front, and written AM or PM.
        """
        try:
            return self._hours[text[:_HOUR_TEXT]] + WITHIN_HOUR[text[_HOUR_TEXT:]]
        except KeyError:
            return self._read(text)

    def _read(self, text: str) -> Reading | None:
        if match := _ISO.fullmatch(text):
            year, _, month, day, hour, minute, second = match.groups()
            date, time = (int(year), int(month), int(day)), (int(hour), int(minute), int(second or 0))
            if len(text) == _FULL_TEXT and text[10] == " ":
                self._remember(text[:_HOUR_TEXT], date, time[0])
            return self.civil([date], time)
        if match := _DAY_FIRST.fullmatch(text):
            first, separator, other, year, hour, minute, second, half = match.groups()
            time = (_hour_of_day(int(hour), half), int(minute), int(second or 0))
            day_first, month_first = (int(year), int(other), int(first)), (int(year), int(first), int(other))
            only_day_first = separator == "." or first == other
            return self.civil([day_first] if only_day_first else [day_first, month_first], time)
        return None

    def _remember(self, text: str, date: tuple[int, int, int], hour: int) -> None:
        """Keep an hour in which nothing is uncertain: its first and its last second are an hour's length apart."""
        first, last = (self.civil([date], (hour, *rest)) for rest in ((0, 0), (59, 59)))
        if isinstance(first, datetime) and isinstance(last, datetime) and last - first == timedelta(seconds=3599):
            if len(self._hours) >= _HOURS_KEPT:
                self._hours.clear()
            self._hours[text] = first

    def civil(self, dates: list[tuple[int, int, int]], time: tuple[int, int, int]) -> Reading:
        """Give the instants of a time of day (hour, minute, second) on each of ``dates`` (year, month, day).

        Several dates are the ways in which one text can be read; those that no calendar has are passed over.
        """
        readings = [self._instants(naive) for naive in _existing(dates, time)]
        candidates = tuple(instant for instants, _ in readings for instant in instants)
        if not readings or not candidates:
            return Uncertain((), QuarantineReason.DATE_INVALID)
        if len(readings) > 1:
            return Uncertain(candidates, QuarantineReason.DATE_AMBIGUOUS)
        if len(candidates) == 1:
            return candidates[0]
        return Uncertain(candidates, None if readings[0][1] else QuarantineReason.LOCAL_TIME_NONEXISTENT)

    def _instants(self, naive: datetime) -> tuple[tuple[datetime, ...], bool]:
        """Give the instants that may be meant (one but around a change of offset), and whether they exist (PEP 495)."""
        local = naive.replace(tzinfo=self._zone)
        try:
            early = local.astimezone(UTC)
            late = local.replace(fold=1).astimezone(UTC)
            exists = early.astimezone(self._zone).replace(tzinfo=None, fold=0) == naive
        except OverflowError:
            # The years 1 and 9999 have no neighbour to convert to.
            return (), False
        return ((early,) if early == late else (early, late)), exists


def _hour_of_day(hour: int, half: str | None) -> int:
    """Give the hour of 24; one that no clock of 12 hours shows is given as one that no day has."""
    if not half:
        return hour
    return hour % _NOON + (_NOON if half in "Pp" else 0) if 1 <= hour <= _NOON else 24


def _existing(dates: list[tuple[int, int, int]], time: tuple[int, int, int]) -> list[datetime]:
    found = []
    for year, month, day in dates:
        try:
            # Naive on purpose: the zone is put on where fold and gap are looked at.
            found.append(datetime(year, month, day, *time))  # noqa: DTZ001 - a wall-clock reading has no zone yet
        except ValueError:
            continue
    return found
