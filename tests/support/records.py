"""Builders of wire records and buffer inputs for tests; every number and token is invented."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.ports import Intake, QuarantinedLine
from appliance.wire.batch import HighWater, Refusal, Verdict
from appliance.wire.call import NIBBLE_LETTERS, Call, Category, Direction, Disposition, Party
from appliance.wire.completeness import Account, Gap

START = datetime(2026, 10, 20, 8, 0, tzinfo=UTC)


def token(number: int) -> str:
    """A token of 32 letters that is different for each ``number``."""
    return "".join(NIBBLE_LETTERS[int(digit, 16)] for digit in f"{number:032x}")


def party(number: int = 1, *, category: Category = Category.EXTERNAL, clear_digits: str | None = "0193") -> Party:
    """A party with a pseudonym of its own."""
    return Party(category, f"k1_{token(number)}", clear_digits)


def call(number: int = 1, *, feed: str = "main", started_at: datetime | None = None) -> Call:
    """An answered inbound call; ``number`` makes it distinct."""
    start = START + timedelta(seconds=number) if started_at is None else started_at
    return Call(
        event_id=token(number),
        call_id=token(number + 10**12),
        leg=1,
        started_at=start,
        answered_at=start + timedelta(seconds=4),
        ended_at=start + timedelta(seconds=64),
        ring_seconds=4,
        talk_seconds=60,
        total_seconds=64,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED,
        calling=party(number),
        called=Party(Category.INTERNAL, f"k1_{token(7)}", None),
        forwarded_to=None,
        feed=feed,
        dialect="asterisk_csv",
        key_version=1,
    )


def intake(
    numbers: Sequence[int],
    *,
    position: bytes = b"position",
    feed: str = "main",
    quarantined: Sequence[QuarantinedLine] = (),
    ignored: int = 0,
    held: int = 0,
    gaps: Sequence[Gap] = (),
    day: str = "2026-10-20",
) -> Intake:
    """One read of ``feed`` that gave a call for each number."""
    return Intake(
        feed=feed,
        day=day,
        read=len(numbers) + len(quarantined) + ignored + held,
        calls=[call(number, feed=feed) for number in numbers],
        quarantined=quarantined,
        ignored=ignored,
        held=held,
        gaps=gaps,
        position=position,
    )


def verdict(
    epoch: int, sequence: int, *, accepted: int, duplicate: int = 0, refused: Sequence[Refusal] = ()
) -> Verdict:
    """An honest answer that raises the high-water mark to the batch itself."""
    return Verdict(epoch, sequence, accepted, duplicate, list(refused), HighWater(epoch, sequence))


def account(**changes: Any) -> Account:
    """A day of 12 lines, of which two records wait; it balances unless ``changes`` say otherwise."""
    values: dict[str, Any] = {
        "feed": "main",
        "day": "2026-10-20",
        "read": 12,
        "recorded": 9,
        "quarantined": 1,
        "ignored": 1,
        "held": 1,
        "waiting": 2,
        "acknowledged": 3,
        "duplicate": 1,
        "refused": 1,
        "set_aside": 1,
        "lost": 1,
        "chain_broken": 0,
        "reasons": [],
        "gaps": [],
    }
    return Account(**values | changes)
