"""The running appliance against a receiver that fails in every way: nothing is lost and nothing overtakes."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
import zstandard

from appliance.errors import BufferUnusableError
from appliance.wire.batch import Batch, HighWater, Verdict
from appliance.wire.codec import encode_answer
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, ProblemCode, problem
from tests.support.cdr_generator import generate
from tests.support.running_site import BATCH_RECORDS, PATIENCE_SECONDS, Receiver, SiteUnderTest, until
from tests.support.tls_peer import Authority, Reply, Request, TlsPeer, reply, server_context


async def test_a_wrong_time_zone_is_reported(tmp_path: Path) -> None:
    """The feed's own epochs tell of Brussels, the settings say Lisbon: the status says which zone would fit."""
    authority = Authority()
    async with TlsPeer(server_context(authority), Receiver()) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity(), zone="Europe/Lisbon")
        site.feed.write_bytes(generate(rows=100, seed=21))
        async with site.running():
            await until(site.is_drained)
    (feed,) = site.status.feeds
    assert (feed.zone_fits, feed.zones_that_fit[0]) == (False, "Europe/Brussels")


def answers(
    status: int, body: bytes = b"", *, headers: Sequence[str] = (), media_type: str = "application/json"
) -> Callable[[Request], Reply]:
    """A receiver that always says this."""
    return lambda _: reply(status, body, headers=headers, media_type=media_type)


def lying(request: Request) -> Reply:
    """A verdict that does not account for every record."""
    batch = msgspec.json.decode(zstandard.decompress(request.body), type=Batch)
    mark = HighWater(batch.epoch, batch.sequence)
    return reply(200, encode_answer(Verdict(batch.epoch, batch.sequence, 1, 0, [], mark)))


def refusal(code: ProblemCode) -> Callable[[Request], Reply]:
    """A problem document of ``code``."""
    document = problem(code, detail="no", hint="none")
    return answers(document.status, encode_answer(document), media_type=PROBLEM_MEDIA_TYPE)


RETRIED = {
    "500": answers(500),
    "502 in HTML": answers(502, b"<html>Bad gateway</html>", media_type="text/html"),
    "429 with a wait": answers(429, headers=["Retry-After: 77"]),
    "200 in HTML": answers(200, b"<html>Login</html>", media_type="text/html"),
    "200 with half an answer": answers(200, b'{"type":"verdict.v1","epoch":1'),
    "a lying verdict": lying,
    "ten megabytes": answers(200, b" " * 10_000_000),
    "a redirect": answers(307, headers=["Location: https://elsewhere.example/"]),
    "certificate not known": refusal(ProblemCode.UNAUTHENTICATED),
    "certificate revoked": refusal(ProblemCode.FORBIDDEN),
    "no answer at all": lambda _: None,
}


@pytest.mark.parametrize("failure", RETRIED.values(), ids=RETRIED.keys())
async def test_an_unwell_receiver_costs_nothing(tmp_path: Path, failure: Callable[[Request], Reply]) -> None:
    """The same batch is sent until it is answered soundly; everything arrives once and in order."""
    receiver = Receiver(failure, failure)
    authority = Authority()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=100, seed=21))
        async with site.running():
            await until(lambda: bool(receiver.order) and site.is_drained())
    stats = site.status.buffer
    (tally,) = stats.tallies
    assert len(receiver.order) == tally.counts["recorded"] == tally.counts["acknowledged"]
    assert "set_aside" not in tally.counts
    assert [batch_key(body) for body in receiver.bodies] == sorted(batch_key(body) for body in receiver.bodies)


def batch_key(body: bytes) -> tuple[int, int]:
    """Epoch and sequence of a batch as it was sent."""
    batch = msgspec.json.decode(zstandard.decompress(body), type=Batch)
    return batch.epoch, batch.sequence


@pytest.mark.parametrize("code", [ProblemCode.BATCH_INVALID, ProblemCode.MALFORMED_REQUEST])
async def test_a_batch_refused_for_good_is_kept_encrypted_and_the_rest_goes_on(
    tmp_path: Path, code: ProblemCode
) -> None:
    """A 422 sets one batch aside, counted under its code; the others are delivered."""
    receiver = Receiver(refusal(code))
    authority = Authority()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=150, seed=22))
        async with site.running():
            await until(lambda: bool(receiver.order) and site.is_drained())
    stats = site.status.buffer
    (tally,) = stats.tallies
    assert [(item.kind, item.reason, item.records) for item in stats.quarantine if item.kind == "batch"] == [
        ("batch", code.value, BATCH_RECORDS)
    ]
    assert len(receiver.order) == tally.counts["recorded"] - BATCH_RECORDS


async def test_a_server_of_another_authority_is_never_spoken_to(tmp_path: Path) -> None:
    """A wrong certificate is refused again and again; no request and no record reaches that server."""
    receiver = Receiver()
    mine, other = Authority(), Authority()
    async with TlsPeer(server_context(other, ask_client=False), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, mine.identity())
        site.feed.write_bytes(generate(rows=30, seed=23))
        async with site.running():
            await until(lambda: site.link_problem() == "uplink_untrusted" and site.status.buffer.records > 0)
    assert receiver.requests == 0
    assert site.status.buffer.records > 0
    assert (site.status.link.state, site.status.link.last_problem) == ("unavailable", "uplink_untrusted")


async def test_feed_states_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A feed without its file is unreadable, logged once; with it, it is read and then waits."""
    authority = Authority()
    receiver = Receiver()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        async with site.running():
            await until(lambda: site.status_is("unreadable"))
            site.feed.write_bytes(generate(rows=20, seed=24))
            await until(lambda: site.status_is("waiting") and bool(receiver.order))
    (feed,) = site.status.feeds
    assert feed.last_read_at is not None
    warnings = [record.getMessage() for record in caplog.records if "state=unreadable" in record.getMessage()]
    assert warnings == ["feed=main state=unreadable code=source_unreadable"]


async def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged rotation is counted by its kind, logged once, and the feed goes on."""
    authority = Authority()
    receiver = Receiver()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=20, seed=24))
        async with site.running():
            await until(lambda: site.status_is("waiting") and bool(receiver.order))
            site.feed.with_name("Master.csv.1.gz").write_bytes(b"\x1f\x8b\x08\0 no gzip, whatever its first bytes say")
            await until(lambda: site.status.feeds[0].file_problems == {"gzip_damaged": 1})
    assert site.status.feeds[0].state == "waiting"
    warnings = [record.getMessage() for record in caplog.records if record.name == "natalia.sources"]
    assert warnings == ["feed=main problem=gzip_damaged"]


async def test_the_receiver_is_told_what_became_of_every_line(tmp_path: Path) -> None:
    """By itself, while it runs: in the end its account is the appliance's own, and balances."""
    receiver = Receiver()
    authority = Authority()
    async with TlsPeer(server_context(authority), receiver) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.feed.write_bytes(generate(rows=120, seed=26))
        async with site.running():
            await until(lambda: site.is_drained() and list(receiver.accounts.values()) == site.status.buffer.accounts)
    (account,) = receiver.accounts.values()
    assert account.balanced
    assert (account.acknowledged, account.waiting) == (len(receiver.order), 0)
    assert site.status.completeness.last_problem is None
    assert site.status.completeness.last_reported_at is not None


async def test_a_broken_buffer_ends_the_appliance(tmp_path: Path) -> None:
    """Only a reopening helps, so the process ends with the error and its supervisor starts it again."""
    authority = Authority()
    async with TlsPeer(server_context(authority), Receiver()) as peer:
        site = SiteUnderTest(tmp_path, peer.url, authority.identity())
        site.buffer._connection.execute("DROP TABLE source")
        site.feed.write_bytes(generate(rows=20, seed=25))
        async with site.running() as task:
            with pytest.raises(BufferUnusableError):
                await asyncio.wait_for(asyncio.shield(task), PATIENCE_SECONDS)
