"""When the mark moves."""

from itertools import permutations

import pytest

from appliance.wire.batch import HighWater
from receiver.domain.high_water import START, advances


@pytest.mark.parametrize(
    ("mark", "received", "moves"),
    [
        (START, HighWater(1, 1), True),
        (START, HighWater(9, 1), True),
        (START, HighWater(1, 2), False),
        (HighWater(3, 7), HighWater(3, 8), True),
        (HighWater(3, 7), HighWater(3, 9), False),
        (HighWater(3, 7), HighWater(3, 7), False),
        (HighWater(3, 7), HighWater(3, 6), False),
        (HighWater(3, 7), HighWater(4, 1), True),
        (HighWater(3, 7), HighWater(4, 2), False),
        (HighWater(3, 7), HighWater(2, 1), False),
        (HighWater(3, 7), HighWater(2, 8), False),
    ],
)
def test_the_mark_moves_for_the_next_batch_only(mark: HighWater, received: HighWater, *, moves: bool) -> None:
    """The next of the epoch, or the first of a later one; nothing else."""
    assert advances(mark, received=received) is moves


def test_any_order_ends_at_the_same_mark() -> None:
    """However the batches of two epochs arrive, the mark ends at the last of the later one."""
    batches = [HighWater(1, 1), HighWater(1, 2), HighWater(2, 1), HighWater(2, 2)]
    for order in permutations(batches):
        mark, held = START, set[HighWater]()
        for batch in order:
            held.add(batch)
            if advances(mark, received=batch):
                mark = batch
                while (following := HighWater(mark.epoch, mark.sequence + 1)) in held:
                    mark = following
        assert mark == HighWater(2, 2)
