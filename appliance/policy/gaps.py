"""Known gaps: a source that loses notes what it lost, and any number of gaps can be told in few."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from appliance.wire.completeness import Gap, GapCause
from appliance.wire.limits import MAX_COUNT


class Losses:
    """What a source has lost since it was last read: one gap a cause, however often something was lost."""

    __slots__ = ("_gaps",)

    def __init__(self) -> None:
        """Start with nothing lost."""
        self._gaps: list[Gap] = []

    def note(self, cause: GapCause, *, began_at: datetime, ended_at: datetime, records: int | None) -> None:
        """Something was lost: ``records``, or nobody knows how many."""
        self._gaps = merged([*self._gaps, Gap(began_at, ended_at, records, cause)])

    def take(self) -> list[Gap]:
        """Give the gaps, for ``SourceBatch.gaps``, and start anew."""
        taken, self._gaps = self._gaps, []
        return taken


def merged(gaps: Iterable[Gap]) -> list[Gap]:
    """Tell gaps as one for each cause, which spans them all; how many records is unknown if it is of one of them."""
    found: dict[GapCause, Gap] = {}
    for gap in gaps:
        known = found.get(gap.cause)
        found[gap.cause] = gap if known is None else _joined(known, gap)
    return list(found.values())


def bounded(gaps: Sequence[Gap], *, most: int) -> list[Gap]:
    """Give the gaps as they are, or merged where there are more than ``most``."""
    return list(gaps) if len(gaps) <= most else merged(gaps)


def _joined(one: Gap, other: Gap) -> Gap:
    unknown = one.records is None or other.records is None
    records = None if unknown else min((one.records or 0) + (other.records or 0), MAX_COUNT)
    return Gap(min(one.began_at, other.began_at), max(one.ended_at, other.ended_at), records, one.cause)
