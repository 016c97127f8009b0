"""The wall clock is set ten years forward or back while the appliance runs; the monotonic clock is not.

Delivery and its waits do not notice. Records are held against the clock of the moment they are read at: one dated more
than two days ahead of it is set aside by that reason (``cdr.record``), so a clock that is years behind costs what is
read meanwhile, visibly, and nothing else. Not here: certificates, which OpenSSL holds against the machine's own clock.
"""

import os
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from appliance.cdr.framing import LineFramer
from appliance.cdr.record import QuarantineReason
from appliance.daemon import open_translator
from appliance.policy.back_off import LONGEST_WAIT_SECONDS
from appliance.sealing.buffer_keys import BufferKeys
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.status import FILE_NAME
from appliance.uplink.retry_after import LONGEST_WAIT_SECONDS as LONGEST_ASKED_SECONDS
from appliance.uplink.retry_after import retry_after_seconds
from tests.support.buffer_file import BufferFile, drain
from tests.support.cdr_generator import generate
from tests.support.records import intake
from tests.support.running_site import SECRET, HastyClock, Receiver, SiteUnderTest, until
from tests.support.tls_peer import Authority, Reply, Request, TlsPeer, reply, server_context

YEARS = timedelta(days=3653)
THIRDS = [generate(rows=100, seed=seed) for seed in (51, 52, 53)]


class JumpingClock(HastyClock):
    """A clock whose wall time can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.off = timedelta()

    def now(self) -> datetime:
        return super().now() + self.off


def busy(_: Request) -> Reply:
    """A receiver that wants to be asked again at a time by its own clock, which is right."""
    later = datetime.now(UTC) + timedelta(seconds=20)
    return reply(503, headers=[f"Retry-After: {format_datetime(later, usegmt=True)}"])


def translated(site: SiteUnderTest, content: bytes, now: datetime) -> tuple[list[str], int]:
    """What lines give when they are read at a time: events, and how many are dated out of range."""
    translator = open_translator("asterisk_csv", site=site.settings, secret=SECRET, feed="main")
    found = translator.translate(LineFramer(0).feed(content), now=now)
    refused = [line for line in found.quarantined if line.reason == QuarantineReason.DATE_OUT_OF_RANGE]
    return [call.event_id for call in found.calls], len(refused)


def out_of_range(site: SiteUnderTest) -> int:
    """How many lines were set aside because of their date, by the status file."""
    path = site.settings.appliance.state_directory / FILE_NAME
    items = site.status.buffer.quarantine if path.exists() else []
    return sum(item.records for item in items if item.reason == QuarantineReason.DATE_OUT_OF_RANGE)


@pytest.mark.parametrize("jump", [YEARS, -YEARS], ids=["forward", "back"])
async def test_delivery_goes_on_whatever_the_clock_is_set_to(tmp_path: Path, jump: timedelta) -> None:
    """A third of the feed is read before, within and after; each third meets a receiver that fails first."""
    authority, clock, receiver = Authority(), JumpingClock(), Receiver()
    expected: list[str] = []
    refused: list[int] = []
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity(), clock=clock)
        site.feed.touch()
        async with site.running():
            for off, third in zip((timedelta(), jump, timedelta()), THIRDS, strict=True):
                clock.off = off
                receiver.failures += [busy, busy]
                calls, aside = translated(site, third, clock.now())
                expected.extend(calls)
                refused.append(aside)
                with site.feed.open("ab") as file:
                    file.write(third)
                await until(lambda: len(receiver.order) >= len(expected) and out_of_range(site) >= sum(refused))
    assert receiver.order == expected
    assert out_of_range(site) == sum(refused)
    assert [aside > 90 for aside in refused] == [False, jump < timedelta(), False]
    assert all(0 <= seconds <= LONGEST_WAIT_SECONDS for seconds in clock.asked)


@pytest.mark.parametrize("off", [YEARS, -YEARS], ids=["forward", "back"])
def test_a_wait_by_a_receivers_date_is_bounded(off: timedelta) -> None:
    """A date is ten years away by a clock that is wrong: none of it, or an hour."""
    now = datetime.now(UTC) + off
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert retry_after_seconds(later, now=now) == (0.0 if off > timedelta() else LONGEST_ASKED_SECONDS)


def test_keys_are_renewed_once_at_most(tmp_path: Path) -> None:
    """Ten years ahead the key is due, once; set right, set back and ahead again, none is made, and all stays readable.

    A file is dated by the machine's clock, which here is the one that jumps.
    """
    clock = JumpingClock()
    keys = BufferKeys(SecretStore(tmp_path / "secrets", FileSealer.open(tmp_path / "anchor")), clock)
    buffer = BufferFile(tmp_path / "buffer.db")(masters=keys.masters())
    dated: set[Path] = set()
    made = []
    for off in (timedelta(), YEARS, YEARS, timedelta(), -YEARS, YEARS, timedelta()):
        clock.off = off
        buffer.append(intake([len(made) + 1]))
        keys.step(buffer)
        files = set((tmp_path / "secrets").glob("buffer-master-*"))
        for path in files - dated:
            os.utime(path, (clock.now().timestamp(),) * 2)
        dated |= files
        made.append(max(keys.masters()))
    assert made == [1, 2, 2, 2, 2, 2, 2]
    assert sum(batch.records for batch in drain(buffer)) == len(made)
    buffer.close()
