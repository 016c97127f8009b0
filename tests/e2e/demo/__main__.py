"""Run the demo: receiver, appliance, PBX; ship; compare; say how many were lost.

Everything it starts ends with it, and everything it writes lies in one folder below ``build/``.
"""

import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from tests.e2e.demo import show
from tests.e2e.demo.feed import AsteriskPbx, GrowingFeed, Pbx
from tests.support.appliance_process import ApplianceProcess
from tests.support.asterisk_tree import AsteriskTreeError
from tests.support.receiver_process import ReceiverProcess
from tests.support.stored_calls import Expected, fetch_calls

ROOT = Path(__file__).resolve().parents[3]
DEMO_FEED = ROOT / "tests/testdata/demo/Master.csv"
DEMO_SITE = ROOT / "tests/testdata/demo/site.toml"
ASTERISK_CALLS = 40
PATIENCE_SECONDS = 300.0
TENANT = "demo"
APPLIANCE = "edge-demo"


class Demo:
    """The parts of one run, below one folder."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        """Nothing is started yet; what is, ends with ``stack``."""
        self.directory = directory
        self._stack = stack
        self._step = 0

    def say(self, text: str) -> None:
        """Show progress at once, also through a pipe."""
        self._step += 1
        click.echo(f"[{self._step}] {text}")
        sys.stdout.flush()

    def receiver(self) -> tuple[ReceiverProcess, str]:
        """Start a receiver with a tenant; give it and an API key."""
        self.say("starting the receiver on the embedded PostgreSQL")
        receiver = ReceiverProcess(self.directory / "receiver")
        self._stack.callback(receiver.stop)
        receiver.start()
        receiver.create_tenant(TENANT)
        click.echo(f"    listening on {receiver.url}")
        return receiver, receiver.create_api_key(TENANT, role="analyst")

    def appliance(self, receiver: ReceiverProcess, *, feed: Path, dialect: str, site: Path) -> ApplianceProcess:
        """Enrol one appliance and start it."""
        self.say("enrolling the appliance by an invitation: its key stays on it, the tenant secret comes sealed to it")
        appliance = ApplianceProcess(
            self.directory / "appliance",
            url=receiver.url,
            feed=feed,
            dialect=dialect,
            site=site.read_text(encoding="utf-8"),
        )
        appliance.enroll(receiver.invite(APPLIANCE, tenant=TENANT))
        self._stack.callback(appliance.stop)
        click.echo(f"    natalia-appliance run: process {appliance.start()}")
        return appliance

    def ship(self, appliance: ApplianceProcess, pbx: Pbx) -> None:
        """Wait until all that the PBX wrote was read, and nothing waits; show progress."""
        shown = ""
        whole: int | None = None

        def settled(counts: dict[str, int]) -> bool:
            nonlocal shown, whole
            shipped = counts.get("acknowledged", 0) + counts.get("duplicate", 0)
            text = (
                f"    read {counts.get('read', 0)} lines, {counts.get('recorded', 0)} records,"
                f" {counts.get('quarantined', 0)} quarantined, {shipped} shipped"
                + (f", restarted {appliance.restarts} times" if appliance.restarts else "")
            )
            if text != shown:
                click.echo(text)
                sys.stdout.flush()
                shown = text
            if whole is None and counts and pbx.written() is not None:
                whole = Expected(appliance.settings, pbx.path).accounted
            return whole is not None and counts.get("read", 0) >= whole and counts.get("waiting") == 0

        if not appliance.wait_for(settled, seconds=PATIENCE_SECONDS):
            click.echo(appliance.log.read_text(encoding="utf-8")[-4000:], err=True)
            raise click.ClickException("the appliance did not ship everything in time; its log is above")

    def pbx(self, kind: str, source: Path) -> Pbx:
        """Prepare the PBX; it writes nothing yet."""
        if kind == "asterisk":
            self.say("setting up Debian's Asterisk in a tree of its own (built once, kept in build/)")
            pbx: Pbx = AsteriskPbx(
                ROOT / "build/asterisk-tree", self.directory / "pbx", calls=ASTERISK_CALLS, log=click.echo
            )
        else:
            pbx = GrowingFeed(source, self.directory / "pbx" / source.name)
        self._stack.callback(pbx.stop)
        return pbx

    def compare(self, appliance: ApplianceProcess, stored: list[show.Call], feed: Path) -> tuple[str, bool]:
        """Show calls beside the PBX's lines; give the closing line, and whether nothing was lost or doubled."""
        expected = Expected(appliance.settings, feed)
        self.say(
            f"of {expected.lines} lines {expected.records} are records, {expected.quarantined} are set aside encrypted"
            f" (reasons: `preview`), {expected.ignored} are no records"
        )
        pairs = show.choose(expected.pairs(stored))
        for line in show.table(pairs):
            click.echo(line)
        if pairs:
            click.echo("\n".join(["", *show.whole(show.telling(pairs)), ""]))
        counts = appliance.counts()
        shipped = counts["acknowledged"] + counts.get("duplicate", 0)
        lost, doubled = len(expected.lost(stored)), expected.doubled(stored)
        if doubled:
            click.echo(f"{doubled} calls are stored that the PBX did not write", err=True)
        line = f"demo: {len(expected.by_event)} records in, {shipped} shipped, {len(stored)} stored, {lost} lost"
        return line, not lost and not doubled and shipped == len(stored)


def keep(demo: Demo, receiver: ReceiverProcess, key: str, appliance: ApplianceProcess) -> None:
    """Leave it running until Ctrl-C, and say how to look at it."""
    anchors = receiver.trust_anchors
    click.echo(f"API            {receiver.url}/v1/calls   (described by {receiver.url}/openapi.json)")
    click.echo(f"API key        {key}")
    click.echo(f"look           curl --cacert {anchors} -H 'Authorization: Bearer KEY' {receiver.url}/v1/calls?limit=5")
    click.echo(f"appliance      natalia-appliance status --settings {appliance.settings}")
    click.echo(f"append rows to {demo.directory / 'pbx'}; Ctrl-C ends everything")
    while True:
        appliance.supervise()
        signal.sigtimedwait([signal.SIGUSR2], 1)


@click.command()
@click.option("--feed", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=DEMO_FEED)
@click.option("--dialect", default="asterisk_csv")
@click.option("--site", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=DEMO_SITE)
@click.option("--pbx", "kind", type=click.Choice(["file", "asterisk"]), default="file")
@click.option("--keep", "keep_running", is_flag=True)
def main(feed: Path, dialect: str, site: Path, kind: str, *, keep_running: bool) -> None:
    """Show the product at work, end to end."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=f"demo-{os.getpid()}-", dir=build))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        demo = Demo(directory, stack)
        receiver, key = demo.receiver()
        pbx = demo.pbx(kind, feed)
        appliance = demo.appliance(receiver, feed=pbx.path, dialect=dialect, site=site)
        demo.say("the PBX writes; the appliance parses, pseudonymises, encrypts, commits and ships over TLS")
        pbx.start()
        demo.ship(appliance, pbx)
        stored = fetch_calls(receiver.url, api_key=key, trust_anchors=receiver.trust_anchors)
        line, good = demo.compare(appliance, stored, pbx.path)
        click.echo(line)
        if keep_running:
            keep(demo, receiver, key, appliance)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except KeyboardInterrupt:
        click.echo("stopped; nothing is left running", err=True)
        sys.exit(130)
    except click.exceptions.Abort:
        sys.exit(130)
    except AsteriskTreeError as error:
        click.echo(f"error[{error.code}]: {error}\nhint: {error.hint}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
