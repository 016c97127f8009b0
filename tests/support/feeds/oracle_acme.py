"""A busy session border controller's file: starts and stops of 122 and 175 columns, quotes within quotes."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from tests.support.acme_rows import stop

_BRUSSELS = ZoneInfo("Europe/Brussels")


def feed(*, rows: int, seed: int) -> bytes:
    """So many rows, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    lines = []
    clock = datetime(2026, 9, 1, 8, tzinfo=UTC)
    for number in range(rows):
        clock += timedelta(milliseconds=random.randrange(20_000))
        answer = clock + timedelta(milliseconds=random.randrange(1000, 30_000))
        talked = random.choice((0, 5, 61, 300, 3600))
        outside, inside = f"+32470{random.randrange(1000000):06}", f"+322444{random.randrange(10000):04}"
        calling, called = (inside, outside) if number % 2 else (outside, inside)
        name = random.choice(('"Maes, An" ', '"Bart" ', ""))
        lines.append(
            stop(
                session=f'"SD{number:x}-{seed}@192.0.2.1"',
                calling=f'"{name}<sip:{calling}@192.0.2.14:5060;user=phone>;tag=SD{number:x}"',
                called=f'"<sip:{called}@192.0.2.20:5060;user=phone>"',
                talk=str(talked),
                setup=f'"{written(clock)}"',
                connect=f'"{written(answer)}"' if talked else '""',
                disconnect=f'"{written(answer + timedelta(seconds=talked, milliseconds=random.randrange(1000)))}"',
                cause=random.choice(("16", "17", "1")),
            )
        )
    return b"".join(lines)


def written(moment: datetime) -> str:
    """A time as the controller writes it, in Brussels."""
    local = moment.astimezone(_BRUSSELS)
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03} {local:%Z %b %d %Y}".upper()
