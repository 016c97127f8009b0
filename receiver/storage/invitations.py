"""A tenant's invitations."""

from datetime import datetime

from msgspec import structs
from sqlalchemy import insert, select, update

from receiver.domain.invitation import Invitation
from receiver.schema.invitation import invitation
from receiver.storage.tenant_scope import TenantSession

_COLUMNS = [invitation.c[name] for name in Invitation.__struct_fields__]


async def add(session: TenantSession, entry: Invitation) -> None:
    """Keep a new invitation."""
    await session.execute(insert(invitation).values(tenant_id=session.tenant_id, **structs.asdict(entry)))


async def find(session: TenantSession, invitation_id: str) -> Invitation | None:
    """Find an invitation of the tenant; nobody else takes it until the transaction ends."""
    statement = select(*_COLUMNS).where(invitation.c.invitation_id == invitation_id).with_for_update()
    row = (await session.execute(statement)).mappings().first()
    return None if row is None else Invitation(**row)


async def list_all(session: TenantSession) -> list[Invitation]:
    """All invitations of the tenant, oldest first."""
    rows = await session.execute(select(*_COLUMNS).order_by(invitation.c.created_at, invitation.c.invitation_id))
    return [Invitation(**row) for row in rows.mappings()]


async def note_owner(session: TenantSession, invitation_id: str, *, public_key: bytes) -> None:
    """Keep which key owns an invitation."""
    await _note(session, invitation_id, used_by=public_key)


async def note_enrolled(session: TenantSession, invitation_id: str, *, now: datetime) -> None:
    """Keep when an invitation's owner got a certificate."""
    await _note(session, invitation_id, enrolled_at=now)


async def note_contest(session: TenantSession, invitation_id: str, *, now: datetime) -> None:
    """Keep when another key than the owner's presented an invitation."""
    await _note(session, invitation_id, contested_at=now)


async def withdraw(session: TenantSession, *, appliance: str, now: datetime) -> int:
    """Withdraw the invitations of an appliance that are open; say how many there were."""
    columns = invitation.c
    statement = (
        update(invitation)
        .where(columns.appliance == appliance, columns.withdrawn_at.is_(None), columns.expires_at > now)
        .values(withdrawn_at=now)
        .returning(columns.invitation_id)
    )
    return len((await session.execute(statement)).all())


async def _note(session: TenantSession, invitation_id: str, **values: object) -> None:
    await session.execute(update(invitation).where(invitation.c.invitation_id == invitation_id).values(**values))
