"""``natalia-appliance selftest``: what an installer wants to know before leaving, one line a question."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import click
import msgspec
from msgspec import Struct

from appliance import daemon
from appliance.buffer.database_errors import is_in_use
from appliance.buffer.sqlite_buffer import SqliteBuffer
from appliance.cli.anchor_words import PROTECTION_WORDS, key_sentence, why_sentences
from appliance.cli.inspect import AS_JSON
from appliance.cli.settings_option import with_settings
from appliance.clock import SystemClock
from appliance.errors import (
    ApplianceError,
    BufferUnusableError,
    CertificateUntrustedError,
    ClockOffError,
    SealedBlobTamperedError,
)
from appliance.ports import MachineIdentity, SecretBytes
from appliance.sealing.anchor import StateAnchor, secrets_of
from appliance.sealing.buffer_keys import BufferKeys
from appliance.sealing.secret_store import SecretStore
from appliance.settings import Settings
from appliance.uplink.https_uplink import HttpsUplink

PURPOSE: Final = "selftest"
PROBE_BYTES: Final = 32
CLOCK_SLACK: Final = timedelta(minutes=5)


class Answer(Struct, frozen=True):
    """What one question came to."""

    question: str
    ok: bool
    says: str
    code: str | None = None
    """Of the error, where it is not ok."""
    hint: str | None = None


@click.command()
@with_settings
@AS_JSON
def selftest(settings: Settings, *, as_json: bool) -> None:
    """Try what the appliance needs: key anchor, clock, certificate, receiver, buffer.

    Changes nothing, also while the appliance runs. Exit status 1 if anything is not ok.
    """
    answers = list(_answers(settings))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"answers": answers})).decode())
    else:
        for answer in answers:
            _show(answer)
    sys.exit(0 if all(answer.ok for answer in answers) else 1)


def _show(answer: Answer) -> None:
    code = f" [{answer.code}]" if answer.code else ""
    click.echo(f"{'ok' if answer.ok else 'NOT OK':<8}{answer.question:<14}{answer.says}{code}")
    if answer.hint:
        click.echo(f"{'':<22}{answer.hint}")


def _answers(settings: Settings) -> Iterator[Answer]:
    """Each question is asked, whatever the one before came to; what it would need of that is said."""
    opened: list[tuple[SecretStore, StateAnchor]] = []
    yield _asked("key anchor", lambda: _try_anchor(settings, opened))
    if not opened:
        for question in ("clock", "certificate", "receiver", "buffer"):
            yield Answer(question, ok=False, says="Cannot be tried while the key anchor does not open.")
        return
    store, anchor = opened[0]
    found: list[MachineIdentity] = []
    certificate = _asked("certificate", lambda: _try_certificate(store, anchor, found))
    identity = found[0] if found else None
    yield _asked("clock", lambda: _try_clock(store, identity))
    yield certificate
    if identity is None:
        for question in ("receiver", "buffer"):
            yield Answer(question, ok=False, says="Cannot be tried before this machine has a certificate.")
        return
    yield _asked("receiver", lambda: asyncio.run(_try_receiver(settings, identity)))
    yield _asked("buffer", lambda: _try_buffer(settings, identity, store, anchor))


def _asked(question: str, attempt: Callable[[], Answer]) -> Answer:
    try:
        return attempt()
    except ApplianceError as error:
        return Answer(question, ok=False, says=f"{error}.", code=error.code, hint=error.hint)


def _try_anchor(settings: Settings, opened: list[tuple[SecretStore, StateAnchor]]) -> Answer:
    store, anchor = secrets_of(settings.appliance)
    probe = os.urandom(PROBE_BYTES)
    if anchor.unseal(anchor.seal(SecretBytes(probe), purpose=PURPOSE), purpose=PURPOSE).reveal() != probe:
        raise SealedBlobTamperedError("what was sealed opens to something else")
    opened.append((store, anchor))
    says = f"A secret was sealed and opened: {PROTECTION_WORDS[anchor.key_protection]}."
    return Answer("key anchor", ok=True, says=says, hint=" ".join(why_sentences(anchor.why_not_higher)) or None)


def _try_clock(store: SecretStore, identity: MachineIdentity | None) -> Answer:
    """Nothing that this machine keeps may be of the future."""
    now = SystemClock().now()
    seen = [datetime.fromtimestamp(store.written_at(name), UTC) for name in store.names()]
    seen += [identity.renewed_at, identity.valid_from] if identity else []
    if seen and now < max(seen) - CLOCK_SLACK:
        raise ClockOffError("the clock is behind what this machine has already seen")
    return Answer("clock", ok=True, says=f"It is {now:%Y-%m-%d %H:%M} UTC, and nothing here is of a later time.")


def _try_certificate(store: SecretStore, anchor: StateAnchor, found: list[MachineIdentity]) -> Answer:
    identity = daemon.identities_of(store, anchor).load()
    found.append(identity)
    now = SystemClock().now()
    until = f"{identity.expires_at:%Y-%m-%d %H:%M} UTC"
    if now < identity.valid_from:
        raise ClockOffError("by this machine's clock the certificate is not valid yet")
    if now > identity.expires_at:
        says = f"The certificate was valid until {until}."
        hint = "The appliance asks for a new one by itself as soon as it runs and reaches the receiver; see `status`."
        return Answer("certificate", ok=False, says=says, code=CertificateUntrustedError.code, hint=hint)
    says = f"Valid until {until}, for {identity.appliance}. {key_sentence(in_tpm=identity.key_in_tpm)}"
    return Answer("certificate", ok=True, says=says)


async def _try_receiver(settings: Settings, identity: MachineIdentity) -> Answer:
    async with HttpsUplink(settings.receiver.url, identity, SystemClock()) as uplink:
        await uplink.high_water()
    return Answer("receiver", ok=True, says=f"{settings.receiver.url} answers, and takes the certificate.")


def _try_buffer(settings: Settings, identity: MachineIdentity, store: SecretStore, anchor: StateAnchor) -> Answer:
    path = settings.appliance.state_directory / daemon.BUFFER_FILE
    if not path.exists():
        return Answer("buffer", ok=True, says="There is none yet; the appliance makes it at its first start.")
    masters = BufferKeys(store, SystemClock()).masters()
    try:
        owner = daemon.buffer_settings(settings, identity, anchor.key_protection)
        SqliteBuffer.open(path, masters=masters, settings=owner).close()
    except BufferUnusableError as error:
        if not is_in_use(error):
            raise
        return Answer("buffer", ok=True, says="The running appliance has it in use.")
    return Answer("buffer", ok=True, says="It opens.")
