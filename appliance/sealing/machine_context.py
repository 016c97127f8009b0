"""What tells this machine from another. None of it is secret: it shows a state folder that was moved by accident."""

import re
from pathlib import Path
from typing import Final

from msgspec import Struct

from appliance.errors import SettingsError
from appliance.settings import read_small_file

_MACHINE_ID: Final = re.compile(r"[0-9a-f]{32}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class MachineContext(Struct, frozen=True):
    """What the machine says of itself; None where it does not say."""

    machine_id: str | None
    product_uuid: str | None


def read_machine_context(root: Path = Path("/")) -> MachineContext:
    """Ask the machine under ``root`` who it is: machine-id(5) and the firmware's product UUID (root alone reads it)."""
    machine_id = _read_identifier(root / "etc/machine-id", _MACHINE_ID)
    product_uuid = _read_identifier(root / "sys/class/dmi/id/product_uuid", _UUID)
    return MachineContext(machine_id, product_uuid)


def _read_identifier(path: Path, form: re.Pattern[str]) -> str | None:
    """An identifier in lower case; None if there is none, or one that many machines share (all 0 or all f)."""
    try:
        text = read_small_file(path).decode("ascii").strip().lower()
    except (SettingsError, UnicodeDecodeError):
        return None
    shared = set(text) - {"-"} in ({"0"}, {"f"})
    return text if form.fullmatch(text) and not shared else None
