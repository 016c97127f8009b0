"""Whether the configured time zone is the PBX's own: local times against the epochs that the PBX put into its ids.

A reader that has both for some records notes them. Records of channels that were created minutes before the call
started lie a little late; a wrong zone puts nearly all of them off by the same quarter hours, or by two such offsets
where one of the zones has summer time and the other has not. Few or contradicting samples say nothing.
Decides nothing by itself: the preview and the status show the finding.
"""

import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from msgspec import Struct

_OFFSET: Final = re.compile(r"(?:Z|UTC|GMT|:\d\d(?:\.\d{1,9})? ?[-+]\d\d:?\d\d)\Z", re.ASCII)
MAX_SAMPLES: Final = 256
"""The latest are kept, so that a clock that was set right is seen to be right."""
_ENOUGH: Final = 5
_AGREEMENT: Final = 0.9
_MINORITY: Final = 0.2
"""The least share of the rarer of two offsets: fewer are calls on old channels, not another season."""
_QUARTER: Final = 900
"""All zones in use are whole quarter hours from UTC."""
_EARLY: Final = 60
"""How many seconds a call may seem to start before its channel was created."""
_FARTHEST: Final = 26 * 3600
"""From the zone that is farthest ahead of UTC to the one farthest behind."""
_SEASONS: Final = (1800, 3600)
"""By how much summer time moves clocks."""


class Sample(Struct, frozen=True):
    """One record's start by the clock on the PBX's wall (no zone), and the epoch of its id."""

    wall: datetime
    epoch: int


class ZoneFinding(Struct, frozen=True, kw_only=True):
    """What the samples say of a zone."""

    fits: bool | None
    """None where there are too few samples, or they contradict each other."""
    offsets_seconds: tuple[int, ...] = ()
    """Where it does not fit: how much later than they were the starts are read; two where the season matters."""
    samples: int


class ZoneCheck:
    """Keeps a bounded number of samples of one feed."""

    __slots__ = ("_samples", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        """Check the zone in which the feed's times are read."""
        self._zone = zone
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)

    def note(self, started_at: datetime, epoch: int) -> None:
        """Take a start (UTC) as it was read in the zone, without help of the epoch, and the epoch."""
        self._samples.append(Sample(started_at.astimezone(self._zone).replace(tzinfo=None), epoch))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What ``fitting_zones`` needs."""
        return tuple(self._samples)

    def finding(self) -> ZoneFinding:
        """Say whether the zone fits."""
        return judge(self._samples, self._zone)


def is_local(text: str) -> bool:
    """Whether a time as text is one of the wall's clock: it is no epoch, and does not say its offset from UTC."""
    return ":" in text and _OFFSET.search(text) is None


def judge(samples: Sequence[Sample], zone: tzinfo) -> ZoneFinding:
    """Say whether the samples' times are those of ``zone``."""
    total = len(samples)
    offsets = Counter(offset for sample in samples if (offset := _offset(sample, zone)) is not None)
    ranked = offsets.most_common(2)
    agreed = sum(count for _, count in ranked)
    if total < _ENOUGH or agreed < _AGREEMENT * total:
        return ZoneFinding(fits=None, samples=total)
    first, count = ranked[0]
    if count >= _AGREEMENT * total:
        return ZoneFinding(fits=first == 0, offsets_seconds=(first,) if first else (), samples=total)
    second, fewer = ranked[1]
    if abs(first - second) in _SEASONS and fewer >= max(_ENOUGH, _MINORITY * total):
        return ZoneFinding(fits=False, offsets_seconds=tuple(sorted((first, second))), samples=total)
    return ZoneFinding(fits=None, samples=total)


def fitting_zones(samples: Sequence[Sample], candidates: Mapping[str, tzinfo]) -> list[str]:
    """Give the names of the zones that the samples fit, in the order of ``candidates``."""
    return [name for name, zone in candidates.items() if judge(samples, zone).fits]


def _offset(sample: Sample, zone: tzinfo) -> int | None:
    """Give how many seconds later than the epoch the time reads, in whole quarter hours; None if they are unrelated."""
    local = sample.wall.replace(tzinfo=zone)
    try:
        reads = [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
        epoch = datetime.fromtimestamp(sample.epoch, UTC)
    except (OverflowError, ValueError):
        return None
    late = min((read - epoch for read in reads), key=abs) // timedelta(seconds=1)
    quarters = (late + _EARLY) // _QUARTER * _QUARTER
    return quarters if abs(quarters) <= _FARTHEST else None
