"""One AEAD blob, bound to its place: tenant, appliance, epoch, sequence, kind and the chain before it.

AES-256-GCM with a random nonce drawn at the moment of use, under a key of its own for each epoch (HKDF-SHA256 over
the buffer's master key and a fresh salt a process start), so that a restored snapshot never repeats (key, nonce).
Swapping, replaying or reordering blobs changes the associated data and does not open. It does not detect that the
whole database is an older copy; the receiver's high-water mark does (``policy.high_water``).

Sources: NIST SP 800-38D (GCM), RFC 5869 (HKDF).
"""

import hashlib
import os
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appliance.errors import BufferTamperError
from appliance.ports import SecretBytes

SALT_BYTES: Final = 32
CHAIN_START: Final = bytes(32)
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_LABEL: Final = b"natalia/buffer/v1"


class BatchRow(NamedTuple):
    """One stored batch; all but ``body`` stands in clear."""

    epoch: int
    sequence: int
    feed: str
    day: str
    records: int
    previous: bytes
    body: bytes


class EpochKey:
    """Seals and opens the blobs of one epoch of one appliance."""

    __slots__ = ("_aead", "_owner")

    def __init__(self, master: SecretBytes, *, salt: bytes, tenant: str, appliance: str) -> None:
        """Derive the epoch's key from the buffer's master key (32 bytes) and the epoch's ``salt`` (32 bytes)."""
        self._owner = _LABEL + _prefixed(tenant.encode()) + _prefixed(appliance.encode())
        kdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=self._owner)
        self._aead = AESGCM(kdf.derive(master.reveal()))

    def seal(self, content: bytes, *, place: bytes) -> bytes:
        """Give nonce and ciphertext; they open only at ``place`` (see ``place_of``)."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, self._owner + place)

    def open(self, blob: bytes, *, place: bytes) -> bytes:
        """Give the content back.

        Raises:
            BufferTamperError: altered, moved, or sealed by another appliance.
        """
        try:
            return self._aead.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], self._owner + place)
        except (InvalidTag, ValueError):
            raise BufferTamperError("a stored blob does not authenticate") from None


def place_of(kind: str, *, epoch: int, sequence: int = 0, name: str = "", previous: bytes = b"") -> bytes:
    """Where a blob belongs, unambiguously: every part has a fixed width or a length before it."""
    return b"".join(
        (
            _prefixed(kind.encode()),
            epoch.to_bytes(8, "big"),
            sequence.to_bytes(8, "big"),
            _prefixed(name.encode()),
            _prefixed(previous),
        )
    )


def place_of_batch(row: BatchRow) -> bytes:
    """Where a batch's blob belongs; what stands in clear beside it is bound to it as well."""
    name = f"{row.feed}/{row.day}/{row.records}"
    return place_of("batch", epoch=row.epoch, sequence=row.sequence, name=name, previous=row.previous)


def chain_after(previous: bytes, blob: bytes) -> bytes:
    """The chain hash after ``blob``: SHA-256 over the hash before it and the blob."""
    return hashlib.sha256(previous + blob).digest()


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part
