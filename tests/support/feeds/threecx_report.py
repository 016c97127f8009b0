"""The call report of a 3CX v20: names beside numbers, and what was said, over several lines."""

import random
from datetime import datetime, timedelta
from typing import Final

_FIRST: Final = datetime(2026, 9, 1, 7, 0)  # noqa: DTZ001 - wall-clock text of the site
_HEADER: Final = (
    "Call Time,Caller ID,Destination,Trunk,Trunk number,Did,Status,Ringing,Talking,Total Duration,Call Type,"
    "Sentiment,Summary,Transcription"
)
_SAID: Final = ('"Ann called.\nShe said ""yes"", twice."', "", "", '"Bart: hello\r\nAnn: hello,\r\n\r\nand so on"')


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls under a header, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - test data
    start, lines = _FIRST, [_HEADER]
    for _ in range(rows):
        start += timedelta(seconds=chance.randint(0, 90))
        outside, inside = f"+324{chance.randint(70_000_000, 99_999_999)}", f'"Maes, Ann ({chance.randint(200, 399)})"'
        inbound, answered = chance.random() < 0.6, chance.random() < 0.75
        ring, talk = chance.randint(0, 40), chance.randint(1, 1800) if answered else 0
        cells = [
            f"{start:%Y-%m-%dT%H:%M:%S}",
            *((outside, inside) if inbound else (inside, outside)),
            *("Trunk", "10000", "3224445566", "Answered" if answered else chance.choice(["Unanswered", "Redirected"])),
            *(f"{span // 3600}:{span // 60 % 60:02}:{span % 60:02}" for span in (ring, talk, ring + talk)),
            "Inbound" if inbound else "Outbound",
            *("", chance.choice(_SAID), chance.choice(_SAID)),
        ]
        lines.append(",".join(cells))
    return ("\ufeff" + "\r\n".join([*lines, f"Totals,{rows},,,,,,0:00:00,0:00:00,0:00:00,,,,"]) + "\r\n").encode()
