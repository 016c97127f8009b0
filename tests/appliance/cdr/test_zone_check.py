"""Whether the zone fits: agreement, offsets, seasons, old channels, and too little evidence."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.zone_check import MAX_SAMPLES, Sample, ZoneCheck, ZoneFinding, fitting_zones, judge

BRUSSELS, LISBON, TUNIS = ZoneInfo("Europe/Brussels"), ZoneInfo("Europe/Lisbon"), ZoneInfo("Africa/Tunis")
SUMMER, WINTER = datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC)
CANDIDATES = {name: ZoneInfo(name) for name in ("Europe/Brussels", "Europe/Lisbon", "Africa/Tunis", "UTC")}


def written(zone: ZoneInfo, *starts: datetime, age: int = 0) -> list[Sample]:
    """Samples of a PBX in ``zone`` whose channels were ``age`` seconds old when the calls started."""
    return [Sample(start.astimezone(zone).replace(tzinfo=None), int(start.timestamp()) - age) for start in starts]


def every_day(first: datetime, days: int) -> list[datetime]:
    """One call a day."""
    return [first + timedelta(days=day, minutes=day) for day in range(days)]


def test_the_right_zone_fits() -> None:
    """In summer and in winter, and through both changes of the clock."""
    samples = written(BRUSSELS, *every_day(SUMMER, 250))
    assert judge(samples, BRUSSELS) == ZoneFinding(fits=True, samples=250)
    assert fitting_zones(samples, CANDIDATES) == ["Europe/Brussels"]


def test_a_wrong_zone_is_off_by_one_offset() -> None:
    """Lisbon's clock is an hour behind that of Brussels all year: what it writes is read an hour too early."""
    samples = written(LISBON, *every_day(SUMMER, 250))
    assert judge(samples, BRUSSELS) == ZoneFinding(fits=False, offsets_seconds=(-3600,), samples=250)
    assert fitting_zones(samples, CANDIDATES) == ["Europe/Lisbon"]


def test_a_zone_without_summer_time_is_off_by_two() -> None:
    """Half of the year Tunis and Brussels agree; a file of one season cannot tell."""
    samples = written(TUNIS, *every_day(SUMMER, 250))
    assert judge(samples, BRUSSELS) == ZoneFinding(fits=False, offsets_seconds=(-3600, 0), samples=250)
    assert fitting_zones(samples, CANDIDATES) == ["Africa/Tunis"]
    assert fitting_zones(written(TUNIS, *every_day(WINTER, 9)), CANDIDATES) == ["Europe/Brussels", "Africa/Tunis"]


def test_times_in_utc_are_found() -> None:
    """As ``usegmtime`` writes them."""
    samples = written(ZoneInfo("UTC"), *every_day(SUMMER, 9))
    assert judge(samples, BRUSSELS).offsets_seconds == (-7200,)
    assert fitting_zones(samples, CANDIDATES) == ["UTC"]


def test_few_samples_say_nothing() -> None:
    """Four of one mind are too few; five are enough."""
    assert judge(written(LISBON, *every_day(SUMMER, 4)), BRUSSELS) == ZoneFinding(fits=None, samples=4)
    assert judge(written(LISBON, *every_day(SUMMER, 5)), BRUSSELS).fits is False
    assert judge([], BRUSSELS) == ZoneFinding(fits=None, samples=0)


@pytest.mark.parametrize("age", [-59, 0, 600, 839])
def test_channels_may_be_older_than_their_calls(age: int) -> None:
    """By minutes; a second or so early is a matter of rounding."""
    assert judge(written(BRUSSELS, *every_day(SUMMER, 9), age=age), BRUSSELS).fits is True


def test_one_in_ten_may_disagree() -> None:
    """A queue may hold a channel for an hour; more than that is no agreement, and no second season either."""
    good, old = every_day(SUMMER, 18), every_day(SUMMER, 2)
    assert judge(written(BRUSSELS, *good) + written(BRUSSELS, *old, age=4000), BRUSSELS).fits is True
    assert judge(written(BRUSSELS, *good[:16]) + written(BRUSSELS, *old * 2, age=4000), BRUSSELS).fits is None
    halves = written(BRUSSELS, *good) + written(BRUSSELS, *good, age=9 * 3600)
    assert judge(halves, BRUSSELS).fits is None


def test_contradicting_samples_say_nothing() -> None:
    """Ids whose numbers are no epochs of these calls."""
    samples = [Sample(SUMMER.replace(tzinfo=None), 1_000_000_000 + 10_000 * number) for number in range(50)]
    assert judge(samples, BRUSSELS) == ZoneFinding(fits=None, samples=50)


@pytest.mark.parametrize("wall", [datetime.min, datetime.max])  # noqa: DTZ901 - a wall clock has no zone
def test_the_ends_of_the_calendar_are_no_error(wall: datetime) -> None:
    """They are related to no epoch."""
    assert judge([Sample(wall, 0)] * 9, ZoneInfo("Asia/Tokyo" if wall.year == 1 else "America/Lima")).fits is None


def test_memory_is_bounded_and_the_latest_count() -> None:
    """A zone that was set right is seen to be right."""
    check = ZoneCheck(BRUSSELS)
    for start in every_day(SUMMER, 100):
        check.note(start - timedelta(hours=1), int(start.timestamp()))
    assert check.finding().fits is False
    for start in every_day(SUMMER, MAX_SAMPLES):
        check.note(start, int(start.timestamp()))
    assert check.finding() == ZoneFinding(fits=True, samples=MAX_SAMPLES)
    assert len(check.samples) == MAX_SAMPLES


@given(
    st.sampled_from(sorted(CANDIDATES)),
    st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)), min_size=5, max_size=40),  # noqa: DTZ001 - Hypothesis wants bounds without a zone
)
def test_the_pbx_own_zone_always_fits(name: str, starts: list[datetime]) -> None:
    """Whenever the calls were, the hours of the clock change included."""
    assert name in fitting_zones(written(CANDIDATES[name], *starts), CANDIDATES)
