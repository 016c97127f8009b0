"""Invented calls of two legs each, as variables and caller profiles of FreeSWITCH."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from tests.support.freeswitch_documents import leg, profile

FIRST = int(datetime(2026, 10, 19, 6, tzinfo=UTC).timestamp())
CAUSES = ("NO_ANSWER", "USER_BUSY", "ORIGINATOR_CANCEL", "UNALLOCATED_NUMBER")


def calls(*, rows: int, seed: int) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """About so many legs, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    start = FIRST
    for _ in range((rows + 1) // 2):
        start += random.randrange(1, 240)
        calling, called = f"+3247{random.randrange(10**7):07}", str(random.randrange(201, 240))
        if random.random() < 0.5:
            calling, called = called, calling
        first, second = (f"{random.getrandbits(32):08x}-4c15-11ea-97a0-{random.getrandbits(48):012x}" for _ in range(2))
        times = _times(start, random.randrange(1, 30), random.choice((0, random.randrange(1, 600))))
        cause = "NORMAL_CLEARING" if times["answer_epoch"] != "0" else random.choice(CAUSES)
        shared = {"call_uuid": first, "hangup_cause": cause, "sip_from_user": calling, **times}
        yield leg(uuid=second, direction="outbound", originating_leg_uuid=first, **shared), profile(calling, called)
        yield leg(uuid=first, **shared), profile(calling, called)


def _times(start: int, ring: int, talk: int) -> dict[str, str]:
    seconds = {"start": start, "answer": start + ring if talk else 0, "end": start + ring + talk}
    written = {f"{name}_epoch": str(second) for name, second in seconds.items()}
    written |= {
        f"{name}_uepoch": str(second * 1_000_000 + 250_000 if second else 0) for name, second in seconds.items()
    }
    return written | {"duration": str(ring + talk), "billsec": str(talk)}
