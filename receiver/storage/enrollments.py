"""A tenant's enrollments: what the second step needs of the first."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from appliance.wire.batch import KeyProtection
from receiver.domain.machine_facts import MachineFacts
from receiver.schema.enrollment import enrollment
from receiver.storage.tenant_scope import TenantSession


class Enrollment(Struct, frozen=True, kw_only=True):
    """A key that was shown, and what came with it."""

    enrollment_id: UUID
    public_key: bytes
    """SHA-256 of its SubjectPublicKeyInfo."""
    appliance: str
    invitation_id: str | None
    """None: it came with an ended certificate."""
    key_protection: KeyProtection
    facts: MachineFacts | None
    """None: a machine without a TPM."""
    transport_secret: bytes | None
    """Wrapped; None while an administrator has not agreed."""
    expires_at: datetime


async def save(session: TenantSession, entry: Enrollment) -> None:
    """Keep an enrollment, in place of an older one of the same key; its id does not change (``find_by_key``)."""
    values = msgspec.structs.asdict(entry) | {
        "tenant_id": session.tenant_id,
        "key_protection": entry.key_protection.value,
        "facts": None if entry.facts is None else msgspec.to_builtins(entry.facts),
    }
    statement = insert(enrollment).values(values)
    fixed = {"tenant_id", "enrollment_id", "public_key"}
    renewed = {name: statement.excluded[name] for name in values if name not in fixed}
    await session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "public_key"], set_=renewed))


async def find(session: TenantSession, enrollment_id: UUID) -> Enrollment | None:
    """Find an enrollment of the tenant."""
    return await _find(session, enrollment_id=enrollment_id)


async def find_by_key(session: TenantSession, public_key: bytes) -> Enrollment | None:
    """Find the enrollment of a key, by the SHA-256 of its SubjectPublicKeyInfo."""
    return await _find(session, public_key=public_key)


async def _find(session: TenantSession, **equal: object) -> Enrollment | None:
    columns = [enrollment.c[name] for name in Enrollment.__struct_fields__]
    statement = select(*columns).where(*(enrollment.c[name] == value for name, value in equal.items()))
    row = (await session.execute(statement)).first()
    return (
        None if row is None else msgspec.convert(dict(zip(Enrollment.__struct_fields__, row, strict=True)), Enrollment)
    )
