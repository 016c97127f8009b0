"""The ``natalia-appliance`` command.

Exit status: 0 ok, 1 refused with a problem code and a hint on stderr, 2 usage.
"""

import logging
import sys
from collections.abc import Sequence

import click

from appliance.cli.console import console
from appliance.cli.enroll import enroll
from appliance.cli.first_boot import first_boot
from appliance.cli.inspect import buffer, dialects, status
from appliance.cli.keep import drain, fsck, rekey
from appliance.cli.operate import run
from appliance.cli.preview import preview
from appliance.cli.secrets import escrow, recover, restore, rewrap, settings_group
from appliance.cli.selftest import selftest
from appliance.errors import ApplianceError, SettingsError


@click.group()
@click.version_option(package_name="natalia-appliance")
def cli() -> None:
    """Read call detail records, replace every number by a pseudonym, ship the rest."""


for command in (
    preview,
    dialects,
    settings_group,
    first_boot,
    enroll,
    run,
    console,
    status,
    selftest,
    buffer,
    rewrap,
    recover,
    escrow,
    restore,
):
    cli.add_command(command)
for command in (fsck, drain, rekey):
    buffer.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a refusal ends with its code and hint, never with a traceback."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        cli.main(args=None if arguments is None else list(arguments), standalone_mode=True)
    except ApplianceError as error:
        report(error)
        sys.exit(1)


def report(error: ApplianceError) -> None:
    """Print what was refused, why, and what to do next."""
    lines = error.mistakes if isinstance(error, SettingsError) else [str(error)]
    for line in lines:
        click.echo(f"error[{error.code}]: {line}", err=True)
    click.echo(f"hint: {error.hint}", err=True)
