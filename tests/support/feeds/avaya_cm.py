"""The customized CDR of a Communication Manager; every number is invented."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.support.communication_manager import layout, line

START = datetime(2026, 9, 1, 8)  # noqa: DTZ001 - the PBX writes wall-clock time
SETUP: dict[str, Any] = {"layout": layout()}


def feed(*, rows: int, seed: int) -> bytes:
    """Exactly so many lines, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    at, lines = START, []
    for _ in range(rows):
        at += timedelta(seconds=random.randrange(1, 120))
        lines.append(line(_call(random, at)))
    return b"".join(lines)


def _call(random: Random, at: datetime) -> dict[str, str]:
    station, other = (str(number) for number in random.sample(range(2101, 2150), 2))
    outside = f"0470{random.randrange(1_000_000):06}"
    call = {"date": f"{at:%m%d%y}", "time": f"{at:%H%M}", "sec-dur": str(random.randrange(3600)), "in-trk-code": ""}
    kind = random.choice("079A")
    call |= {"cond-code": kind, "auth-code": str(random.randrange(9999))}
    if kind == "9":
        return call | {"calling-num": outside, "dialed-num": station, "in-trk-code": "801"}
    return call | {"calling-num": station, "dialed-num": other if kind == "0" else f"0{outside}"}
