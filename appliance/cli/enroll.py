"""The command that makes a machine an appliance: ``enroll``."""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from appliance.cli.anchor_words import PROTECTION_WORDS, why_sentences
from appliance.cli.settings_option import with_settings
from appliance.clock import SystemClock
from appliance.daemon import identities_of
from appliance.enrollment import Enrollment, trust_anchors_of
from appliance.errors import InvitationDamagedError, RetryableError, SettingsError
from appliance.ports import MachineIdentity
from appliance.sealing.anchor import StateAnchor, secrets_of
from appliance.sealing.tenant_key import TenantKeyStore
from appliance.sealing.witness import witness_of
from appliance.settings import Settings, read_small_file
from appliance.uplink.est_desk import EstDesk
from appliance.wire.codec import WireError
from appliance.wire.invitation import MAX_INVITATION_BYTES, Invitation, decode_invitation

HTTPS_PORT = 443


@click.command()
@click.option(
    "--invitation",
    "invitation_file",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="The invitation's file, or one with the text of its QR code; - reads standard input.",
)
@click.option("--wait", is_flag=True, help="Ask again by itself, until it works or is refused; Ctrl-C ends it.")
@click.option("--again", is_flag=True, help="Also if this machine has a certificate: after the receiver revoked it.")
@with_settings
def enroll(settings: Settings, *, invitation_file: Path, wait: bool, again: bool) -> None:
    """Make this machine an appliance, by the invitation of `natalia-receiver appliance invite`.

    It proves to the receiver what it is, and gets its certificate and the tenant's secret, which are kept sealed to
    this machine. Whatever interrupts it, the same command goes on where it was; an invitation serves one machine.
    """
    invitation = read_invitation(invitation_file)
    require_same_receiver(settings, invitation)
    click.echo(f"Asking {invitation.receiver} to enrol this machine as {invitation.appliance}.")
    identity, anchor = asyncio.run(enroll_machine(settings, invitation, wait=wait, again=again))
    click.echo(f"This machine is appliance {identity.appliance} of tenant {identity.tenant}.")
    click.echo(f"Protection of its secrets: {PROTECTION_WORDS[anchor.key_protection]}.")
    for sentence in why_sentences(anchor.why_not_higher):
        click.echo(sentence)
    click.echo(f"Its certificate is valid until {identity.expires_at:%Y-%m-%d %H:%M} UTC and renews itself.")
    click.echo("Now delete the invitation's file and start the appliance; one that is running needs a restart.")


def read_invitation(path: Path) -> Invitation:
    """Read an invitation from a file, or from standard input for ``-``.

    Raises:
        SettingsError: the file cannot be read.
        InvitationDamagedError: it is none.
    """
    is_input = path == Path("-")
    content = sys.stdin.buffer.read(MAX_INVITATION_BYTES + 1) if is_input else read_small_file(path)
    try:
        return decode_invitation(content)
    except WireError as error:
        raise InvitationDamagedError(str(error)) from None


def require_same_receiver(settings: Settings, invitation: Invitation) -> None:
    """Refuse an invitation of another receiver than the settings'.

    Raises:
        SettingsError: it is.
    """
    if _place(settings.receiver.url) != _place(invitation.receiver):
        raise SettingsError([f"receiver.url: the invitation is of {invitation.receiver}"])


def _place(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or HTTPS_PORT


async def enroll_machine(
    settings: Settings, invitation: Invitation, *, wait: bool, again: bool
) -> tuple[MachineIdentity, StateAnchor]:
    """Enrol this machine; ``wait`` and ``again`` as the command's. Raises as ``Enrollment.run``."""
    clock = SystemClock()
    secrets, anchor = secrets_of(settings.appliance)
    async with EstDesk.for_newcomer(invitation.receiver, trust_anchors_of(invitation), clock) as desk:
        enrollment = Enrollment(
            invitation=invitation,
            identities=identities_of(secrets, anchor),
            tenant_keys=TenantKeyStore(secrets),
            witness=witness_of(anchor),
            desk=desk,
            clock=clock,
            again=again,
        )
        identity = await (enrollment.run_until_decided(_say) if wait else enrollment.run())
    return identity, anchor


def _say(error: RetryableError, seconds: float) -> None:
    click.echo(f"Not yet [{error.code}]: {error}. Asking again in {seconds:.0f} seconds; Ctrl-C ends it.")
