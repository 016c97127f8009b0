"""Times as Cisco and Acme write them, clock first, zone by its letters: ``15:54:56.868 PST Tue DEC 18 2017``.

Letters alone are no zone: CST is China's as well as Chicago's. They are believed in this order: as the site's own
zone, if it was called so at that time (which also tells the two hours of a night when the clock goes back); by a table
of those that are used in one sense almost everywhere; otherwise they say nothing, and the time is the site's.
A ``*`` or ``.`` in front says that the clock is not set by NTP; the time is read all the same, for there is no other.
Fractions of a second are left out: they would be digits in what leaves, and say nothing more.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from appliance.cdr.local_time import WITHIN_HOUR, LocalTimes, Reading, Uncertain

_TEXT: Final = re.compile(
    r"[*.]?(\d\d?):(\d\d):(\d\d)(?:\.\d{1,6})? ([A-Za-z]{1,6})(?: [A-Za-z]{3})?"
    r" ([A-Za-z]{3}) {1,2}(\d\d?) ((?:19|20|21)\d\d)",
    re.ASCII,
)
_MONTH_NAMES: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_OFFSETS: Final = {
    **dict.fromkeys(("UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("CET", "BST", "WEST"), 1),
    **dict.fromkeys(("EET", "CEST"), 2),
    "EEST": 3,
    "EDT": -4,
    **dict.fromkeys(("EST", "CDT"), -5),
    **dict.fromkeys(("CST", "MDT"), -6),
    **dict.fromkeys(("MST", "PDT"), -7),
    "PST": -8,
}
"""Hours ahead of UTC. BST is Britain's, for Bangladesh writes +06."""
_HOURS_KEPT: Final = 4096


class ClockFirstTimes:
    """Reads the times of one feed; remembers a bounded number of hours, because calls crowd in a few."""

    __slots__ = ("_hours", "_times", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        """Read what no letters place as times of ``zone``."""
        self._zone = zone
        self._times = LocalTimes(zone)
        self._hours: dict[tuple[str, ...], Reading] = {}

    def read(self, text: str) -> Reading | None:
        """Read a time to the second; None if it is no such time at all."""
        match = _TEXT.fullmatch(text)
        month = _MONTHS.get(match[5].upper()) if match else None
        if match is None or month is None:
            return None
        hour, minute, second, letters, _, day, year = match.groups()
        past = WITHIN_HOUR.get(f":{minute}:{second}")
        if past is None:
            return self._times.civil([(int(year), month, int(day))], (int(hour), int(minute), int(second)))
        key = (letters, year, match[5], day, hour)
        reading = self._hours.get(key)
        if reading is None:
            reading = self._place((int(year), month, int(day)), int(hour), letters.upper())
            if len(self._hours) >= _HOURS_KEPT:
                self._hours.clear()
            self._hours[key] = reading
        if isinstance(reading, datetime):
            return reading + past
        return Uncertain(tuple(candidate + past for candidate in reading.candidates), reading.reason)

    def _place(self, date: tuple[int, int, int], hour: int, letters: str) -> Reading:
        """Give the instant at which an hour of the zone called ``letters`` begins."""
        reading = self._times.civil([date], (hour, 0, 0))
        candidates = (reading,) if isinstance(reading, datetime) else reading.candidates
        for candidate in candidates:
            if candidate.astimezone(self._zone).tzname() == letters:
                return candidate
        offset = _OFFSETS.get(letters)
        if offset is None or not candidates:
            return reading
        return datetime(*date, hour, tzinfo=UTC) - timedelta(hours=offset)
