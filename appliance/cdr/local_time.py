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

_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_SLASHED: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_WITHIN_HOUR: Final = {f":{second // 60:02}:{second % 60:02}": timedelta(seconds=second) for second in range(3600)}
_HOUR_TEXT: Final = len("2026-10-19 08")
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
        """Read ``YYYY-mm-dd HH:MM:SS``, or day/month/year in either order; None if it is no time at all."""
        try:
            return self._hours[text[:_HOUR_TEXT]] + _WITHIN_HOUR[text[_HOUR_TEXT:]]
        except KeyError:
            return self._read(text)

    def _read(self, text: str) -> Reading | None:
        if match := _ISO.fullmatch(text):
            year, month, day, hour, minute, second = map(int, match.groups())
            if text[10] == " ":
                self._remember(text[:_HOUR_TEXT], (year, month, day), hour)
            return self.civil([(year, month, day)], (hour, minute, second))
        if match := _SLASHED.fullmatch(text):
            first, other, year, hour, minute, second = (int(group or 0) for group in match.groups())
            dates = [(year, other, first), (year, first, other)]
            return self.civil(dates[: 1 if first == other else 2], (hour, minute, second))
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


def _existing(dates: list[tuple[int, int, int]], time: tuple[int, int, int]) -> list[datetime]:
    found = []
    for year, month, day in dates:
        try:
            # Naive on purpose: the zone is put on where fold and gap are looked at.
            found.append(datetime(year, month, day, *time))  # noqa: DTZ001 - a wall-clock reading has no zone yet
        except ValueError:
            continue
    return found
