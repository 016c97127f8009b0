"""Make, list and check API keys."""

import hmac
import secrets

from receiver.domain.api_key import ApiKey, compose, unauthenticated
from receiver.domain.authz import Principal, Role
from receiver.domain.scoped_token import ID_BYTES, SECRET_BYTES
from receiver.ports import Clock
from receiver.storage import api_keys
from receiver.storage.tenant_scope import TenantSession


class ApiKeys:
    """The API keys of one tenant."""

    def __init__(self, session: TenantSession, *, clock: Clock, pepper: bytes) -> None:
        """Work within ``session``; ``pepper`` is hashed with every secret."""
        self._session = session
        self._clock = clock
        self._pepper = pepper

    async def create(self, role: Role) -> str:
        """Make a key; give its text, which is not kept."""
        key, text = compose(
            tenant_id=self._session.tenant_id,
            id_bytes=secrets.token_bytes(ID_BYTES),
            secret_bytes=secrets.token_bytes(SECRET_BYTES),
        )
        stored = api_keys.StoredKey(
            key_id=key.identifier,
            secret_hash=key.secret_hash(pepper=self._pepper),
            role=role,
            created_at=self._clock.now(),
            revoked_at=None,
        )
        await api_keys.add(self._session, stored)
        return text

    async def list_all(self) -> list[api_keys.StoredKey]:
        """All keys, oldest first; secrets are not among what is kept."""
        return await api_keys.list_all(self._session)

    async def authenticate(self, key: ApiKey) -> Principal:
        """Prove a key.

        Raises:
            ProblemError: ``unauthenticated``; unknown, revoked and wrong look the same.
        """
        stored = await api_keys.find(self._session, key.identifier)
        offered = key.secret_hash(pepper=self._pepper)
        if stored is None or not hmac.compare_digest(stored.secret_hash, offered) or stored.revoked_at is not None:
            raise unauthenticated()
        return Principal(tenant_id=self._session.tenant_id, role=stored.role)
