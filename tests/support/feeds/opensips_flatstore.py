"""Flat accounting rows in CGRateS' shape: an INVITE without a time, its ACK and its BYE, or a failed INVITE."""

import heapq
from random import Random

from tests.support.feeds.calls import FIRST_SECOND, invented

_FAILURES = ("486|Busy here", "487|Request Terminated", "480|Temporarily Unavailable", "404|Not Found")


def feed(*, rows: int, seed: int) -> bytes:
    """About so many rows, the same for the same seed, in the order in which the transactions were answered."""
    random = Random(seed)  # noqa: S311 - test data
    lines: list[tuple[int, int, str]] = []
    for number, call in enumerate(invented(random, max(1, rows // 3))):
        answered = FIRST_SECOND + call.second + call.ring
        dialog = f"f{seed}x{number}|t{number}|{number:x}-{seed}@0:0:0:0:0:0:0:0"
        parties = f"*prepaid|{call.calling}|{call.called}||{number}:{seed}"
        if call.talk:
            lines.append((answered, 0, f"INVITE|{dialog}|200|OK||{parties}"))
            lines.append((answered, 1, f"ACK|{dialog}|200|OK|{answered}|{parties}"))
            lines.append((answered + call.talk, 2, f"BYE|{dialog}|200|OK|{answered + call.talk}|||||{number}:{seed}"))
        else:
            lines.append((answered, 0, f"INVITE|{dialog}|{random.choice(_FAILURES)}|{answered}|{parties}"))
    heapq.heapify(lines)
    return "".join(heapq.heappop(lines)[2] + "\n" for _ in range(len(lines))).encode()
