"""The settings at rest: the TOML file's own bytes, sealed, because a PBX's password may stand in it.

The anchor's record says how the anchor is reached, so that the settings open without any others.
"""

from pathlib import Path
from typing import Final

from appliance.errors import SealedSecretMissingError, SealedSettingsMissingError, SettingsError
from appliance.ports import SecretBytes
from appliance.sealing.anchor import open_secrets, secrets_of
from appliance.settings import Settings, parse_settings, read_small_file

SETTINGS: Final = "settings"


def seal_settings(path: Path, state_directory: Path) -> None:
    """Keep the settings of a file sealed in the state directory, in place of those that are there.

    Raises:
        SettingsError: they cannot be read, have mistakes, or are for another state directory.
        SealingError: this machine cannot seal.
    """
    seal_settings_text(read_small_file(path), state_directory, place=str(path))


def seal_settings_text(content: bytes, state_directory: Path, *, place: str) -> None:
    """Do the same with the bytes of a TOML file; ``place`` names it in messages. Raises as ``seal_settings``."""
    settings = _parsed(content, state_directory, place=place)
    store, _ = secrets_of(settings.appliance)
    store.put(SETTINGS, SecretBytes(content))


def load_sealed_settings(state_directory: Path) -> Settings:
    """Open the settings that are sealed in the state directory.

    Raises:
        SealedSettingsMissingError: there are none.
        SettingsError: this release finds mistakes in them, or they are for another state directory.
        SealingError: this machine cannot open them.
    """
    if not state_directory.is_dir():
        raise SealedSettingsMissingError(f"{state_directory}: no such folder")
    store, _ = open_secrets(state_directory)
    try:
        content = store.get(SETTINGS).reveal()
    except SealedSecretMissingError:
        raise SealedSettingsMissingError(f"{state_directory}: no settings are sealed here") from None
    return _parsed(content, state_directory, place="the sealed settings")


def _parsed(content: bytes, state_directory: Path, *, place: str) -> Settings:
    settings = parse_settings(content, place=place)
    if settings.appliance.state_directory.resolve() != state_directory.resolve():
        raise SettingsError([f"appliance.state_directory: is another folder than {state_directory}"])
    return settings
