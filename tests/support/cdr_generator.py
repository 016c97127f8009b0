"""An invented ``Master.csv`` of a Belgian site, with the quirks of real ones; the same bytes for the same seed.

No number here was copied from anywhere: foreign ones are of ranges set aside for fiction (Ofcom 020 7946 0xxx and
07700 900xxx, NANP 555-01xx, ARCEP 01 99 00 and 06 39 98, BNetzA 030 23125), Belgian ones, for which there is no such
range, are drawn at random. Times run from 2026-10-19 to 2026-10-27 and cross the end of summer time on the 25th.

Until ``NEW_COLUMNS_AT`` the file has 18 columns, then 21, as after switching ``newcdrcolumns`` on.
``python -m tests.support.cdr_generator tests/testdata/demo/Master.csv`` writes the demo's file again.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Brussels")
FIRST_DAY: Final = datetime(2026, 10, 19, tzinfo=ZONE)
DAYS: Final = 9
NEW_COLUMNS_AT: Final = datetime(2026, 10, 21, tzinfo=ZONE)
DST_NIGHT: Final = datetime(2026, 10, 24, 23, 5, tzinfo=UTC)
DEMO_ROWS: Final = 1200
DEMO_SEED: Final = 20261019
NAMES: Final = (
    *("Peeters, An", 'De "Kleine" Bakker', "José Dubois", "Bart O'Neill", "Zoë Maes; Garage", "Traiteur L'Étoile, SA"),
    *('=HYPERLINK("x")', "Šárka Nováková", "VAN DEN BERGHE, Marie-Christine et associés", "Wachtdienst <huisarts>", ""),
)
LATIN_1_NAMES: Final = ("Hélène Façon", "Müller, Jürgen")
EXTENSIONS: Final = tuple(str(number) for number in (*range(201, 219), 2301, 2302))
BROKEN_LINES: Final = (
    b'"","0470112233","201","from-trunk","""Van Damme, Ro',
    b'"","201","0470112233","from-internal","""An"" <201>","PJSIP/201-00000001","Dial","2026-10-20 09:00:00"',
    (
        b'"","201","202","from-internal","""An"" <201>","PJSIP/201-00000002","PJSIP/202-00000003","Dial","PJSIP/202",'
        b'"2026-10-20 24:61:00","2026-10-20 24:61:03","2026-10-20 24:61:09",9,6,"ANSWERED","DOCUMENTATION",'
        b'"1792479600.99",""'
    ),
    b'"","202","201","from-internal","""Open <202>","PJSIP/202-00000004","","Dial","PJSIP/201","2026-10-20 09:05:00"',
    (
        b'"","\x1b[2J","201","from-trunk","","PJSIP/trunk-00000005","","Hangup","","2026-10-20 09:06:00",,'
        b'"2026-10-20 09:06:01",1,0,"FAILED","DOCUMENTATION","1792479960.100",""'
    ),
)
"""Torn, short of columns, no such time, an open quote, an escape sequence as caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record as Asterisk holds it; times are UTC until it is written."""

    src: str
    dst: str
    dcontext: str
    name: bytes
    channel: str
    dstchannel: str
    lastapp: str
    lastdata: str
    started_at: datetime
    ring: int
    talk: int
    disposition: str
    uniqueid: str
    linkedid: str
    accountcode: str = ""

    @property
    def ended_at(self) -> datetime:
        """When it was hung up, which is when Asterisk writes it."""
        return self.started_at + timedelta(seconds=self.ring + self.talk)


@dataclass(slots=True)
class Site:
    """The PBX: what it counts up, and the dice."""

    random: Random
    channels: int = 0
    records: int = 4000
    rows: list[Row] = field(default_factory=list)

    def channel(self, device: str) -> str:
        """Name a new channel."""
        self.channels += 1
        return f"PJSIP/{device}-{self.channels:08x}"

    def add(self, started_at: datetime, **columns: str) -> Row:
        """Begin a row with what most have: an id, an outcome, a name, no account."""
        name = columns.pop("name", None)
        chosen = self.random.choice(NAMES).encode() if name is None else name.encode()
        if name is None and self.random.random() < 0.05:
            chosen = self.random.choice(LATIN_1_NAMES).encode("latin-1")
        disposition = self.random.choices(("ANSWERED", "NO ANSWER", "BUSY", "FAILED"), (78, 14, 6, 2))[0]
        uniqueid = f"{int(started_at.timestamp())}.{self.channels}"
        row = Row(
            src=columns["src"],
            dst=columns["dst"],
            dcontext=columns["dcontext"],
            name=chosen,
            channel=columns["channel"],
            dstchannel=columns.get("dstchannel", ""),
            lastapp=columns.get("lastapp", "Dial"),
            lastdata=columns.get("lastdata", ""),
            started_at=started_at,
            ring=self.random.randint(1, 30),
            talk=self.random.randint(1, 900) if disposition == "ANSWERED" else 0,
            disposition=disposition,
            uniqueid=uniqueid,
            linkedid=uniqueid,
        )
        self.rows.append(row)
        return row

    def digits(self, count: int) -> str:
        """Draw digits."""
        return "".join(self.random.choice("0123456789") for _ in range(count))

    def belgian(self) -> str:
        """Draw a national number, with its 0."""
        area = self.random.choice(("02", "03", "09", "04", "015", "016", "081", "0470", "0485", "0499"))
        length = 10 if len(area) == len("0470") else 9
        return area + self.random.choice("23456789") + self.digits(length - len(area) - 1)

    def foreign(self) -> str:
        """Draw a number of a range for fiction, without the international prefix."""
        start, count = self.random.choice(
            (("442079460", 3), ("447700900", 3), ("1202555010", 1), ("33199001", 3), ("33639981", 3), ("493023125", 3))
        )
        return start + self.digits(count)


def inbound(site: Site, at: datetime) -> None:
    """Call an extension from outside, in one of the spellings that trunks use."""
    number = site.random.choice(PARTNERS)
    src = site.random.choice((number, "+32" + number[1:], "0032" + number[1:], "32" + number[1:]))
    extension = site.random.choice(EXTENSIONS)
    site.add(
        at,
        src=src,
        dst=extension,
        dcontext="from-trunk",
        channel=site.channel("trunk"),
        dstchannel=site.channel(extension),
        lastdata=f"PJSIP/{extension},30,tr",
    )


def withheld(site: Site, at: datetime) -> None:
    """Call an extension from outside without a number."""
    src, name = site.random.choice((("anonymous", "Anonymous"), ("", "Anonymous"), ("Restricted", ""), ("unknown", "")))
    site.add(at, src=src, name=name, dst="201", dcontext="from-trunk", channel=site.channel("trunk"), dstchannel="")


def outbound(site: Site, at: datetime) -> None:
    """Dial a Belgian number, with the outside line or (click to dial) without it."""
    number = site.random.choice(PARTNERS)
    _dial(site, at, site.random.choice(("0" + number, "0" + number, number, "+32" + number[1:])), number)


def abroad(site: Site, at: datetime) -> None:
    """Dial a foreign number."""
    number = site.foreign()
    _dial(site, at, site.random.choice(("000", "00", "+")) + number, number)


def emergency(site: Site, at: datetime) -> None:
    """Dial 112, or another short number, with or without the outside line."""
    dst = site.random.choice(("112", "0112", "0100", "01207"))
    _dial(site, at, dst, dst)


def hidden(site: Site, at: datetime) -> None:
    """Dial with the code that withholds the own number for one call."""
    number = site.random.choice(PARTNERS)
    _dial(site, at, "*31#0" + number, number)


def _dial(site: Site, at: datetime, dst: str, number: str) -> None:
    extension = site.random.choice(EXTENSIONS)
    site.add(
        at,
        src=extension,
        dst=dst,
        dcontext="from-internal",
        channel=site.channel(extension),
        dstchannel=site.channel("trunk"),
        lastdata=f"PJSIP/{number}@trunk,300,T",
    )


def internal(site: Site, at: datetime) -> None:
    """Call a colleague; some end in the voice mail."""
    src, dst = site.random.sample(EXTENSIONS, 2)
    app, data = site.random.choice((("Dial", f"PJSIP/{dst},20,rI"), ("VoiceMail", f"{dst}@default,u")))
    name = site.random.choice(("", "An", "Bart O'Neill"))
    other = site.channel(dst) if app == "Dial" else ""
    site.add(
        at,
        src=src,
        name=name,
        dst=dst,
        dcontext="from-internal",
        channel=site.channel(src),
        dstchannel=other,
        lastapp=app,
        lastdata=data,
    )


def feature(site: Site, at: datetime) -> None:
    """Use a feature code, or end in one of Asterisk's special extensions."""
    src = site.random.choice(EXTENSIONS)
    dst = site.random.choice(("*60", "*97", "*72*201*0470000000", "s", "i", "#9", "*43"))
    site.add(
        at, src=src, dst=dst, dcontext="from-internal", channel=site.channel(src), lastapp="Playback", lastdata="beep"
    )


def forwarded(site: Site, at: datetime) -> None:
    """Call an extension that forwards to a mobile: two rows of one call."""
    caller, mobile, extension = site.random.choice(PARTNERS), "0470" + site.digits(6), site.random.choice(EXTENSIONS)
    channel = site.channel("trunk")
    first = site.add(
        at,
        src=caller,
        dst=extension,
        dcontext="from-trunk",
        channel=channel,
        dstchannel=f"Local/0{mobile}@from-internal-{site.channels:08x};1",
        lastdata=f"Local/0{mobile}@from-internal,30,tr",
    )
    second = site.add(
        at,
        src=caller,
        dst="0" + mobile,
        dcontext="from-internal",
        channel=f"Local/0{mobile}@from-internal-{site.channels:08x};2",
        dstchannel=site.channel("trunk"),
        lastdata=f"PJSIP/{mobile}@trunk,300,T",
    )
    site.rows[-1] = replace(second, linkedid=first.linkedid)


def queued(site: Site, at: datetime) -> None:
    """Ring three members of a queue in turn: rows with one uniqueid."""
    caller = site.random.choice(PARTNERS)
    channel = site.channel("trunk")
    for number, member in enumerate(site.random.sample(EXTENSIONS, 3), start=1):
        row = site.add(
            at,
            src=caller,
            dst="600",
            dcontext="ext-queues",
            channel=channel,
            dstchannel=f"Local/{member}@from-queue-{site.channels:08x};1",
            lastapp="Queue",
            lastdata="600,t,,,300",
            name="",
        )
        last = number == 3
        site.rows[-1] = replace(
            row, disposition="ANSWERED" if last else "NO ANSWER", talk=row.talk + 1 if last else 0, ring=15 * number
        )


KINDS: Final[tuple[tuple[Callable[[Site, datetime], None], int], ...]] = (
    *((inbound, 34), (outbound, 26), (internal, 16), (queued, 5), (abroad, 5)),
    *((withheld, 5), (feature, 4), (forwarded, 3), (hidden, 1), (emergency, 1)),
)


def _partners(count: int) -> tuple[str, ...]:
    site = Site(Random(32))  # noqa: S311 - invented numbers need no unpredictable source
    return tuple(site.belgian() for _ in range(count))


PARTNERS: Final = _partners(160)
"""Whom the site talks to, again and again."""


def _moment(random: Random) -> datetime:
    """Draw a time within office hours, and now and then another."""
    day = FIRST_DAY + timedelta(days=random.randrange(DAYS))
    office = random.random() < 0.9
    hour = random.triangular(8, 18) if office else random.uniform(0, 24)
    return (day + timedelta(seconds=int(hour * 3600))).astimezone(UTC)


def _calls(rows: int, seed: int) -> Site:
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    site = Site(random)
    functions, weights = zip(*KINDS, strict=True)
    moments = [_moment(random) for _ in range(rows * 7 // 8)]
    moments += [DST_NIGHT + timedelta(minutes=9 * step) for step in range(30)]
    for at in sorted(moments):
        random.choices(functions, weights)[0](site, at)
    return site


def _text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return b'"' + raw.replace(b'"', b'""') + b'"'


def _time(at: datetime) -> bytes:
    return _text(f"{at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}")


def write_row(row: Row, *, sequence: int | None) -> bytes:
    """Spell one row as ``cdr_csv.c`` does; ``sequence`` adds the three new columns."""
    clid = b'"' + row.name + b'" <' + row.src.encode() + b">"
    answered_at = row.started_at + timedelta(seconds=row.ring)
    columns = [
        *(_text(row.accountcode), _text(row.src), _text(row.dst), _text(row.dcontext), _text(clid)),
        *(_text(row.channel), _text(row.dstchannel), _text(row.lastapp), _text(row.lastdata)),
        *(_time(row.started_at), _time(answered_at) if row.talk else b"", _time(row.ended_at)),
        *(b"%d" % (row.ring + row.talk), b"%d" % row.talk, _text(row.disposition), _text("DOCUMENTATION")),
        *(_text(row.uniqueid), _text("")),
    ]
    if sequence is not None:
        columns += [_text(""), _text(row.linkedid), b"%d" % sequence]
    return b",".join(columns) + b"\n"


def generate(*, rows: int = DEMO_ROWS, seed: int = DEMO_SEED) -> bytes:
    """Give a file of about ``rows`` records: in the order of hanging up, one pair identical, five lines broken."""
    site = _calls(rows, seed)
    lines = []
    for number, row in enumerate(sorted(site.rows, key=lambda row: row.ended_at)):
        new = row.ended_at >= NEW_COLUMNS_AT
        lines.append(write_row(row, sequence=site.records + number if new else None))
    # Two calls of no length in the same second, to an extension that is busy: legitimate, and equal to the last byte.
    twin = replace(site.rows[0], dstchannel="", ring=0, talk=0, disposition="BUSY", lastapp="Hangup", lastdata="17")
    lines[4:4] = [write_row(twin, sequence=None)] * 2
    for place, broken in enumerate(BROKEN_LINES, start=1):
        lines.insert(40 * place, broken + b"\n")
    return b"".join(lines)


def main() -> None:
    """Write the file that the arguments describe."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, default=DEMO_ROWS)
    parser.add_argument("--seed", type=int, default=DEMO_SEED)
    arguments = parser.parse_args()
    arguments.output.write_bytes(generate(rows=arguments.rows, seed=arguments.seed))


if __name__ == "__main__":
    main()
