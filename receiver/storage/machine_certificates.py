"""The certificates of a tenant's appliances, the keys they hold, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, func, insert, or_, select, update

from receiver.domain.fleet_rules import CertifiedKey
from receiver.schema.appliance import appliance
from receiver.schema.machine_certificate import machine_certificate
from receiver.storage.tenant_scope import TenantSession


class Registration(Struct, frozen=True):
    """A certificate that was issued to an appliance."""

    appliance_id: UUID
    name: str
    fingerprint: bytes
    """SHA-256 of its DER."""
    serial: str
    expires_at: datetime
    revoked_at: datetime | None = None
    public_key: bytes | None = None
    """SHA-256 of its key's SubjectPublicKeyInfo; None: issued before keys were kept."""
    predecessor: bytes | None = None
    """``public_key`` of the certificate with which it was asked for."""
    first_used_at: datetime | None = None
    quarantined_at: datetime | None = None


async def register(session: TenantSession, registration: Registration) -> None:
    """Make a certificate known, for good."""
    await session.execute(
        insert(machine_certificate).values(
            tenant_id=session.tenant_id,
            fingerprint=registration.fingerprint,
            appliance_id=registration.appliance_id,
            serial=registration.serial,
            expires_at=registration.expires_at,
            revoked_at=registration.revoked_at,
            public_key=registration.public_key,
            predecessor=registration.predecessor,
        )
    )


async def find(session: TenantSession, fingerprint: bytes) -> Registration | None:
    """Find a certificate of the tenant by the SHA-256 of its DER."""
    columns = machine_certificate.c
    statement = (
        select(machine_certificate, appliance.c.name)
        .join(
            appliance,
            (appliance.c.tenant_id == columns.tenant_id) & (appliance.c.appliance_id == columns.appliance_id),
        )
        .where(columns.fingerprint == fingerprint)
    )
    row = (await session.execute(statement)).first()
    return None if row is None else _to_registration(row)


async def related_keys(
    session: TenantSession, appliance_id: UUID, mine: CertifiedKey, *, asked: bytes | None = None
) -> list[CertifiedKey]:
    """Give the appliance's keys that ``mine`` asked for, or its predecessor did, and ``asked`` if it is known."""
    columns = machine_certificate.c
    ties: list[ColumnElement[bool]] = [columns.predecessor == mine.key]
    if mine.predecessor is not None:
        ties.append(columns.predecessor == mine.predecessor)
    if asked is not None:
        ties.append(columns.public_key == asked)
    statement = (
        select(
            columns.public_key,
            columns.predecessor,
            func.min(columns.first_used_at).label("first_used_at"),
            func.bool_and(columns.revoked_at.is_not(None)).label("revoked"),
        )
        .where(columns.appliance_id == appliance_id, columns.public_key != mine.key, or_(*ties))
        .group_by(columns.public_key, columns.predecessor)
    )
    return [
        CertifiedKey(
            key=row.public_key, predecessor=row.predecessor, first_used_at=row.first_used_at, revoked=row.revoked
        )
        for row in await session.execute(statement)
    ]


async def is_quarantined(session: TenantSession, appliance_id: UUID, key: bytes) -> bool:
    """Whether a key of an appliance is kept out."""
    columns = machine_certificate.c
    statement = select(columns.fingerprint).where(
        columns.appliance_id == appliance_id,
        columns.public_key == key,
        columns.quarantined_at.is_not(None),
        columns.revoked_at.is_(None),
    )
    return (await session.execute(statement.limit(1))).first() is not None


async def note_use(session: TenantSession, fingerprint: bytes, *, at: datetime) -> None:
    """Keep when a certificate was first used; later uses change nothing."""
    columns = machine_certificate.c
    statement = update(machine_certificate).where(columns.fingerprint == fingerprint, columns.first_used_at.is_(None))
    await session.execute(statement.values(first_used_at=at))


async def quarantine(session: TenantSession, registration: Registration, *, at: datetime) -> bool:
    """Keep a certificate out, and every other one of its key and appliance; say whether that is new."""
    columns = machine_certificate.c
    same = columns.fingerprint == registration.fingerprint
    if registration.public_key is not None:
        same = or_(same, columns.public_key == registration.public_key)
    statement = update(machine_certificate).where(columns.appliance_id == registration.appliance_id, same)
    statement = statement.where(columns.quarantined_at.is_(None)).values(quarantined_at=at)
    return (await session.execute(statement.returning(columns.fingerprint))).first() is not None


async def revoke(session: TenantSession, appliance_id: UUID, *, at: datetime, quarantined: bool = False) -> int:
    """Revoke an appliance's certificates, or only those that are quarantined; give how many.

    One that has ended is revoked too: nobody is to come back with it.
    """
    columns = machine_certificate.c
    chosen = columns.appliance_id == appliance_id
    return await _revoke(session, chosen & columns.quarantined_at.is_not(None) if quarantined else chosen, at=at)


async def revoke_besides(session: TenantSession, appliance_id: UUID, *, keep: Sequence[bytes], at: datetime) -> int:
    """Revoke an appliance's certificates but those of the given fingerprints; give how many."""
    columns = machine_certificate.c
    return await _revoke(session, (columns.appliance_id == appliance_id) & columns.fingerprint.not_in(keep), at=at)


async def release(session: TenantSession, appliance_id: UUID) -> list[bytes]:
    """Lift the quarantine of an appliance's certificates that are not revoked; give their fingerprints."""
    columns = machine_certificate.c
    statement = update(machine_certificate).where(
        columns.appliance_id == appliance_id, columns.quarantined_at.is_not(None), columns.revoked_at.is_(None)
    )
    released = await session.execute(statement.values(quarantined_at=None).returning(columns.fingerprint))
    return [row.fingerprint for row in released]


async def _revoke(session: TenantSession, chosen: ColumnElement[bool], *, at: datetime) -> int:
    columns = machine_certificate.c
    statement = update(machine_certificate).where(chosen, columns.revoked_at.is_(None)).values(revoked_at=at)
    return len((await session.execute(statement.returning(columns.fingerprint))).all())


def _to_registration(row: Row[Any]) -> Registration:
    return Registration(**{name: getattr(row, name) for name in Registration.__struct_fields__})
