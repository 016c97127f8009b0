"""Commands of a tenant's invitations: ``appliance invite``, ``appliance invitations``, ``appliance withdraw``."""

import io
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
import segno

from appliance.wire.invitation import Invitation, ReceiverUrl, encode_file, encode_qr
from receiver.cli.steps import TENANT, as_operator, print_lines, run, tenant_id
from receiver.domain.invitation import Invitation as KeptInvitation
from receiver.domain.invitation import describe
from receiver.errors import FileUnusableError
from receiver.factory import ProcessContext
from receiver.kms.durable import replace_private
from receiver.settings import load_settings

_NAME = click.option("--name", required=True, help="Name of the appliance.")


@click.command()
@TENANT
@_NAME
@click.option("--url", metavar="URL", help="Where machines reach this receiver: https://HOST[:PORT], a certified name.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(1, 65535), help="Of the default URL.")
@click.option("--out", type=click.Path(path_type=Path), help="The invitation's file; default: NAME.invitation.toml.")
@click.pass_obj
def invite(state: Path, tenant: str, name: str, url: str | None, port: int, out: Path | None) -> None:
    """Invite one machine, for 24 hours; write the file and show the QR code for its installer.

    The name of an appliance that there is already lets another machine take its place.
    """

    async def create(context: ProcessContext) -> tuple[Invitation, Path]:
        receiver = _receiver_url(context, url=url, port=port)
        owner = await tenant_id(context, tenant)
        async with context.invitations(owner) as invitations:
            made = await invitations.create(name, receiver=receiver, anchors=context.authority.anchors)
            path = out or Path(f"{made.appliance}.invitation.toml")
            # Within the transaction: an invitation that could not be handed over is not kept.
            _write(path, made)
            return made, path

    invitation, path = run(as_operator(state, create))
    _explain(invitation, path=path, tenant=tenant)


@click.command("invitations")
@TENANT
@click.pass_obj
def list_invitations(state: Path, tenant: str) -> None:
    """List the invitations: appliance, end, what became of it; and when another machine tried to use it too."""

    async def list_all(context: ProcessContext) -> list[str]:
        async with context.invitations(await tenant_id(context, tenant)) as invitations:
            return [_line(entry, now=context.clock.now()) for entry in await invitations.list_all()]

    print_lines(run(as_operator(state, list_all)))


@click.command()
@TENANT
@_NAME
@click.pass_obj
def withdraw(state: Path, tenant: str, name: str) -> None:
    """Withdraw an appliance's open invitations; a machine that has its certificate keeps it."""

    async def end(context: ProcessContext) -> int:
        async with context.invitations(await tenant_id(context, tenant)) as invitations:
            return await invitations.withdraw(name)

    click.echo(f"{run(as_operator(state, end))} withdrawn")


def _line(entry: KeptInvitation, *, now: datetime) -> str:
    contest = "" if entry.contested_at is None else f"\tcontested {entry.contested_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{entry.appliance}\t{entry.expires_at:%Y-%m-%dT%H:%M:%SZ}\t{describe(entry, now=now)}{contest}"


def _receiver_url(context: ProcessContext, *, url: str | None, port: int) -> str:
    """Give where machines go; a name that the server certificate does not hold would be refused by each of them."""
    hosts = [host.lower() for host in load_settings(context.state).hosts]
    default = f"https://{f'[{hosts[0]}]' if ':' in hosts[0] else hosts[0]}:{port}"
    try:
        receiver = msgspec.convert(default if url is None else url, ReceiverUrl)
        parts = urlsplit(receiver)
        # An address or a port that is none shows itself when it is asked for.
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise click.BadParameter(
            "must be https://HOST or https://HOST:PORT, in small letters", param_hint="--url"
        ) from None
    if host not in hosts:
        raise click.BadParameter(
            "the server certificate lacks that name; add it with `init --name`", param_hint="--url"
        )
    return receiver


def _write(path: Path, invitation: Invitation) -> None:
    try:
        replace_private(path, encode_file(invitation).encode("utf-8"))
    except OSError:
        raise FileUnusableError("the invitation cannot be written") from None


def _explain(invitation: Invitation, *, path: Path, tenant: str) -> None:
    """Say what to do; no line shows the token but the QR code, which has to."""
    drawn = io.StringIO()
    segno.make_qr(encode_qr(invitation), error="l", boost_error=False).terminal(drawn, border=2, compact=True)
    click.echo(drawn.getvalue())
    click.echo(f"Invitation of {invitation.appliance} ({tenant}) to {invitation.receiver}")
    click.echo(f"for one machine, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC: {path}")
    click.echo("1. Bring the file to the machine, or save the text of the QR code there as a file.")
    click.echo("2. On the machine: natalia-appliance enroll --invitation FILE")
    click.echo("3. Delete the file. Whoever uses it first is enrolled: if it may have been seen, take it back with")
    click.echo(f"   natalia-receiver appliance withdraw --tenant {tenant!r} --name {invitation.appliance}")
