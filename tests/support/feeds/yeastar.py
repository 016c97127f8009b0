"""Reports of calls as a Yeastar PBX pushes them, one JSON document each."""

import json
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from tests.support.feeds.calls import FIRST_SECOND, invented

_ZONE = ZoneInfo("Europe/Brussels")


def feed(*, rows: int, seed: int) -> bytes:
    """So many documents, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    documents = []
    for number, call in enumerate(invented(random, rows)):
        epoch = FIRST_SECOND + call.second
        start = datetime.fromtimestamp(epoch, UTC).astimezone(_ZONE)
        document = {
            "action": "NewCdr",
            "callid": f"{epoch}.{number}",
            "timestart": start.strftime("%Y-%m-%d %H:%M:%S"),
            "callfrom": call.calling,
            "callto": call.called,
            "callduraction": str(call.ring + call.talk),
            "talkduraction": str(call.talk),
            "srctrunkname": "Trunk" if call.kind == "Inbound" else "",
            "desttrunkname": "Trunk" if call.kind == "Outbound" else "",
            "status": "ANSWERED" if call.talk else random.choice(("NO ANSWER", "BUSY", "FAILED")),
            "type": call.kind,
            "sn": "369300000000",
        }
        documents.append(json.dumps(document))
    return "\n".join(documents).encode() + b"\n"
