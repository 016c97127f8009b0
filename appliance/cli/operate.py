"""The command that acts: ``run``."""

import asyncio

import click

from appliance import daemon
from appliance.cli.settings_option import with_settings
from appliance.settings import Settings


@click.command()
@with_settings
def run(settings: Settings) -> None:
    """Read the feeds and deliver until told to stop (SIGTERM or Ctrl-C)."""
    asyncio.run(daemon.run(settings))
