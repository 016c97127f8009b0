"""Which generations of the authority there are and at which step of a rollover each is.

Rules: generations are announced, then issue, then go out, then are retired, in the order of their numbers; exactly one
issues; one at most is announced. One that goes out can be retired once nothing that it issued, and no
cross-certificate for it, is valid: ``retire_from`` says when that is for certain.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from receiver.domain.certificate_profile import MACHINE_LIFETIME
from receiver.errors import RolloverRefusedError


class Step(StrEnum):
    """How far a generation is."""

    ANNOUNCED = "announced"
    """Trusted and told to the machines; issues nothing yet."""
    ISSUING = "issuing"
    OUTGOING = "outgoing"
    """Trusted for what it has issued."""


class Generation(Struct, frozen=True, forbid_unknown_fields=True):
    """One root with its issuing CA."""

    number: Annotated[int, Meta(ge=1, le=9999)]
    step: Step
    retire_from: Annotated[datetime, Meta(tz=True)] | None = None
    """Of an outgoing one."""


class Ledger(Struct, frozen=True, forbid_unknown_fields=True):
    """All generations that are trusted, oldest first."""

    generations: Annotated[tuple[Generation, ...], Meta(min_length=1)]
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        """Refuse what breaks the rules; raises ``ValueError``."""
        numbers = [generation.number for generation in self.generations]
        steps = [generation.step for generation in self.generations]
        newer = [Step.ISSUING, Step.ANNOUNCED] if steps[-1] is Step.ANNOUNCED else [Step.ISSUING]
        older = len(steps) - len(newer)
        dated = [generation.retire_from is not None for generation in self.generations]
        in_order = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if not in_order or steps != [Step.OUTGOING] * older + newer or dated != [True] * older + [False] * len(newer):
            raise ValueError("the generations are not in order")

    @property
    def issuing(self) -> Generation:
        """The one that issues."""
        return next(generation for generation in self.generations if generation.step is Step.ISSUING)

    @property
    def newest(self) -> Generation:
        """The one that was announced last."""
        return self.generations[-1]


FIRST = Ledger(generations=(Generation(number=1, step=Step.ISSUING),))
"""The ledger of a fresh authority."""


def announce(ledger: Ledger) -> Ledger:
    """Add the next generation.

    Raises:
        RolloverRefusedError: one is announced already.
    """
    if ledger.newest.step is Step.ANNOUNCED:
        raise RolloverRefusedError(f"generation {ledger.newest.number} is announced already; it is to issue first")
    fresh = Generation(number=ledger.newest.number + 1, step=Step.ANNOUNCED)
    return replace(ledger, generations=(*ledger.generations, fresh))


def switch(ledger: Ledger, *, now: datetime, bridge_ends_at: datetime) -> Ledger:
    """Let the announced generation issue, and the one before go out.

    Args:
        ledger: before.
        now: nothing is issued under the old generation after it.
        bridge_ends_at: when the last cross-certificate for the old root ends.

    Raises:
        RolloverRefusedError: none is announced.
    """
    if ledger.newest.step is not Step.ANNOUNCED:
        raise RolloverRefusedError("no generation is announced")
    *others, old, new = ledger.generations
    old = replace(old, step=Step.OUTGOING, retire_from=max(now + MACHINE_LIFETIME, bridge_ends_at))
    return replace(ledger, generations=(*others, old, replace(new, step=Step.ISSUING)))


def retire(ledger: Ledger, *, now: datetime) -> Ledger:
    """Drop the oldest generation.

    Raises:
        RolloverRefusedError: it has not gone out, or something that it issued may still be valid.
    """
    oldest = ledger.generations[0]
    if oldest.retire_from is None:
        raise RolloverRefusedError("no generation has gone out")
    if now < oldest.retire_from:
        until = f"{oldest.retire_from:%Y-%m-%dT%H:%M:%SZ}"
        raise RolloverRefusedError(f"what generation {oldest.number} issued may be valid until {until}")
    return replace(ledger, generations=ledger.generations[1:])
