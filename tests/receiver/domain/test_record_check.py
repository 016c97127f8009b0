"""Which records are refused, at the bounds and for each category."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from appliance.wire.batch import RefusalCode
from appliance.wire.call import Category, Party
from receiver.domain.record_check import EARLIEST, horizon, month_of, refusal_of
from tests.receiver.deliveries import NOON, make_call, pseudonym

_UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)),
        (datetime(2026, 9, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)),
    ],
)
def test_the_horizon_is_two_months_after_this(now: datetime, until: datetime) -> None:
    """This month and the next two are open, over the turn of the year too."""
    assert horizon(now) == until


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        (EARLIEST, EARLIEST, None),
        (EARLIEST - _TICK, EARLIEST, RefusalCode.TIME_OUT_OF_RANGE),
        (_UNTIL - 2 * _TICK, _UNTIL - _TICK, None),
        (_UNTIL - _TICK, _UNTIL, RefusalCode.TIME_OUT_OF_RANGE),
        (_UNTIL, _UNTIL, RefusalCode.TIME_OUT_OF_RANGE),
        (NOON, NOON - _TICK, RefusalCode.TIME_ORDER),
        (NOON, datetime.max.replace(tzinfo=timezone(-timedelta(hours=23))), RefusalCode.TIME_OUT_OF_RANGE),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=23))), NOON, RefusalCode.TIME_OUT_OF_RANGE),
    ],
)
def test_times_are_bounded(start: datetime, end: datetime, code: RefusalCode | None) -> None:
    """The bounds are exact, and no time of the wire's type overflows."""
    assert refusal_of(make_call(started_at=start, answered_at=None, ended_at=end), until=_UNTIL) is code


@pytest.mark.parametrize(
    ("answered", "code"),
    [
        (None, None),
        (NOON, None),
        (NOON + timedelta(seconds=5), None),
        (NOON - _TICK, RefusalCode.TIME_ORDER),
        (NOON + timedelta(seconds=5) + _TICK, RefusalCode.TIME_ORDER),
    ],
)
def test_the_answer_lies_within_the_call(answered: datetime | None, code: RefusalCode | None) -> None:
    """An answer before the start or after the end contradicts the record."""
    assert refusal_of(make_call(answered_at=answered), until=_UNTIL) is code


@pytest.mark.parametrize("side", ["calling", "called", "forwarded_to"])
@pytest.mark.parametrize("category", list(Category))
def test_only_an_external_number_shows_digits(category: Category, side: str) -> None:
    """Digits beside any other category are refused, on each side of the call."""
    party = Party(category, None, "12")
    expected = None if category is Category.EXTERNAL else RefusalCode.PARTY_INCONSISTENT
    assert refusal_of(make_call(NOON, **{side: party}), until=_UNTIL) is expected


@pytest.mark.parametrize("side", ["calling", "called", "forwarded_to"])
@pytest.mark.parametrize("category", list(Category))
def test_what_is_nobody_has_no_pseudonym(category: Category, side: str) -> None:
    """A withheld or unknown number has no pseudonym; every other may have one or none."""
    nobody = category in {Category.WITHHELD, Category.UNKNOWN}
    expected = RefusalCode.PARTY_INCONSISTENT if nobody else None
    assert refusal_of(make_call(NOON, **{side: Party(category, pseudonym(), None)}), until=_UNTIL) is expected
    assert refusal_of(make_call(NOON, **{side: Party(category, None, None)}), until=_UNTIL) is None


def test_the_month_is_that_of_utc() -> None:
    """A call on New Year's Eve local time may belong to the old year's month in UTC."""
    local = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert month_of(make_call(local)) == date(2025, 12, 1)
