"""Is this buffer an older copy of itself? Decided from what the receiver holds."""

from typing import Final

from appliance.wire.batch import HighWater

FARTHEST_EPOCHS: Final = 2**20
"""No copy is older by more process starts: one a minute for two years."""


def is_believable(*, issued: HighWater, remote: HighWater) -> bool:
    """Whether a mark can be this appliance's. To follow one that cannot would use up the numbers of epochs.

    Args:
        issued: as for ``is_older_copy``.
        remote: the mark.
    """
    return remote.epoch <= issued.epoch + FARTHEST_EPOCHS


def is_older_copy(*, issued: HighWater, remote: HighWater) -> bool:
    """Whether the receiver holds a batch that this buffer never issued: a restored snapshot, or a second machine.

    Args:
        issued: the newest (epoch, sequence) that this buffer has given to a batch.
        remote: the receiver's high-water mark for this appliance.
    """
    return remote > issued
