"""``natalia-receiver``: the operator's commands.

Exit status 0 ok; 1 refused, with ``error[code]: message`` and ``hint: …`` on stderr; 2 wrong usage. Admin commands
work while ``serve`` runs: both share the embedded server.
"""

from pathlib import Path

import click

from receiver.cli.appliance import appliance
from receiver.cli.ca import ca
from receiver.cli.service import init, migrate, serve
from receiver.cli.tenants import api_key, tenant


@click.group()
@click.option("--state", required=True, type=click.Path(path_type=Path), help="The receiver's state folder.")
@click.version_option(package_name="natalia-receiver")
@click.pass_context
def main(context: click.Context, state: Path) -> None:
    """Thin cloud receiver for pseudonymised call data."""
    context.obj = state


for command in (init, migrate, serve, tenant, api_key, appliance, ca):
    main.add_command(command)
