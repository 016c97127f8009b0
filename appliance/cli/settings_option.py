"""Where a command gets the appliance's settings from: a file, or sealed from the state directory."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from appliance.sealing.sealed_settings import load_sealed_settings
from appliance.settings import Settings, load_settings

DEFAULT_FILE: Final = Path("/etc/natalia/appliance.toml")


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the settings, as its first argument, by ``--settings`` or ``--state``."""

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
        command(_read(settings_file, state_directory), **options)

    return wrapped


def _read(settings_file: Path | None, state_directory: Path | None) -> Settings:
    if state_directory is None:
        return load_settings(settings_file or DEFAULT_FILE)
    if settings_file is not None:
        raise click.UsageError("give either --settings or --state")
    return load_sealed_settings(state_directory)
