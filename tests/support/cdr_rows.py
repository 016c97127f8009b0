"""Rows of ``Master.csv`` for tests, and the pure way in one call; every number and name is invented."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import LineFramer
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord, Line
from appliance.numbering.plan import NumberingPlan
from appliance.pseudonymization.call import CallEncoder
from appliance.pseudonymization.disclosure import DisclosurePolicy
from appliance.pseudonymization.pseudonym import Pseudonymizer

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SECRET = bytes(range(32))


def belgian_plan(*, outside_line: str | None = "0", extension_lengths: Sequence[int] = (3, 4)) -> NumberingPlan:
    """The plan of the demo's site."""
    return NumberingPlan.parse(
        country="BE",
        national_prefix="0",
        international_prefix="00",
        outside_line=outside_line,
        extension_lengths=extension_lengths,
    )


def encoder(*, clear_digits: int = 4, plan: NumberingPlan | None = None, secret: bytes = SECRET) -> CallEncoder:
    """An encoder of the feed ``main`` under a fixed secret."""
    return CallEncoder(
        Pseudonymizer(secret, key_version=1),
        plan=plan or belgian_plan(),
        policy=DisclosurePolicy.parse(clear_digits=clear_digits),
        feed="main",
        dialect="asterisk_csv",
    )


def parser(zone: str = "Europe/Brussels") -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect("asterisk_csv").open(FeedContext(zone=ZoneInfo(zone)))


def frame(data: bytes) -> list[Line]:
    """All lines of a finished file."""
    framer = LineFramer()
    lines = framer.feed(data)
    last = framer.finish()
    return [*lines, last] if last else lines


def outcomes(one: LineParser, lines: Sequence[Line], *, now: datetime = NOW) -> list[Outcome]:
    """What each line gave, in order: a record, a reason, or None for no record."""
    found: list[Outcome] = []
    for line in lines:
        parsed = one.parse([line], now=now)
        found.append([*parsed.records, *(item.reason for item in parsed.refused), None][0])
    return found


def parse(data: bytes, *, zone: str = "Europe/Brussels", now: datetime = NOW) -> list[Outcome]:
    """The outcomes of a whole file."""
    return outcomes(parser(zone), frame(data), now=now)


def only_record(data: bytes, *, zone: str = "Europe/Brussels") -> CallRecord:
    """The record of a file of one row."""
    [outcome] = parse(data, zone=zone)
    assert isinstance(outcome, CallRecord), reason(outcome)
    return outcome


def reason(outcome: Outcome) -> str:
    """Why it was refused, or what it is."""
    if outcome is None:
        return "ignored"
    return "record" if isinstance(outcome, CallRecord) else outcome.value


def master(**columns: str) -> bytes:
    """One row of 18 columns, or 21 where ``linkedid`` or ``sequence`` is given; the columns named are replaced."""
    values = {
        "accountcode": "",
        "src": "0470112233",
        "dst": "201",
        "dcontext": "from-somewhere",
        "clid": '"Ann" <0470112233>',
        "channel": "PJSIP/trunk-00000001",
        "dstchannel": "PJSIP/201-00000002",
        "lastapp": "Dial",
        "lastdata": "PJSIP/201,30",
        "start": "2026-10-20 09:00:00",
        "answer": "2026-10-20 09:00:05",
        "end": "2026-10-20 09:01:05",
        "duration": "65",
        "billsec": "60",
        "disposition": "ANSWERED",
        "amaflags": "DOCUMENTATION",
        "uniqueid": "1792479600.1",
        "userfield": "",
    }
    if {"linkedid", "sequence"} & columns.keys():
        values |= {"peeraccount": "", "linkedid": values["uniqueid"], "sequence": "7"}
    return row(*(values | columns).values())


def freepbx(**columns: str) -> bytes:
    """One row of FreePBX' table, 26 columns, the columns named replaced."""
    values = {
        "calldate": "2026-10-20 09:00:00",
        "clid": '"Ann" <0470112233>',
        "src": "0470112233",
        "dst": "201",
        "dcontext": "from-somewhere",
        "channel": "PJSIP/trunk-00000001",
        "dstchannel": "PJSIP/201-00000002",
        "lastapp": "Dial",
        "lastdata": "PJSIP/201,30",
        "duration": "65",
        "billsec": "60",
        "disposition": "ANSWERED",
        "amaflags": "3",
        "accountcode": "",
        "uniqueid": "1792479600.1",
        "userfield": "",
        "did": "",
        "recordingfile": "",
        "cnum": "",
        "cnam": "",
        "outbound_cnum": "",
        "outbound_cnam": "",
        "dst_cnam": "",
        "linkedid": "1792479600.1",
        "peeraccount": "",
        "sequence": "7",
    }
    return row(*(values | columns).values())


def row(*columns: str) -> bytes:
    """One line of quoted columns."""
    return ",".join('"' + column.replace('"', '""') + '"' for column in columns).encode("latin-1") + b"\n"
