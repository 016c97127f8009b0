"""400 days in a minute: certificates of 7 days, a receiver that is away for weeks, two rollovers of its authority.

Real on both sides: the receiver's application, services, PostgreSQL and authority; the appliance's renewal, desk,
uplink and sealed files. The clock is simulated. TLS looks at the machine's own clock, so it is left out: requests go
to the application in this process, with the certificate where the receiver's protocol puts it, and both chains are
verified as TLS would verify them, at each side's simulated time (``tests/support/simulated_line``).

Three sites: ``steady`` is always on but for power cuts; ``closet`` is off for a year; ``weekend`` is off for up to 25
days at a time, and its clock is once wrong by ten years. On every line of the desk a request or an answer is lost now
and then. A day is lapsed if machine and receiver were on for all of it and nothing came through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import pytest

from receiver.domain.security_event import ALARMS, EventKind
from tests.support.accelerated_site import DAY, HOUR, Receiver, Site, anchors_of, open_receiver

DAYS: Final = 400
OFF_FROM, OFF_DAYS = 12, 365
OUTAGE_DAYS: Final = (20.0, 11.0, 8.0, 3.0, 0.5, 0.2, 0.1, 0.02)
"""The longest is longer than a certificate's life, and than any before its administrator would be asked."""
RETURN_SECONDS: Final = 1.5 * HOUR
"""Until the uplink works again: a try is repeated within an hour, and one that is lost soon after."""


class History:
    """What happens in one run; the same for one seed."""

    def __init__(self, seed: int, receiver: Receiver, folder: Path, *, names: Sequence[str], quiet: float) -> None:
        """Plan for these sites, each of which says something every ``quiet`` seconds."""
        self.random = Random(seed)  # noqa: S311 - a history is to be the same again
        self.receiver = receiver
        self.sites = {
            name: Site(name, folder, receiver, Random(f"{seed} {name}"), quiet)  # noqa: S311 - as above
            for name in names
        }

    async def live(self) -> None:
        """Enrol, plan, and let 400 days pass."""
        for site in self.sites.values():
            await site.enroll()
            await site.turn_on()
        self.plan_outages()
        self.plan_rollovers()
        for name, site in self.sites.items():
            {"steady": self.plan_steady, "closet": self.plan_closet, "weekend": self.plan_weekend}[name](site)
        for day in range(DAYS):
            self.at(day, self.receiver.keep)
        await self.receiver.timeline.run_until(DAYS * DAY)
        for site in self.sites.values():
            await site.turn_off()

    def at(self, day: float, work: Callable[[], Awaitable[None]]) -> None:
        """Plan something for a day."""
        self.receiver.timeline.at(day * DAY, work)

    def plan_outages(self) -> None:
        """One in each slice of the time, in any order, and none while the closet waits to be let in again."""
        outages = list(OUTAGE_DAYS)
        self.random.shuffle(outages)
        slice_days = (OFF_FROM + OFF_DAYS - 6) / len(outages)
        for number, length in enumerate(outages):
            start = 3 + number * slice_days + self.random.uniform(0, slice_days - length - 3)
            self.at(start, partial(self.receiver.become, self.random.choice(["down", "unwell"])))
            self.at(start + length, partial(self.receiver.become, "up"))

    def plan_rollovers(self) -> None:
        """Two; the machines have from one day to a month to hear of the new root."""
        for earliest in (20, 200):
            announced = earliest + self.random.uniform(0, 120)
            self.at(announced, self.receiver.announce)
            self.at(announced + self.random.uniform(1, 30), self.receiver.switch)

    def plan_steady(self, site: Site) -> None:
        """Always on, but for power cuts."""
        for _ in range(60):
            self.at(self.random.uniform(0, DAYS), site.cut_power)

    def plan_closet(self, site: Site) -> None:
        """Off for a year; its return is approved after two days."""
        self.at(OFF_FROM, site.turn_off)
        self.at(OFF_FROM + OFF_DAYS, site.turn_on)
        self.at(OFF_FROM + OFF_DAYS + 2, partial(self.receiver.approve, site.name))

    def plan_weekend(self, site: Site) -> None:
        """Off for up to 25 days at a time; its clock is some minutes wrong, and once by ten years for some hours."""
        day = 5.0
        while day < DAYS - 60:
            away = self.random.uniform(0.1, 25)
            self.at(day, site.turn_off)
            self.at(day + away, site.turn_on)
            day += away + self.random.uniform(2, 20)
        wrong_by = timedelta(seconds=self.random.uniform(-120, 120))
        self.at(0, partial(site.set_clock, wrong_by))
        self.at(DAYS - 20, partial(site.set_clock, timedelta(days=3650)))
        self.at(DAYS - 19.7, partial(site.set_clock, wrong_by))


def lossy(seed: int) -> Callable[[str], str | None]:
    """A line on which one request, and one answer, of fifty gets lost; the uplink's own do not, they measure."""
    random = Random(f"{seed} losses")  # noqa: S311 - a history is to be the same again

    def loses(path: str) -> str | None:
        return random.choices([None, "request", "answer"], [48, 1, 1])[0] if path.startswith("/.well") else None

    return loses


async def live_through(seed: int, folder: Path, *, names: Sequence[str], quiet: float) -> None:
    """Live through one history and verify what must hold of each."""
    async with open_receiver(folder / "receiver", lossy(seed)) as receiver:
        history = History(seed, receiver, folder, names=names, quiet=quiet)
        await history.live()
        lapsed = {name: site.meter.whole_days() for name, site in history.sites.items()}
        assert lapsed == {name: {"approval_pending": 2} if name == "closet" else {} for name in names}
        for site in history.sites.values():
            assert site.meter.longest(besides={"approval_pending", "enrollment_untrusted"}) <= quiet + RETURN_SECONDS
            assert {anchor.serial_number for anchor in anchors_of(site)} == {
                anchor.serial_number for anchor in receiver.service.authority.anchors
            }
        kinds = [event.kind for event in await receiver.events()]
        assert [kind for kind in kinds if kind in ALARMS] == []
        assert kinds.count(EventKind.RETURN_APPROVED) == 1
        assert receiver.rollovers == 2


@pytest.mark.timeout(900)
def test_no_uplink_lapses_in_400_days_but_for_the_year(tmp_path: Path) -> None:
    """One history of two sites; three sites and more histories are ``slow``."""
    asyncio.run(live_through(1, tmp_path, names=["steady", "closet"], quiet=12 * HOUR))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 8))
def test_no_uplink_lapses_in_any_history(tmp_path: Path, seed: int) -> None:
    """Other outages, other rollovers, other losses; a third site with absences and a wrong clock."""
    asyncio.run(live_through(seed, tmp_path, names=["steady", "closet", "weekend"], quiet=3 * HOUR))
