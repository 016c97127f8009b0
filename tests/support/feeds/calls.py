"""Invented calls of a Belgian office, for the feeds that write them in one format or another."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

FIRST_SECOND = 1_791_788_400
"""2026-10-12, 09:00 in Brussels; a feed of some thousand calls ends before the clocks change."""


@dataclass(frozen=True, slots=True)
class Invented:
    """One call, times in seconds; ``talk`` is 0 where nobody answered."""

    second: int
    calling: str
    called: str
    kind: str
    ring: int
    talk: int


def invented(random: Random, count: int) -> Iterator[Invented]:
    """Give calls in the order of their starts: from outside, to outside, and between colleagues."""
    second = 0
    for _ in range(count):
        second += random.randint(0, 40)
        inside, colleague = random.sample(range(201, 260), 2)
        outside = f"04{random.randint(70, 99)}{random.randint(0, 999_999):06}"
        calling, called, kind = random.choice(
            (
                (outside, str(inside), "Inbound"),
                (str(inside), "0" + outside, "Outbound"),
                (str(inside), str(colleague), "Internal"),
            )
        )
        talk = random.randint(1, 900) if random.random() < 0.75 else 0
        yield Invented(second, calling, called, kind, random.randint(1, 30), talk)
