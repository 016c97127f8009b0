"""When a batch moves an appliance's high-water mark.

The mark is the last batch up to which an epoch is held without a gap. A later epoch supersedes it once its first
batch is in: the appliance opened it because the earlier one is over.
"""

from appliance.wire.batch import HighWater

START = HighWater(epoch=0, sequence=0)
"""Before the first batch."""


def advances(mark: HighWater, *, received: HighWater) -> bool:
    """Whether ``received``, just stored, is the next after ``mark``; what follows it may be stored already."""
    if received.epoch == mark.epoch:
        return received.sequence == mark.sequence + 1
    return received.epoch > mark.epoch and received.sequence == 1
