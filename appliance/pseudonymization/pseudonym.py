"""Keyed pseudonyms: HMAC-SHA256 under keys derived from the tenant's secret, one key a class.

``K = HKDF-SHA256(tenant secret, info = "natalia/pseudonym/v1/" + label)`` (RFC 5869, no salt: the secret is random),
``pseudonym = HMAC-SHA256(K, domain || 00 || canonical)``, the first 128 bits, one letter a nibble. Classes and tenants
cannot be joined; equal numbers of one tenant give equal pseudonyms, which is the purpose. Deterministic by design:
who holds the secret can try all numbers, so the secret never leaves the appliance.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from appliance.errors import SettingsError
from appliance.numbering.number import Number
from appliance.wire.call import NIBBLE_LETTERS, Category

MIN_SECRET_BYTES: Final = 32
TOKEN_LETTERS: Final = 32
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
    """HMAC-SHA256 (RFC 2104) of ``prefix || message``, from two states keyed once: as ``hmac``, in half the time."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, *, prefix: bytes = b"") -> None:
        """Key the two states; ``key`` is at most one block (64 bytes) long."""
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD) + prefix)
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def hexdigest(self, message: bytes) -> str:
        """Give all 32 bytes of the MAC, as hexadecimal digits."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.hexdigest()

    def token(self, message: bytes) -> str:
        """Give the first 128 bits of the MAC in letters."""
        return self.hexdigest(message)[:TOKEN_LETTERS].translate(_LETTERS)

    def tokens(self, messages: Iterable[bytes]) -> list[str]:
        """Give the token of each message."""
        keyed_inner, keyed_outer = self._inner.copy, self._outer.copy
        macs = []
        # ``hexdigest`` written out, and the letters put on once for all: a call here costs as much as a hash.
        for message in messages:
            inner, outer = keyed_inner(), keyed_outer()
            inner.update(message)
            outer.update(inner.digest())
            macs.append(outer.digest()[: TOKEN_LETTERS // 2])
        letters = b"".join(macs).hex().translate(_LETTERS)
        return [letters[start : start + TOKEN_LETTERS] for start in range(0, len(letters), TOKEN_LETTERS)]


def derive_key(secret: bytes, label: str) -> bytes:
    """Give the 32-byte key of ``label``: HKDF-SHA256 without salt, one block of output (RFC 5869, 2.2 and 2.3)."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret, "sha256")
    return hmac.digest(extracted, _INFO + label.encode() + b"\x01", "sha256")


class Pseudonymizer:
    """Makes the pseudonyms and ids of one tenant under one version of its secret."""

    __slots__ = ("_call_id_key", "_domains", "_event_id_key", "_prefix", "key_version")

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
        keys = {label: derive_key(tenant_secret, label) for label in {*_LABEL_OF.values(), "call-id", "event-id"}}
        self._domains = {
            category: KeyedHash(keys[label], prefix=_domain(category)) for category, label in _LABEL_OF.items()
        }
        self._call_id_key = keys["call-id"]
        self._event_id_key = keys["event-id"]

    def __repr__(self) -> str:
        """Show the version, never a key."""
        return f"Pseudonymizer(key_version={self.key_version})"

    def pseudonym(self, number: Number) -> str | None:
        """Give the number's pseudonym; None where its category has none."""
        domain = self._domains.get(number.category)
        if domain is None or number.canonical is None:
            return None
        return self._prefix + domain.token(number.canonical.encode())

    def call_ids(self, *, feed: str) -> KeyedHash:
        """Give what makes, of a ``call_key``, the token that the legs of one call of ``feed`` share."""
        return KeyedHash(self._call_id_key, prefix=_domain(feed))

    def event_ids(self, *, feed: str) -> KeyedHash:
        """Give what makes, of a ``natural_key``, the token of one record of ``feed``, the same each time it is read."""
        return KeyedHash(self._event_id_key, prefix=_domain(feed))


def _domain(name: str) -> bytes:
    return name.encode() + b"\0"
