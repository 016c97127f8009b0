"""Any dialect over the bytes of a finished feed, line by line, for tests of one dialect."""

from zoneinfo import ZoneInfo

from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.dialects import find_dialect
from appliance.cdr.record import CallRecord
from tests.support.cdr_rows import NOW, outcomes, reason
from tests.support.vectors import frames


def read(
    dialect: str, data: bytes, *, zone: str = "Europe/Brussels", country: str = "BE", layout: Layout | None = None
) -> list[CallRecord | str]:
    """Each line's or document's record, or why there is none."""
    context = FeedContext(zone=ZoneInfo(zone), country=country, layout=layout or Layout())
    found = outcomes(find_dialect(dialect).open(context), frames(dialect, data), now=NOW)
    return [outcome if isinstance(outcome, CallRecord) else reason(outcome) for outcome in found]


def records(dialect: str, data: bytes, *, layout: Layout | None = None) -> list[CallRecord]:
    """The records of a feed that has nothing else."""
    found = read(dialect, data, layout=layout)
    assert all(isinstance(outcome, CallRecord) for outcome in found), found
    return [outcome for outcome in found if isinstance(outcome, CallRecord)]


def only(dialect: str, data: bytes, *, layout: Layout | None = None) -> CallRecord:
    """The record of a feed of one."""
    [record] = records(dialect, data, layout=layout)
    return record


def labels(dialect: str, data: bytes, *, country: str = "BE", layout: Layout | None = None) -> list[str]:
    """What became of each line: ``record``, ``ignored`` or the reason."""
    found = read(dialect, data, country=country, layout=layout)
    return [outcome if isinstance(outcome, str) else "record" for outcome in found]
