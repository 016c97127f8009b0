"""How the receiver tells that one appliance is in two places, from the keys that its certificates hold.

A renewal is asked for with a fresh key, so a certificate's key has at most one successor that is ever used: an
appliance keeps a new certificate durably before it uses it, and from then on never uses the one before. A copy of it
starts from the same key, and sooner or later one of these holds:

- a renewal with a key whose successor, another key than the one now asked for, is in use (``judge_renewal``); the same
  key again is the appliance asking again because the answer was lost;
- a request with a key whose successor has been in use for longer than ``GRACE`` (``judge_use``); within it, the
  request may have been on its way when the appliance changed over;
- a request with a key whose predecessor has another successor that was in use before (``judge_use``): both asked
  before either answer was used.

A successor that was certified and never used proves nothing: its answer was lost, or the power went before it was
kept. Who of the two is the copy nobody can tell from here: the one that comes second is kept out until an
administrator decides. Nothing here looks at the machine itself (``machine_evidence`` does), or at the time of the
appliance: every instant is the receiver's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from appliance.wire.batch import KeyProtection
from appliance.wire.problem import ProblemCode
from receiver.domain.security_event import EventKind
from receiver.errors import ProblemError

GRACE: Final = timedelta(minutes=10)
"""How long a request may be on its way, many times the appliance's own time limit for one."""
APPROVAL_LIFETIME: Final = timedelta(days=7)
"""How long an administrator's yes to a return holds, and how long one that nobody repeats waits for it."""
RETURN_BY_ITSELF: Final = timedelta(days=30)
"""How long after its certificate's end an appliance comes back without an administrator.

An outage of the receiver longer than a certificate's life must not cost every site a decision. A copy of a machine has
as long, which shows as at a renewal: by the second key that follows the same one.
"""
_LEVELS: Final = (KeyProtection.FILE, KeyProtection.TPM, KeyProtection.TPM_MEASURED_BOOT)


class ApplianceState(StrEnum):
    """Whether an appliance may have certificates."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    """It came with a machine that another appliance holds; an administrator decides."""
    REVOKED = "revoked"


class RevocationReason(StrEnum):
    """Why an appliance is revoked, as RFC 5280, 5.3.1 names it."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"


class CertifiedKey(Struct, frozen=True):
    """A key that holds a certificate of an appliance."""

    key: bytes
    """SHA-256 of its SubjectPublicKeyInfo."""
    predecessor: bytes | None
    """The key with which it was asked for; None: at an enrollment, or by the operator's hand."""
    first_used_at: datetime | None
    """When the first request came in that one of its certificates opened the door for."""
    revoked: bool = False
    """An administrator has decided about it: it proves nothing any more."""


def judge_use(mine: CertifiedKey, others: Iterable[CertifiedKey], *, at: datetime) -> EventKind | None:
    """Say what a request with ``mine`` that came in ``at`` reveals; None is an honest appliance.

    Args:
        mine: the key of the certificate that the request came with.
        others: the appliance's other keys, any order; those without a tie to ``mine`` may be left out.
        at: when the request came in, before it waited for anything.
    """
    relatives = list(others)
    superseded_at = _earliest(other for other in relatives if other.predecessor == mine.key)
    if superseded_at is not None and at - superseded_at > GRACE:
        return EventKind.CERTIFICATE_IN_TWO_PLACES
    rivalled_at = _earliest(
        other for other in relatives if mine.predecessor is not None and other.predecessor == mine.predecessor
    )
    if rivalled_at is not None and rivalled_at <= (mine.first_used_at or at):
        return EventKind.CERTIFICATE_IN_TWO_PLACES
    return None


def judge_renewal(
    mine: CertifiedKey, others: Iterable[CertifiedKey], *, asked: bytes, at: datetime
) -> EventKind | None:
    """Say what a renewal reveals, for a request that ``judge_use`` lets pass; None is an honest appliance.

    Args:
        mine: as of ``judge_use``.
        others: as of ``judge_use``; the one that is asked for must be among them, if there is one.
        asked: SHA-256 of the SubjectPublicKeyInfo that a certificate is asked for.
        at: as of ``judge_use``.

    Raises:
        ProblemError: ``evidence_invalid``: the key is not a new one; ``forbidden``: while this request was on its way
            the appliance has changed over to another key.
    """
    relatives = list(others)
    if _is_old(asked, mine, relatives):
        raise ProblemError(
            ProblemCode.EVIDENCE_INVALID,
            detail="the certificate request holds a key that was certified before",
            hint="Make a new key for each renewal, and keep it until its certificate is in use.",
        )
    superseded_at = _earliest(other for other in relatives if other.predecessor == mine.key and other.key != asked)
    if superseded_at is None:
        return None
    if superseded_at <= at:
        return EventKind.CERTIFICATE_REUSED
    raise ProblemError(
        ProblemCode.FORBIDDEN,
        detail="a newer certificate of this appliance came into use meanwhile",
        hint="Go on with the newer certificate.",
    )


def is_lowered(pinned: KeyProtection, *, offered: KeyProtection) -> bool:
    """Whether what guards the keys is weaker than what was pinned."""
    return _LEVELS.index(offered) < _LEVELS.index(pinned)


def needs_approval(ended_at: datetime, *, now: datetime) -> bool:
    """Whether an administrator must agree to the return of an appliance whose certificate ended then."""
    return now - ended_at > RETURN_BY_ITSELF


def is_approved(approved_at: datetime | None, *, now: datetime) -> bool:
    """Whether an administrator's yes to a return still holds."""
    return approved_at is not None and now - approved_at < APPROVAL_LIFETIME


def _is_old(asked: bytes, mine: CertifiedKey, relatives: list[CertifiedKey]) -> bool:
    """Whether a key is the one in use, or holds a certificate that another key asked for, or a revoked one."""
    known = [other for other in relatives if other.key == asked]
    return asked == mine.key or any(other.predecessor != mine.key or other.revoked for other in known)


def _earliest(keys: Iterable[CertifiedKey]) -> datetime | None:
    used = (key.first_used_at for key in keys if not key.revoked)
    return min((instant for instant in used if instant is not None), default=None)
