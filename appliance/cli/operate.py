"""Commands that act: ``run`` and ``enroll``."""

import asyncio
from pathlib import Path

import click

from appliance import daemon
from appliance.cli.inspect import SETTINGS
from appliance.clock import SystemClock
from appliance.identity.file_identity import FileIdentityStore
from appliance.settings import load_settings


@click.command()
@SETTINGS
def run(settings_file: Path) -> None:
    """Read the feeds and deliver until told to stop (SIGTERM or Ctrl-C)."""
    asyncio.run(daemon.run(load_settings(settings_file)))


@click.command()
@SETTINGS
@click.option("--name", help="The appliance's name, for a new certificate request.")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    help="The folder with certificate.pem and trust-anchors.pem that the receiver gave for the request.",
)
def enroll(settings_file: Path, name: str | None, certificate: Path | None) -> None:
    """Get this machine its certificate, in two steps.

    First `--name NAME` makes a key that never leaves this machine and prints a certificate request; the receiver's
    operator answers it with `natalia-receiver appliance certify`. Then `--certificate FOLDER` installs the answer.
    """
    if (name is None) == (certificate is None):
        raise click.UsageError("give either --name or --certificate")
    settings = load_settings(settings_file)
    secrets, _ = daemon.open_secrets(settings)
    store = FileIdentityStore(secrets, SystemClock())
    if name is not None:
        click.echo(store.create_request(name).decode(), nl=False)
        return
    if certificate is not None:
        identity = store.install_from(certificate)
        click.echo(f"enrolled as {identity.appliance}, certificate until {identity.expires_at:%Y-%m-%d %H:%M} UTC")
