"""Is this buffer an older copy of itself? Decided from what the receiver holds."""

from appliance.wire.batch import HighWater


def is_older_copy(*, issued: HighWater, remote: HighWater) -> bool:
    """Whether the receiver holds a batch that this buffer never issued: a restored snapshot, or a second machine.

    Args:
        issued: the newest (epoch, sequence) that this buffer has given to a batch.
        remote: the receiver's high-water mark for this appliance.
    """
    return remote > issued
