"""May a verdict be believed? A wrong one would delete records that the receiver does not hold."""

from typing import Protocol

from appliance.errors import UplinkUnavailableError
from appliance.wire.batch import Verdict


class SentBatch(Protocol):
    """What of a batch the verdict must fit (``ports.PendingBatch`` does)."""

    @property
    def epoch(self) -> int:
        """Its epoch."""
        ...

    @property
    def sequence(self) -> int:
        """Its sequence in the epoch."""
        ...

    @property
    def records(self) -> int:
        """How many records it holds."""
        ...


def check_verdict(verdict: Verdict, batch: SentBatch) -> None:
    """Let a verdict pass that is of this batch and says what became of each of its records, once.

    Raises:
        UplinkUnavailableError: it does not; the batch stays and is sent again.
    """
    if (verdict.epoch, verdict.sequence) != (batch.epoch, batch.sequence):
        raise UplinkUnavailableError("the verdict is of another batch")
    if verdict.accepted + verdict.duplicate + len(verdict.refused) != batch.records:
        raise UplinkUnavailableError("the verdict's counts are not the batch's")
    places = {refusal.index for refusal in verdict.refused}
    if len(places) != len(verdict.refused) or any(place >= batch.records for place in places):
        raise UplinkUnavailableError("the verdict refuses a record twice, or one that the batch does not hold")
