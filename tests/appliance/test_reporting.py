"""Reporting tells the receiver each change of an account until it was told, and forgets what is settled."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from appliance.errors import ApplianceError, BufferUnusableError, UplinkError, UplinkUnavailableError
from appliance.reporting import Reporting
from appliance.wire.completeness import Account, Completeness, Receipt
from appliance.wire.limits import MAX_ACCOUNTS_PER_REPORT
from tests.support.fake_clock import FakeClock
from tests.support.records import account
from tests.support.report_desk import ReportDesk

T = TypeVar("T")
SETTLED = {"waiting": 0, "acknowledged": 5}
OLD, RECENT = "2026-09-14", "2026-09-15"
"""The clock says 20 October: 36 and 35 days ago."""


class FakeBuffer:
    """Accounts in memory."""

    def __init__(self, *accounts: Account) -> None:
        self.kept = list(accounts)
        self.dropped: list[Account] = []

    def accounts(self) -> list[Account]:
        return list(self.kept)

    def drop_accounts(self, settled: list[Account]) -> None:
        self.dropped += settled
        self.kept = [item for item in self.kept if item not in settled]


class Heard:
    """Remembers what reporting said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def reported(self) -> None:
        self.said.append("reported")

    def unreported(self, error: ApplianceError) -> None:
        self.said.append(error.problem_code if isinstance(error, UplinkError) else error.code)


async def at_once(function: Callable[..., T], *arguments: object) -> T:
    """The buffer thread of these tests."""
    return function(*arguments)


def reporting(buffer: Any, desk: Any) -> tuple[Reporting, FakeClock, Heard]:
    """A reporting over fakes."""
    clock, heard = FakeClock(), Heard()
    made: Any = Reporting
    return made(buffer=buffer, uplink=desk, on_buffer_thread=at_once, clock=clock, heard=heard), clock, heard


async def test_an_account_is_told_once_and_again_when_it_changes() -> None:
    """Nothing is sent while nothing changes; each report has a higher number, and only what changed is in it."""
    buffer, desk = FakeBuffer(account(), account(day="2026-10-21")), ReportDesk()
    teller, clock, heard = reporting(buffer, desk)
    await teller.step()
    await teller.step()
    buffer.kept[1] = account(day="2026-10-21", read=13, ignored=2)
    await teller.step()
    assert [(report.number, len(report.accounts)) for report in desk.reports] == [(1, 2), (2, 1)]
    assert list(desk.accounts.values()) == buffer.kept
    assert (clock.slept, heard.said) == ([], ["reported", "reported"])


async def test_an_empty_buffer_tells_nothing() -> None:
    """No account, no request."""
    desk = ReportDesk()
    teller, _, heard = reporting(FakeBuffer(), desk)
    await teller.step()
    assert (desk.reports, heard.said) == ([], [])


async def test_a_receiver_that_is_away_is_told_the_newest_when_it_is_back() -> None:
    """It is tried again as with batches, and what waits asked by it is waited; what is told is how things are then."""
    buffer, desk = FakeBuffer(account()), ReportDesk()
    desk.refusals = [UplinkUnavailableError("away"), UplinkUnavailableError("busy", retry_after_seconds=77.0)]
    teller, clock, heard = reporting(buffer, desk)
    await teller.step()
    assert clock.slept[1] == 77.0
    assert heard.said == ["uplink_unavailable", "uplink_unavailable", "reported"]
    assert desk.accounts == {("main", "2026-10-20"): account()}


async def test_a_report_whose_answer_was_lost_is_told_anew_under_a_higher_number() -> None:
    """The receiver has it already; that it is told again changes nothing."""
    buffer, desk = FakeBuffer(account()), ReportDesk()
    desk.lost_answers = [UplinkUnavailableError("the line broke")]
    teller, _, _ = reporting(buffer, desk)
    await teller.step()
    assert [report.number for report in desk.reports] == [1, 1, 2]
    assert desk.accounts == {("main", "2026-10-20"): account()}


async def test_a_new_process_goes_on_above_what_the_receiver_holds() -> None:
    """Its first report has too low a number and is not stored; the one after it is."""
    buffer, desk = FakeBuffer(account()), ReportDesk()
    desk.newest = 41
    teller, _, heard = reporting(buffer, desk)
    await teller.step()
    assert [report.number for report in desk.reports] == [1, 42]
    assert (desk.newest, heard.said) == (42, ["reported"])


async def test_a_delayed_report_of_a_process_that_is_gone_overwrites_nothing() -> None:
    """It arrives after a newer one and has a lower number."""
    buffer, desk = FakeBuffer(account()), ReportDesk()
    teller, _, _ = reporting(buffer, desk)
    await teller.step()
    buffer.kept = [account(read=13, ignored=2)]
    await teller.step()
    assert not (await desk.report(Completeness(1, [account()]))).stored
    assert list(desk.accounts.values()) == buffer.kept


async def test_two_machines_that_run_as_one_do_not_fight_without_end() -> None:
    """A receiver that always has a higher number is tried again after a wait, not at once."""

    class Contested(ReportDesk):
        async def report(self, report: Completeness) -> Receipt:
            if len(self.reports) < 6:
                self.newest = report.number + 10
            return await super().report(report)

    desk = Contested()
    teller, clock, heard = reporting(FakeBuffer(account()), desk)
    await teller.step()
    assert len(clock.slept) == 3
    assert heard.said[-1] == "reported"


async def test_a_refused_report_is_not_sent_again_before_it_changes() -> None:
    """A refusal for good is heard, and does not keep later accounts back."""
    buffer, desk = FakeBuffer(account()), ReportDesk()
    desk.refusals = [UplinkError("no", problem_code="batch_invalid")]
    teller, _, heard = reporting(buffer, desk)
    await teller.step()
    await teller.step()
    assert (heard.said, desk.reports) == (["batch_invalid"], [])
    buffer.kept = [account(read=13, ignored=2)]
    await teller.step()
    assert list(desk.accounts.values()) == buffer.kept


async def test_more_than_one_report_takes_is_told_in_several() -> None:
    """Each within the bound; one that fails is told again, with those after it."""
    days = [f"20{year}-{month}-{day}" for year in range(10, 20) for month in (10, 11, 12) for day in range(10, 29)]
    buffer, desk = FakeBuffer(*(account(day=day) for day in days)), ReportDesk()
    teller, _, _ = reporting(buffer, desk)
    await teller.step()
    assert [len(report.accounts) for report in desk.reports] == [
        MAX_ACCOUNTS_PER_REPORT,
        len(days) - MAX_ACCOUNTS_PER_REPORT,
    ]
    assert [item.day for item in desk.accounts.values()] == days


async def test_a_damaged_account_stays_here_and_the_others_leave() -> None:
    """What is none of the contract could be anything."""
    desk = ReportDesk()
    teller, _, _ = reporting(FakeBuffer(account(feed="32475123456"), account(), account(read=-1)), desk)
    await teller.step()
    assert list(desk.accounts) == [("main", "2026-10-20")]


async def test_what_is_settled_and_told_is_forgotten_after_its_days() -> None:
    """Not a day sooner, not what waits, and not what does not balance."""
    old = account(day=OLD, **SETTLED)
    waiting, unbalanced = account(day=OLD, feed="waits"), account(day=OLD, feed="odd", **SETTLED | {"read": 13})
    recent = account(day=RECENT, **SETTLED)
    buffer, desk = FakeBuffer(old, waiting, unbalanced, recent), ReportDesk()
    teller, _, _ = reporting(buffer, desk)
    await teller.step()
    assert buffer.dropped == [old]
    assert len(desk.accounts) == 4
    await teller.step()
    assert len(desk.reports) == 1


async def test_what_could_not_be_told_is_not_forgotten() -> None:
    """However old it is."""
    buffer, desk = FakeBuffer(account(day=OLD, feed="32475123456", **SETTLED)), ReportDesk()
    teller, _, _ = reporting(buffer, desk)
    await teller.step()
    assert buffer.dropped == []
    desk.refusals = [UplinkUnavailableError("away")]
    buffer.kept = [account(day=OLD, **SETTLED)]
    with pytest.raises(UplinkUnavailableError):
        await teller.tell_changes()
    assert buffer.dropped == []


async def test_a_broken_buffer_ends_reporting() -> None:
    """Only a reopening helps; the error is not swallowed by the retries."""

    class Broken(FakeBuffer):
        def accounts(self) -> list[Account]:
            raise BufferUnusableError("gone")

    teller, _, _ = reporting(Broken(), ReportDesk())
    with pytest.raises(BufferUnusableError):
        await teller.step()
