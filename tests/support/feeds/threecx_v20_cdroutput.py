"""Rows of 3CX v20's table: each call enters by a rule, waits in a queue, and rings one or two agents."""

import random
from datetime import datetime, timedelta
from typing import Final

from appliance.cdr.threecx_v20_cdroutput import COLUMNS

_FIRST: Final = datetime(2026, 9, 1, 7, 0)  # noqa: DTZ001 - the offset is written behind it
_NAMES: Final = tuple(COLUMNS)


def feed(*, rows: int, seed: int) -> bytes:
    """About so many rows under a header, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - test data
    start, lines = _FIRST, [",".join(_NAMES)]
    while len(lines) <= rows:
        start += timedelta(milliseconds=chance.randint(0, 200_000))
        call = _guid(chance)
        caller = {
            "main_call_history_id": call,
            "call_history_id": call,
            "source_entity_type": "external_line",
            "source_dn_number": "10000",
            "source_participant_phone_number": f"+324{chance.randint(70_000_000, 99_999_999)}",
            "source_participant_name": '"Maes, Ann"',
        }
        lines.append(_row(chance, start, 0, 1, caller | _called("inbound_routing", "+3224445566"), "redirected"))
        answered, waits = chance.random() < 0.7, chance.randint(1, 60)
        end = "continued_in" if answered else "src_participant_terminated"
        lines.append(_row(chance, start, 0, waits, caller | _called("queue", "900"), end))
        for agent in chance.sample(range(200, 260), 2):
            talk = chance.randint(1, 1800) if answered else 0
            end = "dst_participant_terminated" if talk else "cancelled"
            lines.append(_row(chance, start, waits, talk, caller | _called("extension", str(agent)), end))
            answered = False
    return ("\n".join(lines) + "\n").encode()


def _called(kind: str, number: str) -> dict[str, str]:
    return {"destination_entity_type": kind, "destination_dn_number": number}


def _row(chance: random.Random, start: datetime, rings: int, talk: int, values: dict[str, str], end: str) -> str:
    times = [start, start + timedelta(seconds=rings), start + timedelta(seconds=rings + talk)]
    began, answered, ended = (f"{time:%Y-%m-%d %H:%M:%S.%f}"[:23] + " +0200" for time in times)
    values |= {
        "cdr_id": _guid(chance),
        "cdr_started_at": began,
        "cdr_answered_at": answered if talk else "",
        "cdr_ended_at": ended,
        "termination_reason": end,
    }
    return ",".join(values.get(name, "") for name in _NAMES)


def _guid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
