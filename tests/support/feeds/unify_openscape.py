"""A busy site's call records as OpenScape Business lets them be downloaded, compressed."""

from datetime import datetime, timedelta
from random import Random

FIELDS = {
    "date": "20.10.26",
    "time": "09:00:00",
    "line": "7",
    "station": "201",
    "ring": "",
    "duration": "00:01:05",
    "number": "0470112233",
    "charge": "",
    "type": "2",
    "acct": "",
    "msn": "",
    "seizure_code": "0",
    "lcr_route": "",
}


def row(**fields: str) -> str:
    """One line without its end, the fields named replaced."""
    return "|".join((FIELDS | fields).values()) + "|"


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls, the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - test data
    end, lines = datetime(2026, 10, 13, 8), []  # noqa: DTZ001 - a wall clock
    for _ in range(rows):
        end += timedelta(seconds=chance.randrange(60))
        lines.append(_call(chance, end) + "\r\n")
    return "".join(lines).encode()


def _call(chance: Random, end: datetime) -> str:
    talk = chance.choice((0, chance.randrange(1, 5000)))
    fields = {
        "date": end.strftime("%d.%m.%y"),
        "time": end.strftime("%H:%M:%S"),
        "line": str(chance.randrange(1, 30)),
        "station": str(chance.randrange(200, 260)),
        "duration": f"{talk // 3600:02}:{talk // 60 % 60:02}:{talk % 60:02}" if talk else "",
        "number": f"04{chance.randrange(70, 99)}{chance.randrange(10**6):06}",
        "type": chance.choice("1256"),
    }
    if fields["type"] in "15":
        fields["ring"] = f"{chance.randrange(2):02}:{chance.randrange(60):02}"
        fields["number"] = chance.choice((fields["number"], ""))
    return row(**fields)
