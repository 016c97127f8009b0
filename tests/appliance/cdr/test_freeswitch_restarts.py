"""FreeSWITCH feeds that are read in parts, again, or in another order: keys and legs stay what they are."""

from zoneinfo import ZoneInfo

import pytest

from appliance.cdr.dialect import FeedContext
from appliance.cdr.dialects import find_dialect
from appliance.cdr.record import CallRecord
from tests.support import vectors
from tests.support.cdr_rows import NOW
from tests.support.feeds import feed_of, setup_of

DIALECTS = ("freeswitch_csv", "freeswitch_json", "freeswitch_xml")


def records(dialect: str, data: bytes) -> list[CallRecord]:
    """The records of a whole feed."""
    parser = find_dialect(dialect).open(FeedContext(zone=ZoneInfo("Europe/Brussels")))
    return parser.parse(vectors.frames(dialect, data), now=NOW).records


@pytest.mark.parametrize("dialect", DIALECTS)
def test_overlapping_exports_give_equal_keys(dialect: str) -> None:
    """Each row or document of both is the same record."""
    whole, later = feed_of(dialect, rows=40, seed=7), feed_of(dialect, rows=40, seed=8)
    first = [record.natural_key for record in records(dialect, whole)]
    second = [record.natural_key for record in records(dialect, whole + later)]
    assert second[: len(first)] == first
    assert len(set(second)) == len(second)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_call_of_the_feed_has_its_two_legs(dialect: str) -> None:
    """The called leg, which hangs up first, and the calling one."""
    calls: dict[bytes, list[CallRecord]] = {}
    for record in records(dialect, feed_of(dialect, rows=60, seed=9)):
        calls.setdefault(record.call_key, []).append(record)
    assert calls
    for legs in calls.values():
        assert [leg.leg for leg in legs] == [1, 2]
        assert legs[0].started_at == legs[1].started_at
        assert legs[0].called == legs[1].called


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_parser_that_starts_again_goes_on_as_before(dialect: str) -> None:
    """Shown the lines before, it gives the same legs to the rest."""
    lines = vectors.frames(dialect, feed_of(dialect, rows=20, seed=10))
    translator = vectors.translator(dialect, setup_of(dialect))
    whole = [call for line in lines for call in translator.translate([line], now=NOW).calls]
    for cut in (1, 7, 19):
        again = vectors.translator(dialect, setup_of(dialect))
        again.restart(lines[: cut + 1])
        assert list(again.translate(lines[cut + 1 :], now=NOW).calls) == whole[cut + 1 :]
