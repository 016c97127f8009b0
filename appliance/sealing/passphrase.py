"""Reads the operator's passphrase, which a file anchor may need."""

from pathlib import Path
from typing import Final

from appliance.errors import PassphraseError, SettingsError
from appliance.ports import SecretBytes
from appliance.settings import read_small_file

MIN_BYTES: Final = 12
MAX_BYTES: Final = 1024


def read_passphrase_file(path: Path) -> SecretBytes:
    """Give the file's bytes without the line end at their end.

    Raises:
        PassphraseError: it cannot be read, others may read it, or it is not 12 to 1024 bytes long.
    """
    try:
        passphrase = read_small_file(path).rstrip(b"\r\n")
        is_guarded = path.stat().st_mode & 0o077 == 0
    except (SettingsError, OSError):
        raise PassphraseError(f"{path}: cannot be read") from None
    if not is_guarded:
        raise PassphraseError(f"{path}: others than its owner may read or write it")
    if not MIN_BYTES <= len(passphrase) <= MAX_BYTES:
        raise PassphraseError(f"{path}: a passphrase has {MIN_BYTES} to {MAX_BYTES} bytes")
    return SecretBytes(passphrase)
