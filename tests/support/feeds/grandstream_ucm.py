"""The CSV of a UCM's CDR API: 22 columns, and more where the commas of a dial string stand without quotes."""

from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from tests.support.feeds.calls import FIRST_SECOND, invented

_ZONE = ZoneInfo("Europe/Brussels")
_HEADER = (
    "AcctId,accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,"
    "disposition,amaflags,uniqueid,userfield,channel_ext,dstchannel_ext,service\n"
)


def feed(*, rows: int, seed: int) -> bytes:
    """So many rows below a header, the same for the same seed."""
    random = Random(seed)  # noqa: S311 - test data
    lines = [_HEADER]
    for number, call in enumerate(invented(random, rows)):
        epoch = FIRST_SECOND + call.second
        name = random.choice(("Ann", "Bart", "Peeters, An", ""))
        context = "ext-did-1" if call.kind == "Inbound" else "from-internal"
        end = epoch + call.ring + call.talk
        answer = _local(epoch + call.ring) if call.talk else ""
        disposition = "ANSWERED" if call.talk else random.choice(("NO ANSWER", "BUSY", "FAILED"))
        dialled = f"SIP/{call.called},60,," if random.random() < 0.5 else f"SIP/{call.called}"
        lines.append(
            f'{number},,{call.calling},{call.called},{context},"{name}" <{call.calling}>,SIP/a-{number:08x},'
            f"SIP/b-{number:08x},Dial,{dialled},{_local(epoch)},{answer},{_local(end)},{end - epoch},{call.talk},"
            f"{disposition},DOCUMENTATION,{epoch}.{number},EXT,a,b,s\n"
        )
    return "".join(lines).encode()


def _local(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).astimezone(_ZONE).strftime("%Y-%m-%d %H:%M:%S")
