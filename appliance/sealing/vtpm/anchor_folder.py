"""The anchor's files: the one in use, and while it is replaced the next one beside it.

Rules: the next one is on the disk, whole, before the TPM's counter goes on; the one in use gives way only after the
next one has opened. So whatever step a power cut falls on, one of the two fits the counter. One process at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.errors import SealAnchorError, SealDiskError, SealingError
from appliance.sealing.durable import SYSTEM_DISK, Disk, create_file, held, make_folder, remove_file, replace_file
from appliance.sealing.vtpm.anchor import Anchor, decode_anchor

ANCHOR_FILE: Final = "tpm-anchor.json"
NEXT_FILE: Final = "tpm-anchor.next.json"
_LOCK_FILE: Final = ".tpm-anchor.lock"
_MAX_BYTES: Final = 8 * 1024


class AnchorFolder:
    """A folder of anchors."""

    def __init__(self, directory: Path, *, disk: Disk = SYSTEM_DISK) -> None:
        """Name the folder; ``work`` makes it."""
        self._directory = directory
        self._disk = disk

    @contextmanager
    def work(self) -> Iterator[None]:
        """Have the folder alone; what the disk refuses within becomes an error of this package.

        Raises:
            SealDiskError: the disk refuses.
        """
        try:
            make_folder(self._directory, disk=self._disk)
            with held(self._directory / _LOCK_FILE):
                yield
        except OSError as error:
            raise SealDiskError(f"{self._directory}: {error.strerror}") from error

    def read(self) -> list[Anchor]:
        """Give the anchors that are there and whole, the one in use first; none at a first start.

        Raises:
            SealAnchorError: there is an anchor, but none that this release reads.
            SealedBlobTamperedError: there is an anchor, but it was altered.
        """
        anchors, wrong = list[Anchor](), list[SealingError]()
        for name in (ANCHOR_FILE, NEXT_FILE):
            try:
                content = _read(self._directory / name)
                anchors += [decode_anchor(content)] if content is not None else []
            except SealingError as error:
                wrong.append(error)
        if wrong and not anchors:
            raise wrong[0]
        return anchors

    def create(self, anchor: Anchor) -> None:
        """Put the first anchor into use."""
        create_file(self._directory / ANCHOR_FILE, anchor.encode(), disk=self._disk)

    def prepare(self, anchor: Anchor) -> None:
        """Put the next anchor beside the one in use."""
        replace_file(self._directory / NEXT_FILE, anchor.encode(), disk=self._disk)

    def promote(self, anchor: Anchor) -> None:
        """Put the next anchor, which has opened, into use."""
        replace_file(self._directory / ANCHOR_FILE, anchor.encode(), disk=self._disk)
        remove_file(self._directory / NEXT_FILE, disk=self._disk)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(content) > _MAX_BYTES:
        raise SealAnchorError(f"{path}: too long for an anchor")
    return content
