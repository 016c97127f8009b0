"""Whatever happens to a feed, its batches and its reports, every line and record has one place, here and there.

Hypothesis plays a PBX that loses lines, days that pass, a receiver that takes, knows, refuses or sets aside, batches
that are altered on the disk, restored copies, restarts, and reports that fail or are answered too late.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.buffer.fsck import check
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.errors import ApplianceError, UplinkUnavailableError
from appliance.intake import FeedIntake
from appliance.reporting import KEPT_DAYS, Reporting
from appliance.wire.batch import HighWater, KeyProtection, Refusal, RefusalCode
from appliance.wire.completeness import Account
from tests.support.buffer_file import MASTERS
from tests.support.fake_clock import FakeClock
from tests.support.feeds import feed_of, setup_of
from tests.support.lossy_source import LossySource
from tests.support.records import verdict
from tests.support.report_desk import ReportDesk
from tests.support.vectors import translator

T = TypeVar("T")
DIALECT: Final = "kamailio_acc"
LINES: Final = [*feed_of(DIALECT, rows=12, seed=3).splitlines(), b"", b"nonsense", b"\xff\x00"]
"""Beginnings and ends of calls, an empty line, and two that give no record."""
SETTINGS: Final = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=3)
WENT: Final = ("acknowledged", "duplicate", "refused", "set_aside")
AWAY: Final = UplinkUnavailableError("away")


async def _here(function: Callable[..., T], *arguments: object) -> T:
    return function(*arguments)


class Unheard:
    """Listens to reporting and says nothing."""

    def reported(self) -> None:
        """Nothing to do."""

    def unreported(self, error: ApplianceError) -> None:
        assert error is AWAY


class Site(RuleBasedStateMachine):
    """One feed, one buffer, one receiver, and a count of what really happened."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.clock.slept.append(timedelta(days=60).total_seconds())
        self.desk = ReportDesk()
        self.truth: Counter[str] = Counter()
        self.start()

    def start(self) -> None:
        """The process starts."""
        path = Path(self.folder.name) / "buffer.db"
        self.buffer = SqliteBuffer.open(path, masters=MASTERS, settings=SETTINGS)
        # No power is cut here, so nothing has to wait for the disk.
        self.buffer.connection.execute("PRAGMA synchronous=OFF")
        self.source = LossySource(self.clock, room=20)
        self.intake = FeedIntake(self.source, translator(DIALECT, setup_of(DIALECT)), self.buffer, self.clock)
        made: Any = Reporting
        self.reporting = made(
            buffer=self.buffer, uplink=self.desk, on_buffer_thread=_here, clock=self.clock, heard=Unheard()
        )

    @rule()
    def restart(self) -> None:
        """The process ends between two steps and starts again; what a source holds would be forgotten with it."""
        self.step()
        self.buffer.close()
        self.start()

    @rule(places=st.lists(st.integers(0, len(LINES) - 1), max_size=40))
    def send(self, places: list[int]) -> None:
        """The PBX sends lines; what finds no room is lost."""
        before = self.source.lost
        for place in places:
            self.source.send(LINES[place])
        lost = self.source.lost - before
        self.truth["told_lost"] += lost
        self.truth["read"] += len(places) - lost

    @rule()
    def step(self) -> None:
        """The appliance reads what is there."""
        while self.intake.step():
            pass

    @rule(hours=st.sampled_from([1, 9, 24, 24 * (KEPT_DAYS + 1)]))
    def wait(self, hours: int) -> None:
        """Time passes."""
        self.clock.slept.append(timedelta(hours=hours).total_seconds())

    @rule(choices=st.data())
    def deliver(self, choices: st.DataObject) -> None:
        """The receiver judges each record of the oldest batch."""
        batch = self.buffer.oldest()
        if batch is None:
            return
        kinds = [choices.draw(st.sampled_from(WENT[:3])) for _ in range(batch.records)]
        refused = [Refusal(place, RefusalCode.TIME_ORDER) for place, kind in enumerate(kinds) if kind == "refused"]
        counts = Counter(kinds)
        answer = verdict(
            batch.epoch,
            batch.sequence,
            accepted=counts["acknowledged"],
            duplicate=counts["duplicate"],
            refused=refused,
        )
        self.buffer.acknowledge(batch, answer)
        self.truth.update(kinds)

    @rule()
    def set_aside(self) -> None:
        """The receiver refuses the oldest batch for good."""
        batch = self.buffer.oldest()
        if batch is not None:
            self.buffer.set_aside(batch, "batch_invalid")
            self.truth["set_aside"] += batch.records

    @precondition(lambda self: self.buffer.stats().batches)
    @rule()
    def alter(self) -> None:
        """A bit of the oldest batch turns over on the disk."""
        batch = self.buffer.oldest()
        assert batch is not None
        place = (batch.epoch, batch.sequence)
        self.buffer.connection.execute(
            "UPDATE batch SET body = CAST(body || x'00' AS BLOB) WHERE (epoch, sequence) = (?, ?)", place
        )
        self.truth["set_aside"] += batch.records
        self.buffer.oldest()

    @rule(ahead=st.integers(0, 3))
    def compare(self, ahead: int) -> None:
        """The receiver holds a batch of an epoch to come: what waits is issued again."""
        self.buffer.note_high_water(HighWater(self.buffer.stats().epoch + ahead, 1))

    @rule(failure=st.sampled_from(["none", "refused", "answer lost"]))
    def report(self, failure: str) -> None:
        """The receiver is told, or cannot be, or has heard it and its answer is lost."""
        if failure == "refused":
            self.desk.refusals.append(AWAY)
        if failure == "answer lost":
            self.desk.lost_answers.append(AWAY)
        asyncio.run(self.reporting.step())
        self.desk.refusals.clear()
        self.desk.lost_answers.clear()

    @invariant()
    def every_account_balances(self) -> None:
        """Both sums, for each day, at every moment."""
        assert [account for account in self.buffer.accounts() if not account.balanced] == []

    def teardown(self) -> None:
        """In the end both sides say the same, and it is the truth."""
        self.step()
        self.report("none")
        there = self.desk.accounts
        assert {(item.feed, item.day): item for item in self.buffer.accounts()}.items() <= there.items()
        self.is_true(list(there.values()))
        assert [finding.code for finding in check(self.buffer) if finding.code != "chain_broken"] == []
        self.buffer.close()
        self.folder.cleanup()

    def is_true(self, accounts: list[Account]) -> None:
        """Compare with what really happened."""
        total: Counter[str] = Counter()
        for account in accounts:
            total.update({kind: getattr(account, kind) for kind in ("read", *WENT, "waiting", "recorded", "held")})
            total["told_lost"] += sum(gap.records or 0 for gap in account.gaps)
        assert {kind: total[kind] for kind in ("read", *WENT, "told_lost")} == {
            kind: self.truth[kind] for kind in ("read", *WENT, "told_lost")
        }
        stats = self.buffer.stats()
        assert total["waiting"] == stats.records == total["recorded"] - sum(total[kind] for kind in WENT)
        assert total["held"] == self.intake._held_lines


SHORT = settings(max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class TestSite(Site.TestCase):
    """The short form."""

    settings = SHORT


@pytest.mark.slow
class TestSiteForLong(Site.TestCase):
    """The long form."""

    settings = settings(SHORT, max_examples=400, stateful_step_count=50)
