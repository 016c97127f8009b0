"""Does the account of a feed and a day balance? What was read must have become something, and be somewhere."""

from collections.abc import Mapping


def is_balanced(counts: Mapping[str, int], *, waiting: int) -> bool:
    """Check both sums of one feed and day.

    Args:
        counts: lines read, recorded, quarantined and ignored; records acknowledged, duplicate, refused, set_aside and
            lost.
        waiting: records that are in the buffer.
    """
    became = sum(counts.get(kind, 0) for kind in ("recorded", "quarantined", "ignored"))
    return counts.get("read", 0) == became and missing(counts, waiting=waiting) == 0


def missing(counts: Mapping[str, int], *, waiting: int) -> int:
    """Give how many records of one feed and day were recorded, did not go, and are not there."""
    went = sum(counts.get(kind, 0) for kind in ("acknowledged", "duplicate", "refused", "set_aside", "lost"))
    return counts.get("recorded", 0) - went - waiting
