"""How the machine was booted, as far as it can be shown: Secure Boot, and what the vendor signed of the kernel image.

Not here: whether it is true (the TPM's policy says so) and what follows from it (``vtpm``).
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from appliance.errors import SettingsError
from appliance.settings import read_small_file

_SECURE_BOOT: Final = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""UEFI 2.10, 3.3; the kernel puts four bytes of attributes before the value."""
_ON: Final = 1
_PUBLIC_KEY: Final = "run/systemd/tpm2-pcr-public-key.pem"
_SIGNATURES: Final = "run/systemd/tpm2-pcr-signature.json"
"""systemd-stub(7): what the kernel image carries, for the PCRs that it will have measured."""


class BootState(Struct, frozen=True, kw_only=True):
    """What was found; None where there is nothing to read."""

    secure_boot: bool | None
    """None: not booted by UEFI."""
    public_key: bytes | None
    """The vendor's, PEM."""
    signatures: bytes | None
    """JSON, as ``tpm_policy.read_signatures`` takes it."""


def read_boot_state(root: Path = Path("/")) -> BootState:
    """Ask the machine under ``root``."""
    variable = _read(root / _SECURE_BOOT)
    secure_boot = None if variable is None else variable[4:] == bytes([_ON])
    return BootState(
        secure_boot=secure_boot, public_key=_read(root / _PUBLIC_KEY), signatures=_read(root / _SIGNATURES)
    )


def _read(path: Path) -> bytes | None:
    try:
        return read_small_file(path)
    except SettingsError:
        return None
