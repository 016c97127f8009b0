"""Raise an alarm with the decision that it is about: in one transaction, which the refusal does not roll back.

A ``RecordedRefusalError`` passes through the factory's context, which commits before the client is told. Nothing else
may have been written by then: who keeps a machine out does so before any work for it.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from appliance.wire.problem import ProblemCode
from receiver.domain.security_event import EventKind, Fact
from receiver.errors import ProblemError, RecordedRefusalError
from receiver.storage import machine_certificates, security_events
from receiver.storage.machine_certificates import Registration
from receiver.storage.tenant_scope import TenantSession

_QUARANTINED = "this machine is taken for a copy of another"
_QUARANTINED_HINT = "An administrator of the tenant decides: `natalia-receiver appliance alarms` shows why."


def quarantined() -> ProblemError:
    """The refusal of whoever is quarantined already."""
    return ProblemError(ProblemCode.APPLIANCE_QUARANTINED, detail=_QUARANTINED, hint=_QUARANTINED_HINT)


async def keep_out(
    session: TenantSession,
    registration: Registration,
    kind: EventKind,
    *,
    now: datetime,
    facts: Mapping[str, Fact] | None = None,
) -> RecordedRefusalError:
    """Quarantine a certificate and raise the alarm, once; give the refusal, to be raised."""
    if await machine_certificates.quarantine(session, registration, at=now):
        about = {"serial": registration.serial, **(facts or {})}
        await security_events.add(session, kind, appliance_id=registration.appliance_id, at=now, facts=about)
    return RecordedRefusalError(ProblemCode.APPLIANCE_QUARANTINED, detail=_QUARANTINED, hint=_QUARANTINED_HINT)


async def alarm_once(
    session: TenantSession,
    kind: EventKind,
    *,
    appliance_id: UUID,
    now: datetime,
    facts: Mapping[str, Fact] | None = None,
) -> None:
    """Raise an alarm unless the same one waits for an administrator: who asks every hour is told of once."""
    if not await security_events.is_open(session, kind, appliance_id=appliance_id):
        await security_events.add(session, kind, appliance_id=appliance_id, at=now, facts=facts)
