"""Commands of the tenants and their API keys: ``tenant …``, ``api-key …``."""

from pathlib import Path
from uuid import UUID

import click

from receiver.cli.steps import TENANT, as_operator, print_lines, run, tenant_id
from receiver.domain.authz import Role
from receiver.factory import ProcessContext


@click.group()
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

    click.echo(run(as_operator(state, create)))


@tenant.command("list")
@click.pass_obj
def tenant_list(state: Path) -> None:
    """List the tenants: id and name."""

    async def list_all(context: ProcessContext) -> list[str]:
        async with context.tenants() as tenants:
            return [f"{entry.tenant_id}\t{entry.name}" for entry in await tenants.list_all()]

    print_lines(run(as_operator(state, list_all)))


@click.group("api-key")
def api_key() -> None:
    """The API keys of a tenant."""


@api_key.command("create")
@TENANT
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it may do.")
@click.pass_obj
def api_key_create(state: Path, tenant: str, role: str) -> None:
    """Make an API key; print it, this once."""

    async def create(context: ProcessContext) -> str:
        async with context.api_keys(await tenant_id(context, tenant)) as keys:
            return await keys.create(Role(role))

    click.echo(run(as_operator(state, create)))


@api_key.command("list")
@TENANT
@click.pass_obj
def api_key_list(state: Path, tenant: str) -> None:
    """List the API keys: id, role, creation, state; never a secret."""

    async def list_all(context: ProcessContext) -> list[str]:
        async with context.api_keys(await tenant_id(context, tenant)) as keys:
            return [
                f"{key.key_id}\t{key.role}\t{key.created_at:%Y-%m-%dT%H:%M:%SZ}\t"
                f"{'live' if key.revoked_at is None else 'revoked'}"
                for key in await keys.list_all()
            ]

    print_lines(run(as_operator(state, list_all)))
