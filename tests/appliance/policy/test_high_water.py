"""A mark tells an older copy of the buffer, and one that cannot be is not followed."""

import pytest

from appliance.policy.high_water import FARTHEST_EPOCHS, is_believable, is_older_copy
from appliance.wire.batch import HighWater


@pytest.mark.parametrize(
    ("issued", "remote", "older"),
    [((3, 4), (3, 4), False), ((3, 4), (3, 5), True), ((3, 4), (2, 9), False), ((3, 4), (4, 1), True)],
)
def test_a_mark_past_what_was_issued_tells_an_older_copy(
    issued: tuple[int, int], remote: tuple[int, int], *, older: bool
) -> None:
    """By epoch, then by sequence."""
    assert is_older_copy(issued=HighWater(*issued), remote=HighWater(*remote)) is older


@pytest.mark.parametrize(("ahead", "believed"), [(FARTHEST_EPOCHS, True), (FARTHEST_EPOCHS + 1, False)])
def test_a_mark_too_far_ahead_is_none_of_this_appliance(ahead: int, *, believed: bool) -> None:
    """To follow it would leave no numbers for epochs to come."""
    issued, remote = HighWater(7, 3), HighWater(7 + ahead, 0)
    assert is_believable(issued=issued, remote=remote) is believed
