"""Composition root and main loop of the appliance: the one file that knows every concrete class.

One thread owns the buffer and does all parsing; the event loop owns the network. Feeds and delivery run side by side
and end together: an error that a reopening must cure ends the process, and its supervisor starts it again.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from random import SystemRandom
from typing import Any, Final, TypeVar

from msgspec import structs

from appliance.buffer.salvage import Salvage, open_or_salvage
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.dialects import find_dialect
from appliance.cdr.zone_check import fitting_zones
from appliance.clock import SystemClock
from appliance.delivery import Delivery
from appliance.errors import BufferFullError, RetryableError, SourceError
from appliance.identity.file_identity import FileIdentityStore
from appliance.identity.machine_key import MachineKey
from appliance.intake import FeedIntake, Translator
from appliance.policy.rate_cap import RateCap
from appliance.ports import CallBuffer, Clock, MachineIdentity, SecretBytes, Uplink
from appliance.pseudonymization.call import CallEncoder
from appliance.pseudonymization.disclosure import DisclosurePolicy
from appliance.pseudonymization.pseudonym import Pseudonymizer
from appliance.renewal import Renewal
from appliance.reporting import Reporting
from appliance.sealing.anchor import StateAnchor, secrets_of
from appliance.sealing.buffer_keys import BufferKeys
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import FIRST_VERSION, load_tenant_key
from appliance.sealing.tls_keys import keys_of
from appliance.sealing.witness import witness_of
from appliance.settings import Settings, SiteSettings, candidate_zones
from appliance.sources.file_source import FileSource
from appliance.status import CertificateRecorder, LinkRecorder, ReportRecorder, Status, first_status, write_status
from appliance.uplink.https_uplink import HttpsUplink
from appliance.uplink.machine_desk import machine_desk
from appliance.wire.batch import KeyProtection

T = TypeVar("T")
POLL_SECONDS: Final = 0.5
"""How often an idle feed is looked at: the status of its folder and of the files read last, a read of a kilobyte."""
STATUS_SECONDS: Final = 2.0
BUFFER_FILE: Final = "buffer.db"
ACCOUNT_SECONDS: Final = 60.0
"""How often the receiver is told of completeness, where something has changed."""

_LOG = logging.getLogger("natalia.daemon")


class Appliance:
    """Runs feeds and delivery until it is told to stop."""

    def __init__(  # noqa: PLR0913 - the parts of the whole, each by its name
        self,
        *,
        status: Status,
        settings: Settings,
        buffer: CallBuffer,
        keys: BufferKeys,
        uplink: Uplink,
        feeds: Sequence[FeedIntake],
        clock: Clock,
    ) -> None:
        """Move ``feeds`` into ``buffer`` and ``buffer`` over ``uplink``; report into the state directory."""
        self._settings = settings
        self._buffer = buffer
        self._keys = keys
        self._feeds = feeds
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="buffer")
        self._link = LinkRecorder(settings.receiver.url, clock)
        self._status = status
        self.certificate = CertificateRecorder(status.certificate)
        self._committed = asyncio.Event()
        self._feed_status = {item.feed: item for item in status.feeds}
        self._delivery = Delivery(
            buffer=buffer,
            uplink=uplink,
            on_buffer_thread=self.on_buffer_thread,
            clock=clock,
            link=self._link,
            rate_cap=rate_cap(settings),
        )
        self._report_state = ReportRecorder(clock)
        self._reporting = Reporting(
            buffer=buffer,
            uplink=uplink,
            on_buffer_thread=self.on_buffer_thread,
            clock=clock,
            heard=self._report_state,
        )

    async def run(self, stop: asyncio.Event, *beside: Awaitable[Any]) -> None:
        """Run until ``stop`` is set or a part fails; every part has ended and the status is written on return.

        Args:
            stop: ends it.
            beside: more parts, which run and end with the others.

        Raises:
            BufferUnusableError: the buffer must be reopened.
        """
        parts: list[Awaitable[Any]] = [stop.wait(), self._deliver(), self._account(), self._report(), *beside]
        parts += [self._follow(feed) for feed in self._feeds]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._pool.shutdown(wait=True)
            self._write_status()

    async def _follow(self, feed: FeedIntake) -> None:
        while True:
            state = await self._step(feed)
            if state == "reading":
                continue
            await self._clock.sleep(POLL_SECONDS)

    async def _step(self, feed: FeedIntake) -> str:
        try:
            read = await self.on_buffer_thread(feed.step)
            state = "reading" if read else "waiting"
            if read:
                self._committed.set()
                self._note_zone(feed)
        except BufferFullError:
            state = "paused"
        except SourceError as error:
            state = "unreadable"
            self._note_feed(feed.feed, state, code=error.code)
        self._note_feed(feed.feed, state)
        return state

    def _note_feed(self, feed: str, state: str, *, code: str = "") -> None:
        known = self._feed_status[feed]
        if state != known.state and state in {"paused", "unreadable"}:
            _LOG.warning("feed=%s state=%s code=%s", feed, state, code or "buffer_full")
        last_read_at = self._clock.now() if state == "reading" else known.last_read_at
        self._feed_status[feed] = structs.replace(known, state=state, last_read_at=last_read_at)

    def _note_zone(self, feed: FeedIntake) -> None:
        """Say once if the records' epochs tell of another time zone than the settings."""
        known, check = self._feed_status[feed.feed], feed.zone_check
        fits = check.finding().fits if check else None
        if check is None or fits == known.zone_fits:
            return
        zones = fitting_zones(check.samples, candidate_zones(self._settings.site.country))[:5] if fits is False else []
        if fits is False:
            _LOG.warning("feed=%s zone_fits=false would_fit=%s", feed.feed, ",".join(zones) or "none")
        self._feed_status[feed.feed] = structs.replace(known, zone_fits=fits, zones_that_fit=zones)

    async def _deliver(self) -> None:
        await self._delivery.check_high_water()
        while True:
            self._committed.clear()
            if not await self._delivery.step():
                await self._committed.wait()

    async def _account(self) -> None:
        while True:
            await self._reporting.step()
            await self._clock.sleep(ACCOUNT_SECONDS)

    async def _report(self) -> None:
        while True:
            await self.on_buffer_thread(self._write_status)
            await self.on_buffer_thread(self._keys.step, self._buffer)
            await self._clock.sleep(STATUS_SECONDS)

    def _write_status(self) -> None:
        status = structs.replace(
            self._status,
            written_at=self._clock.now(),
            link=self._link.status,
            feeds=[structs.replace(self._feed_status[feed.feed], file_problems=feed.problems) for feed in self._feeds],
            buffer=self._buffer.stats(),
            completeness=self._report_state.status,
            certificate=self.certificate.status,
        )
        write_status(self._settings.appliance.state_directory, status)

    def on_buffer_thread(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        """Run a call on the thread that owns the buffer (``ports.OnBufferThread``)."""
        return asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


def identities_of(secrets: SecretStore, anchor: StateAnchor) -> FileIdentityStore:
    """The machine's identity, which is one of its secrets; a new key is made in the TPM where that can be used."""
    return FileIdentityStore(secrets, SystemClock(), keys_of(anchor, software=MachineKey))


def open_translator(
    dialect: str,
    *,
    site: SiteSettings,
    secret: SecretBytes,
    feed: str,
    layout: Layout | None = None,
    key_version: int = FIRST_VERSION,
) -> Translator:
    """Wire dialect, numbering plan and pseudonyms for one feed of a site.

    Raises:
        UnknownDialectError: no such dialect.
        SettingsError: ``layout`` is not one of the dialect's.
    """
    encoder = CallEncoder(
        Pseudonymizer(secret.reveal(), key_version=key_version),
        plan=site.plan,
        policy=DisclosurePolicy.parse(clear_digits=site.clear_digits),
        feed=feed,
        dialect=dialect,
    )
    context = FeedContext(zone=site.zone, country=site.site.country, layout=layout or Layout())
    return Translator(find_dialect(dialect), context, encoder)


def buffer_settings(settings: Settings, identity: MachineIdentity, key_protection: KeyProtection) -> BufferSettings:
    """Whose buffer it is and how large it may grow."""
    return BufferSettings(
        tenant=identity.tenant,
        appliance=identity.appliance,
        key_protection=key_protection,
        cap_bytes=settings.buffer.cap_mib * 2**20,
        batch_records=settings.buffer.batch_records,
    )


def open_buffer(
    settings: Settings, identity: MachineIdentity, masters: Mapping[int, SecretBytes], key_protection: KeyProtection
) -> tuple[SqliteBuffer, Salvage | None]:
    """Open the appliance's buffer; a damaged one is salvaged first, and the log says so.

    Raises:
        BufferUnusableError: held by another process, or of another appliance.
    """
    buffer, saved = open_or_salvage(
        settings.appliance.state_directory / BUFFER_FILE,
        masters=masters,
        settings=buffer_settings(settings, identity, key_protection),
    )
    if saved is not None:
        _LOG.error("buffer=salvaged batches=%d records=%d refused=%d", saved.batches, saved.records, saved.refused)
    return buffer, saved


def rate_cap(settings: Settings) -> RateCap:
    """What deliveries may take of the site's line."""
    return RateCap(settings.receiver.rate_kib_per_second * 1024)


def buffer_keys(settings: Settings) -> BufferKeys:
    """The buffer's keys. Raises as ``secrets_of``."""
    return BufferKeys(secrets_of(settings.appliance)[0], SystemClock())


@contextmanager
def buffer_alone(settings: Settings) -> Iterator[tuple[SqliteBuffer, Salvage | None]]:
    """The buffer of an appliance that is not running, and what was saved if it was damaged.

    Raises:
        ApplianceError: it is running, was never enrolled, or this machine cannot open its secrets.
    """
    secrets, anchor = secrets_of(settings.appliance)
    identity = identities_of(secrets, anchor).load()
    buffer, saved = open_buffer(settings, identity, BufferKeys(secrets, SystemClock()).masters(), anchor.key_protection)
    try:
        yield buffer, saved
    finally:
        buffer.close()


async def drain(settings: Settings, show: Callable[[int, str | None], None]) -> int:
    """Deliver what waits in the buffer of an appliance that is not running; give how many records that were.

    Args:
        settings: of the appliance.
        show: is told how many records wait, and the link's problem, after each batch and each failed try.

    Raises:
        ApplianceError: as ``buffer_alone``.
    """
    clock = SystemClock()
    with buffer_alone(settings) as (buffer, _):
        first = buffer.stats().records
        identity = identities_of(*secrets_of(settings.appliance)).load()
        link = LinkRecorder(settings.receiver.url, clock)
        async with HttpsUplink(settings.receiver.url, identity, clock) as uplink:
            delivery = Delivery(
                buffer=buffer,
                uplink=uplink,
                on_buffer_thread=_here,
                clock=clock,
                link=link,
                rate_cap=rate_cap(settings),
            )
            await delivery.check_high_water()
            show(first, link.status.last_problem)
            while await delivery.step():
                show(buffer.stats().records, link.status.last_problem)
            heard = ReportRecorder(clock)
            reporting = Reporting(buffer=buffer, uplink=uplink, on_buffer_thread=_here, clock=clock, heard=heard)
            with suppress(RetryableError):  # the records are there; the next start tells it again
                await reporting.tell_changes()
    return first


async def _here(function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)


def open_feeds(settings: Settings, secrets: SecretStore, buffer: CallBuffer, *, clock: Clock) -> list[FeedIntake]:
    """The feeds of ``settings``, each on its way into ``buffer``.

    Raises:
        SealingError: this machine cannot open the tenant secret.
    """
    key = load_tenant_key(secrets)
    return [
        FeedIntake(
            FileSource(feed.id, feed.path, find_dialect(feed.dialect).framer, clock=clock),
            open_translator(
                feed.dialect,
                site=settings,
                secret=SecretBytes(key.tenant_secret),
                feed=feed.id,
                layout=feed.layout,
                key_version=key.key_version,
            ),
            buffer,
            clock,
        )
        for feed in settings.feeds
    ]


async def run(settings: Settings) -> None:
    """Run the appliance of ``settings`` until SIGTERM or SIGINT.

    Raises:
        ApplianceError: it cannot start, or the buffer must be reopened.
    """
    clock = SystemClock()
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    secrets, anchor = secrets_of(settings.appliance)
    key_protection = anchor.key_protection
    identities = identities_of(secrets, anchor)
    identity = identities.load()
    keys = BufferKeys(secrets, clock)
    buffer, _ = open_buffer(settings, identity, keys.masters(), key_protection)
    try:
        feeds = open_feeds(settings, secrets, buffer, clock=clock)
        status = first_status(settings, identity, buffer, clock=clock, key_protection=key_protection)
        async with HttpsUplink(settings.receiver.url, identity, clock) as uplink:
            appliance = Appliance(
                status=status, settings=settings, buffer=buffer, keys=keys, uplink=uplink, feeds=feeds, clock=clock
            )
            _LOG.info("appliance=%s feeds=%d key_protection=%s", identity.appliance, len(feeds), key_protection)
            renewal = Renewal(
                store=identities,
                witness=witness_of(anchor),
                open_desk=lambda current: machine_desk(settings.receiver.url, current, clock),
                user=uplink,
                run=appliance.on_buffer_thread,
                clock=clock,
                draw=SystemRandom().random,
                heard=appliance.certificate,
            )
            await appliance.run(stop, keep_renewing(renewal, clock))
    finally:
        buffer.close()


async def keep_renewing(renewal: Renewal, clock: Clock) -> None:
    """Look after the machine's certificate for ever."""
    while True:
        await clock.sleep(await renewal.step())
