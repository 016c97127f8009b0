"""The command that sets a machine up without a keyboard: ``first-boot``."""

import asyncio
import sys
from pathlib import Path

import click

from appliance.cli.setup_machine import StateDirectoryTarget
from appliance.clock import SystemClock
from appliance.seed_ports import FirstBootState, SeedSource, Stage
from appliance.seeding import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, FirstBoot
from appliance.seeds.credential_seed import CredentialSeed
from appliance.seeds.disk_seed import DiskSeed
from appliance.seeds.ovf_seed import OvfSeed
from appliance.seeds.state_file import read_state, write_state

PLACE = click.Path(path_type=Path)


@click.command()
@click.option("--state", "directory", required=True, type=PLACE, help="The appliance's state directory.")
@click.option("--disk", "disk_folder", type=PLACE, help="Where a disk labelled NATALIA is mounted, if there is one.")
@click.option(
    "--ovf", "ovf_files", type=PLACE, multiple=True, help="An OVF environment document, if there is one; repeatable."
)
@click.option("--credentials", "credential_folder", type=PLACE, help="systemd's credentials directory.")
@click.option("--network-directory", type=PLACE, help="Where systemd-networkd looks for files made at run time.")
@click.option("--wait", is_flag=True, help="Try again by itself, until the machine is enrolled or somebody must act.")
def first_boot(
    directory: Path,
    *,
    disk_folder: Path | None,
    ovf_files: tuple[Path, ...],
    credential_folder: Path | None,
    network_directory: Path | None,
    wait: bool,
) -> None:
    """Seal the settings that the installer gave to this machine, and enrol it.

    They come from a disk labelled NATALIA (appliance.toml, invitation.toml), else from OVF properties, else from
    systemd's credentials; the first place that has anything counts, whole. Once the machine is enrolled, none is read
    any more. `console` shows what came of it. Exit status 0: enrolled, or it can come right by itself; 1: somebody
    must act.
    """
    sources: list[SeedSource] = [
        *([DiskSeed(disk_folder)] if disk_folder else []),
        OvfSeed(ovf_files),
        *([CredentialSeed(credential_folder)] if credential_folder else []),
    ]
    target = StateDirectoryTarget(directory.absolute(), network_directory=network_directory)
    state = asyncio.run(_run(directory.absolute(), sources, target, wait=wait))
    sys.exit(1 if state.stage is Stage.REFUSED else 0)


async def _run(
    directory: Path, sources: list[SeedSource], target: StateDirectoryTarget, *, wait: bool
) -> FirstBootState:
    clock = SystemClock()
    seconds, shown = FIRST_WAIT_SECONDS, None
    while True:
        before = read_state(directory)
        state = await FirstBoot(sources=sources, target=target, clock=clock, before=before).run()
        write_state(directory, state)
        if state.notice != shown or shown is None:
            _say(state)
        shown = state.notice
        if not wait or state.stage is not Stage.WAITING:
            return state
        await clock.sleep(seconds)
        seconds = min(2 * seconds, LONGEST_WAIT_SECONDS)


def _say(state: FirstBootState) -> None:
    click.echo(f"First boot: {state.stage}. Seed: {state.origin or 'none'}.")
    if state.ignored is not None:
        click.echo(f"A seed ({state.ignored}) is there and was not read: this machine is enrolled.")
    if state.notice is not None:
        for sentence in state.notice.sentences:
            click.echo(f"{'Not yet' if state.stage is Stage.WAITING else 'Refused'} [{state.notice.code}]: {sentence}")
        click.echo(f"hint: {state.notice.remedy}")
