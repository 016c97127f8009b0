"""Commands of a tenant's appliances: ``appliance …``."""

import click

from receiver.cli.fleet import alarms, approve, list_appliances, release, revoke
from receiver.cli.invitations import invite, list_invitations, withdraw


@click.group()
def appliance() -> None:
    """The appliances of a tenant."""


for command in (invite, list_invitations, withdraw, list_appliances, alarms, approve, release, revoke):
    appliance.add_command(command)
