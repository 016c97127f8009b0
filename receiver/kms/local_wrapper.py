"""LOCAL FILE KEYS, for the demo and for small sites: secrets are wrapped under a key that lies in the state folder.

Whoever can read the folder can unwrap what the database holds; it protects a copy of the database alone. A production
receiver keeps the key in a KMS or HSM behind the same port.

A blob is one byte of version, twelve of nonce, then AES-256-GCM; the version and the context are authenticated.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from receiver.errors import NotInitialisedError, WrappedSecretError
from receiver.kms.durable import replace_private

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"
_LABEL: Final = b"natalia/receiver/local-wrapper/v1\x00"


class LocalFileWrapper:
    """Implements ``ports.KeyWrapper`` with a key of 32 bytes in a file of mode 0600."""

    def __init__(self, key: bytes) -> None:
        """Wrap under ``key``, 32 bytes."""
        self._cipher = AESGCM(key)

    def wrap(self, secret: bytes, *, context: bytes) -> bytes:
        """Encrypt ``secret`` for ``context``; each call gives another blob."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, _VERSION + _LABEL + context)

    def unwrap(self, blob: bytes, *, context: bytes) -> bytes:
        """Give the secret back.

        Raises:
            WrappedSecretError: ``blob`` is damaged, or was wrapped for another context or under another key.
        """
        nonce, sealed = blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, sealed, blob[:1] + _LABEL + context)
        except (InvalidTag, ValueError):
            raise WrappedSecretError("a wrapped secret does not open") from None

    @classmethod
    def load(cls, path: Path) -> "LocalFileWrapper":
        """Read the key.

        Raises:
            NotInitialisedError: it is not there or not whole.
        """
        try:
            key = path.read_bytes()
        except OSError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise NotInitialisedError("the key that wraps secrets cannot be read")
        return cls(key)

    @classmethod
    def ensure(cls, path: Path) -> "LocalFileWrapper":
        """Load the key; make it first where there is none. It never changes, or nothing wrapped would open again."""
        if not path.exists():
            replace_private(path, secrets.token_bytes(_KEY_BYTES))
        return cls.load(path)
