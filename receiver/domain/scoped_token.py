"""A token that is a secret of one tenant: ``<head>_<identifier>_<secret>_<crc32>``.

The identifier is the tenant's id and four random bytes, so that the row is found within that tenant's scope and no
query crosses tenants: a forged tenant finds nothing. The checksum refuses a mistyped token, or lets a secret scanner
decide, without a database. Only SHA-256 of pepper and secret is kept; the secret has 160 bits, so no slow hash is
needed.
"""

import base64
import hashlib
import hmac
import re
import zlib
from typing import Final, Self
from uuid import UUID

from msgspec import Struct

ID_BYTES: Final = 4
SECRET_BYTES: Final = 20
_TENANT_BYTES: Final = 16
_FORM: Final = re.compile(r"([a-z_]{1,16})_([a-z2-7]{32})_([a-z2-7]{32})_([0-9a-f]{8})", re.ASCII)


class ScopedToken(Struct, frozen=True):
    """A well-formed token, not yet proven."""

    tenant_id: UUID
    identifier: str
    secret: str

    def __repr__(self) -> str:
        """Show the identifier, never the secret."""
        return f"{type(self).__name__}(identifier={self.identifier!r})"

    @classmethod
    def make(cls, *, tenant_id: UUID, id_bytes: bytes, secret_bytes: bytes) -> Self:
        """Give a new token.

        Args:
            tenant_id: whose it is.
            id_bytes: ``ID_BYTES`` random bytes.
            secret_bytes: ``SECRET_BYTES`` random bytes.
        """
        return cls(tenant_id=tenant_id, identifier=_base32(tenant_id.bytes + id_bytes), secret=_base32(secret_bytes))

    @classmethod
    def read(cls, text: str, *, head: str) -> Self | None:
        """Read a token's text; None if it is none of ``head``, or mistyped."""
        match = _FORM.fullmatch(text)
        if (
            match is None
            or match[1] != head
            or not hmac.compare_digest(_checksum(text[: -len(match[4]) - 1]), match[4])
        ):
            return None
        identifier = base64.b32decode(match[2].upper())
        return cls(tenant_id=UUID(bytes=identifier[:_TENANT_BYTES]), identifier=match[2], secret=match[3])

    def spell(self, *, head: str) -> str:
        """Give its text, which is shown once."""
        body = f"{head}_{self.identifier}_{self.secret}"
        return f"{body}_{_checksum(body)}"

    def secret_hash(self, *, pepper: bytes) -> bytes:
        """What is stored of its secret: 32 bytes."""
        return hashlib.sha256(pepper + self.secret.encode("ascii")).digest()


def _base32(value: bytes) -> str:
    return base64.b32encode(value).decode("ascii").lower()


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode('ascii')):08x}"
