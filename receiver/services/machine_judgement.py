"""Hold an appliance to its machine: what guards its keys never weakens, its TPM stays the same and only counts up.

Whoever shows anything else is refused, and the tenant's administrators are told: a copy is quarantined, a lowered
anchor costs only the certificate that was asked for. All of it in one transaction with what was asked; whoever asks
holds the lock on the appliance.
"""

from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from appliance.wire.batch import KeyProtection
from appliance.wire.problem import ProblemCode
from receiver.domain.fleet_rules import ApplianceState, is_lowered
from receiver.domain.machine_facts import CloneFinding, MachineFacts, compare
from receiver.domain.security_event import EventKind
from receiver.errors import ProblemError, RecordedRefusalError
from receiver.services.quarantine import alarm_once, keep_out, quarantined
from receiver.storage import appliances, fleet, machine_states
from receiver.storage.machine_certificates import Registration
from receiver.storage.machine_states import MachineState
from receiver.storage.tenant_scope import TenantSession

_RETRY_SECONDS = 60
_OTHER_MACHINE = frozenset({CloneFinding.OTHER_ENDORSEMENT_KEY, CloneFinding.OTHER_ATTESTATION_KEY})


class Shown(Struct, frozen=True):
    """What a request showed of its machine."""

    at: datetime
    """When the request came in, before it waited for anything."""
    key_protection: KeyProtection
    facts: MachineFacts | None
    """None: a machine without a TPM."""
    again: bool
    """The same key was asked for before: the same evidence once more is a request that was sent again."""


async def judge_machine(
    session: TenantSession, registration: Registration, shown: Shown, *, pinned: KeyProtection | None, now: datetime
) -> None:
    """Compare a machine with what its appliance showed before, and keep what it shows now.

    Raises:
        ProblemError: ``anchor_lowered``; ``appliance_quarantined`` for a copy; ``unavailable`` for evidence that a
            later request has overtaken.
    """
    if pinned is not None and is_lowered(pinned, offered=shown.key_protection):
        raise await _lowered(session, registration.appliance_id, now=now)
    before = await machine_states.find(session, registration.appliance_id)
    if shown.facts is not None:
        await _require_sole(session, registration, shown.facts, now=now)
        findings = [] if before is None else _findings(before, shown)
        if before is not None and findings and shown.at < before.seen_at:
            raise _overtaken()
        if findings:
            kind = EventKind.MACHINE_CHANGED if _OTHER_MACHINE & set(findings) else EventKind.COUNTER_FELL
            raise await keep_out(session, registration, kind, now=now, facts={"findings": " ".join(findings)})
    state = MachineState(key_protection=shown.key_protection, facts=shown.facts, seen_at=shown.at)
    await machine_states.save(session, registration.appliance_id, state)
    if shown.key_protection is not pinned:
        await machine_states.pin(session, registration.appliance_id, key_protection=shown.key_protection)


async def require_unheld(
    session: TenantSession, name: str, *, public_key: bytes, facts: MachineFacts | None, now: datetime
) -> None:
    """Keep out a newcomer whose machine or key another appliance of the tenant holds; for each step of an enrollment.

    Args:
        session: within the tenant.
        name: the appliance that it is to be; one that does not exist is made, quarantined.
        public_key: SHA-256 of its key's SubjectPublicKeyInfo.
        facts: what it showed; None without a TPM.
        now: the instant of the decision.

    Raises:
        ProblemError: ``appliance_quarantined``: until an administrator revokes the other and releases this one.
    """
    standing = await fleet.lock(session, name)
    if standing is not None and standing.state is ApplianceState.QUARANTINED:
        raise quarantined()
    own = None if standing is None else standing.appliance_id
    holder = await fleet.holder_of_key(session, public_key, besides=own)
    if holder is None and facts is not None:
        holder = await fleet.holder_of_machine(session, facts.ek_hash, besides=own)
    if holder is None:
        return
    if own is None:
        own = uuid4()
        await appliances.add(session, appliance_id=own, name=name, now=now)
        await fleet.set_state(session, own, ApplianceState.QUARANTINED)
    await alarm_once(session, EventKind.MACHINE_HELD_TWICE, appliance_id=own, now=now, facts={"held_by": holder.hex})
    raise _recorded(quarantined())


def _findings(before: MachineState, shown: Shown) -> list[CloneFinding]:
    if before.facts is None or shown.facts is None or (shown.again and before.facts == shown.facts):
        return []
    return compare(before.facts, shown.facts)


async def _require_sole(
    session: TenantSession, registration: Registration, facts: MachineFacts, *, now: datetime
) -> None:
    holder = await fleet.holder_of_machine(session, facts.ek_hash, besides=registration.appliance_id)
    if holder is not None:
        about = {"held_by": holder.hex}
        raise await keep_out(session, registration, EventKind.MACHINE_HELD_TWICE, now=now, facts=about)


async def _lowered(session: TenantSession, appliance_id: UUID, *, now: datetime) -> RecordedRefusalError:
    await alarm_once(session, EventKind.ANCHOR_LOWERED, appliance_id=appliance_id, now=now)
    return RecordedRefusalError(
        ProblemCode.ANCHOR_LOWERED,
        detail="what guards the machine's keys is weaker than what was pinned",
        hint="Restore the TPM and the measured boot of this machine, or enrol it again with a new invitation.",
    )


def _overtaken() -> ProblemError:
    return ProblemError(
        ProblemCode.UNAVAILABLE,
        detail="a later request of this appliance was judged first",
        hint="Ask again with fresh evidence.",
        retry_after_seconds=_RETRY_SECONDS,
    )


def _recorded(refusal: ProblemError) -> RecordedRefusalError:
    return RecordedRefusalError(refusal.problem, detail=refusal.detail, hint=refusal.advice)
