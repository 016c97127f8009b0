"""Gaps can be told in few without losing what they say."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.gaps import Losses, bounded, merged
from appliance.wire.completeness import Gap, GapCause
from appliance.wire.limits import MAX_COUNT
from tests.support.records import START
from tests.support.wire_strategies import gaps

SECOND = timedelta(seconds=1)


@given(told=st.lists(gaps, max_size=8))
def test_merged_gaps_span_what_they_stand_for(told: list[Gap]) -> None:
    """One a cause: from the first beginning to the last end, all records, unknown if any of them is."""
    few = merged(told)
    assert {gap.cause for gap in few} == {gap.cause for gap in told}
    assert len(few) == len({gap.cause for gap in few})
    for gap in few:
        parts = [part for part in told if part.cause == gap.cause]
        assert gap.began_at == min(part.began_at for part in parts)
        assert gap.ended_at == max(part.ended_at for part in parts)
        known = [part.records for part in parts if part.records is not None]
        assert gap.records == (min(sum(known), MAX_COUNT) if len(known) == len(parts) else None)


@given(told=st.lists(gaps, max_size=8), most=st.integers(5, 8))
def test_gaps_are_kept_apart_while_they_are_few(told: list[Gap], most: int) -> None:
    """As many as are allowed stand as they are; never more."""
    kept = bounded(told, most=most)
    assert kept == told if len(told) <= most else len(kept) <= most


def test_what_a_source_loses_becomes_one_gap_a_cause() -> None:
    """However often something is lost; what was taken is not told again."""
    losses = Losses()
    for second in range(3):
        moment = START + second * SECOND
        losses.note(GapCause.BUFFER_FULL, began_at=moment, ended_at=moment + SECOND, records=2)
    losses.note(GapCause.DISCONNECTED, began_at=START, ended_at=START, records=None)
    assert losses.take() == [
        Gap(START, START + 3 * SECOND, 6, GapCause.BUFFER_FULL),
        Gap(START, START, None, GapCause.DISCONNECTED),
    ]
    assert losses.take() == []
