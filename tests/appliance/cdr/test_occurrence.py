"""The window of occurrences."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.framing import REWIND_BYTES
from appliance.cdr.occurrence import OccurrenceWindow


def test_equal_keys_are_numbered() -> None:
    """The first is 1, and another key does not count."""
    window = OccurrenceWindow()
    assert [window.count(key, offset=place) for place, key in enumerate([b"a", b"b", b"a", b"a"])] == [1, 1, 2, 3]


def test_what_lies_just_within_the_window_counts() -> None:
    """Exactly ``REWIND_BYTES`` before still counts, a byte more does not."""
    window = OccurrenceWindow()
    window.count(b"a", offset=0)
    assert window.count(b"a", offset=REWIND_BYTES) == 2
    assert window.count(b"a", offset=REWIND_BYTES + 1) == 2


def test_memory_is_bounded_by_the_window() -> None:
    """What has left the window is forgotten, keys included."""
    window = OccurrenceWindow()
    for number in range(1000):
        window.count(b"%d" % number, offset=number * REWIND_BYTES)
    assert len(window._recent) == len(window._counts) == 2


@given(st.lists(st.tuples(st.integers(1, REWIND_BYTES // 2), st.sampled_from([b"a", b"b"])), max_size=30))
def test_the_number_is_what_a_recount_gives(steps: list[tuple[int, bytes]]) -> None:
    """It is the number of equal keys from ``REWIND_BYTES`` before up to here."""
    window, seen, offset = OccurrenceWindow(), [], 0
    for step, key in steps:
        offset += step
        seen.append((offset, key))
        expected = sum(other == key and place >= offset - REWIND_BYTES for place, other in seen)
        assert window.count(key, offset=offset) == expected
