"""Commands of the machine authority and its rollover: ``ca …``. They work beside ``serve``, which follows by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from cryptography.hazmat.primitives.hashes import SHA256

from receiver.cli.steps import attempt, print_lines
from receiver.domain.authority_ledger import Step
from receiver.errors import FileUnusableError
from receiver.factory import open_rollover
from receiver.kms.generation_files import to_pem
from receiver.kms.local_rollover import GenerationView, LocalRollover
from receiver.ports import Clock

T = TypeVar("T")


@click.group()
def ca() -> None:
    """The machine authority: its generations, and the rollover from one to the next.

    A rollover is: announce; wait until the appliances have renewed, a month is ample; switch; retire when `show` says
    so. No appliance is visited, and one that slept through it still finds its way.
    """


@ca.command("show")
@click.pass_obj
def ca_show(state: Path) -> None:
    """List the generations: number, step, ends of root and issuing CA, the root key's place, the root's SHA-256."""
    print_lines([_describe(view) for view in _do(state, lambda rollover, _: rollover.show())])


@ca.command("announce")
@click.option(
    "--root-keys",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The medium with the roots' keys, where they were taken offline; the new one is put there.",
)
@click.pass_obj
def ca_announce(state: Path, root_keys: Path | None) -> None:
    """Make the next generation: trusted from now on and told in cacerts; it issues nothing yet."""
    view = _do(state, lambda rollover, clock: rollover.announce(now=clock.now(), root_keys=root_keys))
    click.echo(_describe(view))


@ca.command("switch")
@click.pass_obj
def ca_switch(state: Path) -> None:
    """Let the announced generation issue; the one before stays trusted for what it has issued."""
    click.echo(_describe(_do(state, lambda rollover, clock: rollover.switch(now=clock.now()))))


@ca.command("retire")
@click.pass_obj
def ca_retire(state: Path) -> None:
    """Drop the oldest generation and its keys; refused, with the date, while anything it issued may be valid."""
    number = _do(state, lambda rollover, clock: rollover.retire(now=clock.now()))
    click.echo(f"generation {number} retired")


@ca.command("offline")
@click.argument("medium", type=click.Path(path_type=Path), metavar="DIR")
@click.pass_obj
def ca_offline(state: Path, medium: Path) -> None:
    """Move the roots' private keys to DIR; only `announce` needs them again."""
    moved = _do(state, lambda rollover, _: rollover.take_offline(medium))
    print_lines([f"moved to {path}" for path in moved] or ["no root key was here"])


@ca.command("export-root")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def ca_export_root(state: Path, file: Path) -> None:
    """Write the trusted roots to FILE, PEM, for clients that verify the server."""

    def export(rollover: LocalRollover, _: Clock) -> None:
        try:
            file.write_bytes(to_pem([view.root for view in rollover.show()]))
        except OSError:
            raise FileUnusableError("the roots cannot be written") from None

    _do(state, export)


def _do(state: Path, step: Callable[[LocalRollover, Clock], T]) -> T:
    return attempt(lambda: step(*open_rollover(state)))


def _describe(view: GenerationView) -> str:
    columns = [
        str(view.entry.number),
        view.entry.step.value,
        f"root until {view.root.not_valid_after_utc:%Y-%m-%d}",
        f"issuing until {view.issuing.not_valid_after_utc:%Y-%m-%d}",
        "root key here" if view.root_key_is_here else "root key offline",
        view.root.fingerprint(SHA256()).hex(),
    ]
    if view.entry.step is Step.OUTGOING:
        columns.append(f"can be retired from {view.entry.retire_from:%Y-%m-%dT%H:%M:%SZ}")
    return "\t".join(columns)
