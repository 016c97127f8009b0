"""Keyed pseudonyms: HMAC-SHA256 under keys derived from the tenant's secret, one key a class.

``K = HKDF-SHA256(tenant secret, info = "natalia/pseudonym/v1/" + label)`` (RFC 5869, no salt: the secret is random),
``pseudonym = HMAC-SHA256(K, domain || 00 || canonical)``, the first 128 bits, one letter a nibble. Classes and tenants
cannot be joined; equal numbers of one tenant give equal pseudonyms, which is the purpose. Deterministic by design:
who holds the secret can try all numbers, so the secret never leaves the appliance.
"""

import hashlib
import hmac
from typing import Final

from appliance.errors import SettingsError
from appliance.numbering.number import Number
from appliance.wire.call import NIBBLE_LETTERS, Category

MIN_SECRET_BYTES: Final = 32
TOKEN_BYTES: Final = 16
_MAX_KEY_VERSION: Final = 9999
_INFO: Final = b"natalia/pseudonym/v1/"
_BLOCK_BYTES: Final = 64
"""Block length of SHA-256 (FIPS 180-4), which HMAC pads its key to."""
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))
_LETTERS: Final = str.maketrans("0123456789abcdef", NIBBLE_LETTERS)
_LABEL_OF: Final = {
    Category.EXTERNAL: "external",
    Category.INTERNAL: "extension",
    Category.SHORT: "other",
    Category.EMERGENCY: "other",
    Category.URI: "other",
}
"""Which key a category's pseudonyms are made with; the categories that are missing have no pseudonym."""


class KeyedHash:
    """HMAC-SHA256 (RFC 2104) from two states keyed once: the same bytes as ``hmac``, in half the time."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """Key the two states; ``key`` is at most one block (64 bytes) long."""
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD))
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def digest(self, message: bytes) -> bytes:
        """Give all 32 bytes of the MAC."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def token(self, message: bytes) -> str:
        """Give the first 128 bits of the MAC in letters."""
        return self.digest(message)[:TOKEN_BYTES].hex().translate(_LETTERS)


def derive_key(secret: bytes, label: str) -> bytes:
    """Give the 32-byte key of ``label``: HKDF-SHA256 without salt, one block of output (RFC 5869, 2.2 and 2.3)."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret, "sha256")
    return hmac.digest(extracted, _INFO + label.encode() + b"\x01", "sha256")


class Pseudonymizer:
    """Makes the pseudonyms and ids of one tenant under one version of its secret."""

    __slots__ = ("_call_ids", "_domains", "_event_ids", "_prefix", "key_version")

    def __init__(self, tenant_secret: bytes, *, key_version: int) -> None:
        """Derive the keys; the secret itself is not kept.

        Raises:
            SettingsError: the secret is shorter than 32 bytes, or the version is not 1-9999.
        """
        mistakes = []
        if len(tenant_secret) < MIN_SECRET_BYTES:
            mistakes.append(f"tenant_secret: shorter than {MIN_SECRET_BYTES} bytes")
        if not 1 <= key_version <= _MAX_KEY_VERSION:
            mistakes.append(f"key_version: not between 1 and {_MAX_KEY_VERSION}")
        if mistakes:
            raise SettingsError(mistakes)
        self.key_version = key_version
        self._prefix = f"k{key_version}_"
        keys = {label: KeyedHash(derive_key(tenant_secret, label)) for label in set(_LABEL_OF.values())}
        self._domains = {category: (keys[label], f"{category}\0") for category, label in _LABEL_OF.items()}
        self._call_ids = KeyedHash(derive_key(tenant_secret, "call-id"))
        self._event_ids = KeyedHash(derive_key(tenant_secret, "event-id"))

    def __repr__(self) -> str:
        """Show the version, never a key."""
        return f"Pseudonymizer(key_version={self.key_version})"

    def pseudonym(self, number: Number) -> str | None:
        """Give the number's pseudonym; None where its category has none."""
        domain = self._domains.get(number.category)
        if domain is None or number.canonical is None:
            return None
        key, name = domain
        return self._prefix + key.token((name + number.canonical).encode())

    def call_id(self, call_key: bytes, *, feed: str) -> str:
        """Give the token that the legs of one call of one feed share."""
        return self._call_ids.token(b"%b\0%b" % (feed.encode(), call_key))

    def event_id(self, natural_key: bytes, *, feed: str) -> str:
        """Give the token of one record of one feed: the same record read again has the same token."""
        return self._event_ids.token(b"%b\0%b" % (feed.encode(), natural_key))
