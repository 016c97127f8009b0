"""``natalia-receiver``: the operator's commands.

Exit status 0 ok; 1 refused, with ``error[code]: message`` and ``hint: …`` on stderr; 2 wrong usage. Admin commands
work while ``serve`` runs: both share the embedded server.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import uvloop

from receiver.domain.authz import Role
from receiver.errors import FileUnusableError, ReceiverError
from receiver.factory import ProcessContext, initialise, migrate_database, open_operator, open_service
from receiver.services.machine_certificates import Issued

T = TypeVar("T")
_TENANT = click.option("--tenant", required=True, metavar="NAME", help="Name of the tenant.")


@click.group()
@click.option("--state", required=True, type=click.Path(path_type=Path), help="The receiver's state folder.")
@click.version_option(package_name="natalia-receiver")
@click.pass_context
def main(context: click.Context, state: Path) -> None:
    """Thin cloud receiver for pseudonymised call data."""
    context.obj = state


@main.command()
@click.option("--name", "hosts", multiple=True, metavar="HOST", help="A name or address of the server certificate.")
@click.option("--dsn", metavar="DSN", help="Owner's connection to a PostgreSQL of your own; default: an embedded one.")
@click.pass_obj
def init(state: Path, hosts: tuple[str, ...], dsn: str | None) -> None:
    """Make or complete the state folder: CA, server certificate, pepper, database. Safe to repeat."""
    revision = _run(initialise(state, hosts=list(hosts), dsn=dsn))
    click.echo(f"receiver initialised, database at revision {revision}")


@main.command()
@click.pass_obj
def migrate(state: Path) -> None:
    """Bring the database to this version's schema."""
    click.echo(f"database at revision {_run(migrate_database(state))}")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.pass_obj
def serve(state: Path, host: str, port: int) -> None:
    """Serve the API until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _run(_serve(state, host=host, port=port))


@main.group()
def tenant() -> None:
    """The tenants."""


@tenant.command("create")
@click.argument("name")
@click.pass_obj
def tenant_create(state: Path, name: str) -> None:
    """Create a tenant; print its id."""

    async def create(context: ProcessContext) -> UUID:
        async with context.tenants() as tenants:
            return await tenants.create(name)

    click.echo(_run(_as_operator(state, create)))


@tenant.command("list")
@click.pass_obj
def tenant_list(state: Path) -> None:
    """List the tenants: id and name."""

    async def list_all(context: ProcessContext) -> list[str]:
        async with context.tenants() as tenants:
            return [f"{entry.tenant_id}\t{entry.name}" for entry in await tenants.list_all()]

    _print_lines(_run(_as_operator(state, list_all)))


@main.group("api-key")
def api_key() -> None:
    """The API keys of a tenant."""


@api_key.command("create")
@_TENANT
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it may do.")
@click.pass_obj
def api_key_create(state: Path, tenant: str, role: str) -> None:
    """Make an API key; print it, this once."""

    async def create(context: ProcessContext) -> str:
        async with context.api_keys(await _tenant_id(context, tenant)) as keys:
            return await keys.create(Role(role))

    click.echo(_run(_as_operator(state, create)))


@api_key.command("list")
@_TENANT
@click.pass_obj
def api_key_list(state: Path, tenant: str) -> None:
    """List the API keys: id, role, creation, state; never a secret."""

    async def list_all(context: ProcessContext) -> list[str]:
        async with context.api_keys(await _tenant_id(context, tenant)) as keys:
            return [
                f"{key.key_id}\t{key.role}\t{key.created_at:%Y-%m-%dT%H:%M:%SZ}\t"
                f"{'live' if key.revoked_at is None else 'revoked'}"
                for key in await keys.list_all()
            ]

    _print_lines(_run(_as_operator(state, list_all)))


@main.group()
def appliance() -> None:
    """The appliances of a tenant."""


@appliance.command("certify")
@_TENANT
@click.option("--name", required=True, help="Name of the appliance; the same name again renews.")
@click.option("--csr", required=True, type=click.Path(path_type=Path), help="Its certificate request, PEM.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for certificate and anchors.")
@click.pass_obj
def appliance_certify(state: Path, tenant: str, name: str, csr: Path, out: Path) -> None:
    """Issue and register a certificate; print the tenant's id."""

    async def certify(context: ProcessContext) -> UUID:
        request = _read(csr)
        tenant_id = await _tenant_id(context, tenant)
        async with context.machine_certificates(tenant_id) as certificates:
            issued = await certificates.certify(name, csr=request, authority=context.authority)
            # Within the transaction: a certificate that could not be handed over is not registered.
            _write(out, issued)
            return tenant_id

    click.echo(_run(_as_operator(state, certify)))


async def _serve(state: Path, *, host: str, port: int) -> None:
    # The web framework is half of the start of a process, and admin commands do not need it.
    from receiver.app import serve as serve_http  # noqa: PLC0415 as above

    def announce(url: str) -> None:
        click.echo(f"receiver listening on {url}")

    async with open_service(state) as context:
        await serve_http(context, host=host, port=port, announce=announce)


async def _as_operator(state: Path, step: Callable[[ProcessContext], Awaitable[T]]) -> T:
    async with open_operator(state) as context:
        return await step(context)


async def _tenant_id(context: ProcessContext, name: str) -> UUID:
    async with context.tenants() as tenants:
        return await tenants.find(name)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work to its end; a refusal ends the process with status 1."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except ReceiverError as error:
        click.echo(f"error[{error.code}]: {error}", err=True)
        click.echo(f"hint: {error.hint}", err=True)
        sys.exit(1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise FileUnusableError("a file cannot be read") from None


def _write(folder: Path, issued: Issued) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "certificate.pem").write_bytes(issued.certificate_chain)
        (folder / "trust-anchors.pem").write_bytes(issued.trust_anchors)
    except OSError:
        raise FileUnusableError("the certificate cannot be written") from None


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
