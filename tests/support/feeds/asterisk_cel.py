"""The channel event log of a busy site, in the sample's columns; every number and name is invented."""

import json
from datetime import datetime

from tests.support.export_rows import CLOCK, calls, doubled
from tests.support.export_rows import ZONE as BRUSSELS

SAMPLE = [
    *("eventtype", "eventtime", "cidname", "cidnum", "ani", "rdnis", "dnid", "exten", "context", "channame"),
    *("appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "bridgepeer", "userfield"),
    *("userdeftype", "eventextra"),
]
EPOCH = 1792479600
"""2026-10-20 09:00:00 in Brussels."""


def event(kind: str, at: float, /, **values: str) -> bytes:
    """One event, ``at`` seconds after ``EPOCH``; the columns named replaced."""
    return event_of(SAMPLE, ",", kind, at, **values)


def event_of(columns: list[str], separator: str, kind: str, at: float, /, **values: str) -> bytes:
    """One event in columns of any choice."""
    known = {"eventtype": kind, "eventtime": f"{EPOCH + at:.6f}", "context": "from-internal", "amaflags": "3"}
    known |= {"uniqueid": f"{EPOCH}.1", "linkedid": f"{EPOCH}.1", "channame": "PJSIP/201-00000001"} | values
    return separator.join(doubled(known.get(name, ""), separator) for name in columns).encode("latin-1") + b"\n"


def hangup(cause: int, state: str = "", source: str = "") -> str:
    """The extra of a hangup since Asterisk 12."""
    return json.dumps({"hangupcause": cause, "hangupsource": source, "dialstatus": state}, separators=(",", ":"))


def call(values: dict[str, str]) -> bytes:
    """All events of one call: the channel that called, and the one that was dialled."""
    start = datetime.strptime(values["start"], CLOCK).replace(tzinfo=BRUSSELS).timestamp() - EPOCH
    answered, total = values["disposition"] == "ANSWERED", int(values["duration"])
    epoch, _, number = values["uniqueid"].partition(".")
    one = {"linkedid": values["uniqueid"], "uniqueid": values["uniqueid"], "cidnum": values["src"]}
    one |= {"exten": values["dst"], "cidname": values["clid"][:20], "context": values["dcontext"]}
    two = one | {"uniqueid": f"{epoch}.9{number}", "exten": "", "cidname": "", "channame": "PJSIP/trunk-00000002"}
    state, cause = ("ANSWER", 16) if answered else ({"NO ANSWER": "CANCEL"}.get(values["disposition"], "BUSY"), 17)
    talk = start + total - int(values["billsec"])
    lines = [
        event("CHAN_START", start, **one),
        event("APP_START", start + 0.1, **one | {"appname": "Dial", "appdata": values["lastdata"]}),
        event("CHAN_START", start + 0.2, **two | {"cidnum": ""}),
    ]
    if answered:
        lines += [
            event("ANSWER", talk, **two | {"cidnum": values["dst"]}),
            event("ANSWER", talk, **one),
            event("BRIDGE_ENTER", talk, **one | {"bridgepeer": "PJSIP/trunk-00000002"}),
            event("DTMF", talk, **one | {"eventextra": json.dumps({"digit": "5", "duration_ms": "100"})}),
        ]
    for part in (two | {"cidnum": values["dst"]}, one):
        lines += [
            event("HANGUP", start + total, **part | {"eventextra": hangup(cause, state if part is one else "")}),
            event("CHAN_END", start + total + 0.2, **part),
        ]
    return b"".join([*lines, event("LINKEDID_END", start + total + 0.3, **one)])


def feed(*, rows: int, seed: int) -> bytes:
    """About so many records: two for each call."""
    return b"".join(call(values) for values in calls(rows=(rows + 1) // 2, seed=seed))
