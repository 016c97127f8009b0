"""What a tenant's administrators are told of their appliances: kinds, codes and numbers, nothing personal."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

Fact = str | int
"""A code or a number; no name, no key, no text of a request."""


class EventKind(StrEnum):
    """What is worth telling the tenant's administrators. A kind is never renamed."""

    CERTIFICATE_REUSED = "certificate_reused"
    """A renewal with a key whose successor is in use."""
    CERTIFICATE_IN_TWO_PLACES = "certificate_in_two_places"
    """Two keys of one appliance are in use, neither of which follows from the other in time."""
    MACHINE_CHANGED = "machine_changed"
    """Another endorsement or attestation key than before."""
    COUNTER_FELL = "counter_fell"
    """A count of the TPM is lower than it was."""
    MACHINE_HELD_TWICE = "machine_held_twice"
    """A machine or a key that another appliance of the tenant holds."""
    ANCHOR_LOWERED = "anchor_lowered"
    """What guards the machine's keys is weaker than what was pinned."""
    RETURN_REQUESTED = "return_requested"
    RETURN_APPROVED = "return_approved"
    RELEASED = "released"
    REVOKED = "revoked"


ALARMS: Final = frozenset(
    {
        EventKind.CERTIFICATE_REUSED,
        EventKind.CERTIFICATE_IN_TWO_PLACES,
        EventKind.MACHINE_CHANGED,
        EventKind.COUNTER_FELL,
        EventKind.MACHINE_HELD_TWICE,
        EventKind.ANCHOR_LOWERED,
    }
)
"""Kinds that stay open until an administrator decides."""
DECISIONS: Final = frozenset({EventKind.RELEASED, EventKind.REVOKED})
"""Kinds that close every alarm of their appliance before them."""


class SecurityEvent(Struct, frozen=True):
    """What happened to which appliance."""

    at: datetime
    kind: EventKind
    appliance: str
    facts: dict[str, Fact]
    open: bool
    """An alarm about which no administrator has decided."""
