"""What every command does: run its work to the end, and turn a refusal into status 1."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import click
import uvloop

from receiver.errors import FileUnusableError, ReceiverError
from receiver.factory import ProcessContext, open_operator

T = TypeVar("T")
TENANT: Final = click.option("--tenant", required=True, metavar="NAME", help="Name of the tenant.")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work in a loop to its end; a refusal ends the process with status 1."""

    def in_loop() -> T:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)

    return attempt(in_loop)


def attempt(step: Callable[[], T]) -> T:
    """Do a command's work; a refusal ends the process with status 1."""
    try:
        return step()
    except ReceiverError as error:
        click.echo(f"error[{error.code}]: {error}", err=True)
        click.echo(f"hint: {error.hint}", err=True)
        sys.exit(1)


async def as_operator(state: Path, step: Callable[[ProcessContext], Awaitable[T]]) -> T:
    """Do one step with the owner's connection."""
    async with open_operator(state) as context:
        return await step(context)


async def tenant_id(context: ProcessContext, name: str) -> UUID:
    """Find a tenant by its name; raises ``TenantUnknownError``."""
    async with context.tenants() as tenants:
        return await tenants.find(name)


def read_file(path: Path) -> bytes:
    """Read a file that a command was given; raises ``FileUnusableError``."""
    try:
        return path.read_bytes()
    except OSError:
        raise FileUnusableError("a file cannot be read") from None


def print_lines(lines: list[str]) -> None:
    """Print each on a line of its own."""
    for line in lines:
        click.echo(line)
