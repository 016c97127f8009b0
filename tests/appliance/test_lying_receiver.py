"""A receiver whose high-water mark is wrong, or whose answers come double or too late: all arrives, once, in order."""

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.wire.batch import HighWater
from tests.support.cdr_generator import generate
from tests.support.running_site import Receiver, SiteUnderTest, until
from tests.support.tls_peer import Authority, Reply, Request, TlsPeer, server_context

LAST = 2**53 - 1
LIES: dict[str, tuple[Callable[[HighWater], HighWater], str | None]] = {
    "as far ahead as can be said": (lambda _: HighWater(LAST, LAST), "mark_not_believed"),
    "nothing": (lambda _: HighWater(0, 0), None),
    "behind": (lambda mark: HighWater(mark.epoch, max(mark.sequence - 2, 0)), None),
    "ahead in this epoch": (lambda mark: HighWater(mark.epoch, mark.sequence + 1000), "older_copy"),
    "another epoch": (lambda mark: HighWater(mark.epoch + 5, 3), "older_copy"),
}
"""What is said instead of the mark, and how that is counted."""


async def deliver_all(folder: Path, receiver: Receiver) -> SiteUnderTest:
    """Run an appliance with 150 rows until nothing waits."""
    authority = Authority()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(folder, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=150, seed=61))
        async with site.running():
            await until(lambda: bool(receiver.order) and site.is_drained())
    return site


def total(site: SiteUnderTest) -> dict[str, int]:
    """The counts, over feeds and days."""
    counts: dict[str, int] = {}
    for tally in site.status.buffer.tallies:
        for kind, number in tally.counts.items():
            counts[kind] = counts.get(kind, 0) + number
    return counts


@pytest.mark.parametrize("lie", LIES)
async def test_a_wrong_high_water_mark_costs_nothing(tmp_path: Path, lie: str) -> None:
    """It is counted where it can be known; numbers of epochs are not used up by it."""
    mark, counted = LIES[lie]
    honest = Receiver()
    await deliver_all(folder(tmp_path, "honest"), honest)
    receiver = Receiver(mark=mark)
    site = await deliver_all(folder(tmp_path, "lied to"), receiver)
    counts = total(site)
    assert receiver.order == honest.order
    assert counts["acknowledged"] == counts["recorded"] == len(honest.order)
    assert "set_aside" not in counts
    assert {kind for kind in ("older_copy", "mark_not_believed") if kind in counts} == {counted} - {None}
    assert site.status.buffer.epoch < 1000


@pytest.mark.parametrize("way", ["double", "too late"])
async def test_an_answer_that_comes_double_or_too_late_is_no_other_batchs(tmp_path: Path, way: str) -> None:
    """The batch was stored: its retry is told so. A second copy of an answer is not taken for the next one's."""

    def spoil(request: Request) -> Reply:
        answer = receiver.accept(request)
        assert answer is not None
        return answer * 2 if way == "double" else None

    honest = Receiver()
    await deliver_all(folder(tmp_path, "honest"), honest)
    receiver = Receiver(spoil, spoil)
    site = await deliver_all(folder(tmp_path, "spoilt"), receiver)
    counts = total(site)
    assert receiver.order == honest.order
    assert counts["acknowledged"] + counts.get("duplicate", 0) == counts["recorded"]


def folder(parent: Path, name: str) -> Path:
    """A folder for one appliance."""
    made = parent / name
    made.mkdir()
    return made
