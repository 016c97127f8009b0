"""Dates without a year: the latest year in which the time is not more than two days ahead.

A feed is read within months of its calls, and a call's end is not ahead of the clock by more than clocks differ; so
31 December read on 1 January is of the year before.
"""

from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.local_time import LocalTimes, Reading, Uncertain
from appliance.cdr.record import QuarantineReason

_AHEAD: Final = timedelta(days=2)
"""As ``line_parser`` bounds every record."""
_YEARS: Final = 9
"""29 February returns after eight years at most (1896-1904, 2096-2104)."""


def latest(times: LocalTimes, month: int, day: int, time: tuple[int, int, int], *, now: datetime) -> Reading:
    """Read month, day and wall-clock time (hour, minute, second) in the latest year that ``now`` (UTC) allows."""
    limit = now + _AHEAD
    # Where it is New Year's Eve in UTC, zones ahead of it have the new year.
    newest = (limit + timedelta(days=1)).year
    for year in range(newest, newest - _YEARS, -1):
        reading = times.civil([(year, month, day)], time)
        first = reading.candidates[:1] if isinstance(reading, Uncertain) else (reading,)
        if first and first[0] <= limit:
            return reading
    return Uncertain((), QuarantineReason.DATE_INVALID)
