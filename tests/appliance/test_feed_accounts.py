"""What intake counts: every line that was read, lines that wait for another, and what a feed lost before."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.daemon import open_translator
from appliance.errors import BufferFullError
from appliance.intake import FeedIntake, Translator
from appliance.ports import CdrSource, SecretBytes
from appliance.settings import load_site
from appliance.wire.batch import KeyProtection
from appliance.wire.completeness import Account, Gap, GapCause
from tests.support.buffer_file import drain
from tests.support.cdr_generator import generate
from tests.support.fake_clock import FakeClock
from tests.support.feeds import feed_of, setup_of
from tests.support.lossy_source import LossySource
from tests.support.records import START
from tests.support.vectors import translator

SITE = Path(__file__).parents[1] / "testdata/demo/site.toml"
SECRET = SecretBytes(bytes(range(32)))
JOINING = "kamailio_acc"


def open_buffer(folder: Path, *, cap_bytes: int = 2**24) -> SqliteBuffer:
    """The test's one buffer."""
    settings = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=cap_bytes, batch_records=100)
    return SqliteBuffer.open(folder / "buffer.db", masters={1: SECRET}, settings=settings)


def asterisk() -> Translator:
    """The translator of the demo's site."""
    return open_translator("asterisk_csv", site=load_site(SITE), secret=SECRET, feed="main")


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[SqliteBuffer]:
    """An empty buffer."""
    opened = open_buffer(tmp_path)
    yield opened
    opened.close()


def later_clock(days: float = 60) -> FakeClock:
    """A clock of the days after the generated feeds."""
    clock = FakeClock()
    clock.slept.append(timedelta(days=days).total_seconds())
    return clock


def only(buffer: SqliteBuffer) -> Account:
    """The one account there is."""
    (account,) = buffer.accounts()
    return account


def rows(count: int) -> list[bytes]:
    """Lines of a Master.csv."""
    return generate(rows=count, seed=41).splitlines()[:count]


def test_lines_that_wait_for_another_are_accounted_for(buffer: SqliteBuffer) -> None:
    """At every step, across days and restarts, read = recorded + quarantined + ignored + held."""
    clock = later_clock()
    lines = feed_of(JOINING, rows=12, seed=3).splitlines()
    source: LossySource
    highest = 0
    for number, line in enumerate(lines):
        if number % 5 == 0:
            source = LossySource(clock)
            intake = FeedIntake(source, translator(JOINING, setup_of(JOINING)), buffer, clock)
        source.send(line)
        assert intake.step()
        clock.slept.append(timedelta(hours=7).total_seconds())
        accounts = buffer.accounts()
        assert all(account.balanced for account in accounts), accounts
        highest = max(highest, sum(account.held for account in accounts))
    accounts = buffer.accounts()
    assert sum(account.read for account in accounts) == len(lines)
    assert highest > 0
    assert len(accounts) > 3
    assert any(account.held < 0 for account in accounts)


def test_a_held_line_that_a_restart_forgets_shows(buffer: SqliteBuffer) -> None:
    """Lines are counted where they were read, so one that became nothing unbalances its day."""
    clock = later_clock()
    source = LossySource(clock)
    for line in feed_of(JOINING, rows=12, seed=3).splitlines()[:1]:
        source.send(line)
    assert FeedIntake(source, translator(JOINING, setup_of(JOINING)), buffer, clock).step()
    assert only(buffer).held == 1
    # The feed was given another dialect, which holds nothing.
    other = LossySource(clock)
    other.send(rows(1)[0])
    assert FeedIntake(other, asterisk(), buffer, clock).step()
    assert (only(buffer).balanced, only(buffer).missing_lines) == (False, 1)


def test_what_a_full_buffer_made_a_feed_lose_is_one_gap(tmp_path: Path) -> None:
    """From the first line that was lost to the last, counted, and committed once there is space again."""
    buffer = open_buffer(tmp_path, cap_bytes=2**18)
    clock = later_clock()
    source = LossySource(clock, room=200)
    intake = FeedIntake(source, asterisk(), buffer, clock)
    content = rows(200)
    full = False
    while not full:
        for line in content:
            source.send(line)
        try:
            intake.step()
        except BufferFullError:
            full = True
    began_at = None
    for _ in range(300):
        clock.slept.append(1.0)
        source.send(content[0])
        if source.lost == 1:
            began_at = began_at or clock.now()
        with pytest.raises(BufferFullError):
            intake.step()
    assert source.lost == 100
    assert only(buffer).gaps == []
    ended_at = clock.now()
    clock.slept.append(30.0)

    while True:
        drain(buffer)
        if not intake.step():
            break

    account = only(buffer)
    assert account.gaps == [Gap(began_at or START, ended_at, 100, GapCause.BUFFER_FULL)]
    assert account.balanced
    buffer.close()


def test_a_gap_without_a_line_is_kept(buffer: SqliteBuffer) -> None:
    """A feed that lost everything still says so."""
    clock = later_clock()
    source = LossySource(clock, room=0)
    intake = FeedIntake(source, asterisk(), buffer, clock)
    source.send(b"lost")
    assert intake.step()
    assert not intake.step()
    assert [gap.records for gap in only(buffer).gaps] == [1]
    assert only(buffer).read == 0


def test_a_lossy_source_is_a_source() -> None:
    """The port asks nothing more of it."""
    source: CdrSource = LossySource(FakeClock())
    assert source.read(max_bytes=1) is None
