"""Channel event logs for tests, and what they give in one call."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from appliance.cdr.asterisk_cel import DIALECT
from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.joined_lines import JoinedLines
from appliance.cdr.record import CallRecord, Parsed
from tests.support.cdr_rows import NOW, frame, reason
from tests.support.feeds.asterisk_cel import event


def parser(**layout: Any) -> JoinedLines[Any, Any]:
    """A parser at the beginning of a file."""
    made = DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=msgspec.convert(layout, Layout)))
    assert isinstance(made, JoinedLines)
    return made


def parse(data: bytes, **layout: Any) -> Parsed:
    """What a whole file gives."""
    one = parser(**layout)
    parsed, last = one.parse(frame(data), now=NOW), one.finish()
    return Parsed(parsed.records, [*parsed.refused, *last.refused], parsed.ignored)


def read(data: bytes, **layout: Any) -> list[CallRecord]:
    """The records of a file of which nothing is refused."""
    parsed = parse(data, **layout)
    assert parsed.refused == []
    return parsed.records


def refused(data: bytes, **layout: Any) -> list[str]:
    """The reasons of a file."""
    return [reason(item.reason) for item in parse(data, **layout).refused]


def channel(*between: bytes, start: dict[str, str] | None = None, end: float = 65, **all_events: str) -> bytes:
    """A channel from its start to its end, with events between."""
    first = {"cidnum": "0470112233", "exten": "201"} | all_events | (start or {})
    return event("CHAN_START", 0, **first) + b"".join(between) + event("CHAN_END", end, **all_events)
