"""What the first boot came to, in a small file that the console reads. It holds codes and sentences, no secret.

It is replaced atomically and not synced: after a power cut the next call writes it anew.
"""

from pathlib import Path
from typing import Final

import msgspec

from appliance.errors import SealDiskError
from appliance.seed_ports import FirstBootState

FILE_NAME: Final = "first-boot.json"
MAX_BYTES: Final = 256 * 1024


def write_state(directory: Path, state: FirstBootState) -> None:
    """Replace the file in ``directory``, which is made if it is missing.

    Raises:
        SealDiskError: the disk refuses.
    """
    partial = directory / f"{FILE_NAME}.partial"
    try:
        directory.mkdir(0o700, parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
        partial.replace(directory / FILE_NAME)
    except OSError as error:
        raise SealDiskError(f"{directory / FILE_NAME}: {error.strerror}") from None


def read_state(directory: Path) -> FirstBootState | None:
    """Read it back; None if it was never written, or does not read."""
    try:
        with (directory / FILE_NAME).open("rb") as file:
            return msgspec.json.decode(file.read(MAX_BYTES), type=FirstBootState)
    except (OSError, ValueError, RecursionError):
        return None
