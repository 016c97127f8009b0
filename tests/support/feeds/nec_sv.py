"""Records of a NEC SV9500: the builders that tests use, and a busy site's feed in the flexible format."""

from datetime import datetime, timedelta
from functools import reduce
from operator import xor
from random import Random

STX, ETX = b"\x02", b"\x03"
TIMES = "2026102009000000020261020090105500"


def field(tag: int, data: str, *, more: int = 0) -> str:
    """One tagged field; ``more`` is by how much its length field is too large."""
    return f"{tag:02}{len(data) + more:02}{data}"


def station(number: str, *, party: str = "0") -> str:
    """The data of a station: kind, tenant, number."""
    return f"{party}001{number:6}"


def outgoing(*, times: str = TIMES, dialled: str = "0470112233", party: str = "0", condition: str = "000") -> str:
    """A ``KK`` record."""
    fields = [
        field(1, "001010052210"),
        field(2, station("201", party=party)),
        field(3, "001002201") if party == "0" else "",
        field(6, times),
        field(7, "4711", more=1),
        field(8, condition),
        field(9, "001010110002010210"),
        field(10, dialled, more=1),
        field(12, "8675", more=1),
        field(15, "012"),
    ]
    return "0!KK" + "".join(fields)


def incoming(*, times: str = TIMES, caller: str = "10470112233", dialled: str = "024445566", received: str = "") -> str:
    """A ``KL`` record; ``caller`` begins with how it is presented."""
    fields = [
        field(1, "002001023201"),
        field(4, station("201")),
        field(5, "001001201"),
        field(6, times),
        field(8, "000"),
        field(10, dialled, more=1),
        field(16, caller),
        field(18, "1234554321"),
        field(19, received) if received else "",
    ]
    return "0!KL" + "".join(fields)


def internal(*, times: str = TIMES) -> str:
    """A ``KM`` record."""
    fields = [field(2, station("201")), field(4, station("202")), field(6, times), field(10, "202", more=1)]
    return "0!KM" + "".join(fields)


def fixed(kind: str, *, length: int = 128, **parts: str) -> str:
    """A record of fixed places, by its parts."""
    places = {
        "route": 2,
        "party": 8,
        "station": 11,
        "start": 17,
        "end": 27,
        "account": 37,
        "condition": 50,
        "dialled": 59,
        "called": 61,
        "caller": 95,
        "years": 113,
        "presentation": 129,
        "presented": 130,
    }
    text = [*kind.ljust(length)]
    values = {
        "route": "001002",
        "party": "0",
        "station": "201",
        "start": "1020090000",
        "end": "1020090105",
        "years": "2626",
    }
    for name, value in (values | {"condition": "000"} | parts).items():
        text[places[name] : places[name] + len(value)] = value
    return "0!" + "".join(text)


def framed(record: str) -> bytes:
    """Between STX and ETX."""
    return STX + record.encode("latin-1") + ETX


def block(*records: str, kind: str = "2", parity: int | None = 0, more: int = 0) -> bytes:
    """A LAN block; ``parity`` is what all its bytes make together, None for a block without."""
    data = b"003" + b"".join(map(framed, records))
    text = f"{kind}{len(data) + more:05}".encode() + data
    return b"\x16" + text + (b"" if parity is None else bytes([reduce(xor, text) ^ parity]))


def feed(*, rows: int, seed: int) -> bytes:
    """So many calls, the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - test data
    start, records = datetime(2026, 10, 13, 8), []  # noqa: DTZ001 - a wall clock
    for _ in range(rows):
        start += timedelta(milliseconds=chance.randrange(1, 60_000))
        end = start + timedelta(milliseconds=chance.choice((0, chance.randrange(1, 5_000_000))))
        times = "".join(moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03}" for moment in (start, end))
        number = f"04{chance.randrange(70, 99)}{chance.randrange(10**6):06}"
        made = (
            outgoing(times=times, dialled=number),
            incoming(times=times, caller="1" + number),
            internal(times=times),
        )
        records.append(framed(chance.choice(made)) + b"\r\n")
    return b"".join(records)
