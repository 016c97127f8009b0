"""The secret of a tenant's pseudonyms: made at the tenant's first enrollment, the same for each of its appliances.

It is never shown here: whoever reads the database has it wrapped, and the wrapping is tied to its tenant and version,
so that a row moved to another tenant does not open.
"""

import secrets
from datetime import datetime
from uuid import UUID

from appliance.wire.enrollment import TENANT_SECRET_BYTES, TenantSecrets
from receiver.ports import KeyWrapper
from receiver.storage import tenant_secrets
from receiver.storage.tenant_scope import TenantSession
from receiver.storage.tenant_secrets import WrappedSecret

_FIRST_VERSION = 1


async def ensure(session: TenantSession, *, wrapper: KeyWrapper, now: datetime) -> TenantSecrets:
    """Give the tenant's secret; make it where there is none.

    Raises:
        WrappedSecretError: it does not open under the key keeper's key.
    """
    found = await tenant_secrets.newest(session)
    if found is None:
        made = wrapper.wrap(
            secrets.token_bytes(TENANT_SECRET_BYTES), context=_context(session.tenant_id, version=_FIRST_VERSION)
        )
        # Of two machines that enrol as a tenant's first, one makes the secret and both are given it.
        found = await tenant_secrets.add_first(
            session, WrappedSecret(key_version=_FIRST_VERSION, wrapped=made), now=now
        )
    opened = wrapper.unwrap(found.wrapped, context=_context(session.tenant_id, version=found.key_version))
    return TenantSecrets(key_version=found.key_version, tenant_secret=opened)


def _context(tenant_id: UUID, *, version: int) -> bytes:
    return f"natalia/tenant-secret/{tenant_id}/{version}".encode("ascii")
