"""A busy gateway's file: detailed rows, two legs for each call."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.support.cube_rows import leg


def feed(*, rows: int, seed: int) -> bytes:
    """So many rows, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    lines = []
    clock = datetime(2026, 9, 1, 8, tzinfo=UTC)
    call: dict[str, Any] = {}
    for number in range(rows):
        if number % 2 == 0:
            clock += timedelta(milliseconds=random.randrange(20_000))
            answer = clock + timedelta(milliseconds=random.randrange(1000, 30_000))
            talked = random.choice((0, 5, 61, 300, 3600))
            end = answer + timedelta(seconds=talked, milliseconds=random.randrange(1000))
            call = {
                "unix_time": str(int(end.timestamp()) + 1),
                "h323_conf_id": f'"{number:X} D96211E2 {seed:08X} 52CD806F"',
                "h323_setup_time": f'"{written(clock)}"',
                "h323_connect_time": f'"{written(answer)}"' if talked else '""',
                "h323_disconnect_time": f'"{written(end)}"',
                "h323_disconnect_cause": random.choice(('"10  "', '"11  "', '"1  "')),
                "clid": f'"0470{random.randrange(1000000):06}"',
                "dnis": f'"02444{random.randrange(10000):04}"',
            }
        lines.append(leg(call_id=str(number), h323_call_origin='"originate"' if number % 2 else '"answer"', **call))
    return b"".join(lines)


def written(moment: datetime) -> str:
    """A time as the gateway writes it, in UTC."""
    return f"*{moment:%H:%M:%S}.{moment.microsecond // 1000:03} UTC {moment:%a %b} {moment.day} {moment.year}"
