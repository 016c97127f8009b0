"""Where a command gets the appliance's settings from: a file, or sealed from the state directory."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from appliance.sealing.sealed_settings import load_sealed_settings
from appliance.settings import Settings, load_settings

T = TypeVar("T")
DEFAULT_FILE: Final = Path("/etc/natalia/appliance.toml")


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the settings, as its first argument, by ``--settings`` or ``--state``."""
    return _with_place(command, of_state=load_sealed_settings, of_file=_same)


def with_state_directory(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the state directory alone; with ``--state`` nothing is opened to find it."""
    return _with_place(command, of_state=Path.absolute, of_file=lambda settings: settings.appliance.state_directory)


def _with_place(
    command: Callable[..., None], *, of_state: Callable[[Path], T], of_file: Callable[[Settings], T]
) -> Callable[..., None]:
    @click.option(
        "--settings",
        "settings_file",
        type=click.Path(path_type=Path),
        help=f"The appliance's settings.  [default: {DEFAULT_FILE}]",
    )
    @click.option(
        "--state",
        "state_directory",
        type=click.Path(path_type=Path),
        help="The state directory, to use the settings that `settings seal` put there instead of a file.",
    )
    @functools.wraps(command)
    def wrapped(*, settings_file: Path | None, state_directory: Path | None, **options: Any) -> None:
        if state_directory is None:
            command(of_file(load_settings(settings_file or DEFAULT_FILE)), **options)
        elif settings_file is None:
            command(of_state(state_directory), **options)
        else:
            raise click.UsageError("give either --settings or --state")

    return wrapped


def _same(settings: Settings) -> Settings:
    return settings
