"""Commands of a tenant's appliances: ``appliance …``."""

from pathlib import Path
from uuid import UUID

import click

from receiver.cli.fleet import alarms, approve, list_appliances, release, revoke
from receiver.cli.invitations import invite, list_invitations, withdraw
from receiver.cli.steps import TENANT, as_operator, read_file, run, tenant_id
from receiver.errors import FileUnusableError
from receiver.factory import ProcessContext
from receiver.services.machine_certificates import Issued


@click.group()
def appliance() -> None:
    """The appliances of a tenant."""


for command in (invite, list_invitations, withdraw, list_appliances, alarms, approve, release, revoke):
    appliance.add_command(command)


@appliance.command("certify")
@TENANT
@click.option("--name", required=True, help="Name of the appliance; the same name again renews.")
@click.option("--csr", required=True, type=click.Path(path_type=Path), help="Its certificate request, PEM.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for certificate and anchors.")
@click.pass_obj
def appliance_certify(state: Path, tenant: str, name: str, csr: Path, out: Path) -> None:
    """Issue and register a certificate; print the tenant's id."""

    async def certify(context: ProcessContext) -> UUID:
        request = read_file(csr)
        owner = await tenant_id(context, tenant)
        async with context.machine_certificates(owner) as certificates:
            issued = await certificates.certify(name, csr=request, authority=context.authority)
            # Within the transaction: a certificate that could not be handed over is not registered.
            _write(out, issued)
            return owner

    click.echo(run(as_operator(state, certify)))


def _write(folder: Path, issued: Issued) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "certificate.pem").write_bytes(issued.certificate_chain)
        (folder / "trust-anchors.pem").write_bytes(issued.trust_anchors)
    except OSError:
        raise FileUnusableError("the certificate cannot be written") from None
