"""The appliance's secrets at rest: one sealed blob a name, in one folder.

Rules: a name is the blob's authenticated purpose, so swapped files do not open; a blob that does not open is never
replaced by a fresh secret, which would cut the past off; the blob before (``NAME.previous``) stays until the new one
has been read back from the disk and has opened. A power cut between any two steps leaves one that opens.

The blob before is used only while it is there, that is, after a ``put`` that did not return, and only where the new
one is damaged or gone; the log says so. One that its sealer refuses for another reason (retired by the TPM's counter,
of another machine, sealed for another name) does not give way to an older one.

How safe a secret is, its sealer says. Not protected here: somebody who can write the disk puts an older blob of the
same root back, whole. A TPM's counter retires older anchors, and a snapshot with them, not single blobs under one.
"""

import hmac
import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.errors import (
    SealDiskError,
    SealedBlobFormatError,
    SealedBlobTamperedError,
    SealedSecretMissingError,
    SealingError,
)
from appliance.ports import SecretBytes, SecretSealer
from appliance.sealing.durable import (
    SYSTEM_DISK,
    Disk,
    create_file,
    make_folder,
    read_from_disk,
    remove_file,
    replace_file,
)

SECRET_BYTES: Final = 32
SEALED: Final = ".sealed"
PREVIOUS: Final = ".previous"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,47}")
_DAMAGE: Final = (SealedSecretMissingError, SealedBlobFormatError, SealedBlobTamperedError)
_LOG = logging.getLogger("natalia.sealing")


class SecretStore:
    """Keeps secrets by name, sealed. Implements ``ports.Secrets``."""

    def __init__(self, directory: Path, sealer: SecretSealer, *, disk: Disk = SYSTEM_DISK) -> None:
        """Keep blobs of ``sealer`` in ``directory``, which is made at the first secret."""
        self._directory = directory
        self._sealer = sealer
        self._disk = disk

    def get(self, name: str) -> SecretBytes:
        """Open a secret.

        Raises:
            SealedSecretMissingError: there is none of that name.
            SealingError: it does not open, or cannot be read.
        """
        try:
            blob = self._read(self._path(name), name)
            secret = self._sealer.unseal(blob, purpose=name)
        except _DAMAGE as error:
            before = self._open_previous(name)
            if before is None:
                raise
            _LOG.warning("secret=%s code=%s opened=previous", name, error.code)
            return before
        self._confirm(name, blob)
        return secret

    def get_or_create(self, name: str) -> SecretBytes:
        """Open a secret; make 32 random bytes at its first use.

        Raises:
            SealingError: it does not open, or cannot be kept.
        """
        try:
            return self.get(name)
        except SealedSecretMissingError:
            pass
        secret = SecretBytes(os.urandom(SECRET_BYTES))
        try:
            self.create(name, secret)
        except FileExistsError:
            return self.get(name)
        return secret

    def create(self, name: str, secret: SecretBytes) -> None:
        """Keep ``secret`` under a name that has none.

        Raises:
            FileExistsError: it has one, which was not touched.
            SealingError: it cannot be kept.
        """
        if self._path(name, PREVIOUS).exists():
            raise FileExistsError(name)
        self._keep(name, secret, replace=False)

    def put(self, name: str, secret: SecretBytes) -> None:
        """Keep ``secret`` under ``name`` in place of an older one, which stays until the new blob has opened once.

        Raises:
            SealingError: it cannot be kept; ``get`` gives the older one, or the new one where the disk took it.
        """
        self._keep(name, secret, replace=True)

    def names(self) -> list[str]:
        """The names under which secrets are kept."""
        paths = (path for form in (SEALED, PREVIOUS) for path in self._directory.glob(f"*{form}"))
        return sorted({path.stem for path in paths if _NAME.fullmatch(path.stem)})

    def written_at(self, name: str) -> float:
        """When a secret was kept, in seconds of the file system's clock since 1970.

        Raises:
            SealingError: it cannot be looked at.
        """
        path, previous = self._path(name), self._path(name, PREVIOUS)
        try:
            return (previous if previous.exists() and not path.exists() else path).stat().st_mtime
        except OSError as error:
            raise SealingError(f"secret {name!r}: {error.strerror}") from error

    def discard(self, name: str) -> None:
        """Forget a secret, if there is one.

        Raises:
            SealingError: the disk refuses.
        """
        # The older one first: a power cut in between must not bring it back.
        for path in (self._path(name, PREVIOUS), self._path(name)):
            if not path.exists():
                continue
            try:
                remove_file(path, disk=self._disk)
            except OSError as error:
                raise SealDiskError(f"secret {name!r}: {error.strerror}") from error

    def _keep(self, name: str, secret: SecretBytes, *, replace: bool) -> None:
        path = self._path(name)
        blob = self._sealer.seal(secret, purpose=name)
        self._require_opens(blob, name, secret)
        try:
            make_folder(self._directory, disk=self._disk)
            if replace:
                self._set_aside(name)
            (replace_file if replace else create_file)(path, blob, disk=self._disk)
        except FileExistsError:
            raise
        except OSError as error:
            raise SealDiskError(f"secret {name!r}: {error.strerror}") from error
        written = self._read(path, name, from_disk=True)
        self._require_opens(written, name, secret)
        self._confirm(name, written)

    def _require_opens(self, blob: bytes, name: str, secret: SecretBytes) -> None:
        opened = self._sealer.unseal(blob, purpose=name)
        if not hmac.compare_digest(opened.reveal(), secret.reveal()):
            raise SealedBlobTamperedError(f"secret {name!r} does not open to what was sealed")

    def _set_aside(self, name: str) -> None:
        """Copy the blob that is to be replaced; one that never opened does not push out the one before it."""
        path, previous = self._path(name), self._path(name, PREVIOUS)
        if not path.exists():
            return
        blob = path.read_bytes()
        if not previous.exists() or self._opens(blob, name):
            replace_file(previous, blob, disk=self._disk)

    def _opens(self, blob: bytes, name: str) -> bool:
        try:
            self._sealer.unseal(blob, purpose=name)
        except SealingError:
            return False
        return True

    def _confirm(self, name: str, blob: bytes) -> None:
        """The blob has opened: the one before goes. While it is a copy of this one, a ``put`` is on its way."""
        previous = self._path(name, PREVIOUS)
        with suppress(OSError):  # it may stay: the next opening tries again
            if previous.exists() and previous.read_bytes() != blob:
                remove_file(previous, disk=self._disk)

    def _open_previous(self, name: str) -> SecretBytes | None:
        """Open the blob before; None if there is none, or a damaged one.

        Raises:
            SealingError: its sealer refuses it for another reason.
        """
        try:
            return self._sealer.unseal(self._read(self._path(name, PREVIOUS), name), purpose=name)
        except _DAMAGE:
            return None

    def _read(self, path: Path, name: str, *, from_disk: bool = False) -> bytes:
        try:
            return read_from_disk(path) if from_disk else path.read_bytes()
        except FileNotFoundError:
            raise SealedSecretMissingError(f"no secret {name!r} is sealed here") from None
        except OSError as error:
            raise SealingError(f"secret {name!r}: {error.strerror}") from error

    def _path(self, name: str, form: str = SEALED) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError("a secret's name is lower-case letters, digits and hyphens")
        return self._directory / f"{name}{form}"
