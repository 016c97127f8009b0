"""An appliance as its tenant's administrators see it."""

from datetime import datetime

from msgspec import Struct

from appliance.wire.batch import KeyProtection
from receiver.domain.fleet_rules import ApplianceState
from receiver.domain.security_event import EventKind


class ApplianceView(Struct, frozen=True):
    """An appliance as its administrators see it."""

    name: str
    state: ApplianceState
    key_protection: KeyProtection | None
    """What guards its keys; null before it has said so."""
    last_seen_at: datetime | None
    """When it last delivered or reported; null before it did."""
    certificate_expires_at: datetime | None
    """When its newest certificate ends; null if it has none that opens the door."""
    quarantined_certificates: int
    waits_for_approval: bool
    """Its certificate ended and it asks to come back."""
    open_alarms: list[EventKind]
    """Oldest first."""


class ApplianceList(Struct, frozen=True):
    """The answer: all appliances of the tenant, by name."""

    appliances: list[ApplianceView]
