"""The tenant secret for the safe of the customer's data protection officer: an age file to the customer's own key.

Rules: one X25519 recipient (age-encryption.org/v1, C2SP age), ASCII armour; nobody but the holder of its identity can
open it, this machine neither; what opens is checked before any of it is used; no message holds a part of the secret,
the identity or the file.

Not here: keeping what was restored (``tenant_key``). Not protected: whoever has file and identity has the secret.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import pyrage
from msgspec import Meta, Struct

from appliance.errors import SettingsError
from appliance.sealing.durable import SYSTEM_DISK, Disk, write_new
from appliance.sealing.escrow_errors import (
    EscrowDamagedError,
    EscrowFileError,
    EscrowFormatError,
    EscrowIdentityError,
    EscrowIdentityMismatchError,
    EscrowRecipientError,
)
from appliance.settings import read_small_file
from appliance.wire.enrollment import Key, TenantSecrets, Uuid

ARMOUR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
BINARY: Final = b"age-encryption.org/v1\n"
MAX_FILE_BYTES: Final = 64 * 1024
"""An escrow has about 600 bytes."""
MAX_IDENTITIES: Final = 16
_NOT_OURS: Final = "No matching keys found"
"""How pyrage says that no identity opens the head."""


class Escrow(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="natalia_escrow.v1"):
    """What is encrypted."""

    tenant: Uuid
    key_version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    tenant_secret: Key
    made_at: datetime

    @property
    def key(self) -> TenantSecrets:
        """What a machine keeps of it."""
        return TenantSecrets(self.key_version, self.tenant_secret)

    def __repr__(self) -> str:
        """Say what it is, not what it holds."""
        return "Escrow(…)"


def read_recipient(text: str) -> str:
    """Give the one age recipient in ``text``: itself, or a file's content with comments (``#``).

    Raises:
        EscrowRecipientError: there is none, more than one, or something else.
    """
    lines = _lines(text)
    if len(lines) != 1:
        raise EscrowRecipientError("exactly one recipient is wanted")
    try:
        return str(pyrage.x25519.Recipient.from_str(lines[0]))
    except pyrage.RecipientError:
        raise EscrowRecipientError("not an age X25519 recipient") from None


def read_recipient_file(path: Path) -> str:
    """Give the recipient in a file. Raises as ``read_recipient``, and ``EscrowFileError``."""
    return read_recipient(_read(path).decode("utf-8", "replace"))


def make_escrow(escrow: Escrow, recipient: str) -> bytes:
    """Encrypt to ``recipient``; give an armoured age file.

    Raises:
        EscrowRecipientError: it is none.
    """
    key = pyrage.x25519.Recipient.from_str(read_recipient(recipient))
    return bytes(pyrage.encrypt(msgspec.json.encode(escrow), [key], armored=True))


def write_escrow(path: Path, content: bytes, *, disk: Disk = SYSTEM_DISK) -> None:
    """Write a file that is not there yet, 0600, down to the medium; half a file does not stay.

    Raises:
        EscrowFileError: something is there, which was not touched, or it cannot be written.
    """
    try:
        write_new(path, content, disk=disk)
    except FileExistsError:
        raise EscrowFileError(f"{path}: is there already") from None
    except OSError as error:
        path.unlink(missing_ok=True)
        raise EscrowFileError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise EscrowFileError(f"{path}: no such name is possible") from None


def open_escrow(path: Path, *, identity_file: Path) -> Escrow:
    """Decrypt an escrow with the identity of its recipient.

    Raises:
        EscrowFileError: a file cannot be read.
        EscrowFormatError: not an age file, or what opens is no escrow.
        EscrowIdentityError: the identity file holds none.
        EscrowIdentityMismatchError: encrypted to another key.
        EscrowDamagedError: altered or cut.
    """
    content = _read(path)
    if not content.lstrip().startswith((ARMOUR, BINARY)):
        raise EscrowFormatError(f"{path}: not an age file")
    try:
        opened = pyrage.decrypt(content.strip() if ARMOUR in content else content, _identities(identity_file))
    except pyrage.DecryptError as error:
        if _NOT_OURS in str(error):
            raise EscrowIdentityMismatchError(f"{path}: the identity does not open it") from None
        raise EscrowDamagedError(f"{path}: damaged, or a part is missing") from None
    try:
        return msgspec.json.decode(opened, type=Escrow)
    except msgspec.MsgspecError:
        raise EscrowFormatError(f"{path}: not an escrow of a version that this release reads") from None


def _identities(path: Path) -> list[pyrage.x25519.Identity]:
    lines = _lines(_read(path).decode("utf-8", "replace"))
    if not 1 <= len(lines) <= MAX_IDENTITIES:
        raise EscrowIdentityError(f"{path}: holds no age identity, or too many")
    try:
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise EscrowIdentityError(f"{path}: not an age X25519 identity") from None


def _lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _read(path: Path) -> bytes:
    try:
        content = read_small_file(path)
    except SettingsError as error:
        raise EscrowFileError(str(error)) from None
    if len(content) > MAX_FILE_BYTES:
        raise EscrowFormatError(f"{path}: longer than an escrow can be")
    return content
