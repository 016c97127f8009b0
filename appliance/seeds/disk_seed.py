"""A disk or CD labelled ``NATALIA``: files at the top of a folder that the system mounted, read-only.

Rules: only regular files count, and no link is followed, so that a medium cannot name a file of the machine's own; what
is too long is refused before it is read whole. Names are taken without regard to case, because a CD without extensions
knows only one. Two media of that label are an error. Other files on the medium are left alone.

Not here: mounting, and what the files say.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

from appliance.ports import SecretBytes
from appliance.seed_ports import MAX_SEED_BYTES, Seed, SeedDisksError, SeedError, SeedOrigin

LABEL: Final = "NATALIA"
SETTINGS_FILE: Final = "appliance.toml"
INVITATION_FILES: Final = ("invitation.toml", "invitation.txt")
UDEV_DATABASE: Final = Path("/run/udev/data")
_LABEL_LINE: Final = re.compile(rf"^E:ID_FS_LABEL={LABEL}$", re.MULTILINE)
_UUID_LINE: Final = re.compile(r"^E:ID_FS_UUID=(.*)$", re.MULTILINE)


class DiskSeed:
    """Implements ``seed_ports.SeedSource``."""

    origin: Final = SeedOrigin.DISK

    def __init__(self, folder: Path, *, udev: Path = UDEV_DATABASE) -> None:
        """Read the medium at ``folder``; ``udev`` says which media there are."""
        self._folder = folder
        self._udev = udev

    def read(self) -> Seed | None:
        """See ``seed_ports.SeedSource``.

        Raises:
            SeedDisksError: two media have the label.
            SeedError: a file is there twice, is no regular file, is too long, or cannot be read.
        """
        if len(labelled_media(self._udev)) > 1:
            raise SeedDisksError(f"more than one disk is labelled {LABEL}")
        found = self._entries()
        settings = self._read_one(found, (SETTINGS_FILE,))
        invitation = self._read_one(found, INVITATION_FILES)
        if settings is None and invitation is None:
            return None
        return Seed(origin=self.origin, settings=settings, invitation=invitation)

    def _entries(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self._folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise SeedError(f"the disk cannot be read ({error.strerror})") from None

    def _read_one(self, found: list[str], names: tuple[str, ...]) -> SecretBytes | None:
        """The one file of these names."""
        fitting = [name for name in found if name.lower() in names]
        if len(fitting) > 1:
            raise SeedError(f"the disk has more than one of {' and '.join(names)}")
        return read_plain_file(self._folder / fitting[0]) if fitting else None


def labelled_media(udev: Path) -> set[str]:
    """What udev knows by the label: a file system's id each, or the device's number; a copy counts as the same."""
    media = set()
    for path in sorted(udev.glob("b*")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if _LABEL_LINE.search(text):
            uuid = _UUID_LINE.search(text)
            media.add(uuid[1] if uuid else path.name)
    return media


def read_plain_file(path: Path) -> SecretBytes:
    """Read a file of a stranger's.

    Raises:
        SeedError: it is no regular file, too long, or cannot be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise SeedError(f"{path.name}: cannot be read ({error.strerror})") from None
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise SeedError(f"{path.name}: is not a regular file")
        content = _read(number)
    except OSError as error:
        raise SeedError(f"{path.name}: cannot be read ({error.strerror})") from None
    finally:
        os.close(number)
    if len(content) > MAX_SEED_BYTES:
        raise SeedError(f"{path.name}: longer than {MAX_SEED_BYTES} bytes")
    return SecretBytes(content)


def _read(number: int) -> bytes:
    """Up to one byte more than a seed may have."""
    content = b""
    while part := os.read(number, MAX_SEED_BYTES + 1 - len(content)):
        content += part
    return content
