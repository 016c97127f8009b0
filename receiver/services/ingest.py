"""Take batches from an appliance: each once, with a verdict a record and an answer that a retry is given again.

All in one transaction. The lock on the appliance's row makes two retries at once take turns, so the second finds the
first one's answer.
"""

import hashlib

from appliance.wire.batch import Batch, HighWater, Refusal, Verdict
from appliance.wire.codec import WireError, decode_batch, encode_answer
from appliance.wire.problem import ProblemCode
from receiver.domain.high_water import advances
from receiver.domain.idempotency import BatchKey, require_same
from receiver.domain.record_check import horizon, month_of, refusal_of
from receiver.errors import ProblemError
from receiver.ports import Clock
from receiver.services.machine_certificates import MachineCertificates, MachineClaim
from receiver.storage import appliances, calls, ingest_batches
from receiver.storage.machine_certificates import Registration
from receiver.storage.tenant_scope import TenantSession


class IngestService:
    """What one appliance delivers, within its tenant."""

    def __init__(self, session: TenantSession, *, certificates: MachineCertificates, clock: Clock) -> None:
        """Work within ``session``."""
        self._session = session
        self._certificates = certificates
        self._clock = clock

    async def receive(self, claim: MachineClaim, *, key: BatchKey, body: bytes) -> bytes:
        """Store a batch; give the answer's bytes.

        Raises:
            ProblemError: ``forbidden``, the codes of ``decode_batch``, ``idempotency_key_mismatch`` or
                ``idempotency_key_reused``.
        """
        machine = await self._certificates.admit(claim)
        batch = _decode(body)
        require_same(key, other=BatchKey(appliance=machine.name, epoch=batch.epoch, sequence=batch.sequence))
        mark = await appliances.high_water(self._session, machine.appliance_id, lock=True)
        place = HighWater(epoch=batch.epoch, sequence=batch.sequence)
        fingerprint = hashlib.sha256(body).digest()
        known = await ingest_batches.find(self._session, machine.appliance_id, place=place)
        if known is not None:
            return _replay(known, fingerprint=fingerprint)
        return await self._store(machine, batch=batch, mark=mark, fingerprint=fingerprint)

    async def high_water(self, claim: MachineClaim) -> HighWater:
        """Say up to which batch the appliance's deliveries are held without a gap.

        Raises:
            ProblemError: ``forbidden``.
        """
        machine = await self._certificates.admit(claim)
        return await appliances.high_water(self._session, machine.appliance_id)

    async def _store(self, machine: Registration, *, batch: Batch, mark: HighWater, fingerprint: bytes) -> bytes:
        now = self._clock.now()
        place = HighWater(epoch=batch.epoch, sequence=batch.sequence)
        until = horizon(now)
        codes = [refusal_of(call, until=until) for call in batch.records]
        sound = [call for call, code in zip(batch.records, codes, strict=True) if code is None]
        accepted = 0
        if sound:
            await calls.open_months(self._session, {month_of(call) for call in sound})
            accepted = await calls.store(self._session, appliance_id=machine.appliance_id, calls=sound)
        if advances(mark, received=place):
            mark = await ingest_batches.contiguous_after(self._session, machine.appliance_id, place=place)
        verdict = Verdict(
            epoch=batch.epoch,
            sequence=batch.sequence,
            accepted=accepted,
            duplicate=len(sound) - accepted,
            refused=[Refusal(index=index, code=code) for index, code in enumerate(codes) if code is not None],
            high_water=mark,
        )
        answered = ingest_batches.Answered(fingerprint=fingerprint, answer=encode_answer(verdict))
        await ingest_batches.add(self._session, machine.appliance_id, place=place, answered=answered, now=now)
        await appliances.note_progress(
            self._session, machine.appliance_id, mark=mark, key_protection=batch.key_protection, now=now
        )
        return answered.answer


def _decode(body: bytes) -> Batch:
    try:
        return decode_batch(body)
    except WireError as error:
        raise ProblemError(
            error.code, detail=str(error), hint="Send one batch.v1 as the wire contract says; see /openapi.json."
        ) from None


def _replay(known: ingest_batches.Answered, *, fingerprint: bytes) -> bytes:
    if known.fingerprint != fingerprint:
        raise ProblemError(
            ProblemCode.IDEMPOTENCY_KEY_REUSED,
            detail="another body was received under this Idempotency-Key",
            hint="Give every batch its own sequence; an appliance restored from a copy opens a new epoch.",
        )
    return known.answer
