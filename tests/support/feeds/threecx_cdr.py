"""The CDR lines of a 3CX with all 27 columns, as an active socket or one file for all calls gives them."""

import random
from datetime import datetime, timedelta
from typing import Final

_FIRST: Final = datetime(2026, 9, 1, 5, 0)  # noqa: DTZ001 - only written as text


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - test data
    start, lines = _FIRST, []
    for number in range(rows):
        start += timedelta(seconds=chance.randint(0, 90))
        outside, inside = f"04{chance.randint(70_000_000, 99_999_999)}", f"Ext.{chance.randint(200, 399)}"
        inbound, answered = chance.random() < 0.6, chance.random() < 0.75
        ring, talk = chance.randint(0, 40), chance.randint(1, 1800) if answered else 0
        calling, called = (outside, inside) if inbound else (inside, outside)
        final = f"Ext.{chance.randint(200, 399)}" if answered and chance.random() < 0.2 else ""
        times = [start, start + timedelta(seconds=ring), start + timedelta(seconds=ring + talk)]
        began, picked, ended = (f"{time:%Y/%m/%d %H:%M:%S}" for time in times)
        cells = [
            f"Call {1000 + number}",
            f"{seed:016X}_{number}",
            f"{talk // 3600:02}:{talk // 60 % 60:02}:{talk % 60:02}" if answered else "",
            began,
            picked if answered else "",
            ended,
            chance.choice(["TerminatedBySrc", "TerminatedByDst"]) if answered else "Failed_Cancelled",
            *(calling, called, "10000" if inbound else inside[4:], inside[4:] if inbound else "10001"),
            *(inside[4:] if inbound else outside, "ReplacedDst" if final else "", final, final[4:]),
            *("", "1", "0.43", "default"),
            f"Chain: {calling};{called};{final + ';' if final else ''}" if answered else "",
            *(("Line", "Extension") if inbound else ("Extension", "Line")),
            "Extension" if final else "",
            *("Ann", chance.choice(["Bart", "Maes, Bart"]), "", ""),
        ]
        lines.append(",".join(cells) + "\r\n")
    return "".join(lines).encode()
