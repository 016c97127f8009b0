"""The command that acts: ``run``."""

import asyncio
from pathlib import Path

import click

from appliance import daemon
from appliance.cli.inspect import SETTINGS
from appliance.settings import load_settings


@click.command()
@SETTINGS
def run(settings_file: Path) -> None:
    """Read the feeds and deliver until told to stop (SIGTERM or Ctrl-C)."""
    asyncio.run(daemon.run(load_settings(settings_file)))
