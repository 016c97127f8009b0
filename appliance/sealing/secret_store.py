"""The appliance's secrets at rest: one sealed blob a name, in one folder.

Rules: a name is the blob's authenticated purpose, so swapped files do not open; a new blob replaces the old one only
after it has opened once; a blob that does not open is never replaced by a fresh secret, which would cut the past off.

How safe a secret is, its sealer says. Under ``FileSealer`` whoever copies the whole disk has them all.
"""

import hmac
import os
import re
from pathlib import Path
from typing import Final

from appliance.errors import SealedBlobTamperedError, SealedSecretMissingError, SealingError
from appliance.ports import SecretBytes, SecretSealer
from appliance.sealing.durable import create_file, make_folder, remove_file, replace_file

SECRET_BYTES: Final = 32
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,47}")


class SecretStore:
    """Keeps secrets by name, sealed."""

    def __init__(self, directory: Path, sealer: SecretSealer) -> None:
        """Keep blobs of ``sealer`` in ``directory``, which is made at the first secret."""
        self._directory = directory
        self._sealer = sealer

    def get(self, name: str) -> SecretBytes:
        """Open a secret.

        Raises:
            SealedSecretMissingError: there is none of that name.
            SealingError: it does not open, or cannot be read.
        """
        try:
            blob = self._path(name).read_bytes()
        except FileNotFoundError:
            raise SealedSecretMissingError(f"no secret {name!r} is sealed here") from None
        except OSError as error:
            raise SealingError(f"secret {name!r}: {error.strerror}") from error
        return self._sealer.unseal(blob, purpose=name)

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
            self._keep(name, secret, replace=False)
        except FileExistsError:
            return self.get(name)
        return secret

    def put(self, name: str, secret: SecretBytes) -> None:
        """Keep ``secret`` under ``name`` in place of an older one, which stays until the new blob has opened once.

        Raises:
            SealingError: it cannot be kept; the older one is still there.
        """
        self._keep(name, secret, replace=True)

    def names(self) -> list[str]:
        """The names under which secrets are kept."""
        return sorted(path.stem for path in self._directory.glob("*.sealed"))

    def written_at(self, name: str) -> float:
        """When a secret was kept, in seconds of the file system's clock since 1970.

        Raises:
            SealingError: it cannot be looked at.
        """
        try:
            return self._path(name).stat().st_mtime
        except OSError as error:
            raise SealingError(f"secret {name!r}: {error.strerror}") from error

    def discard(self, name: str) -> None:
        """Forget a secret, if there is one.

        Raises:
            SealingError: the disk refuses.
        """
        path = self._path(name)
        if not path.exists():
            return
        try:
            remove_file(path)
        except OSError as error:
            raise SealingError(f"secret {name!r}: {error.strerror}") from error

    def _keep(self, name: str, secret: SecretBytes, *, replace: bool) -> None:
        path = self._path(name)
        blob = self._sealer.seal(secret, purpose=name)
        opened = self._sealer.unseal(blob, purpose=name)
        if not hmac.compare_digest(opened.reveal(), secret.reveal()):
            raise SealedBlobTamperedError(f"secret {name!r} does not open to what was sealed")
        try:
            make_folder(self._directory)
            (replace_file if replace else create_file)(path, blob)
        except FileExistsError:
            raise
        except OSError as error:
            raise SealingError(f"secret {name!r}: {error.strerror}") from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError("a secret's name is lower-case letters, digits and hyphens")
        return self._directory / f"{name}.sealed"
