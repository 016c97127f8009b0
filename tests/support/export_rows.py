"""Rows of FreePBX' table as different tools export them; every number and name is invented."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

COLUMNS = [
    *("calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "duration"),
    *("billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "did", "recordingfile", "cnum"),
    *("cnam", "outbound_cnum", "outbound_cnam", "dst_cnam", "linkedid", "peeraccount", "sequence"),
]
BILLING = [
    *("AcctId", "tenant", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata"),
    *("calldate", "duration", "billsec", "billamount", "disposition", "amaflags", "accountcode", "uniqueid"),
    *("userfield", "linkedid", "sequence", "agiuniqueid", "trunk", "did", "sipcallid", "inboundsipcallid"),
]
"""A table that a billing product made of FreePBX'."""
ZONE = ZoneInfo("Europe/Brussels")
CLOCK = "%Y-%m-%d %H:%M:%S"
VALUES = {
    "calldate": "2026-10-20 09:00:00",
    "start": "2026-10-20 09:00:00",
    "answer": "2026-10-20 09:00:05",
    "end": "2026-10-20 09:01:05",
    "clid": '"Ann" <0470112233>',
    "src": "0470112233",
    "dst": "201",
    "dcontext": "from-somewhere",
    "channel": "PJSIP/trunk-00000001",
    "dstchannel": "PJSIP/201-00000002",
    "lastapp": "Dial",
    "lastdata": "PJSIP/201,30,tr",
    "duration": "65",
    "billsec": "60",
    "disposition": "ANSWERED",
    "amaflags": "3",
    "uniqueid": "1792479600.1",
    "linkedid": "1792479600.1",
    "sequence": "7",
    "AcctId": "1",
}
Quoting = Callable[[str, str], str]
NAMES = (
    *("Ann", "Maes, Ro", 'Bart "B" Claes', '"Bart", Claes', "De Smet, An, Dr.", "O'Neill; Pat", "Zo\xeb Maes", ""),
    *('5" pipe', ',"', "Claes <cfo>, Bart"),
)


def doubled(value: str, separator: str) -> str:  # noqa: ARG001 - one signature for all
    """Quote all, double the quotes within: RFC 4180."""
    return '"' + value.replace('"', '""') + '"'


def enclosed(value: str, separator: str) -> str:
    """Enclose what holds anything but a word, and leave its quotes as they are."""
    plain = value.replace(".", "").replace("/", "").replace("-", "").isalnum()
    return value if plain and separator not in value else f'"{value}"'


def escaped(value: str, separator: str) -> str:  # noqa: ARG001 - one signature for all
    """Quote all, put a backslash before quotes, as MySQL does."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def bare(value: str, separator: str) -> str:  # noqa: ARG001 - one signature for all
    """Quote nothing."""
    return value


QUOTINGS: Mapping[str, Quoting] = {"doubled": doubled, "enclosed": enclosed, "escaped": escaped, "bare": bare}


def header(columns: list[str], separator: str = ",") -> bytes:
    """The line of names."""
    return separator.join(columns).encode() + b"\n"


def export(
    columns: list[str], *, quoting: Quoting = doubled, separator: str = ",", null: str = "", **values: str
) -> bytes:
    """One row of ``columns``; the values named replaced, empty ones written as ``null``."""
    known = VALUES | values
    cells = [quoting(known[name], separator) if known.get(name) else null for name in columns]
    return separator.join(cells).encode("latin-1") + b"\n"


def calls(*, rows: int, seed: int) -> list[dict[str, str]]:
    """So many calls of a site in October."""
    random = Random(seed)  # noqa: S311 - test data
    now, made = datetime(2026, 10, 5, 8, 0, tzinfo=ZONE), []
    for sequence in range(rows):
        now += timedelta(seconds=random.randrange(1, 90))
        name, outside = random.choice(NAMES), f"04{random.randrange(70_000_000, 99_999_999)}"
        inside, comes_in = str(random.randrange(201, 260)), random.random() < 0.5
        src, dst = (outside, inside) if comes_in else (inside, "0" + outside)
        rung, answered = random.randrange(1, 40), random.random() < 0.7
        talk = random.randrange(1, 900) if answered else 0
        answer, end = now + timedelta(seconds=rung), now + timedelta(seconds=rung + talk)
        made.append(
            {
                "calldate": now.strftime(CLOCK),
                "start": now.strftime(CLOCK),
                "answer": answer.strftime(CLOCK) if answered else "",
                "end": end.strftime(CLOCK),
                "clid": f'"{name}" <{src}>',
                "src": src,
                "dst": dst,
                "dcontext": "from-internal",
                "channel": f"PJSIP/{src}-{sequence:08x}",
                "dstchannel": f"PJSIP/{inside}-{sequence:08x}",
                "lastdata": f"PJSIP/{dst}@trunk,,XL(8{sequence % 9}000:6000)",
                "duration": str(rung + talk),
                "billsec": str(talk),
                "disposition": "ANSWERED" if answered else random.choice(["NO ANSWER", "BUSY", "FAILED"]),
                "uniqueid": f"{now.timestamp():.0f}.{sequence}",
                "linkedid": f"{now.timestamp():.0f}.{sequence}",
                "sequence": str(sequence),
                "AcctId": str(sequence),
            }
        )
    return made
