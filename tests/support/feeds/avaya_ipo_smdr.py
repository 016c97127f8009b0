"""The SMDR output of an IP Office with some fifty extensions; every number and name is invented."""

from datetime import datetime, timedelta
from random import Random

START = datetime(2026, 9, 1, 8)  # noqa: DTZ001 - the PBX writes wall-clock time
NAMES = ("Ann", "Bart", "Reception", "Zoe Maes", "")


def feed(*, rows: int, seed: int) -> bytes:
    """Exactly so many rows, the same for the same seed; a few calls have a second segment."""
    random = Random(seed)  # noqa: S311 - test data
    lines: list[str] = []
    at, call_id = START, 1_000_000
    while len(lines) < rows:
        at += timedelta(seconds=random.randrange(1, 120))
        call_id += 1
        lines += _call(random, f"{at:%Y/%m/%d %H:%M:%S}", call_id)
    return "".join(line + "\r\n" for line in lines[:rows]).encode()


def _call(random: Random, start: str, call_id: int) -> list[str]:
    extension, other = random.sample(range(2101, 2150), 2)
    outside = f"0470{random.randrange(1_000_000):06}"
    trunk = f"T90{random.randrange(1, 20):02},Line {random.randrange(1, 5)}.{random.randrange(1, 30)}"
    kind = random.choice("IOX")
    party = f"E{extension},{random.choice(NAMES)}"
    if kind == "I":
        caller = outside if random.random() < 0.9 else ""
        head, internal, parties = f"{caller},I,{extension},02444{extension}", 0, f"{party},{trunk}"
    elif kind == "O":
        head, internal, parties = f"{extension},O,0{outside},0{outside}", 0, f"{party},{trunk}"
    else:
        head, internal, parties = f"{extension},O,{other},{other}", 1, f"{party},E{other},{random.choice(NAMES)}"
    ring = random.randrange(30)
    talk = random.randrange(1, 1800) if random.random() < 0.8 else 0
    goes_on = int(talk > 0 and random.random() < 0.1)
    lines = [_row(start, talk, ring, head, f"{internal},{call_id},{goes_on},{parties},{random.randrange(9) * goes_on}")]
    if goes_on:
        second = f"V9501,VM Channel 1,{parties.split(',', 2)[2]}"
        lines.append(_row(start, random.randrange(1, 90), 0, head, f"{internal},{call_id},0,{second},0"))
    return lines


def _row(start: str, talk: int, ring: int, head: str, rest: str) -> str:
    connected = f"{talk // 3600:02}:{talk // 60 % 60:02}:{talk % 60:02}"
    tail = f",,,,,,,,,,,,,,192.168.42.1,{ring + 7000},192.168.42.1,{ring + 7001},{start}"
    return f"{start},{connected},{ring},{head},,{rest},0{tail}"
