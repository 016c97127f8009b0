"""API keys: ``ntl_<env>_<key id>_<secret>_<crc32>``.

The key id is the tenant's id and four random bytes, so that the row is found within that tenant's scope and no query
crosses tenants: a forged tenant finds nothing. The checksum refuses a mistyped key, or lets a secret scanner decide,
without a database. Only SHA-256 of pepper and secret is kept; the secret has 160 bits, so no slow hash is needed.
"""

import base64
import hashlib
import hmac
import re
import zlib
from typing import Final
from uuid import UUID

from msgspec import Struct

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError

ENVIRONMENT: Final = "live"
ID_BYTES: Final = 4
SECRET_BYTES: Final = 20
_TENANT_BYTES: Final = 16
_FORM: Final = re.compile(r"(ntl_[a-z]{1,8}_([a-z2-7]{32})_([a-z2-7]{32}))_([0-9a-f]{8})", re.ASCII)


class ApiKey(Struct, frozen=True):
    """A well-formed key, not yet proven."""

    tenant_id: UUID
    key_id: str
    secret: str

    def __repr__(self) -> str:
        """Show the key's id, never its secret."""
        return f"ApiKey(key_id={self.key_id!r})"


def compose(*, tenant_id: UUID, id_bytes: bytes, secret_bytes: bytes) -> tuple[ApiKey, str]:
    """Give a new key and its text, which is shown once.

    Args:
        tenant_id: whose key it is.
        id_bytes: ``ID_BYTES`` random bytes.
        secret_bytes: ``SECRET_BYTES`` random bytes.
    """
    key = ApiKey(tenant_id=tenant_id, key_id=_base32(tenant_id.bytes + id_bytes), secret=_base32(secret_bytes))
    head = f"ntl_{ENVIRONMENT}_{key.key_id}_{key.secret}"
    return key, f"{head}_{_checksum(head)}"


def parse(text: str) -> ApiKey:
    """Read a key's text.

    Raises:
        ProblemError: ``unauthenticated``, without saying which part is wrong.
    """
    match = _FORM.fullmatch(text)
    if match is None or not hmac.compare_digest(_checksum(match[1]), match[4]):
        raise unauthenticated()
    identifier = base64.b32decode(match[2].upper())
    return ApiKey(tenant_id=UUID(bytes=identifier[:_TENANT_BYTES]), key_id=match[2], secret=match[3])


def secret_hash(key: ApiKey, *, pepper: bytes) -> bytes:
    """What is stored of a key's secret: 32 bytes."""
    return hashlib.sha256(pepper + key.secret.encode("ascii")).digest()


def unauthenticated() -> ProblemError:
    """The one refusal for every key that does not work, so that probing learns nothing."""
    return ProblemError(
        ProblemCode.UNAUTHENTICATED,
        detail="no valid API key",
        hint="Send `Authorization: Bearer` with a key made by `natalia-receiver api-key create`.",
    )


def _base32(value: bytes) -> str:
    return base64.b32encode(value).decode("ascii").lower()


def _checksum(head: str) -> str:
    return f"{zlib.crc32(head.encode('ascii')):08x}"
