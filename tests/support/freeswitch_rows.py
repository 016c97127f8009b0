"""Rows of mod_cdr_csv for tests, and their outcomes; every number and name is invented."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.freeswitch_csv import DIALECT
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord
from tests.support.cdr_rows import NOW, frame, outcomes, reason

STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
EXAMPLE = {
    "caller_id_name": "Ann",
    "caller_id_number": "0470112233",
    "destination_number": "201",
    "context": "default",
    "start_stamp": "2026-10-20 09:00:00",
    "answer_stamp": "2026-10-20 09:00:05",
    "end_stamp": "2026-10-20 09:01:05",
    "duration": "65",
    "billsec": "60",
    "hangup_cause": "NORMAL_CLEARING",
    "uuid": "99205d8f-5ec4-402e-b174-7a8bb8c23a61",
    "bleg_uuid": "02132a5c-b9b1-4dbf-b79c-bdf408854867",
    "accountcode": "201",
    "read_codec": "PCMA",
    "write_codec": "PCMA",
}


def written(columns: Sequence[str]) -> bytes:
    """A row as FreeSWITCH writes it: quotes around, and no escape for those within."""
    return ",".join(f'"{column}"' for column in columns).encode() + b"\n"


def example(**changes: str) -> bytes:
    """A row of the ``example`` template."""
    return written(list((EXAMPLE | changes).values()))


def declared(columns: str, **changes: str) -> Outcome:
    """The outcome of a row of the variables ``columns``, which the administrator declared."""
    names = columns.split()
    values = EXAMPLE | {"call_uuid": "", "originator": "", "originating_leg_uuid": "", "signal_bond": ""} | changes
    return parse(written([values.get(name, "") for name in names]), Layout(columns=tuple(names)))[0]


def parse(data: bytes, layout: Layout | None = None, zone: str = "Europe/Brussels") -> list[Outcome]:
    """The outcomes of a whole file."""
    context = FeedContext(zone=ZoneInfo(zone), layout=layout or Layout())
    return outcomes(DIALECT.open(context), frame(data), now=NOW)


def record_of(outcome: Outcome) -> CallRecord:
    """The record that it must be."""
    assert isinstance(outcome, CallRecord), reason(outcome)
    return outcome


def only(data: bytes) -> CallRecord:
    """The record of a file of one row."""
    [outcome] = parse(data)
    return record_of(outcome)
