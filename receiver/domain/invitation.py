"""Invitations: ``nte_<id>_<secret>_<crc32>``, scoped tokens that open enrollment once.

Once means for one TLS key: the first that presents the token owns it and may come again within its life, after a lost
answer or a power cut; every other key is refused. A token that is unknown, withdrawn or wrong is refused in the same
words, after the same work.
"""

import hmac
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final
from uuid import UUID

from msgspec import Struct

from appliance.wire.problem import ProblemCode
from receiver.domain.scoped_token import ScopedToken
from receiver.errors import ProblemError

LIFETIME: Final = timedelta(hours=24)
_HEAD: Final = "nte"
_NOBODY: Final = bytes(32)
"""Compared with where there is no row, so that a missing one takes as long as a wrong secret."""


class InvitationToken(ScopedToken, frozen=True):
    """A well-formed token, not yet proven."""


class Invitation(Struct, frozen=True):
    """What is kept of an invitation; its ``repr`` is safe, as the hash is peppered."""

    invitation_id: str
    secret_hash: bytes
    appliance: str
    created_at: datetime
    expires_at: datetime
    used_by: bytes | None = None
    """SHA-256 of the SubjectPublicKeyInfo of the key that owns it."""
    enrolled_at: datetime | None = None
    withdrawn_at: datetime | None = None
    contested_at: datetime | None = None
    """When another key than the owner's last presented it."""


class Standing(Enum):
    """What a proven invitation is to the key that presents it."""

    FRESH = auto()
    """Nobody's yet."""
    OWN = auto()
    CONTESTED = auto()
    """Another key's."""


def compose(*, tenant_id: UUID, id_bytes: bytes, secret_bytes: bytes) -> tuple[InvitationToken, str]:
    """Give a new token and its text, which is shown once; arguments as of ``ScopedToken.make``."""
    token = InvitationToken.make(tenant_id=tenant_id, id_bytes=id_bytes, secret_bytes=secret_bytes)
    return token, token.spell(head=_HEAD)


def parse(text: str) -> InvitationToken:
    """Read a token's text.

    Raises:
        ProblemError: ``invitation_unknown``.
    """
    token = InvitationToken.read(text, head=_HEAD)
    if token is None:
        raise unknown()
    return token


def prove(found: Invitation | None, *, offered: bytes, now: datetime) -> Invitation:
    """Check that a token opens something now.

    Args:
        found: the invitation that the token names, within its tenant.
        offered: the hash of the token's secret.
        now: aware, UTC.

    Raises:
        ProblemError: ``invitation_unknown``, or ``invitation_expired`` to whoever knows the secret.
    """
    matches = hmac.compare_digest(_NOBODY if found is None else found.secret_hash, offered)
    if found is None or not matches:
        raise unknown()
    require_open(found, now=now)
    return found


def require_open(invitation: Invitation, *, now: datetime) -> None:
    """Refuse one that was withdrawn or whose time is over. Raises as ``prove``."""
    if invitation.withdrawn_at is not None:
        raise unknown()
    if invitation.expires_at <= now:
        raise _expired()


def standing(invitation: Invitation, *, public_key: bytes) -> Standing:
    """Say whose invitation it is, for the SHA-256 of a key's SubjectPublicKeyInfo."""
    if invitation.used_by is None:
        return Standing.FRESH
    return Standing.OWN if invitation.used_by == public_key else Standing.CONTESTED


def describe(invitation: Invitation, *, now: datetime) -> str:
    """Say in a word what became of an invitation, for the operator."""
    if invitation.withdrawn_at is not None:
        return "withdrawn"
    if invitation.enrolled_at is not None:
        return "enrolled"
    if invitation.expires_at <= now:
        return "expired"
    return "open" if invitation.used_by is None else "begun"


def unknown() -> ProblemError:
    """The one refusal for every token that opens nothing, so that probing learns nothing."""
    return ProblemError(
        ProblemCode.INVITATION_UNKNOWN,
        detail="the invitation is not one of this receiver, or was withdrawn",
        hint="Ask the receiver's operator for a new one: `natalia-receiver appliance invite`.",
    )


def _expired() -> ProblemError:
    return ProblemError(
        ProblemCode.INVITATION_EXPIRED,
        detail="the invitation is older than 24 hours",
        hint="Ask the receiver's operator for a new one: `natalia-receiver appliance invite`.",
    )
