"""What an administrator sees of a tenant's appliances, and decides about them.

Each decision is an event too, and closes the alarms of its appliance. It holds from the next request on.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, structs

from receiver.domain.appliance_view import ApplianceList, ApplianceView
from receiver.domain.authz import Permission, Principal, require
from receiver.domain.fleet_rules import (
    APPROVAL_LIFETIME,
    ApplianceState,
    RevocationReason,
    is_approved,
)
from receiver.domain.security_event import EventKind, Fact, SecurityEvent
from receiver.errors import (
    ApplianceUnknownError,
    NothingQuarantinedError,
    ReturnContestedError,
    ReturnNotWaitingError,
)
from receiver.ports import Clock
from receiver.storage import fleet, invitations, machine_certificates, machine_returns, security_events
from receiver.storage.tenant_scope import TenantSession


class Released(Struct, frozen=True):
    """What a release changed, in certificates."""

    released: int
    revoked: int


class Fleet:
    """One tenant's appliances, for the operator."""

    def __init__(self, session: TenantSession, *, clock: Clock) -> None:
        """Work within ``session``."""
        self._session = session
        self._clock = clock

    async def list_all(self) -> list[ApplianceView]:
        """All appliances, by name."""
        return await _views(self._session, now=self._clock.now())

    async def events(self) -> list[SecurityEvent]:
        """What happened, newest first; another appliance in the facts is given by its name."""
        names: dict[Fact, str] = {entry.appliance_id.hex: entry.name for entry in await fleet.list_all(self._session)}
        return [
            structs.replace(event, facts={code: names.get(fact, fact) for code, fact in event.facts.items()})
            for event in await security_events.list_all(self._session)
        ]

    async def approve(self, name: str) -> None:
        """Let an appliance come back that asks to.

        Raises:
            ApplianceUnknownError: there is none of that name.
            ReturnNotWaitingError: it does not ask.
            ReturnContestedError: two keys ask for it.
        """
        standing = await self._lock(name)
        now = self._clock.now()
        waiting = [
            entry
            for entry in await machine_returns.list_of(self._session, standing.appliance_id)
            if not is_approved(entry.approved_at, now=now) and now - entry.asked_at < APPROVAL_LIFETIME
        ]
        if not waiting or standing.state is not ApplianceState.ACTIVE:
            raise ReturnNotWaitingError("the appliance does not ask to come back")
        if len(waiting) > 1:
            raise ReturnContestedError("two machines ask to come back as this appliance")
        await machine_returns.approve(self._session, waiting[0], at=now)
        await self._note(EventKind.RETURN_APPROVED, standing)

    async def revoke(self, name: str, *, reason: RevocationReason = RevocationReason.UNSPECIFIED) -> int:
        """Revoke an appliance, all its certificates and open invitations; give how many certificates there were.

        Raises:
            ApplianceUnknownError: there is none of that name.
        """
        now = self._clock.now()
        # Before the appliance's lock, as an enrollment does it: so neither waits for the other for ever.
        await invitations.withdraw(self._session, appliance=name, now=now)
        standing = await self._lock(name)
        await fleet.set_state(self._session, standing.appliance_id, ApplianceState.REVOKED)
        revoked = await machine_certificates.revoke(self._session, standing.appliance_id, at=now)
        await self._note(EventKind.REVOKED, standing, {"certificates": revoked, "reason": reason.value})
        return revoked

    async def revoke_copy(self, name: str, *, reason: RevocationReason = RevocationReason.UNSPECIFIED) -> int:
        """Decide that what is quarantined of an appliance is a copy: revoke that, and leave the rest; give how many.

        Raises:
            ApplianceUnknownError: there is none of that name.
            NothingQuarantinedError: nothing of it is quarantined.
        """
        found = await fleet.look(self._session, name)
        if found is not None and found.state is ApplianceState.QUARANTINED:
            # A newcomer: all of it is the copy.
            return await self.revoke(name, reason=reason)
        standing = await self._lock(name)
        revoked = await machine_certificates.revoke(
            self._session, standing.appliance_id, at=self._clock.now(), quarantined=True
        )
        if not revoked:
            raise NothingQuarantinedError("nothing of the appliance is quarantined")
        await self._note(EventKind.REVOKED, standing, {"certificates": revoked, "reason": reason.value})
        return revoked

    async def release(self, name: str) -> Released:
        """Decide that what is quarantined of an appliance is the right machine; whatever else it holds is revoked.

        The next thing that the machine shows of itself is believed. Where nothing is quarantined, this settles the
        appliance's alarms and changes nothing else.

        Raises:
            ApplianceUnknownError: there is none of that name.
            NothingQuarantinedError: nothing of it is quarantined, and no alarm is open.
        """
        standing = await self._lock(name)
        appliance_id = standing.appliance_id
        released = await machine_certificates.release(self._session, appliance_id)
        revoked = 0
        if released:
            revoked = await machine_certificates.revoke_besides(
                self._session, appliance_id, keep=released, at=self._clock.now()
            )
            await fleet.forget_machine(self._session, appliance_id)
        if standing.state is ApplianceState.QUARANTINED:
            await fleet.set_state(self._session, appliance_id, ApplianceState.ACTIVE)
        elif not released and appliance_id not in await security_events.open_alarms(self._session):
            raise NothingQuarantinedError("nothing of the appliance is quarantined, and no alarm is open")
        outcome = Released(released=len(released), revoked=revoked)
        await self._note(EventKind.RELEASED, standing, {"released": outcome.released, "revoked": revoked})
        return outcome

    async def _lock(self, name: str) -> fleet.Standing:
        standing = await fleet.lock(self._session, name)
        if standing is None:
            raise ApplianceUnknownError("the tenant has no appliance of that name")
        return standing

    async def _note(self, kind: EventKind, standing: fleet.Standing, facts: Mapping[str, Fact] | None = None) -> None:
        now = self._clock.now()
        await security_events.add(self._session, kind, appliance_id=standing.appliance_id, at=now, facts=facts)


class FleetListing:
    """A tenant's appliances as one principal may see them."""

    def __init__(self, session: TenantSession, *, principal: Principal, clock: Clock) -> None:
        """Work within ``session`` on behalf of ``principal``."""
        self._session = session
        self._principal = principal
        self._clock = clock

    async def list_all(self) -> ApplianceList:
        """Give all appliances; alarms are part of what is audited.

        Raises:
            ProblemError: ``forbidden``.
        """
        require(self._principal, Permission.AUDIT_READ)
        return ApplianceList(appliances=await _views(self._session, now=self._clock.now()))


async def _views(session: TenantSession, *, now: datetime) -> list[ApplianceView]:
    alarms = await security_events.open_alarms(session)
    waiting = await machine_returns.list_waiting(session, since=now - APPROVAL_LIFETIME)
    return [
        ApplianceView(
            name=entry.name,
            state=entry.state,
            key_protection=entry.key_protection,
            last_seen_at=entry.last_seen_at,
            certificate_expires_at=entry.certificate_expires_at,
            quarantined_certificates=entry.quarantined,
            waits_for_approval=entry.appliance_id in waiting,
            open_alarms=alarms.get(entry.appliance_id, []),
        )
        for entry in await fleet.list_all(session)
    ]
