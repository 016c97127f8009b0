"""Commands of the service itself: ``init``, ``migrate``, ``serve``."""

import logging
from pathlib import Path

import click

from receiver.cli.steps import run
from receiver.factory import initialise, migrate_database, open_service


@click.command()
@click.option("--name", "hosts", multiple=True, metavar="HOST", help="A name or address of the server certificate.")
@click.option("--dsn", metavar="DSN", help="Owner's connection to a PostgreSQL of your own; default: an embedded one.")
@click.pass_obj
def init(state: Path, hosts: tuple[str, ...], dsn: str | None) -> None:
    """Make or complete the state folder: CA, server certificate, pepper, database. Safe to repeat."""
    revision = run(initialise(state, hosts=list(hosts), dsn=dsn))
    click.echo(f"receiver initialised, database at revision {revision}")


@click.command()
@click.pass_obj
def migrate(state: Path) -> None:
    """Bring the database to this version's schema."""
    click.echo(f"database at revision {run(migrate_database(state))}")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.pass_obj
def serve(state: Path, host: str, port: int) -> None:
    """Serve the API until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    run(_serve(state, host=host, port=port))


async def _serve(state: Path, *, host: str, port: int) -> None:
    # The web framework is half of the start of a process, and admin commands do not need it.
    from receiver.app import serve as serve_http  # noqa: PLC0415 as above

    def announce(url: str) -> None:
        click.echo(f"receiver listening on {url}")

    async with open_service(state) as context:
        await serve_http(context, host=host, port=port, announce=announce)
