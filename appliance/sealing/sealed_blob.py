"""The form of a sealed secret, whatever its anchor: canonical JSON around AES-256-GCM under the anchor's root.

Rules: a blob names its version, its anchor, its root's id and its purpose, all of them authenticated, so that it opens
under that anchor and for that purpose alone; what decodes encodes to the same bytes again. A blob of a better anchor
than the one at hand says so by an error of its own: nothing falls back by itself.

Not here: where the root comes from and what guards it (``file_sealer``, ``vtpm``), and where blobs lie.
"""

import hmac
import os
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta, Struct

from appliance.errors import (
    AnchorLoweredError,
    SealedBlobFormatError,
    SealedBlobTamperedError,
    SealedPurposeError,
    WrongMachineError,
)
from appliance.ports import SecretBytes
from appliance.wire.batch import KeyProtection

BLOB_LABEL: Final = b"natalia/sealed-blob/v1"
NONCE_BYTES: Final = 12
"""NIST SP 800-38D: 96 bits, random; a handful of seals a year is far from its bound of 2^32."""
KEY_ID_BYTES: Final = 8
MAX_BLOB_BYTES: Final = 2 * 1024 * 1024
"""More than the longest settings file takes, in base64."""
_LEVELS: Final = list(KeyProtection)

T = TypeVar("T", bound=Struct)


class _Blob(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    anchor: KeyProtection
    key_id: str
    purpose: str
    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    ciphertext: bytes


class BlobSealer:
    """Seals and opens blobs under one root."""

    def __init__(self, root: SecretBytes, anchor: KeyProtection) -> None:
        """Seal under ``root``, 32 random bytes that ``anchor`` guards."""
        self._aead = AESGCM(root.reveal())
        self._anchor = anchor
        label = f"natalia/{anchor.value}-anchor-key-id/v1".encode()
        self._key_id = hmac.digest(root.reveal(), label, "sha256")[:KEY_ID_BYTES].hex()

    @property
    def key_id(self) -> str:
        """What the root is called in blobs; it tells nothing of it."""
        return self._key_id

    def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
        """Give a blob that opens under this root alone, and only for ``purpose``."""
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._aead.encrypt(nonce, secret.reveal(), self._authenticated(purpose))
        return msgspec.json.encode(_Blob(1, self._anchor, self._key_id, purpose, nonce, ciphertext))

    def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
        """Open a blob.

        Raises:
            SealedBlobFormatError: no blob of a version that this code reads.
            AnchorLoweredError: sealed under a better anchor than this one.
            WrongMachineError: sealed by another machine or under another root.
            SealedPurposeError: sealed for another purpose.
            SealedBlobTamperedError: altered.
        """
        sealed = _decode_blob(blob)
        if _LEVELS.index(sealed.anchor) > _LEVELS.index(self._anchor):
            raise AnchorLoweredError("the blob was sealed under a better anchor than this machine has now")
        if sealed.anchor != self._anchor or sealed.key_id != self._key_id:
            raise WrongMachineError("the blob was sealed by another machine or under another anchor")
        if sealed.purpose != purpose:
            raise SealedPurposeError("the blob was sealed for another purpose")
        try:
            return SecretBytes(self._aead.decrypt(sealed.nonce, sealed.ciphertext, self._authenticated(purpose)))
        except InvalidTag:
            raise SealedBlobTamperedError("the blob does not authenticate") from None

    def _authenticated(self, purpose: str) -> bytes:
        parts = (self._anchor.value, self._key_id, purpose)
        return BLOB_LABEL + b"".join(prefixed(part.encode()) for part in parts)


def decode_strictly(content: bytes, kind: type[T]) -> T:
    """Decode canonical JSON: what decodes encodes to the same bytes again.

    Raises:
        ValueError: it does not.
    """
    decoded = msgspec.json.decode(content, type=kind)
    if msgspec.json.encode(decoded) != content:
        raise ValueError("not in canonical form")
    return decoded


def prefixed(part: bytes) -> bytes:
    """A part with its length before it, so that no two lists of parts read the same."""
    return len(part).to_bytes(4, "big") + part


def _decode_blob(blob: bytes) -> _Blob:
    if len(blob) > MAX_BLOB_BYTES:
        raise SealedBlobFormatError("the blob is too long")
    try:
        return decode_strictly(blob, _Blob)
    except ValueError:
        raise SealedBlobFormatError("not a sealed blob of a version that this release reads") from None
