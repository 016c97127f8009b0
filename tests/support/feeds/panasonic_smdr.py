"""A busy site's SMDR printout, pattern A, with the page heads that repeat."""

from datetime import datetime, timedelta
from random import Random

HEAD = "\r\n  Date     Time    Ext CO        Dial Number        Ring Duration  Acc code  CD\r\n" + "-" * 80 + "\r\n"


def row(
    stamp: str,
    extension: str,
    trunk: str,
    dial: str,
    *,
    ring: str = "",
    duration: str = "",
    code: str = "",
    acc: str = "",
) -> str:
    """One line of pattern A, without its end; ``stamp`` is date and time."""
    date, _, time = stamp.partition(" ")
    return f"{date:8} {time:7} {extension:>5} {trunk:2} {dial:25} {ring:>4} {duration:8} {acc:10} {code:2}"


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls, the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - test data
    end, lines = datetime(2026, 10, 13, 8), []  # noqa: DTZ001 - a wall clock
    for number in range(rows):
        end += timedelta(minutes=chance.randrange(2))
        if number % 60 == 0:
            lines.append(HEAD)
        lines.append(_call(chance, end.strftime("%d/%m/%y %I:%M%p")) + "\r\n")
    return "".join(lines).encode()


def _call(chance: Random, stamp: str) -> str:
    extension, trunk = str(chance.randrange(200, 260)), f"{chance.randrange(1, 31):02}"
    number = f"04{chance.randrange(70, 99)}{chance.randrange(10**6):06}"
    talk = chance.choice((0, chance.randrange(1, 5000)))
    duration = f"{talk // 3600:02}:{talk // 60 % 60:02}'{talk % 60:02}"
    kind = chance.randrange(4)
    if kind == 0:
        return row(stamp, extension, "", f"EXT{chance.randrange(200, 260)}", duration=duration)
    if kind == 1:
        return row(stamp, extension, trunk, number, duration=duration, acc=str(chance.randrange(10**6)))
    caller = chance.choice((number, "", f"ANN{number}"))
    ring = f"{chance.randrange(3)}'{chance.randrange(60):02}"
    return row(stamp, extension, trunk, f"<I>{caller}", ring=ring, duration=duration, code="" if talk else "NA")
