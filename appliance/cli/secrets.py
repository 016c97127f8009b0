"""Commands that look after the secrets: ``rewrap``, ``recover``, ``escrow``, ``restore``, ``settings seal``."""

from pathlib import Path

import click

from appliance.cli.anchor_words import PROTECTION_WORDS, why_sentences
from appliance.cli.settings_option import with_settings, with_state_directory
from appliance.clock import SystemClock
from appliance.daemon import identities_of
from appliance.errors import NotEnrolledError, TenantSecretConflictError
from appliance.identity.file_identity import FileIdentityStore
from appliance.sealing.anchor import AnchorFiles, secrets_of
from appliance.sealing.anchor_record import AnchorRecord, AnchorWay
from appliance.sealing.escrow import (
    Escrow,
    make_escrow,
    open_escrow,
    read_recipient,
    read_recipient_file,
    write_escrow,
)
from appliance.sealing.escrow_note import EscrowNote, keep_note
from appliance.sealing.recovery import recover as recover_secrets
from appliance.sealing.rewrap import rewrap as rewrap_secrets
from appliance.sealing.sealed_settings import seal_settings
from appliance.sealing.tenant_key import install_tenant_key, load_tenant_key
from appliance.settings import Settings, read_small_file

FILE = click.Path(path_type=Path)


@click.command()
@with_settings
def rewrap(settings: Settings) -> None:
    """Move the secrets into the TPM's keeping; the appliance must not be running.

    The secrets stay the same, so pseudonyms and what waits in the buffer do too; the file that guarded them is
    destroyed. Where a TPM guards them already, they are sealed anew to what the machine has booted, and older copies
    do not open any more. What interrupts it costs nothing: run it again. There is no way back to a file.
    """
    files = AnchorFiles(settings.appliance.state_directory)
    _say_protection(rewrap_secrets(files, AnchorWay.of(settings.appliance)))


@click.command()
@with_state_directory
@click.option("--key", "key_file", required=True, type=FILE, help="The customer's private recovery key, PEM.")
def recover(directory: Path, *, key_file: Path) -> None:
    """Open the secrets by the customer's recovery key, where the machine has booted other software than before.

    They are sealed anew to what is booted now; that may be a lower level, of which the receiver learns. The key is
    needed only for this command; take it away afterwards. The appliance must not be running.
    """
    _say_protection(recover_secrets(AnchorFiles(directory), read_small_file(key_file)))


@click.command()
@with_settings
@click.option("--recipient", help="The data protection officer's age recipient, `age1…`.")
@click.option("--recipient-file", type=FILE, help="A file with that one recipient.")
@click.option("--out", required=True, type=FILE, help="The file to write; nothing may be there yet.")
def escrow(settings: Settings, *, recipient: str | None, recipient_file: Path | None, out: Path) -> None:
    """Encrypt the tenant's secret to the customer's own key, for the data protection officer's safe.

    Without it, a lost TPM or disk loses the secret for good: new pseudonyms could not be joined with old ones.
    """
    key = _recipient(recipient, recipient_file)
    store, anchor = secrets_of(settings.appliance)
    tenant = identities_of(store, anchor).load().tenant
    kept = load_tenant_key(store)
    made_at = SystemClock().now().replace(microsecond=0)
    write_escrow(out, make_escrow(Escrow(tenant, kept.key_version, kept.tenant_secret, made_at), key))
    keep_note(store, settings.appliance.state_directory, EscrowNote(made_at, key))
    click.echo(f"The secret of tenant {tenant}, key version {kept.key_version}, is in {out}, encrypted to {key}.")
    click.echo(_WHAT_TO_DO.format(file=out), nl=False)


@click.command()
@with_settings
@click.option("--escrow", "escrow_file", required=True, type=FILE, help="The file that `escrow` wrote.")
@click.option("--identity", "identity_file", required=True, type=FILE, help="The age identity file of its recipient.")
def restore(settings: Settings, *, escrow_file: Path, identity_file: Path) -> None:
    """Put the tenant's secret back from its escrow, on a new machine: pseudonyms are as they were.

    A machine that uses another secret already refuses. Both files are needed only for this command: take them away
    afterwards.
    """
    opened = open_escrow(escrow_file, identity_file=identity_file)
    store, anchor = secrets_of(settings.appliance)
    _require_tenant(identities_of(store, anchor), opened.tenant)
    install_tenant_key(store, opened.key)
    keep_note(store, settings.appliance.state_directory, EscrowNote(opened.made_at, None))
    click.echo(f"The secret of tenant {opened.tenant}, key version {opened.key_version}, is in use on this machine.")
    click.echo(f"Protection of the secrets: {PROTECTION_WORDS[anchor.key_protection]}.")
    click.echo("Now take escrow and identity away from this machine, each to its own safe.")


@click.group("settings")
def settings_group() -> None:
    """Keep the settings sealed, with the passwords that may stand in them."""


@settings_group.command()
@click.argument("file", type=FILE)
@click.option("--state", "state_directory", required=True, type=FILE, help="The state directory that FILE names.")
def seal(file: Path, state_directory: Path) -> None:
    """Keep the settings of FILE sealed in the state directory; FILE can be deleted afterwards.

    To change them, write the whole file again and seal it; a running appliance needs a restart.
    """
    seal_settings(file, state_directory)
    click.echo(f"The settings are sealed in {state_directory}. Start the appliance with --state {state_directory}.")
    click.echo(f"Now delete {file}; keep a copy where passwords are kept, since it cannot be read back from here.")


def _recipient(text: str | None, file: Path | None) -> str:
    if text is not None and file is None:
        return read_recipient(text)
    if file is not None and text is None:
        return read_recipient_file(file)
    raise click.UsageError("give either --recipient or --recipient-file")


def _say_protection(record: AnchorRecord) -> None:
    click.echo(f"Protection of the secrets: {PROTECTION_WORDS[record.protection]}.")
    for sentence in why_sentences(record.why_not_higher):
        click.echo(f"Not higher: {sentence}")


def _require_tenant(identities: FileIdentityStore, tenant: str) -> None:
    try:
        own = identities.load().tenant
    except NotEnrolledError:
        return
    if own != tenant:
        raise TenantSecretConflictError("the escrow is of another tenant than this appliance")


_WHAT_TO_DO = """
For the data protection officer:
  1. Check it on the computer that has your identity: `age --decrypt --identity IDENTITY {file}` ends without an error.
  2. Print {file}, or copy it to a medium, and put it into your safe.
  3. Keep the identity (AGE-SECRET-KEY-1...) in another place: who has both can recognise every number.
  4. Delete {file} from this machine.
To restore it on a new machine: `natalia-appliance restore --escrow FILE --identity IDENTITY`.
"""
