"""A call list as many PBXs export it: a header, a date and a time of day, durations by the clock."""

import random
from datetime import datetime, timedelta
from typing import Any, Final

SETUP: Final[dict[str, Any]] = {"layout": {"separator": ";"}}
_HEADER: Final = "Call ID;Date;Start time;Direction;Caller;Caller name;Destination;Status;Ring time;Talk time\n"
_FIRST: Final = datetime(2026, 9, 1, 7, 0)  # noqa: DTZ001 - wall-clock text of the site


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls under a header, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - test data
    start, lines = _FIRST, [_HEADER]
    for number in range(rows):
        start += timedelta(seconds=chance.randint(0, 90))
        outside, inside = f"04{chance.randint(70_000_000, 99_999_999)}", str(chance.randint(200, 399))
        inbound, answered = chance.random() < 0.6, chance.random() < 0.75
        talk = chance.randint(1, 1800) if answered else 0
        cells = [
            f"{seed}-{number}",
            f"{start:%Y-%m-%d}",
            f"{start:%H:%M:%S}",
            "Incoming" if inbound else "Outgoing",
            outside if inbound else inside,
            "Ann; of sales" if chance.random() < 0.1 else "Bart",
            inside if inbound else "0" + outside,
            "Answered" if answered else chance.choice(["No answer", "Busy"]),
            str(chance.randint(0, 40)),
            f"{talk // 3600}:{talk // 60 % 60:02}:{talk % 60:02}",
        ]
        lines.append(";".join(f'"{cell}"' if ";" in cell else cell for cell in cells) + "\n")
    return "".join(lines).encode()
