"""Random lives of an appliance and of its copies, against the rules alone: a ledger that keeps what the tables keep.

A ``Site`` is a machine that does what the appliance does: it keeps the key that it asks for until a certificate for it
is in use, changes over at once, and may lose power, a request or an answer at any point.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Final

from msgspec.structs import replace

from receiver.domain.fleet_rules import GRACE, CertifiedKey, judge_renewal, judge_use
from receiver.domain.security_event import EventKind
from receiver.errors import ProblemError

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
_SERIALS: Final = count(1)


class KeptOutError(Exception):
    """The ledger does not take a request."""


def fresh_key() -> bytes:
    """A key that there was never before."""
    return next(_SERIALS).to_bytes(32)


@dataclass
class Ledger:
    """One appliance as the receiver knows it."""

    keys: dict[bytes, CertifiedKey] = field(default_factory=dict)
    quarantined: set[bytes] = field(default_factory=set)
    alarms: list[EventKind] = field(default_factory=list)
    now: datetime = START

    def enroll(self, key: bytes) -> None:
        """Certify a first key."""
        self.keys[key] = CertifiedKey(key, None, None)

    def use(self, key: bytes, at: datetime) -> None:
        """Take a request that came in ``at``; raises ``KeptOutError``."""
        if key not in self.keys or key in self.quarantined:
            raise KeptOutError
        mine = self.keys[key]
        self._keep_out(key, judge_use(mine, self._others(key), at=at))
        if mine.first_used_at is None:
            self.keys[key] = replace(mine, first_used_at=at)

    def renew(self, key: bytes, asked: bytes, at: datetime) -> None:
        """Certify ``asked``; raises ``KeptOutError``."""
        self.use(key, at)
        try:
            finding = judge_renewal(self.keys[key], self._others(key), asked=asked, at=at)
        except ProblemError:
            raise KeptOutError from None
        self._keep_out(key, finding)
        if asked in self.quarantined:
            raise KeptOutError
        self.keys.setdefault(asked, CertifiedKey(asked, key, None))

    def _others(self, key: bytes) -> list[CertifiedKey]:
        return [other for other in self.keys.values() if other.key != key]

    def _keep_out(self, key: bytes, finding: EventKind | None) -> None:
        if finding is not None:
            self.quarantined.add(key)
            self.alarms.append(finding)
            raise KeptOutError


@dataclass
class Site:
    """One machine; ``renewals`` counts the keys that it took into use since it was made."""

    ledger: Ledger
    key: bytes
    pending: bytes | None = None
    renewals: int = 0

    def copy(self) -> "Site":
        """What a copy of the disk is."""
        return Site(self.ledger, self.key, self.pending)

    def deliver(self, at: datetime) -> None:
        """Send a request."""
        try:
            self.ledger.use(self.key, at)
        except KeptOutError:
            return

    def renew(self, at: datetime, random: Random) -> None:
        """Ask for the next key, and change over unless something goes wrong on the way."""
        self.pending = asked = self.pending or fresh_key()
        fate = random.choice(["answered", "answered", "request lost", "answer lost", "power cut", "key forgotten"])
        if fate == "request lost":
            return
        old = self.key
        try:
            self.ledger.renew(old, asked, at)
        except KeptOutError:
            return
        if fate == "key forgotten":
            # A machine that lost the key that it asked for makes another one.
            self.pending = None
        if fate != "answered":
            return
        self.key, self.pending, self.renewals = asked, None, self.renewals + 1
        used_at = at + timedelta(seconds=random.uniform(0, 60))
        self.deliver(used_at)
        if random.random() < 0.5:
            # The last request with the old certificate was on its way meanwhile.
            late = Site(self.ledger, old)
            late.deliver(used_at + random.uniform(0, 1) * GRACE)


def live(sites: list[Site], random: Random, *, steps: int) -> None:
    """Let the sites do things in turn, up to days apart; each renews as often as it delivers."""
    for _ in range(steps):
        site = random.choice(sites)
        site.ledger.now += timedelta(minutes=random.choice([1, 5, 20, 60, 1440, 4320]))
        if random.random() < 0.5:
            site.deliver(site.ledger.now)
        else:
            site.renew(site.ledger.now, random)
