"""API keys: ``ntl_<env>_<key id>_<secret>_<crc32>``, scoped tokens with an environment."""

from typing import Final
from uuid import UUID

from appliance.wire.problem import ProblemCode
from receiver.domain.scoped_token import ScopedToken
from receiver.errors import ProblemError

ENVIRONMENT: Final = "live"
_HEAD: Final = f"ntl_{ENVIRONMENT}"


class ApiKey(ScopedToken, frozen=True):
    """A well-formed key, not yet proven."""


def compose(*, tenant_id: UUID, id_bytes: bytes, secret_bytes: bytes) -> tuple[ApiKey, str]:
    """Give a new key and its text, which is shown once; arguments as of ``ScopedToken.make``."""
    key = ApiKey.make(tenant_id=tenant_id, id_bytes=id_bytes, secret_bytes=secret_bytes)
    return key, key.spell(head=_HEAD)


def parse(text: str) -> ApiKey:
    """Read a key's text.

    Raises:
        ProblemError: ``unauthenticated``, without saying which part is wrong.
    """
    key = ApiKey.read(text, head=_HEAD)
    if key is None:
        raise unauthenticated()
    return key


def unauthenticated() -> ProblemError:
    """The one refusal for every key that does not work, so that probing learns nothing."""
    return ProblemError(
        ProblemCode.UNAUTHENTICATED,
        detail="no valid API key",
        hint="Send `Authorization: Bearer` with a key made by `natalia-receiver api-key create`.",
    )
