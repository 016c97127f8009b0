"""Use case: buffer → uplink → acknowledgement. One batch in flight, oldest first, so order is kept.

A receiver that is away or unwell is tried again with full jitter for as long as it takes; one that refuses a batch
for good gets the next one, and the refused batch is set aside, counted and reported. One that has failed again and
again is asked for its high-water mark, some bytes, before it is sent a batch again. No more goes out than ``rate_cap``
lets, so that a backlog of days does not fill the site's line.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type

from appliance.errors import ApplianceError, RetryableError, UplinkError
from appliance.policy.back_off import RetryAfter
from appliance.policy.circuit import Circuit
from appliance.policy.rate_cap import RateCap
from appliance.ports import CallBuffer, Clock, OnBufferThread, PendingBatch, Uplink
from appliance.wire.batch import Verdict
from appliance.wire.problem import ProblemCode

T = TypeVar("T")
MOST_ISSUED_ANEW: Final = 3
"""How often in a row new keys are tried: a receiver that refuses every key must not keep the rest from going on."""


class LinkState(Protocol):
    """Hears how delivery goes; the status screen and the log are such listeners."""

    def delivered(self, verdict: Verdict) -> None:
        """A batch was acknowledged."""
        ...

    def refused(self, error: UplinkError) -> None:
        """A batch was set aside."""
        ...

    def unavailable(self, error: ApplianceError) -> None:
        """The receiver could not be asked; it is tried again."""
        ...

    def older_copy(self) -> None:
        """The receiver holds batches that this buffer never issued."""
        ...


class Delivery:
    """Empties the buffer into the uplink."""

    def __init__(
        self,
        *,
        buffer: CallBuffer,
        uplink: Uplink,
        on_buffer_thread: OnBufferThread,
        clock: Clock,
        link: LinkState,
        rate_cap: RateCap,
    ) -> None:
        """Deliver ``buffer``'s batches over ``uplink``; ``link`` hears of each outcome."""
        self._buffer = buffer
        self._uplink = uplink
        self._run = on_buffer_thread
        self._clock = clock
        self._link = link
        self._rate_cap = rate_cap
        self._circuit = Circuit()
        self._issued_anew = 0

    async def check_high_water(self) -> None:
        """Ask what the receiver holds, before the first batch: a restored snapshot must not reuse its numbers.

        A receiver that will not say is reported; each verdict carries the mark as well.
        """
        try:
            remote = await self._retry(self._uplink.high_water)
        except UplinkError as error:
            self._link.refused(error)
            return
        if await self._run(self._buffer.note_high_water, remote):
            self._link.older_copy()

    async def step(self) -> bool:
        """Deliver the oldest batch; False if there is none. Retryable failures stay inside.

        Raises:
            BufferUnusableError: the buffer must be reopened.
        """
        batch = await self._run(self._buffer.oldest)
        if batch is None:
            return False
        try:
            verdict = await self._retry(self._send, batch)
        except UplinkError as error:
            await self._refused(batch, error)
            return True
        await self._settle(batch, verdict)
        return True

    async def _refused(self, batch: PendingBatch, error: UplinkError) -> None:
        """Set a batch aside. One whose key the receiver holds with other bytes goes out again under another key.

        Then this is an older copy that has given numbers a second time before it was told the mark.
        """
        if error.problem_code == ProblemCode.IDEMPOTENCY_KEY_REUSED and self._issued_anew < MOST_ISSUED_ANEW:
            self._issued_anew += 1
            await self._retry(self._run, self._buffer.issue_anew)
            self._link.older_copy()
            return
        await self._retry(self._run, self._buffer.set_aside, batch, error.problem_code)
        self._link.refused(error)

    async def _send(self, batch: PendingBatch) -> Verdict:
        if self._circuit.is_open:
            await self._uplink.high_water()
        wait_seconds = self._rate_cap.wait_seconds(len(batch.body), now=self._clock.monotonic())
        if wait_seconds:
            await self._clock.sleep(wait_seconds)
        verdict = await self._uplink.send(batch)
        self._circuit.succeeded()
        return verdict

    async def _settle(self, batch: PendingBatch, verdict: Verdict) -> None:
        # On a full disk even deleting may need a second try, which the buffer's reserve then serves.
        await self._retry(self._run, self._buffer.acknowledge, batch, verdict)
        self._issued_anew = 0
        self._link.delivered(verdict)
        if await self._run(self._buffer.note_high_water, verdict.high_water):
            self._link.older_copy()

    async def _retry(self, request: Callable[..., Awaitable[T]], *arguments: object) -> T:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(RetryableError),
            wait=RetryAfter(),
            sleep=self._clock.sleep,
            reraise=True,
        ):
            with attempt:
                try:
                    return await request(*arguments)
                except RetryableError as error:
                    self._circuit.failed()
                    self._link.unavailable(error)
                    raise
        raise AssertionError("retrying never ends without an outcome")
