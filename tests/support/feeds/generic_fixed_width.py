"""A listing as older PBXs print it: one call a line, columns in fixed places, a header and a trailer."""

import random
from datetime import datetime, timedelta
from typing import Any, Final

SETUP: Final[dict[str, Any]] = {
    "layout": {
        "columns": ["-", "start", "calling", "called", "ring", "talk", "direction", "-"],
        "widths": [8, 15, 18, 18, 4, 8, 2, 12],
    }
}
_FIRST: Final = datetime(2026, 9, 1, 7, 0)  # noqa: DTZ001 - wall-clock text of the site


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls between a header and a trailer, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - test data
    start, lines = _FIRST, ["HDR0001 CALLS OF SITE 1"]
    for number in range(rows):
        start += timedelta(seconds=chance.randint(0, 90))
        outside, inside = f"04{chance.randint(70_000_000, 99_999_999)}", str(chance.randint(200, 399))
        inbound = chance.random() < 0.6
        talk = chance.randint(1, 1800) if chance.random() < 0.75 else 0
        name = chance.choice(["Ann", "Bart"])
        calling, called = (outside, inside) if inbound else (inside, "0" + outside)
        lines.append(
            f"{number:07} {start:%Y%m%d%H%M%S} {calling:18}{called:18}{chance.randint(0, 40):3} "
            f"{talk // 3600}:{talk // 60 % 60:02}:{talk % 60:02} {'I' if inbound else 'O'} {name}"
        )
    return ("\r\n".join([*lines, f"TRL0001 {rows:09}"]) + "\r\n").encode()
