"""A receiver in memory that keeps the contract (docs/wire-protocol.md), and a line to it that fails as it is told.

``ReceiverModel`` is idempotent by key and fingerprint, gives a retry the answer it gave before, judges each record
and keeps the high-water mark. ``FaultyUplink`` implements ``ports.Uplink`` over it; answers pass the product's own
codec and check, as in ``https_uplink``. A fault is used once, in turn; without one the line is well.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from msgspec.structs import replace

from appliance.errors import UplinkError, UplinkUnavailableError
from appliance.policy.verdict_check import check_verdict
from appliance.ports import PendingBatch
from appliance.wire.batch import HighWater, Refusal, RefusalCode, Verdict
from appliance.wire.call import Call
from appliance.wire.codec import WireError, decode_batch, decode_high_water, decode_verdict, encode_answer
from appliance.wire.problem import ProblemCode


def nobody(_: Call) -> bool:
    """Refuse no record."""
    return False


class Fault(StrEnum):
    """What may become of one request."""

    SILENT = "never arrived"
    LOST_ANSWER = "stored, the answer lost"
    HALF_ANSWER = "stored, half an answer"
    HTML = "stored, a proxy's page instead of the answer"
    OTHER_BATCH = "stored, a verdict of another batch"
    OTHER_COUNTS = "stored, a verdict that counts one record too many"
    TWICE = "arrived twice, one answer"
    UNWELL = "5xx"
    WAIT = "429 with Retry-After"
    JUDGED = "4xx for good"


class ReceiverModel:
    """What a tenant's store holds of one appliance; it ``refuses`` some records, but takes the batch."""

    def __init__(self, refuses: Callable[[Call], bool] = nobody) -> None:
        self._refuses = refuses
        self.stored: list[Call] = []
        """Each distinct record, in the order of storing."""
        self.refused: set[str] = set()
        self.answers: dict[HighWater, tuple[bytes, bytes]] = {}
        self.mark = HighWater(0, 0)
        self.reused = 0
        """How often a key came with another body: a batch that the appliance must send under another key."""
        self._events: set[str] = set()

    def receive(self, body: bytes) -> bytes:
        """Take a batch; give the answer's bytes.

        Raises:
            UplinkError: the batch is refused whole, as by a 422.
        """
        fingerprint = hashlib.sha256(body).digest()
        try:
            batch = decode_batch(body)
        except WireError as error:
            raise UplinkError("refused", problem_code=error.code) from None
        place = HighWater(batch.epoch, batch.sequence)
        if place in self.answers:
            known, answer = self.answers[place]
            if known == fingerprint:
                return answer
            self.reused += 1
            raise UplinkError("refused", problem_code=ProblemCode.IDEMPOTENCY_KEY_REUSED)
        refused = [index for index, call in enumerate(batch.records) if self._refuses(call)]
        accepted = sum(self._store(call) for call in batch.records)
        self.answers[place] = (fingerprint, b"")
        self._advance(place)
        verdict = Verdict(
            place.epoch,
            place.sequence,
            accepted,
            len(batch.records) - accepted - len(refused),
            [Refusal(index, RefusalCode.TIME_OUT_OF_RANGE) for index in refused],
            self.mark,
        )
        self.answers[place] = (fingerprint, encode_answer(verdict))
        return self.answers[place][1]

    def _store(self, call: Call) -> bool:
        if self._refuses(call):
            self.refused.add(call.event_id)
            return False
        if call.event_id in self._events:
            return False
        self._events.add(call.event_id)
        self.stored.append(call)
        return True

    def _advance(self, place: HighWater) -> None:
        """The mark moves as ``receiver.domain.high_water`` says."""
        follows = place == HighWater(self.mark.epoch, self.mark.sequence + 1)
        if follows or (place.epoch > self.mark.epoch and place.sequence == 1):
            self.mark = place
            while (after := HighWater(place.epoch, self.mark.sequence + 1)) in self.answers:
                self.mark = after


class FaultyUplink:
    """Implements ``ports.Uplink`` to a model."""

    def __init__(self, receiver: ReceiverModel, *faults: Fault) -> None:
        self.receiver = receiver
        self.faults = deque(faults)
        self.sent: list[HighWater] = []

    async def send(self, batch: PendingBatch) -> Verdict:
        self.sent.append(HighWater(batch.epoch, batch.sequence))
        fault = self.faults.popleft() if self.faults else None
        self._refuse(fault, judged=HighWater(batch.epoch, batch.sequence) not in self.receiver.answers)
        answer = self.receiver.receive(batch.body)
        if fault is Fault.TWICE:
            answer = self.receiver.receive(batch.body)
        if fault is Fault.LOST_ANSWER:
            raise UplinkUnavailableError("no answer")
        try:
            verdict = decode_verdict(_spoilt(answer, fault))
        except WireError:
            raise UplinkUnavailableError("the answer is no verdict") from None
        check_verdict(verdict, batch)
        return verdict

    async def high_water(self) -> HighWater:
        fault = self.faults.popleft() if self.faults else None
        self._refuse(fault, judged=False)
        return decode_high_water(encode_answer(self.receiver.mark))

    @staticmethod
    def _refuse(fault: Fault | None, *, judged: bool) -> None:
        """Answer before anything is stored; a batch that was answered before is not judged anew."""
        if fault in {Fault.SILENT, Fault.UNWELL}:
            raise UplinkUnavailableError("away")
        if fault is Fault.WAIT:
            raise UplinkUnavailableError("busy", retry_after_seconds=30.0)
        if fault is Fault.JUDGED and judged:
            raise UplinkError("refused", problem_code=ProblemCode.BATCH_INVALID)


def _spoilt(answer: bytes, fault: Fault | None) -> bytes:
    if fault is Fault.HALF_ANSWER:
        return answer[: len(answer) // 2]
    if fault is Fault.HTML:
        return b"<html>Sign in</html>"
    verdict = decode_verdict(answer)
    if fault is Fault.OTHER_BATCH:
        return encode_answer(replace(verdict, sequence=verdict.sequence + 1))
    if fault is Fault.OTHER_COUNTS:
        return encode_answer(replace(verdict, accepted=verdict.accepted + 1))
    return answer
