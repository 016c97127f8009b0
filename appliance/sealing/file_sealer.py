"""Anchor level 1, for a machine without a TPM: secrets are sealed under a random file secret and the machine's context.

Rules: root = HKDF-SHA256(ikm = 32-byte file secret, salt = install salt, info = label and machine context); where an
operator's passphrase is configured, ikm goes on with its Argon2id (RFC 9106), whose parameters the anchor file keeps.
Blobs are ``sealed_blob``'s.

Its limit, stated wherever it applies: **whoever copies the whole disk has the key**, and so has the hypervisor's
administrator; with a passphrase, whoever copies the disk and learns or guesses the passphrase. The machine context is
no secret; it shows a state folder that was moved or cloned by accident, and nothing more. There is no plaintext secret
in any one file but the anchor's, which may lie on a partition of its own.
"""

import hmac
import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta, Struct

from appliance.errors import PassphraseError, SealAnchorError, WrongMachineError
from appliance.ports import SecretBytes
from appliance.sealing.durable import create_file, make_folder
from appliance.sealing.machine_context import MachineContext, read_machine_context
from appliance.sealing.sealed_blob import BlobSealer, decode_strictly, prefixed
from appliance.wire.batch import KeyProtection

ANCHOR_FILE: Final = "anchor.json"
ROOT_LABEL: Final = b"natalia/file-anchor/v1"
CONTEXT_LABEL: Final = b"natalia/machine-context/v1"
CHECK_LABEL: Final = b"natalia/file-anchor-passphrase/v1"
SECRET_BYTES: Final = 32
SALT_BYTES: Final = 16
CHECK_BYTES: Final = 16

Key = Annotated[bytes, Meta(min_length=SECRET_BYTES, max_length=SECRET_BYTES)]
Salt = Annotated[bytes, Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
Check = Annotated[bytes, Meta(min_length=CHECK_BYTES, max_length=CHECK_BYTES)]


class _Stretching(Struct, frozen=True, forbid_unknown_fields=True):
    """How the passphrase becomes a key: RFC 9106, 4, second choice, for machines with little memory.

    ``check`` tells a wrong passphrase from a wrong machine. It costs a guess no less than a blob would.
    """

    salt: Salt
    check: Check
    memory_kib: Annotated[int, Meta(ge=8 * 1024, le=1024 * 1024)] = 64 * 1024
    passes: Annotated[int, Meta(ge=1, le=16)] = 3
    lanes: Annotated[int, Meta(ge=1, le=16)] = 4


class _Anchor(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The anchor file. ``bound`` names the parts of the context that were readable when it was made."""

    version: Literal[1]
    secret: Key
    salt: Key
    bound: list[Literal["machine_id", "product_uuid"]]
    argon2id: _Stretching | None = None

    def __repr__(self) -> str:
        """Say what it is, not what it holds."""
        return "_Anchor(…)"


class FileSealer(BlobSealer):
    """Implements ``ports.SecretSealer``; open it with ``open``."""

    key_protection: Final = KeyProtection.FILE

    def __init__(self, root: SecretBytes) -> None:
        """Seal under ``root``, 32 bytes."""
        super().__init__(root, KeyProtection.FILE)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        passphrase: SecretBytes | None = None,
        machine_context: MachineContext | None = None,
    ) -> Self:
        """Use the anchor in ``directory``; make it, once, if there is none.

        Args:
            directory: a folder of anchors alone, made 0700.
            passphrase: the operator's, if the anchor is to need one; it needs the same one ever after.
            machine_context: what binds the anchor to this machine; None asks the machine.

        Raises:
            SealAnchorError: the anchor is unreadable, damaged, or readable by others.
            PassphraseError: the anchor needs another passphrase, one at all, or none.
            WrongMachineError: the context that it was bound to cannot be read here.
        """
        context = read_machine_context() if machine_context is None else machine_context
        path = directory / ANCHOR_FILE
        try:
            make_folder(directory)
            anchor = _read_anchor(path) or _make_anchor(path, context, passphrase)
        except OSError as error:
            raise SealAnchorError(f"{directory}: {error.strerror}") from error
        return cls(_derive_root(anchor, context, _stretched(anchor, passphrase)))


def _read_anchor(path: Path) -> _Anchor | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if path.stat().st_mode & 0o077:
        raise SealAnchorError(f"{path}: others than its owner may read or write it")
    try:
        return decode_strictly(content, _Anchor)
    except ValueError:
        raise SealAnchorError(f"{path}: not an anchor of a version that this release reads") from None


def _make_anchor(path: Path, context: MachineContext, passphrase: SecretBytes | None) -> _Anchor:
    """Make the anchor; if another process was faster, use that one's."""
    bound = [name for name, value in msgspec.structs.asdict(context).items() if value is not None]
    made = {
        "version": 1,
        "secret": os.urandom(SECRET_BYTES),
        "salt": os.urandom(SECRET_BYTES),
        "bound": bound,
        "argon2id": None if passphrase is None else _new_stretching(passphrase),
    }
    anchor = msgspec.convert(made, _Anchor)
    try:
        create_file(path, msgspec.json.encode(anchor))
    except FileExistsError:
        return _read_anchor(path) or anchor
    return anchor


def _new_stretching(passphrase: SecretBytes) -> _Stretching:
    fresh = _Stretching(os.urandom(SALT_BYTES), bytes(CHECK_BYTES))
    return msgspec.structs.replace(fresh, check=_check(_stretch(fresh, passphrase)))


def _stretch(stretching: _Stretching, passphrase: SecretBytes) -> bytes:
    return Argon2id(
        salt=stretching.salt,
        length=SECRET_BYTES,
        iterations=stretching.passes,
        lanes=stretching.lanes,
        memory_cost=stretching.memory_kib,
    ).derive(passphrase.reveal())


def _check(stretched: bytes) -> bytes:
    return hmac.digest(stretched, CHECK_LABEL, "sha256")[:CHECK_BYTES]


def _stretched(anchor: _Anchor, passphrase: SecretBytes | None) -> bytes:
    """What the passphrase adds to the anchor's secret: nothing where there is none.

    A passphrase that the anchor does not need is refused: whoever configured it would believe that it guards something.
    """
    if anchor.argon2id is None:
        if passphrase is not None:
            raise PassphraseError("a passphrase is configured, but the anchor was made without one")
        return b""
    if passphrase is None:
        raise PassphraseError("the anchor was made with a passphrase, and none is configured")
    stretched = _stretch(anchor.argon2id, passphrase)
    if not hmac.compare_digest(_check(stretched), anchor.argon2id.check):
        raise PassphraseError("the passphrase is not the one that the anchor was made with")
    return stretched


def _derive_root(anchor: _Anchor, context: MachineContext, stretched: bytes) -> SecretBytes:
    info = ROOT_LABEL
    for name in anchor.bound:
        value: str | None = getattr(context, name)
        if value is None:
            raise WrongMachineError(f"the anchor is bound to this machine's {name}, which cannot be read here")
        info += prefixed(name.encode())
        info += prefixed(hmac.digest(value.encode(), CONTEXT_LABEL, "sha256"))
    return SecretBytes(HKDF(SHA256(), SECRET_BYTES, salt=anchor.salt, info=info).derive(anchor.secret + stretched))
