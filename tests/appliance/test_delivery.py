"""Delivery keeps order, tries again for as long as it takes, and sets aside only what was refused for good."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from appliance.delivery import MOST_ISSUED_ANEW, Delivery
from appliance.errors import ApplianceError, BufferFullError, BufferUnusableError, UplinkError, UplinkUnavailableError
from appliance.policy.back_off import LONGEST_WAIT_SECONDS
from appliance.policy.circuit import OPENS_AFTER
from appliance.policy.rate_cap import RateCap
from appliance.ports import BufferStats, Intake, PendingBatch, SecretBytes
from appliance.wire.batch import HighWater, Verdict
from appliance.wire.problem import ProblemCode
from tests.support.fake_clock import FakeClock
from tests.support.records import verdict

T = TypeVar("T")


class FakeBuffer:
    """A buffer in memory that counts calls."""

    def __init__(self, count: int) -> None:
        self.waiting = [PendingBatch(1, sequence, 10, b"body") for sequence in range(1, count + 1)]
        self.acknowledged: list[int] = []
        self.aside: list[tuple[int, str]] = []
        self.high_water: list[HighWater] = []
        self.older = False

    def position(self, feed: str) -> bytes | None:
        raise AssertionError(f"delivery asks for no position, of {feed} neither")

    def append(self, intake: Intake) -> None:
        raise AssertionError(f"delivery appends nothing, nor {intake}")

    def stats(self) -> BufferStats:
        raise AssertionError("delivery counts nothing")

    def oldest(self) -> PendingBatch | None:
        return self.waiting[0] if self.waiting else None

    def acknowledge(self, batch: PendingBatch, answer: Verdict) -> None:
        assert self.waiting.pop(0) is batch
        assert answer.sequence == batch.sequence
        self.acknowledged.append(batch.sequence)

    def set_aside(self, batch: PendingBatch, code: str) -> None:
        assert self.waiting.pop(0) is batch
        self.aside.append((batch.sequence, code))

    def issue_anew(self) -> None:
        self.waiting = [PendingBatch(item.epoch + 1, item.sequence, 10, b"body") for item in self.waiting]

    def rekey(self, version: int, master: SecretBytes) -> None:
        raise AssertionError(f"delivery has no keys, {version} of {master} neither")

    def spent_versions(self) -> set[int]:
        raise AssertionError("delivery has no keys")

    def note_high_water(self, remote: HighWater) -> bool:
        self.high_water.append(remote)
        return self.older


class FakeUplink:
    """A receiver that fails as it is told, then accepts."""

    def __init__(self, *failures: ApplianceError) -> None:
        self.failures = list(failures)
        self.sent: list[int] = []
        self.probes = 0

    async def send(self, batch: PendingBatch) -> Verdict:
        self.sent.append(batch.sequence)
        if self.failures:
            raise self.failures.pop(0)
        return verdict(batch.epoch, batch.sequence, accepted=batch.records)

    async def high_water(self) -> HighWater:
        self.probes += 1
        if self.failures:
            raise self.failures.pop(0)
        return HighWater(3, 4)


class HeardLink:
    """Remembers what delivery said of the link."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def delivered(self, answer: Verdict) -> None:
        self.heard.append(f"delivered {answer.sequence}")

    def refused(self, error: UplinkError) -> None:
        self.heard.append(f"refused {error.problem_code}")

    def unavailable(self, error: ApplianceError) -> None:
        self.heard.append(error.code)

    def older_copy(self) -> None:
        self.heard.append("older copy")


async def at_once(function: Callable[..., T], *arguments: object) -> T:
    """The buffer thread of these tests."""
    return function(*arguments)


def deliver(buffer: FakeBuffer, uplink: FakeUplink, *, rate: float = 1e9) -> tuple[Delivery, FakeClock, HeardLink]:
    """A delivery over fakes."""
    clock, link = FakeClock(), HeardLink()
    run: Callable[..., Awaitable[object]] = at_once
    made = Delivery(buffer=buffer, uplink=uplink, on_buffer_thread=run, clock=clock, link=link, rate_cap=RateCap(rate))
    return made, clock, link


async def test_batches_are_delivered_in_order_and_acknowledged() -> None:
    """Each batch leaves the buffer after its own verdict, oldest first."""
    buffer = FakeBuffer(3)
    delivery, clock, link = deliver(buffer, FakeUplink())
    while await delivery.step():
        pass
    assert buffer.acknowledged == [1, 2, 3]
    assert buffer.high_water == [HighWater(1, 1), HighWater(1, 2), HighWater(1, 3)]
    assert link.heard == ["delivered 1", "delivered 2", "delivered 3"]
    assert clock.slept == []


async def test_an_unavailable_receiver_is_tried_again_and_nothing_overtakes() -> None:
    """The same batch is sent until it is answered; waits grow with full jitter and are bounded."""
    buffer = FakeBuffer(2)
    uplink = FakeUplink(*[UplinkUnavailableError("away") for _ in range(40)])
    delivery, clock, link = deliver(buffer, uplink)
    assert await delivery.step()
    assert len(uplink.sent) + uplink.probes == 42
    assert set(uplink.sent) == {1}
    assert buffer.acknowledged == [1]
    assert len(clock.slept) == 40
    assert all(0 <= wait <= LONGEST_WAIT_SECONDS for wait in clock.slept)
    assert clock.slept[0] <= 1.0
    assert sum(clock.slept) > 40
    assert link.heard == ["uplink_unavailable"] * 40 + ["delivered 1"]


async def test_a_dead_receiver_is_probed_before_it_is_sent_a_batch_again() -> None:
    """After some failures in a row only the mark is asked for; when that is answered the batches go."""
    buffer = FakeBuffer(2)
    uplink = FakeUplink(*[UplinkUnavailableError("away") for _ in range(40)])
    delivery, _, _ = deliver(buffer, uplink)
    while await delivery.step():
        pass
    assert uplink.sent == [1] * (OPENS_AFTER + 1) + [2]
    assert uplink.probes == 40 - OPENS_AFTER + 1
    assert buffer.acknowledged == [1, 2]


async def test_a_backlog_does_not_fill_the_line() -> None:
    """Nine batches of 4 bytes at 2 bytes a second: one second's worth at once, the rest in its time, in order."""
    buffer = FakeBuffer(9)
    delivery, clock, _ = deliver(buffer, FakeUplink(), rate=2.0)
    while await delivery.step():
        pass
    assert buffer.acknowledged == list(range(1, 10))
    assert 9 * 4 / 2.0 - 3 <= clock.monotonic() <= 9 * 4 / 2.0


async def test_an_acknowledgement_on_a_full_disk_is_tried_again() -> None:
    """The reserve serves the second try; the batch is not sent twice."""

    class Full(FakeBuffer):
        failures = 2

        def acknowledge(self, batch: PendingBatch, answer: Verdict) -> None:
            self.failures -= 1
            if self.failures >= 0:
                raise BufferFullError("full")
            super().acknowledge(batch, answer)

    buffer, uplink = Full(1), FakeUplink()
    delivery, _, link = deliver(buffer, uplink)
    assert await delivery.step()
    assert (uplink.sent, buffer.acknowledged) == ([1], [1])
    assert link.heard == ["buffer_full", "buffer_full", "delivered 1"]


async def test_what_the_receiver_asks_for_is_waited() -> None:
    """Retry-After replaces the back-off for that attempt."""
    delivery, clock, _ = deliver(FakeBuffer(1), FakeUplink(UplinkUnavailableError("busy", retry_after_seconds=77.0)))
    await delivery.step()
    assert clock.slept == [77.0]


async def test_a_refused_batch_makes_way_and_is_counted() -> None:
    """A permanent refusal is not tried again; the next batch follows."""
    buffer = FakeBuffer(2)
    delivery, clock, link = deliver(buffer, FakeUplink(UplinkError("no", problem_code="batch_invalid")))
    assert await delivery.step()
    assert await delivery.step()
    assert buffer.aside == [(1, "batch_invalid")]
    assert buffer.acknowledged == [2]
    assert clock.slept == []
    assert link.heard == ["refused batch_invalid", "delivered 2"]


async def test_a_key_that_was_used_before_is_replaced() -> None:
    """The receiver holds other bytes under it: this is an older copy, what waits goes out under new keys."""
    buffer = FakeBuffer(2)
    reused = UplinkError("no", problem_code=ProblemCode.IDEMPOTENCY_KEY_REUSED)
    delivery, _, link = deliver(buffer, FakeUplink(reused))
    while await delivery.step():
        pass
    assert (buffer.acknowledged, buffer.aside) == ([1, 2], [])
    assert [mark.epoch for mark in buffer.high_water] == [2, 2]
    assert link.heard == ["older copy", "delivered 1", "delivered 2"]


async def test_a_receiver_that_refuses_every_key_does_not_hold_up_the_rest() -> None:
    """After some new keys in a row the batch is set aside; the next one that is taken makes it start anew."""
    buffer = FakeBuffer(3)
    reused = UplinkError("no", problem_code=ProblemCode.IDEMPOTENCY_KEY_REUSED)
    uplink = FakeUplink(*[reused] * (MOST_ISSUED_ANEW + 1))
    delivery, _, link = deliver(buffer, uplink)
    assert await delivery.step()
    for _ in range(MOST_ISSUED_ANEW + 1):
        assert await delivery.step()
    uplink.failures.append(reused)
    while await delivery.step():
        pass
    assert (buffer.acknowledged, buffer.aside) == ([2, 3], [(1, "idempotency_key_reused")])
    assert link.heard.count("older copy") == MOST_ISSUED_ANEW + 1


async def test_the_high_water_mark_is_asked_first_until_it_is_known() -> None:
    """A receiver that is away at start is asked again; an older copy is reported."""
    buffer = FakeBuffer(0)
    buffer.older = True
    delivery, clock, link = deliver(buffer, FakeUplink(UplinkUnavailableError("away")))
    await delivery.check_high_water()
    assert buffer.high_water == [HighWater(3, 4)]
    assert len(clock.slept) == 1
    assert link.heard == ["uplink_unavailable", "older copy"]


async def test_a_receiver_that_refuses_to_say_its_mark_does_not_stop_delivery() -> None:
    """The refusal is reported, and the verdicts carry the mark as well."""
    buffer = FakeBuffer(1)
    delivery, _, link = deliver(buffer, FakeUplink(UplinkError("no", problem_code="http_400")))
    await delivery.check_high_water()
    assert await delivery.step()
    assert link.heard == ["refused http_400", "delivered 1"]


async def test_an_older_copy_shown_by_a_verdict_is_reported() -> None:
    """Every answer carries the mark, so a restored snapshot shows at the first one."""
    buffer = FakeBuffer(1)
    buffer.older = True
    delivery, _, link = deliver(buffer, FakeUplink())
    await delivery.step()
    assert link.heard == ["delivered 1", "older copy"]


async def test_an_empty_buffer_sends_nothing() -> None:
    """No batch, no request."""
    uplink = FakeUplink()
    delivery, _, _ = deliver(FakeBuffer(0), uplink)
    assert await delivery.step() is False
    assert uplink.sent == []


async def test_a_broken_buffer_ends_delivery() -> None:
    """Only a reopening helps; the error is not swallowed by the retries."""

    class Broken(FakeBuffer):
        def oldest(self) -> PendingBatch | None:
            raise BufferUnusableError("gone")

    delivery, _, _ = deliver(Broken(1), FakeUplink())
    with pytest.raises(BufferUnusableError):
        await delivery.step()
