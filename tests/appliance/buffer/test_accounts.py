"""The buffer's accounts: every line and record has one place, gaps are kept with the rows, and what is settled goes."""

from datetime import timedelta, timezone
from itertools import pairwise

import pytest

from appliance.buffer.fsck import check
from appliance.buffer.salvage import open_or_salvage
from appliance.buffer.sqlite_buffer import BufferSettings
from appliance.errors import BufferFullError
from appliance.ports import QuarantinedLine
from appliance.wire.batch import KeyProtection, Refusal, RefusalCode
from appliance.wire.codec import is_reportable
from appliance.wire.completeness import Account, Gap, GapCause, ReasonCount
from appliance.wire.limits import MAX_GAPS_PER_ACCOUNT
from tests.support.buffer_file import MASTERS, BufferFile, drain, fill
from tests.support.records import START, intake, verdict

GAP = Gap(START, START + timedelta(seconds=5), 12, GapCause.BUFFER_FULL)
UNKNOWN = Gap(START, START, None, GapCause.DISCONNECTED)
SETTINGS = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=100)


def only(accounts: list[Account]) -> Account:
    """The one account there is."""
    (account,) = accounts
    return account


def test_an_account_says_what_became_of_every_line(open_buffer: BufferFile) -> None:
    """Recorded, refused by reason, ignored or held; and of each record where it is or went."""
    buffer = open_buffer(batch_records=2)
    lines = [QuarantinedLine(number, "binary", b"x") for number in range(2)]
    buffer.append(intake(range(6), quarantined=lines, ignored=3, held=4))
    assert only(buffer.accounts()).waiting == 6
    first, second = buffer.oldest(), None
    assert first is not None
    buffer.acknowledge(first, verdict(1, 1, accepted=1, refused=[Refusal(0, RefusalCode.TIME_ORDER)]))
    second = buffer.oldest()
    assert second is not None
    buffer.set_aside(second, "batch_invalid")

    account = only(buffer.accounts())

    assert (account.feed, account.day) == ("main", "2026-10-20")
    assert (account.read, account.recorded, account.quarantined, account.ignored, account.held) == (15, 6, 2, 3, 4)
    assert (account.waiting, account.acknowledged, account.refused, account.set_aside) == (2, 1, 1, 2)
    assert account.reasons == [
        ReasonCount("batch", "batch_invalid", 2),
        ReasonCount("line", "binary", 2),
        ReasonCount("record", "time_order", 1),
    ]
    assert account.balanced
    assert is_reportable(account)


def test_a_line_that_waited_over_midnight_is_on_both_days(open_buffer: BufferFile) -> None:
    """It came to wait on one day and ceased to on the next; both balance."""
    buffer = open_buffer()
    buffer.append(intake([1], held=1, day="2026-10-20"))
    buffer.append(intake([2, 3], held=-1, day="2026-10-21"))
    accounts = buffer.accounts()
    assert [(account.read, account.held) for account in accounts] == [(2, 1), (1, -1)]
    assert all(account.balanced for account in accounts)


def test_a_line_that_became_nothing_unbalances_the_account(open_buffer: BufferFile) -> None:
    """What was read and what became of it are counted apart, so a loss in between shows."""
    buffer = open_buffer()
    buffer.append(intake([1]))
    buffer.append(intake([], ignored=1, held=0))
    buffer.close()
    open_buffer.edit("UPDATE tally SET count = 3 WHERE kind = 'read'")
    account = only(open_buffer().accounts())
    assert (account.missing_lines, account.balanced) == (1, False)


def test_gaps_are_kept_with_the_rows_or_not_at_all(open_buffer: BufferFile) -> None:
    """After a restart they are there, exact to the millisecond in UTC; an intake that did not fit left none."""
    buffer = open_buffer(cap_bytes=2**18)
    local = Gap(
        (START + timedelta(microseconds=1999)).astimezone(timezone(timedelta(hours=2))),
        START + timedelta(seconds=5),
        12,
        GapCause.BUFFER_FULL,
    )
    buffer.append(intake([], gaps=[local, UNKNOWN]))
    while fill(buffer, [intake([], quarantined=[QuarantinedLine(0, "binary", bytes(2000))])]):
        pass
    with pytest.raises(BufferFullError):
        buffer.append(intake([], gaps=[GAP], quarantined=[QuarantinedLine(0, "binary", bytes(20_000))]))
    buffer.close()
    account = only(open_buffer().accounts())
    assert account.gaps == [
        Gap(START + timedelta(milliseconds=1), START + timedelta(seconds=5), 12, GapCause.BUFFER_FULL),
        UNKNOWN,
    ]
    assert is_reportable(account)


def test_a_feed_that_loses_all_day_is_told_in_few_gaps(open_buffer: BufferFile) -> None:
    """Beyond the bound gaps are merged, one a cause, and no record is forgotten."""
    buffer = open_buffer()
    sizes = []
    for second in range(3 * MAX_GAPS_PER_ACCOUNT):
        moment = START + timedelta(seconds=second)
        buffer.append(intake([], gaps=[Gap(moment, moment, 2, GapCause.TORN)]))
        sizes.append(len(only(buffer.accounts()).gaps))
    account = only(buffer.accounts())
    assert max(sizes) == MAX_GAPS_PER_ACCOUNT
    assert all(after <= before + 1 for before, after in pairwise(sizes))
    assert sum(gap.records or 0 for gap in account.gaps) == 6 * MAX_GAPS_PER_ACCOUNT
    assert (account.gaps[0].began_at, account.gaps[-1].ended_at) == (START, moment)


def test_only_what_is_settled_and_unchanged_is_forgotten(open_buffer: BufferFile) -> None:
    """Not one of which a record waits, that does not balance, or that has changed since it was given."""
    buffer = open_buffer()
    buffer.append(intake([1], day="2026-10-20", gaps=[GAP]))
    buffer.append(intake([2], day="2026-10-21"))
    buffer.append(intake([3], day="2026-10-22"))
    drain(buffer)
    buffer.append(intake([4], day="2026-10-23"))
    given = buffer.accounts()
    buffer.append(intake([], ignored=1, day="2026-10-22"))
    buffer.connection.execute("UPDATE tally SET count = 7 WHERE kind = 'read' AND day = '2026-10-21'")
    altered = buffer.accounts()[1]
    buffer.drop_accounts([given[0], altered, *given[2:]])
    assert [account.day for account in buffer.accounts()] == ["2026-10-21", "2026-10-22", "2026-10-23"]
    assert buffer.connection.execute("SELECT count(*) FROM gap").fetchone() == (0,)


@pytest.mark.parametrize(
    ("column", "value"), [("began_at", "yesterday"), ("cause", "32475123456"), ("ended_at", ""), ("records", -7)]
)
def test_a_damaged_gap_neither_leaves_nor_stops_anything(open_buffer: BufferFile, column: str, value: object) -> None:
    """It is reported by ``fsck``; the account's other gaps are told."""
    buffer = open_buffer()
    buffer.append(intake([1], gaps=[UNKNOWN, GAP]))
    assert check(buffer) == []
    buffer.close()
    open_buffer.edit(f"UPDATE gap SET {column} = ? WHERE id = 2", value)  # noqa: S608 - test's own words
    buffer = open_buffer()
    assert only(buffer.accounts()).gaps == [UNKNOWN]
    assert [finding.code for finding in check(buffer)] == ["gap_damaged"]


def test_gaps_outlive_the_salvage_of_a_damaged_file(open_buffer: BufferFile) -> None:
    """What is known to be lost is known afterwards too."""
    buffer = open_buffer()
    buffer.append(intake([1], gaps=[GAP]))
    for number in range(200):
        buffer.append(intake([], quarantined=[QuarantinedLine(number, "binary", bytes(500))]))
    pages = dict(buffer.connection.execute("SELECT name, max(pageno) FROM dbstat GROUP BY name").fetchall())
    buffer.close()
    content = bytearray(open_buffer.path.read_bytes())
    start = (pages["quarantine"] - 1) * 4096
    content[start : start + 4096] = b"\xa5" * 4096
    open_buffer.path.write_bytes(content)
    saved, salvage = open_or_salvage(open_buffer.path, masters=MASTERS, settings=SETTINGS)
    assert salvage is not None
    assert only(saved.accounts()).gaps == [GAP]
    saved.close()
