"""The SMDR of a MiVoice Business with extended digit length, ANI/DNIS and network OLI; every number is invented."""

from datetime import datetime, timedelta
from random import Random

from tests.support.mitel_lines import Options, line

START = datetime(2026, 9, 1, 8)  # noqa: DTZ001 - the PBX writes wall-clock time
OPTIONS = Options(extended=True, numbers=True, network=True)


def feed(*, rows: int, seed: int) -> bytes:
    """Exactly so many lines, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    at, lines = START, []
    for number in range(rows):
        at += timedelta(seconds=random.randrange(1, 120))
        lines.append(line(_call(random, at, f"M010{number % 10_000:04}"), OPTIONS))
    return b"".join(lines)


def _call(random: Random, at: datetime, call_id: str) -> dict[str, str]:
    station, other = (str(number) for number in random.sample(range(2101, 2150), 2))
    outside, trunk = f"0470{random.randrange(1_000_000):06}", f"T{random.randrange(1, 30)}"
    talk = random.randrange(1, 5400)
    call = {
        "date": f"{at:%m/%d}",
        "time": f"{at:%H:%M}",
        "call_id": call_id,
        "sequence": "A",
        "ani": "",
        "dnis": "",
        "duration": f"{talk // 3600:02}:{talk // 60 % 60:02}:{talk % 60:02}",
        "long": "+" if talk >= 1800 else "%" if talk >= 600 else "-" if talk >= 300 else "",
    }
    kind = random.choice("IOXU")
    if kind == "I":
        answer = f"{random.randrange(40):03}"
        return call | {"calling": trunk, "digits": station, "called": station, "ani": outside, "answer": answer}
    if kind == "O":
        number = {"digits": f"0{outside}", "account": f"{random.randrange(9999)}"}
        return call | number | {"calling": station, "called": trunk, "answer": "", "completion": "A"}
    if kind == "X":
        return call | {"calling": station, "digits": other, "called": other, "completion": "I", "answer": "003"}
    lost = {"duration": "00:00:00", "long": "", "answer": "***", "called": ""}
    return call | lost | {"calling": trunk, "digits": station, "ani": outside}
