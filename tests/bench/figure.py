"""One measured figure and the limit it is held against."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).resolve().parents[2] / "build"
"""On the disk of the checkout, because the figures hold an fsync; a temporary folder may be memory."""
BUILD.mkdir(exist_ok=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of ``build/bench/summary.json``; ``ratio`` is value over limit."""

    name: str
    value: float
    unit: str
    limit_name: str
    limit_value: float

    @property
    def ratio(self) -> float:
        """How the figure stands to its limit."""
        return self.value / self.limit_value

    def as_row(self) -> dict[str, object]:
        """The form of the summary."""
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "limit_name": self.limit_name,
            "limit_value": round(self.limit_value, 3),
            "ratio": round(self.ratio, 4),
        }


def rates(count: int, *jobs: Callable[[], object], rounds: int = 3) -> list[float]:
    """The best of ``rounds`` interleaved rounds of each job, as ``count`` a second of this process's CPU time.

    CPU time of all threads, because another tenant's load shows in wall time; a job's waits for fsync do not count.
    """
    best = [float("inf")] * len(jobs)
    for _ in range(rounds):
        for place, job in enumerate(jobs):
            start = time.process_time()
            job()
            best[place] = min(best[place], time.process_time() - start)
    return [count / seconds for seconds in best]
