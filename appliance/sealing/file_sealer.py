"""Anchor level 1, for a machine without a TPM: secrets are sealed under a random file secret and the machine's context.

Rules: root = HKDF-SHA256(ikm = 32-byte file secret, salt = install salt, info = label and machine context); a blob is
canonical JSON with its version, its anchor, its key's id and its purpose, all of them authenticated (AES-256-GCM).

Its limit, stated wherever it applies: **whoever copies the whole disk has the key**, and so has the hypervisor's
administrator. The machine context is no secret; it shows a state folder that was moved or cloned by accident, and
nothing more. There is no plaintext secret in any one file but the anchor's, which may lie on a partition of its own.
"""

import hmac
import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta, Struct

from appliance.errors import (
    SealAnchorError,
    SealedBlobFormatError,
    SealedBlobTamperedError,
    SealedPurposeError,
    WrongMachineError,
)
from appliance.ports import SecretBytes
from appliance.sealing.durable import create_file, make_folder
from appliance.settings import MachineContext, read_machine_context
from appliance.wire.batch import KeyProtection

ANCHOR_FILE: Final = "anchor.json"
ROOT_LABEL: Final = b"natalia/file-anchor/v1"
CONTEXT_LABEL: Final = b"natalia/machine-context/v1"
KEY_ID_LABEL: Final = b"natalia/file-anchor-key-id/v1"
BLOB_LABEL: Final = b"natalia/sealed-blob/v1"
SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""NIST SP 800-38D: 96 bits, random; a handful of seals a year is far from its bound of 2^32."""
KEY_ID_BYTES: Final = 8
MAX_BLOB_BYTES: Final = 256 * 1024

T = TypeVar("T", bound=Struct)
Key = Annotated[bytes, Meta(min_length=SECRET_BYTES, max_length=SECRET_BYTES)]


class _Anchor(Struct, frozen=True, forbid_unknown_fields=True):
    """The anchor file. ``bound`` names the parts of the context that were readable when it was made."""

    version: Literal[1]
    secret: Key
    salt: Key
    bound: list[Literal["machine_id", "product_uuid"]]

    def __repr__(self) -> str:
        """Say what it is, not what it holds."""
        return "_Anchor(…)"


class _Blob(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    anchor: str
    key_id: str
    purpose: str
    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    ciphertext: bytes


class FileSealer:
    """Implements ``ports.SecretSealer``; open it with ``open``."""

    key_protection: Final = KeyProtection.FILE

    def __init__(self, root: SecretBytes) -> None:
        """Seal under ``root``, 32 bytes."""
        self._aead = AESGCM(root.reveal())
        self._key_id = hmac.digest(root.reveal(), KEY_ID_LABEL, "sha256")[:KEY_ID_BYTES].hex()

    @classmethod
    def open(cls, directory: Path, *, machine_context: MachineContext | None = None) -> Self:
        """Use the anchor in ``directory``; make it, once, if there is none.

        Args:
            directory: a folder of the anchor alone, made 0700.
            machine_context: what binds the anchor to this machine; None asks the machine.

        Raises:
            SealAnchorError: the anchor is unreadable, damaged, or readable by others.
            WrongMachineError: the context that it was bound to cannot be read here.
        """
        context = read_machine_context() if machine_context is None else machine_context
        try:
            make_folder(directory)
            anchor = _read_anchor(directory / ANCHOR_FILE) or _make_anchor(directory / ANCHOR_FILE, context)
        except OSError as error:
            raise SealAnchorError(f"{directory}: {error.strerror}") from error
        return cls(_derive_root(anchor, context))

    def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
        """Give a blob that only this machine opens, and only for ``purpose``."""
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._aead.encrypt(nonce, secret.reveal(), self._authenticated(purpose))
        return msgspec.json.encode(_Blob(1, KeyProtection.FILE.value, self._key_id, purpose, nonce, ciphertext))

    def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
        """Open a blob.

        Raises:
            SealedBlobFormatError: no blob of a version that this code reads.
            WrongMachineError: sealed by another machine or under another anchor.
            SealedPurposeError: sealed for another purpose.
            SealedBlobTamperedError: altered.
        """
        sealed = _decode_blob(blob)
        if sealed.anchor != KeyProtection.FILE.value or sealed.key_id != self._key_id:
            raise WrongMachineError("the blob was sealed by another machine or under another anchor")
        if sealed.purpose != purpose:
            raise SealedPurposeError("the blob was sealed for another purpose")
        try:
            return SecretBytes(self._aead.decrypt(sealed.nonce, sealed.ciphertext, self._authenticated(purpose)))
        except InvalidTag:
            raise SealedBlobTamperedError("the blob does not authenticate") from None

    def _authenticated(self, purpose: str) -> bytes:
        parts = (KeyProtection.FILE.value, self._key_id, purpose)
        return BLOB_LABEL + b"".join(_prefixed(part.encode()) for part in parts)


def _read_anchor(path: Path) -> _Anchor | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if path.stat().st_mode & 0o077:
        raise SealAnchorError(f"{path}: others than its owner may read or write it")
    try:
        return _decode(content, _Anchor)
    except ValueError:
        raise SealAnchorError(f"{path}: not an anchor of a version that this release reads") from None


def _make_anchor(path: Path, context: MachineContext) -> _Anchor:
    """Make the anchor; if another process was faster, use that one's."""
    bound = [name for name, value in msgspec.structs.asdict(context).items() if value is not None]
    made = {
        "version": 1,
        "secret": os.urandom(SECRET_BYTES),
        "salt": os.urandom(SECRET_BYTES),
        "bound": bound,
    }
    anchor = msgspec.convert(made, _Anchor)
    try:
        create_file(path, msgspec.json.encode(anchor))
    except FileExistsError:
        return _read_anchor(path) or anchor
    return anchor


def _derive_root(anchor: _Anchor, context: MachineContext) -> SecretBytes:
    info = ROOT_LABEL
    for name in anchor.bound:
        value: str | None = getattr(context, name)
        if value is None:
            raise WrongMachineError(f"the anchor is bound to this machine's {name}, which cannot be read here")
        info += _prefixed(name.encode())
        info += _prefixed(hmac.digest(value.encode(), CONTEXT_LABEL, "sha256"))
    return SecretBytes(HKDF(SHA256(), SECRET_BYTES, salt=anchor.salt, info=info).derive(anchor.secret))


def _decode_blob(blob: bytes) -> _Blob:
    if len(blob) > MAX_BLOB_BYTES:
        raise SealedBlobFormatError("the blob is too long")
    try:
        return _decode(blob, _Blob)
    except ValueError:
        raise SealedBlobFormatError("not a sealed blob of a version that this release reads") from None


def _decode(content: bytes, kind: type[T]) -> T:
    """Strict: what decodes encodes to the same bytes again. Raises ``ValueError``."""
    decoded = msgspec.json.decode(content, type=kind)
    if msgspec.json.encode(decoded) != content:
        raise ValueError("not in canonical form")
    return decoded


def _prefixed(part: bytes) -> bytes:
    """A part with its length before it, so that no two lists of parts read the same."""
    return len(part).to_bytes(4, "big") + part
