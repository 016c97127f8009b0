"""The account of a feed and a day: what balances and what does not."""

import pytest

from appliance.policy.balance import is_balanced

COUNTS = {
    "read": 12,
    "recorded": 9,
    "quarantined": 2,
    "ignored": 1,
    "acknowledged": 4,
    "duplicate": 1,
    "refused": 1,
    "set_aside": 1,
}


def test_every_line_and_every_record_has_its_place() -> None:
    """Two records wait, the others went."""
    assert is_balanced(COUNTS, waiting=2)
    assert is_balanced({}, waiting=0)


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("change", [-1, 1, 1 << 20])
def test_any_count_that_changed_is_seen(kind: str, change: int) -> None:
    """A flipped bit in one of them unbalances the account."""
    assert not is_balanced(COUNTS | {kind: COUNTS[kind] + change}, waiting=2)


def test_a_batch_that_is_missing_is_seen() -> None:
    """Fewer records wait than were recorded and did not go."""
    assert not is_balanced(COUNTS, waiting=1)
