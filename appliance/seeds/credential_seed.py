"""systemd's credentials: files in the folder that the service manager names (systemd.exec(5), *Credentials*).

QEMU, libvirt and Proxmox bring them as SMBIOS strings (smbios-type-11(7)); systemd hands on what the unit imports.
"""

from pathlib import Path
from typing import Final

from appliance.ports import SecretBytes
from appliance.seed_ports import Seed, SeedOrigin
from appliance.seeds.disk_seed import read_plain_file

SETTINGS: Final = "natalia.settings"
INVITATION: Final = "natalia.invitation"


class CredentialSeed:
    """Implements ``seed_ports.SeedSource``."""

    origin: Final = SeedOrigin.CREDENTIALS

    def __init__(self, folder: Path) -> None:
        """Read the credentials in ``folder``."""
        self._folder = folder

    def read(self) -> Seed | None:
        """See ``seed_ports.SeedSource``."""
        settings, invitation = self._credential(SETTINGS), self._credential(INVITATION)
        if settings is None and invitation is None:
            return None
        return Seed(origin=self.origin, settings=settings, invitation=invitation)

    def _credential(self, name: str) -> SecretBytes | None:
        path = self._folder / name
        return read_plain_file(path) if path.exists() or path.is_symlink() else None
