"""Commands that look after the buffer: ``buffer fsck``, ``buffer drain``, ``buffer rekey``."""

import asyncio
import sys
import time

import click
import msgspec

from appliance import daemon
from appliance.buffer.fsck import check
from appliance.cli.inspect import AS_JSON
from appliance.cli.settings_option import with_settings
from appliance.errors import BufferUnusableError
from appliance.settings import Settings
from appliance.status import read_status

LOOK_SECONDS = 0.5


@click.command()
@with_settings
@AS_JSON
def fsck(settings: Settings, *, as_json: bool) -> None:
    """Check everything the buffer holds, and set right what can be; the appliance must not be running.

    Exit status 1 if anything was wrong.
    """
    with daemon.buffer_alone(settings) as (held, saved):
        findings = check(held)
    if as_json:
        report = {"salvaged": saved, "findings": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        if saved is not None:
            click.echo(f"damaged file: {saved.batches} batches with {saved.records} records were saved")
        for finding in findings:
            click.echo(f"{finding.code}: {finding.place}: {finding.done}")
        click.echo(f"{len(findings)} findings")
    sys.exit(1 if findings or saved else 0)


@click.command()
@with_settings
def rekey(settings: Settings) -> None:
    """Make a new key for the buffer; a running appliance takes it into use within seconds, without a pause."""
    version = daemon.buffer_keys(settings).make_next()
    click.echo(f"key version {version} made; the appliance seals under it from now on")


@click.command()
@with_settings
def drain(settings: Settings) -> None:
    """Ship what waits until the buffer is empty; ends then, or with Ctrl-C.

    Where the appliance is running it does the shipping, and this command watches.
    """
    try:
        shipped = asyncio.run(daemon.drain(settings, _Bar()))
    except BufferUnusableError:
        shipped = _watch(settings)
    click.echo(f"{shipped} records shipped, the buffer is empty", err=True)


class _Bar:
    """Shows how many records are gone; told how many wait."""

    def __init__(self) -> None:
        self._first: int | None = None

    def __call__(self, waiting: int, problem: str | None) -> None:
        if self._first is None:
            self._first = waiting
        done = self._first - waiting
        share = done * 30 // self._first if self._first else 30
        note = f"  {problem}" if problem else ""
        end = "\n" if not waiting else ""
        click.echo(f"\r[{'#' * share:<30}] {done}/{self._first}{note}\x1b[K{end}", nl=False, err=True)


def _watch(settings: Settings) -> int:
    """Follow the running appliance's own report."""
    directory = settings.appliance.state_directory
    show = _Bar()
    first = read_status(directory).buffer.records
    while waiting := (report := read_status(directory)).buffer.records:
        show(waiting, report.link.last_problem)
        time.sleep(LOOK_SECONDS)
    show(0, None)
    return first
