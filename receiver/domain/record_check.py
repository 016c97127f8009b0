"""Which records of a well-formed batch are not stored, and the months of those that are.

The schema of the wire says what a field may look like; this says what a record may not contradict. A party's rule
is a privacy rule: a pseudonym of a withheld number would join calls of strangers, digits of a short one give it away.
"""

from datetime import UTC, date, datetime
from typing import Final

from appliance.wire.batch import RefusalCode
from appliance.wire.call import Call, Category, Party

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Older than any PBX feed that can be read; a date before it is a broken clock."""
MONTHS_AHEAD: Final = 2
_NEVER_PSEUDONYM: Final = frozenset({Category.WITHHELD, Category.UNKNOWN})


def horizon(now: datetime) -> datetime:
    """The first instant that no record may reach: the start of the third month after ``now`` (UTC)."""
    months = now.year * 12 + now.month + MONTHS_AHEAD
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def refusal_of(call: Call, *, until: datetime) -> RefusalCode | None:
    """Say why ``call`` is not to be stored, or None; ``until`` is ``horizon`` of now."""
    if call.ended_at < call.started_at:
        return RefusalCode.TIME_ORDER
    if call.answered_at is not None and not call.started_at <= call.answered_at <= call.ended_at:
        return RefusalCode.TIME_ORDER
    if call.started_at < EARLIEST or call.ended_at >= until:
        return RefusalCode.TIME_OUT_OF_RANGE
    if not (_consistent(call.calling) and _consistent(call.called) and _consistent(call.forwarded_to)):
        return RefusalCode.PARTY_INCONSISTENT
    return None


def month_of(call: Call) -> date:
    """The first day of the UTC month in which ``call`` started; the call's time is within range."""
    started = call.started_at.astimezone(UTC)
    return date(started.year, started.month, 1)


def _consistent(party: Party | None) -> bool:
    if party is None:
        return True
    if party.category in _NEVER_PSEUDONYM and party.pseudonym is not None:
        return False
    return party.clear_digits is None or party.category is Category.EXTERNAL
