"""The running appliance against a receiver that fails in every way: nothing is lost and nothing overtakes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import zstandard

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.clock import SystemClock
from appliance.daemon import Appliance, first_status, open_translator
from appliance.errors import BufferUnusableError
from appliance.intake import FeedIntake
from appliance.ports import MachineIdentity, SecretBytes
from appliance.sealing.buffer_keys import BufferKeys
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.settings import Settings, load_settings
from appliance.sources.file_source import FileSource
from appliance.status import FILE_NAME, Status, read_status
from appliance.uplink.https_uplink import COMPLETENESS_PATH, HttpsUplink
from appliance.wire.batch import Batch, HighWater, KeyProtection, Verdict
from appliance.wire.codec import decode_completeness, encode_answer
from appliance.wire.completeness import Account, Receipt
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, ProblemCode, problem
from tests.support.appliance_process import SETTINGS
from tests.support.cdr_generator import generate
from tests.support.tls_peer import Authority, Reply, Request, TlsPeer, reply, server_context

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


class Receiver:
    """Keeps each distinct record once; fails as it is told before it goes on honestly."""

    def __init__(self, *failures: Callable[[Request], Reply]) -> None:
        self.failures = list(failures)
        self.accounts: dict[str, Account] = {}
        self.order: list[str] = []
        self.bodies: list[bytes] = []
        self.requests = 0

    def __call__(self, request: Request) -> Reply:
        self.requests += 1
        if request.method == "GET":
            return reply(200, encode_answer(HighWater(0, 0)))
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
        mark = HighWater(batch.epoch, batch.sequence)
        duplicate = len(batch.records) - len(fresh)
        return reply(200, encode_answer(Verdict(batch.epoch, batch.sequence, len(fresh), duplicate, [], mark)))


class SiteUnderTest:
    """One appliance's parts, ready to run in this process."""

    def __init__(self, folder: Path, url: str, identity: MachineIdentity, *, zone: str = "Europe/Brussels") -> None:
        self.feed = folder / "Master.csv"
        (folder / "state").mkdir()
        site = SITE.replace("Europe/Brussels", zone)
        text = SETTINGS.format(state=folder / "state", url=url, site=site, dialect="asterisk_csv", feed=self.feed)
        (folder / "appliance.toml").write_text(text, encoding="utf-8")
        self.settings: Settings = load_settings(folder / "appliance.toml")
        owner = BufferSettings(identity.tenant, identity.appliance, KeyProtection.FILE, 2**26, BATCH_RECORDS)
        self.clock = HastyClock()
        store = SecretStore(folder / "state/secrets", FileSealer.open(folder / "state/anchor"))
        self.keys = BufferKeys(store, self.clock)
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


async def test_a_wrong_time_zone_is_reported(tmp_path: Path) -> None:
    """The feed's own epochs tell of Brussels, the settings say Lisbon: the status says which zone would fit."""
    authority = Authority()
    async with TlsPeer(server_context(authority), Receiver()) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity(), zone="Europe/Lisbon")
        site.feed.write_bytes(generate(rows=100, seed=21))
        async with site.running():
            await until(site.is_drained)
    (feed,) = site.status.feeds
    assert (feed.zone_fits, feed.zones_that_fit[0]) == (False, "Europe/Brussels")


def answers(
    status: int, body: bytes = b"", *, headers: Sequence[str] = (), media_type: str = "application/json"
) -> Callable[[Request], Reply]:
    """A receiver that always says this."""
    return lambda _: reply(status, body, headers=headers, media_type=media_type)


def lying(request: Request) -> Reply:
    """A verdict that does not account for every record."""
    batch = msgspec.json.decode(zstandard.decompress(request.body), type=Batch)
    mark = HighWater(batch.epoch, batch.sequence)
    return reply(200, encode_answer(Verdict(batch.epoch, batch.sequence, 1, 0, [], mark)))


def refusal(code: ProblemCode) -> Callable[[Request], Reply]:
    """A problem document of ``code``."""
    document = problem(code, detail="no", hint="none")
    return answers(document.status, encode_answer(document), media_type=PROBLEM_MEDIA_TYPE)


RETRIED = {
    "500": answers(500),
    "502 in HTML": answers(502, b"<html>Bad gateway</html>", media_type="text/html"),
    "429 with a wait": answers(429, headers=["Retry-After: 77"]),
    "200 in HTML": answers(200, b"<html>Login</html>", media_type="text/html"),
    "200 with half an answer": answers(200, b'{"type":"verdict.v1","epoch":1'),
    "a lying verdict": lying,
    "ten megabytes": answers(200, b" " * 10_000_000),
    "a redirect": answers(307, headers=["Location: https://elsewhere.example/"]),
    "certificate not known": refusal(ProblemCode.UNAUTHENTICATED),
    "certificate revoked": refusal(ProblemCode.FORBIDDEN),
    "no answer at all": lambda _: None,
}


@pytest.mark.parametrize("failure", RETRIED.values(), ids=RETRIED.keys())
async def test_an_unwell_receiver_costs_nothing(tmp_path: Path, failure: Callable[[Request], Reply]) -> None:
    """The same batch is sent until it is answered soundly; everything arrives once and in order."""
    receiver = Receiver(failure, failure)
    authority = Authority()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=100, seed=21))
        async with site.running():
            await until(lambda: bool(receiver.order) and site.is_drained())
    stats = site.status.buffer
    (tally,) = stats.tallies
    assert len(receiver.order) == tally.counts["recorded"] == tally.counts["acknowledged"]
    assert "set_aside" not in tally.counts
    assert [batch_key(body) for body in receiver.bodies] == sorted(batch_key(body) for body in receiver.bodies)


def batch_key(body: bytes) -> tuple[int, int]:
    """Epoch and sequence of a batch as it was sent."""
    batch = msgspec.json.decode(zstandard.decompress(body), type=Batch)
    return batch.epoch, batch.sequence


@pytest.mark.parametrize("code", [ProblemCode.BATCH_INVALID, ProblemCode.MALFORMED_REQUEST])
async def test_a_batch_refused_for_good_is_kept_encrypted_and_the_rest_goes_on(
    tmp_path: Path, code: ProblemCode
) -> None:
    """A 422 sets one batch aside, counted under its code; the others are delivered."""
    receiver = Receiver(refusal(code))
    authority = Authority()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=150, seed=22))
        async with site.running():
            await until(lambda: bool(receiver.order) and site.is_drained())
    stats = site.status.buffer
    (tally,) = stats.tallies
    assert [(item.kind, item.reason, item.records) for item in stats.quarantine if item.kind == "batch"] == [
        ("batch", code.value, BATCH_RECORDS)
    ]
    assert len(receiver.order) == tally.counts["recorded"] - BATCH_RECORDS


async def test_a_server_of_another_authority_is_never_spoken_to(tmp_path: Path) -> None:
    """A wrong certificate is refused again and again; no request and no record reaches that server."""
    receiver = Receiver()
    mine, other = Authority(), Authority()
    async with TlsPeer(server_context(other, ask_client=False), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, mine.identity())
        site.feed.write_bytes(generate(rows=30, seed=23))
        async with site.running():
            await until(lambda: site.link_problem() == "uplink_untrusted" and site.status.buffer.records > 0)
    assert receiver.requests == 0
    assert site.status.buffer.records > 0
    assert (site.status.link.state, site.status.link.last_problem) == ("unavailable", "uplink_untrusted")


async def test_feed_states_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A feed without its file is unreadable, logged once; with it, it is read and then waits."""
    authority = Authority()
    receiver = Receiver()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        async with site.running():
            await until(lambda: site.status_is("unreadable"))
            site.feed.write_bytes(generate(rows=20, seed=24))
            await until(lambda: site.status_is("waiting") and bool(receiver.order))
    (feed,) = site.status.feeds
    assert feed.last_read_at is not None
    warnings = [record.getMessage() for record in caplog.records if "state=unreadable" in record.getMessage()]
    assert warnings == ["feed=main state=unreadable code=source_unreadable"]


async def test_the_receiver_is_told_what_became_of_every_line(tmp_path: Path) -> None:
    """By itself, while it runs: in the end its account is the appliance's own, and balances."""
    receiver = Receiver()
    authority = Authority()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=120, seed=26))
        async with site.running():
            await until(lambda: site.is_drained() and list(receiver.accounts.values()) == site.status.buffer.accounts)
    (account,) = receiver.accounts.values()
    assert account.balanced
    assert (account.acknowledged, account.waiting) == (len(receiver.order), 0)
    assert site.status.completeness.last_problem is None
    assert site.status.completeness.last_reported_at is not None


async def test_a_broken_buffer_ends_the_appliance(tmp_path: Path) -> None:
    """Only a reopening helps, so the process ends with the error and its supervisor starts it again."""
    authority = Authority()
    async with TlsPeer(server_context(authority), Receiver()) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.buffer._connection.execute("DROP TABLE source")
        site.feed.write_bytes(generate(rows=20, seed=25))
        async with site.running() as task:
            with pytest.raises(BufferUnusableError):
                await asyncio.wait_for(asyncio.shield(task), PATIENCE_SECONDS)
