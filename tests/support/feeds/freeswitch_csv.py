"""A busy FreeSWITCH that writes both legs by the ``example`` template: called legs first, as they hang up."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Brussels")
FIRST = datetime(2026, 10, 19, 6, tzinfo=UTC)
NAMES = ("Ann", "Bart", "Zoé Maes", "Outbound Call", "Garage, Peeters", "")
CAUSES = ("NO_ANSWER", "USER_BUSY", "ORIGINATOR_CANCEL", "UNALLOCATED_NUMBER")


def feed(*, rows: int, seed: int) -> bytes:
    """About so many rows, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    start, lines = FIRST, list[str]()
    while len(lines) < rows:
        start += timedelta(seconds=random.randrange(1, 240))
        calling, called = f"047{random.randrange(10**7):07}", str(random.randrange(201, 240))
        if random.random() < 0.5:
            calling, called = called, calling
        ids = [f"{random.getrandbits(32):08x}-4c15-11ea-97a0-{random.getrandbits(48):012x}" for _ in range(2)]
        talk = random.choice((0, random.randrange(1, 600)))
        span = (start, random.randrange(1, 30), talk, "NORMAL_CLEARING" if talk else random.choice(CAUSES))
        name = random.choice(NAMES)
        lines.append(_row(("Outbound Call", calling, called), span, (ids[1], "")))
        lines.append(_row((name, calling, called), span, (ids[0], ids[1])))
    return "".join(lines).encode()


def _row(parties: tuple[str, str, str], span: tuple[datetime, int, int, str], ids: tuple[str, str]) -> str:
    start, ring, talk, cause = span
    total = ring + talk
    times = (
        _local(start),
        _local(start + timedelta(seconds=ring)) if talk else "",
        _local(start + timedelta(seconds=total)),
    )
    columns = [*parties, "default", *times, str(total), str(talk), cause, *ids, parties[1], "PCMA", "PCMA"]
    return ",".join(f'"{column}"' for column in columns) + "\n"


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
