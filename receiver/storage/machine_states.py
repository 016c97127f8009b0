"""What each appliance's machine last showed of itself."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from appliance.wire.batch import KeyProtection
from receiver.domain.machine_facts import MachineFacts
from receiver.schema.appliance import appliance
from receiver.schema.machine_state import machine_state
from receiver.storage.tenant_scope import TenantSession


class MachineState(Struct, frozen=True):
    """What was shown, and when."""

    key_protection: KeyProtection
    facts: MachineFacts | None
    """None: a machine without a TPM."""
    seen_at: datetime


async def save(session: TenantSession, appliance_id: UUID, state: MachineState) -> None:
    """Keep what an appliance's machine showed, in place of what it showed before."""
    shown = {
        "key_protection": state.key_protection.value,
        "ek_hash": None if state.facts is None else state.facts.ek_hash,
        "facts": None if state.facts is None else msgspec.to_builtins(state.facts),
        "seen_at": state.seen_at,
    }
    statement = insert(machine_state).values(tenant_id=session.tenant_id, appliance_id=appliance_id, **shown)
    await session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "appliance_id"], set_=shown))


async def pin(session: TenantSession, appliance_id: UUID, *, key_protection: KeyProtection) -> None:
    """Hold an appliance to what guards its keys."""
    statement = update(appliance).where(appliance.c.appliance_id == appliance_id)
    await session.execute(statement.values(key_protection=key_protection.value))


async def find(session: TenantSession, appliance_id: UUID) -> MachineState | None:
    """Find what an appliance's machine last showed; nobody else changes it until the transaction ends."""
    columns = [machine_state.c[name] for name in MachineState.__struct_fields__]
    statement = select(*columns).where(machine_state.c.appliance_id == appliance_id).with_for_update()
    row = (await session.execute(statement)).first()
    fields = MachineState.__struct_fields__
    return None if row is None else msgspec.convert(dict(zip(fields, row, strict=True)), MachineState)
