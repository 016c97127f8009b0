"""Another identity is taken into use without a request failing, over a real TLS peer that sees each certificate."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec import structs

from appliance.errors import (
    CertificateRefusedError,
    IdentityMismatchError,
    UplinkError,
    UplinkUnavailableError,
    UplinkUntrustedError,
)
from appliance.ports import MachineIdentity, PendingBatch, SecretBytes
from appliance.uplink.https_uplink import BATCHES_PATH, COMPLETENESS_PATH, HIGH_WATER_PATH, HttpsUplink
from appliance.wire.batch import HighWater
from appliance.wire.codec import encode_answer
from appliance.wire.completeness import Completeness, Receipt
from appliance.wire.problem import ProblemCode, problem
from tests.support.fake_clock import FakeClock
from tests.support.records import account, verdict
from tests.support.tls_peer import Authority, Reply, Request, reply, server_context
from tests.support.watching_peer import WatchingPeer, leaf_of

AUTHORITY = Authority()
OLD, NEW = AUTHORITY.identity(), AUTHORITY.identity()
BATCH = PendingBatch(epoch=3, sequence=7, records=5, body=b"(zstd)")
REPORT = Completeness(3, [account()])
ANSWERS = {
    BATCHES_PATH: reply(200, encode_answer(verdict(3, 7, accepted=5))),
    COMPLETENESS_PATH: reply(200, encode_answer(Receipt(3, stored=True, newest=3))),
    HIGH_WATER_PATH: reply(200, encode_answer(HighWater(3, 6))),
}
FORBIDDEN = reply(
    403,
    encode_answer(problem(ProblemCode.FORBIDDEN, detail="not registered", hint="Enroll.")),
    media_type="application/problem+json",
)


def honest(request: Request) -> Reply:
    """The contract's answer."""
    return ANSWERS[request.path]


def peer_that(answer: Callable[[Request], Reply] = honest, *, held: str = "") -> WatchingPeer:
    """A peer; requests for ``held`` wait until it is told."""
    return WatchingPeer(server_context(AUTHORITY), answer, held={held})


def uplink_to(peer: WatchingPeer) -> HttpsUplink:
    """An uplink with the old identity."""
    return HttpsUplink(peer.url, OLD, FakeClock())


async def open_connections_are(peer: WatchingPeer, *identities: MachineIdentity) -> None:
    """Wait until those connections, and no others, are open."""
    async with asyncio.timeout(30):
        wanted = [leaf_of(identity) for identity in identities]
        while peer.open_with != wanted:  # noqa: ASYNC110 - the other side's state, which has no event
            await asyncio.sleep(0.01)


async def test_the_next_request_goes_out_with_the_new_certificate() -> None:
    """At once, and the connection on which it was tried serves it; the old one is closed."""
    async with peer_that() as peer, uplink_to(peer) as uplink:
        await uplink.send(BATCH)
        await uplink.adopt(NEW)
        await uplink.send(BATCH)
        await uplink.report(REPORT)
        await open_connections_are(peer, NEW, NEW)
    assert peer.asked_by == [leaf_of(OLD), leaf_of(NEW), leaf_of(NEW), leaf_of(NEW)]
    assert [request.path for request in peer.requests][1] == HIGH_WATER_PATH


@pytest.mark.parametrize("path", [BATCHES_PATH, COMPLETENESS_PATH], ids=["batch", "report"])
async def test_what_is_on_its_way_ends_on_the_old_connection(path: str) -> None:
    """It is answered, though a newer request was answered first; then the old connection is closed."""
    async with peer_that(held=path) as peer, uplink_to(peer) as uplink:
        slow = asyncio.create_task(uplink.send(BATCH) if path == BATCHES_PATH else uplink.report(REPORT))
        await peer.holding.wait()
        await uplink.adopt(NEW)
        await uplink.high_water()
        assert not slow.done()
        assert leaf_of(OLD) in peer.open_with
        peer.release.set()
        await slow
        await open_connections_are(peer, NEW)
    assert peer.asked_by[0] == leaf_of(OLD)
    assert set(peer.asked_by[1:]) == {leaf_of(NEW)}


async def test_a_request_that_waits_for_its_turn_is_on_its_way_too() -> None:
    """Batches share one connection; one that stood behind another when the certificate changed is sent all the same."""
    async with peer_that(held=BATCHES_PATH) as peer, uplink_to(peer) as uplink:
        both = [asyncio.create_task(uplink.send(BATCH)) for _ in range(2)]
        await peer.holding.wait()
        await uplink.adopt(NEW)
        peer.release.set()
        assert [answer.accepted for answer in await asyncio.gather(*both)] == [5, 5]
        await open_connections_are(peer, NEW)


async def test_a_certificate_that_the_receiver_refuses_is_not_taken() -> None:
    """The old one stays in use, and no request has failed."""

    def judge(request: Request) -> Reply:
        return honest(request) if peer.asked_by[-1] == leaf_of(OLD) else FORBIDDEN

    async with peer_that(judge) as peer, uplink_to(peer) as uplink:
        await uplink.send(BATCH)
        with pytest.raises(CertificateRefusedError, match="forbidden"):
            await uplink.adopt(NEW)
        assert not uplink.certificate_refused
        await uplink.send(BATCH)
        await open_connections_are(peer, OLD)
    assert peer.asked_by == [leaf_of(OLD), leaf_of(NEW), leaf_of(OLD)]


async def test_trust_anchors_that_do_not_know_the_receiver_are_not_taken() -> None:
    """A wrong set of anchors must not cut the site off."""
    stranger = structs.replace(NEW, trust_anchors=Authority().pem)
    async with peer_that() as peer, uplink_to(peer) as uplink:
        with pytest.raises(UplinkUntrustedError):
            await uplink.adopt(stranger)
        await uplink.send(BATCH)


@pytest.mark.parametrize("answer", [None, reply(418), reply(503), reply(200, b"[]")], ids=["none", "418", "503", "[]"])
async def test_a_certificate_that_may_have_been_seen_is_taken(answer: Reply) -> None:
    """The answer was lost, or said nothing of it: with the old one again the machine would look like its copy."""
    answers = iter([answer])
    async with (
        peer_that(lambda request: next(answers, honest(request))) as peer,
        HttpsUplink(peer.url, OLD, FakeClock(), total_timeout_seconds=1) as uplink,
    ):
        with pytest.raises((UplinkUnavailableError, UplinkError)):
            await uplink.adopt(NEW)
        await uplink.send(BATCH)
    assert peer.asked_by == [leaf_of(NEW), leaf_of(NEW)]


async def test_an_identity_that_does_not_load_is_not_taken() -> None:
    """Nothing was sent for it."""
    damaged = structs.replace(NEW, private_key=SecretBytes(b"no key"))
    async with peer_that() as peer, uplink_to(peer) as uplink:
        with pytest.raises(IdentityMismatchError):
            await uplink.adopt(damaged)
        await uplink.send(BATCH)
    assert peer.asked_by == [leaf_of(OLD)]


async def test_a_trial_that_is_given_up_leaves_no_connection() -> None:
    """The appliance is told to stop while the receiver thinks."""
    async with peer_that(held=HIGH_WATER_PATH) as peer, uplink_to(peer) as uplink:
        trial = asyncio.create_task(uplink.adopt(NEW))
        await peer.holding.wait()
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial
        peer.release.set()
        await open_connections_are(peer)
        await uplink.send(BATCH)


async def test_many_renewals_leave_one_connection() -> None:
    """Neither connections nor certificates pile up."""
    identities = [AUTHORITY.identity() for _ in range(10)]
    async with peer_that() as peer, uplink_to(peer) as uplink:
        for identity in identities:
            await uplink.adopt(identity)
            await uplink.send(BATCH)
        await open_connections_are(peer, identities[-1])


@pytest.mark.parametrize("status", [401, 403])
async def test_that_the_certificate_is_refused_is_known_until_it_is_taken(status: int) -> None:
    """So that the machine asks for another one; the batch waits."""
    answers = iter([reply(status)])
    async with peer_that(lambda request: next(answers, honest(request))) as peer, uplink_to(peer) as uplink:
        assert not uplink.certificate_refused
        with pytest.raises(CertificateRefusedError):
            await uplink.send(BATCH)
        assert uplink.certificate_refused
        await uplink.send(BATCH)
        assert not uplink.certificate_refused


async def test_that_the_old_certificate_is_refused_does_not_speak_of_the_new() -> None:
    """After it was taken, and also where the old one's refusal comes in later."""

    def judge(request: Request) -> Reply:
        return honest(request) if peer.asked_by[-1] == leaf_of(NEW) else FORBIDDEN

    async with peer_that(judge, held=COMPLETENESS_PATH) as peer, uplink_to(peer) as uplink:
        with pytest.raises(CertificateRefusedError):
            await uplink.send(BATCH)
        late = asyncio.create_task(uplink.report(REPORT))
        await peer.holding.wait()
        await uplink.adopt(NEW)
        assert not uplink.certificate_refused
        peer.asked_by.append(leaf_of(OLD))
        peer.release.set()
        with pytest.raises(CertificateRefusedError):
            await late
        assert not uplink.certificate_refused


async def test_a_refused_batch_keeps_the_wait_that_was_asked_for() -> None:
    """``Retry-After`` counts for a refusal of the certificate as well."""
    async with peer_that(lambda _: reply(403, headers=["Retry-After: 7"])) as peer, uplink_to(peer) as uplink:
        with pytest.raises(CertificateRefusedError) as caught:
            await uplink.send(BATCH)
    assert caught.value.retry_after_seconds == 7
