"""The running appliance in this process: its own main loop, a real feed file, and a receiver that does as told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import zstandard

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.clock import SystemClock
from appliance.daemon import Appliance, open_translator
from appliance.intake import FeedIntake
from appliance.ports import MachineIdentity, SecretBytes
from appliance.sealing.buffer_keys import BufferKeys
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.settings import Settings, load_settings
from appliance.sources.file_source import FileSource
from appliance.status import FILE_NAME, Status, first_status, read_status
from appliance.uplink.https_uplink import COMPLETENESS_PATH, HttpsUplink
from appliance.wire.batch import Batch, HighWater, KeyProtection, Verdict
from appliance.wire.codec import decode_completeness, encode_answer
from appliance.wire.completeness import Account, Receipt
from tests.support.appliance_process import SETTINGS
from tests.support.tls_peer import Reply, Request, reply

SITE = (Path(__file__).parents[1] / "testdata/demo/site.toml").read_text(encoding="utf-8")
SECRET = SecretBytes(bytes(range(32)))
PATIENCE_SECONDS = 60
BATCH_RECORDS = 50


class HastyClock(SystemClock):
    """The system's clock, on which no wait is longer than a moment; it remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(min(seconds, 0.01))


def honest(mark: HighWater) -> HighWater:
    """The mark as it is."""
    return mark


class Receiver:
    """Keeps each distinct record once; fails as it is told before it goes on honestly."""

    def __init__(self, *failures: Callable[[Request], Reply], mark: Callable[[HighWater], HighWater] = honest) -> None:
        self.failures = list(failures)
        self.mark = mark
        self.accounts: dict[str, Account] = {}
        self.order: list[str] = []
        self.bodies: list[bytes] = []
        self.requests = 0

    def __call__(self, request: Request) -> Reply:
        self.requests += 1
        if request.method == "GET":
            return reply(200, encode_answer(self.mark(HighWater(0, 0))))
        if request.path == COMPLETENESS_PATH:
            return self.take_report(request)
        if self.failures:
            return self.failures.pop(0)(request)
        return self.accept(request)

    def take_report(self, request: Request) -> Reply:
        """Keep what is said of completeness."""
        report = decode_completeness(request.body)
        self.accounts |= {account.day: account for account in report.accounts}
        return reply(200, encode_answer(Receipt(report.number, stored=True, newest=report.number)))

    def accept(self, request: Request) -> Reply:
        """Store what is new, and answer as the contract says."""
        batch = msgspec.json.decode(zstandard.decompress(request.body), type=Batch)
        known = set(self.order)
        fresh = [record.event_id for record in batch.records if record.event_id not in known]
        self.order += fresh
        self.bodies.append(request.body)
        mark = self.mark(HighWater(batch.epoch, batch.sequence))
        duplicate = len(batch.records) - len(fresh)
        return reply(200, encode_answer(Verdict(batch.epoch, batch.sequence, len(fresh), duplicate, [], mark)))


class SiteUnderTest:
    """One appliance's parts, ready to run in this process."""

    def __init__(
        self,
        folder: Path,
        url: str,
        identity: MachineIdentity,
        *,
        zone: str = "Europe/Brussels",
        clock: HastyClock | None = None,
    ) -> None:
        self.feed = folder / "Master.csv"
        (folder / "state").mkdir()
        site = SITE.replace("Europe/Brussels", zone)
        text = SETTINGS.format(state=folder / "state", url=url, site=site, dialect="asterisk_csv", feed=self.feed)
        (folder / "appliance.toml").write_text(text, encoding="utf-8")
        self.settings: Settings = load_settings(folder / "appliance.toml")
        owner = BufferSettings(identity.tenant, identity.appliance, KeyProtection.FILE, 2**26, BATCH_RECORDS)
        self.clock = clock or HastyClock()
        store = SecretStore(folder / "state/secrets", FileSealer.open(folder / "state/anchor"))
        self.keys = BufferKeys(store, SystemClock())
        self.buffer = SqliteBuffer.open(folder / "state/buffer.db", masters=self.keys.masters(), settings=owner)
        translator = open_translator("asterisk_csv", site=self.settings, secret=SECRET, feed="main")
        self.intake = FeedIntake(FileSource("main", self.feed), translator, self.buffer, self.clock)
        self.identity = identity

    @property
    def status(self) -> Status:
        """What the appliance last said of itself."""
        return read_status(self.settings.appliance.state_directory)

    def status_is(self, state: str) -> bool:
        """Whether the one feed is said to be in ``state``."""
        path = self.settings.appliance.state_directory / FILE_NAME
        return path.exists() and self.status.feeds[0].state == state

    def is_drained(self) -> bool:
        """Whether something was recorded and nothing waits. The buffer itself belongs to its own thread meanwhile."""
        path = self.settings.appliance.state_directory / FILE_NAME
        buffer = self.status.buffer if path.exists() else None
        return buffer is not None and buffer.records == 0 and any("recorded" in item.counts for item in buffer.tallies)

    def link_problem(self) -> str | None:
        """Why the link is not well, by the status file."""
        path = self.settings.appliance.state_directory / FILE_NAME
        return self.status.link.last_problem if path.exists() else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        """Run it; stop it at the end and close the buffer."""
        stop = asyncio.Event()
        first = first_status(
            self.settings, self.identity, self.buffer, clock=self.clock, key_protection=KeyProtection.FILE
        )
        async with HttpsUplink(
            self.settings.receiver.url, self.identity, self.clock, total_timeout_seconds=2
        ) as uplink:
            appliance = Appliance(
                status=first,
                settings=self.settings,
                buffer=self.buffer,
                keys=self.keys,
                uplink=uplink,
                feeds=[self.intake],
                clock=self.clock,
            )
            task = asyncio.create_task(appliance.run(stop))
            try:
                yield task
            finally:
                stop.set()
                await asyncio.gather(task, return_exceptions=True)
                self.buffer.close()


async def until(done: Callable[[], bool]) -> None:
    """Wait for a condition that other tasks bring about."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not done():  # noqa: ASYNC110 - what is awaited is another part's state, which has no event
            await asyncio.sleep(0.02)
