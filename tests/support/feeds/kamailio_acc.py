"""Accounting of a proxy as Kamailio's shipped configuration writes it to syslog: two lines a call, some one."""

import heapq
from random import Random

from tests.support.feeds.calls import FIRST_SECOND, Invented, invented

_FAILURES = (("486", "Busy Here"), ("487", "Request Terminated"), ("480", "Temporarily Unavailable"), ("404", "No"))


def feed(*, rows: int, seed: int) -> bytes:
    """About so many lines, the same for the same seed, in the order in which the transactions were answered."""
    random = Random(seed)  # noqa: S311 - test data
    lines: list[tuple[int, str]] = []
    for number, call in enumerate(invented(random, max(1, rows // 2))):
        answered = FIRST_SECOND + call.second + call.ring
        dialog = f"from_tag=f{seed}x{number};to_tag=t{number};call_id={number:x}-{seed}@pbx.example"
        if call.talk:
            heapq.heappush(lines, (answered, _line(call, answered, "INVITE", dialog, "200", "OK")))
            ended = answered + call.talk
            heapq.heappush(lines, (ended, _line(call, ended, "BYE", dialog, "200", "OK")))
        else:
            code, reason = random.choice(_FAILURES)
            heapq.heappush(lines, (answered, _line(call, answered, "INVITE", dialog, code, reason)))
    return "".join(heapq.heappop(lines)[1] for _ in range(len(lines))).encode()


def _line(call: Invented, at: int, method: str, dialog: str, code: str, reason: str) -> str:
    return (
        "Oct 20 09:00:00 sbc /usr/sbin/kamailio[820]: NOTICE: acc [acc.c:279]: acc_log_request(): "
        f"ACC: transaction answered: timestamp={at};method={method};{dialog};code={code};reason={reason};"
        f"src_user={call.calling};src_domain=pbx.example;src_ip=192.0.2.7;"
        f"dst_ouser={call.called};dst_user={call.called};dst_domain=192.0.2.9\n"
    )
