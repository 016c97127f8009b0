"""A tenant's appliances as machines: their state, what is pinned of them, and who holds what."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, delete, func, select, text, update

from appliance.wire.batch import KeyProtection
from receiver.domain.fleet_rules import ApplianceState
from receiver.schema.appliance import appliance
from receiver.schema.ingest_progress import ingest_progress
from receiver.schema.machine_certificate import machine_certificate
from receiver.schema.machine_state import machine_state
from receiver.storage.tenant_scope import TenantSession

_LOCK_MACHINE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:machine, 0))")

_STANDING: Final = select(appliance.c.appliance_id, appliance.c.state, appliance.c.key_protection)


class Standing(Struct, frozen=True):
    """Whether an appliance may have certificates, and what must guard its keys; None: nothing was pinned."""

    appliance_id: UUID
    state: ApplianceState
    key_protection: KeyProtection | None


class Overview(Struct, frozen=True):
    """An appliance and what became of it."""

    appliance_id: UUID
    name: str
    state: ApplianceState
    key_protection: KeyProtection | None
    last_seen_at: datetime | None
    """When it last delivered or reported."""
    certificate_expires_at: datetime | None
    """The latest end of its certificates that are neither revoked nor quarantined."""
    quarantined: int
    """How many of its certificates are kept out."""


async def look(session: TenantSession, name: str) -> Standing | None:
    """Find an appliance by name, as it stands now."""
    return await _find(session, _STANDING.where(appliance.c.name == name))


async def lock(session: TenantSession, name: str) -> Standing | None:
    """Find an appliance by name; nobody else certifies, revokes or releases it until the transaction ends.

    Deliveries go on meanwhile: the lock is not one that foreign keys wait for. Whoever locks an invitation too, does
    so before.
    """
    return await _find(session, _STANDING.where(appliance.c.name == name).with_for_update(key_share=True))


async def set_state(session: TenantSession, appliance_id: UUID, state: ApplianceState) -> None:
    """Keep whether an appliance may have certificates."""
    await session.execute(update(appliance).where(appliance.c.appliance_id == appliance_id).values(state=state.value))


async def holder_of_machine(session: TenantSession, ek_hash: bytes, *, besides: UUID | None) -> UUID | None:
    """Find another appliance, not a revoked one, that holds a TPM; two that ask at once take turns.

    Args:
        session: within the tenant.
        ek_hash: as of ``MachineFacts``.
        besides: the appliance that may hold it.
    """
    await session.execute(_LOCK_MACHINE, {"machine": f"{session.tenant_id}{ek_hash.hex()}"})
    same = (appliance.c.tenant_id == machine_state.c.tenant_id) & (
        appliance.c.appliance_id == machine_state.c.appliance_id
    )
    statement = select(machine_state.c.appliance_id).join(appliance, same).where(machine_state.c.ek_hash == ek_hash)
    statement = statement.where(
        appliance.c.state != ApplianceState.REVOKED.value, machine_state.c.appliance_id.is_distinct_from(besides)
    )
    found: UUID | None = (
        await session.execute(statement.order_by(machine_state.c.appliance_id).limit(1))
    ).scalar_one_or_none()
    return found


async def holder_of_key(session: TenantSession, public_key: bytes, *, besides: UUID | None) -> UUID | None:
    """Find another appliance that a key, by the SHA-256 of its SubjectPublicKeyInfo, was ever certified for."""
    columns = machine_certificate.c
    statement = select(columns.appliance_id).where(
        columns.public_key == public_key, columns.appliance_id.is_distinct_from(besides)
    )
    found: UUID | None = (await session.execute(statement.order_by(columns.appliance_id).limit(1))).scalar_one_or_none()
    return found


async def forget_machine(session: TenantSession, appliance_id: UUID) -> None:
    """Forget what an appliance's machine showed: the next one that it shows is believed."""
    await session.execute(delete(machine_state).where(machine_state.c.appliance_id == appliance_id))


async def list_all(session: TenantSession) -> list[Overview]:
    """All appliances, by name."""
    mine = machine_certificate.alias()
    same = (mine.c.tenant_id == appliance.c.tenant_id) & (mine.c.appliance_id == appliance.c.appliance_id)
    live = select(func.max(mine.c.expires_at)).where(same, mine.c.revoked_at.is_(None), mine.c.quarantined_at.is_(None))
    kept_out = select(func.count()).where(same, mine.c.revoked_at.is_(None), mine.c.quarantined_at.is_not(None))
    progress = (ingest_progress.c.tenant_id == appliance.c.tenant_id) & (
        ingest_progress.c.appliance_id == appliance.c.appliance_id
    )
    columns: list[ColumnElement[Any]] = [
        appliance.c.appliance_id,
        appliance.c.name,
        appliance.c.state,
        func.coalesce(appliance.c.key_protection, ingest_progress.c.key_protection).label("key_protection"),
        ingest_progress.c.last_seen_at,
        live.scalar_subquery().label("certificate_expires_at"),
        kept_out.scalar_subquery().label("quarantined"),
    ]
    statement = select(*columns).outerjoin(ingest_progress, progress).order_by(appliance.c.name)
    return [_to_overview(row) for row in await session.execute(statement)]


async def _find(session: TenantSession, statement: Select[Any]) -> Standing | None:
    row = (await session.execute(statement)).first()
    if row is None:
        return None
    pinned = None if row.key_protection is None else KeyProtection(row.key_protection)
    return Standing(appliance_id=row.appliance_id, state=ApplianceState(row.state), key_protection=pinned)


def _to_overview(row: Row[Any]) -> Overview:
    return Overview(
        appliance_id=row.appliance_id,
        name=row.name,
        state=ApplianceState(row.state),
        key_protection=None if row.key_protection is None else KeyProtection(row.key_protection),
        last_seen_at=row.last_seen_at,
        certificate_expires_at=row.certificate_expires_at,
        quarantined=row.quarantined,
    )
