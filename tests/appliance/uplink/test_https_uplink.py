"""The uplink against a real TLS peer that behaves, fails or lies."""

import asyncio
import socket
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import msgspec
import pytest

from appliance.errors import UplinkError, UplinkUnavailableError, UplinkUntrustedError
from appliance.ports import PendingBatch
from appliance.uplink.https_uplink import HttpsUplink
from appliance.wire.batch import HighWater
from appliance.wire.codec import encode_answer
from appliance.wire.limits import MAX_ANSWER_BYTES
from appliance.wire.problem import ProblemCode, problem
from tests.support.fake_clock import FakeClock
from tests.support.records import START, verdict
from tests.support.tls_peer import Authority, Reply, Request, TlsPeer, reply, server_context

AUTHORITY = Authority()
BATCH = PendingBatch(epoch=3, sequence=7, records=5, body=b"(zstd)")
VERDICT = verdict(3, 7, accepted=5)
GOOD = reply(200, encode_answer(VERDICT))
INVALID = encode_answer(problem(ProblemCode.BATCH_INVALID, detail="at $.records[0]", hint="Update."))


def peer_that(answer: Callable[[Request], Reply] | Reply, *, half: bool = False) -> TlsPeer:
    """A peer that gives one answer to everything, or what a function says."""
    decide = answer if callable(answer) else lambda _: answer
    return TlsPeer(server_context(AUTHORITY), decide, half=half)


def uplink_to(peer: TlsPeer, *, seconds: float = 30.0) -> HttpsUplink:
    """An uplink with the authority's identity."""
    return HttpsUplink(peer.url, AUTHORITY.identity(), FakeClock(), total_timeout_seconds=seconds)


async def failure(peer: TlsPeer, *, seconds: float = 30.0) -> UplinkUnavailableError:
    """Send the batch; give the retryable error that must come."""
    async with peer, uplink_to(peer, seconds=seconds) as uplink:
        with pytest.raises(UplinkUnavailableError) as caught:
            await uplink.send(BATCH)
    return caught.value


async def test_a_batch_goes_up_as_it_stands_and_its_verdict_comes_down() -> None:
    """Path, headers and body are the contract's; the key names appliance, epoch and sequence, in quotes."""
    async with peer_that(GOOD) as peer, uplink_to(peer) as uplink:
        assert await uplink.send(BATCH) == VERDICT
    (request,) = peer.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/ingest/batches", b"(zstd)")
    expected = {
        "content-type": "application/json",
        "content-encoding": "zstd",
        "idempotency-key": '"edge-a/3/7"',
        "accept-encoding": "identity",
    }
    assert expected.items() <= request.headers.items()
    assert "cookie" not in request.headers


async def test_the_high_water_mark_is_asked_for_and_read() -> None:
    """A GET that carries nothing of a call."""
    answer = reply(200, encode_answer(HighWater(3, 6)))
    async with peer_that(answer) as peer, uplink_to(peer) as uplink:
        assert await uplink.high_water() == HighWater(3, 6)
    (request,) = peer.requests
    assert (request.method, request.path, request.body) == ("GET", "/v1/ingest/high-water", b"")


async def test_batches_share_one_connection() -> None:
    """One handshake, then keep-alive."""
    async with peer_that(GOOD) as peer, uplink_to(peer) as uplink:
        for _ in range(5):
            await uplink.send(BATCH)
        await asyncio.gather(uplink.send(BATCH), uplink.send(BATCH))
    assert len(peer.requests) == 7
    assert peer.connections == 1


async def test_no_cookie_is_sent_back() -> None:
    """A receiver cannot mark an appliance but by its certificate."""
    answer = reply(200, encode_answer(VERDICT), headers=["Set-Cookie: a=b; Path=/"])
    async with peer_that(answer) as peer, uplink_to(peer) as uplink:
        await uplink.send(BATCH)
        await uplink.send(BATCH)
    assert all("cookie" not in request.headers for request in peer.requests)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>welcome</html>",
        b"",
        encode_answer(VERDICT)[:-1],
        encode_answer(HighWater(3, 7)),
        encode_answer(verdict(3, 8, accepted=5)),
        encode_answer(verdict(2, 7, accepted=5)),
        encode_answer(verdict(3, 7, accepted=4)),
    ],
    ids=["html", "empty", "cut", "another type", "other sequence", "other epoch", "lying counts"],
)
async def test_a_200_that_is_no_verdict_on_this_batch_is_no_delivery(answer: bytes) -> None:
    """The batch stays and is sent again: nothing was acknowledged."""
    error = await failure(peer_that(reply(200, answer)))
    assert error.code == "uplink_unavailable"
    assert error.retry_after_seconds is None


@pytest.mark.parametrize("length", [MAX_ANSWER_BYTES + 1, 10_000_000])
@pytest.mark.parametrize("status", [200, 422, 503])
async def test_the_rest_of_a_long_answer_is_never_fetched(length: int, status: int) -> None:
    """One byte too many or ten megabytes, whatever the status."""
    error = await failure(peer_that(reply(status, b" " * length)))
    assert str(error) == "the answer is too long"


async def test_an_answer_as_long_as_is_allowed_is_read() -> None:
    """The bound itself is within bounds."""
    body = encode_answer(VERDICT)
    padded = body + b" " * (MAX_ANSWER_BYTES - len(body))
    async with peer_that(reply(200, padded)) as peer, uplink_to(peer) as uplink:
        assert await uplink.send(BATCH) == VERDICT


async def test_no_proxy_of_the_environment_is_used() -> None:
    """Nor its .netrc: the way to the receiver is in the settings alone."""
    async with peer_that(GOOD) as peer, uplink_to(peer) as uplink:
        assert uplink._connections._batches.trust_env is False


async def test_a_high_water_answer_that_is_none_is_tried_again() -> None:
    """The same rule as for batches."""
    async with peer_that(reply(200, b"[]")) as peer, uplink_to(peer) as uplink:
        with pytest.raises(UplinkUnavailableError):
            await uplink.high_water()


@pytest.mark.parametrize("cut", [10, 60, -1])
async def test_half_an_answer_is_none(cut: int) -> None:
    """The connection ends within the head, within the head's end, or one byte before the body's."""
    await failure(peer_that(GOOD[:cut], half=True))


@pytest.mark.parametrize("status", [500, 502, 503, 504, 501, 507, 429, 301, 302, 307])
async def test_a_receiver_that_is_not_ready_is_tried_again(status: int) -> None:
    """429, every 5xx, and a redirect, which is not followed."""
    answer = reply(status, headers=["Location: https://127.0.0.1:1/v1/ingest/batches"])
    peer = peer_that(answer)
    error = await failure(peer)
    assert str(error) == f"the receiver is not ready: http_{status}"
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(401, ProblemCode.UNAUTHENTICATED), (403, ProblemCode.FORBIDDEN), (404, ProblemCode.NOT_FOUND)]
)
async def test_a_refusal_of_us_is_none_of_the_batch(status: int, code: ProblemCode) -> None:
    """A revoked certificate or a wrong address must not cost the site its records; the code is in the message."""
    error = await failure(peer_that(reply(status, encode_answer(problem(code, detail="no", hint="Enrol.")))))
    assert str(error).endswith(f": {code}")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("999999", 3600.0),
        (format_datetime(START + timedelta(seconds=90), usegmt=True), 90.0),
        ("later", None),
    ],
)
async def test_the_wait_that_the_receiver_asks_for_is_carried(header: str, seconds: float | None) -> None:
    """In seconds or as a date by our clock, at most an hour."""
    error = await failure(peer_that(reply(429, headers=[f"Retry-After: {header}"])))
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (422, INVALID, "batch_invalid"),
        (400, b"<html>", "http_400"),
        (413, b"", "http_413"),
        (422, msgspec.json.encode({"code": "made_up"}), "http_422"),
    ],
)
async def test_a_refusal_for_good_carries_the_problems_code(status: int, body: bytes, code: str) -> None:
    """The code of the problem document, or the status where there is none; never the body."""
    async with peer_that(reply(status, body)) as peer, uplink_to(peer) as uplink:
        with pytest.raises(UplinkError) as caught:
            await uplink.send(BATCH)
    assert caught.value.problem_code == code
    assert "html" not in str(caught.value)


async def test_a_silent_receiver_is_left_after_the_timeout() -> None:
    """It took the request and never answers."""
    await failure(peer_that(None), seconds=0.5)


async def test_a_refused_connection_is_tried_again() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with HttpsUplink(f"https://127.0.0.1:{port}", AUTHORITY.identity(), FakeClock()) as uplink:
        with pytest.raises(UplinkUnavailableError) as caught:
            await uplink.send(BATCH)
    assert not isinstance(caught.value, UplinkUntrustedError)


@pytest.mark.parametrize("case", ["another CA", "another name", "expired"])
async def test_a_certificate_that_does_not_verify_is_untrusted(case: str) -> None:
    """Its own error type, so that an operator looks for a proxy; nothing is sent."""
    certificates = {
        "another CA": lambda: Authority().issue_server(),
        "another name": lambda: AUTHORITY.issue_server(host="receiver.example"),
        "expired": lambda: AUTHORITY.issue_server(valid=(-timedelta(days=3), -timedelta(days=1))),
    }
    context = server_context(AUTHORITY, certificate=certificates[case]())
    peer = TlsPeer(context, lambda _: GOOD)
    error = await failure(peer)
    assert isinstance(error, UplinkUntrustedError)
    assert peer.requests == []


async def test_a_receiver_that_does_not_know_our_ca_is_tried_again() -> None:
    """It ends the handshake; the records stay until somebody has put that right."""
    stranger = Authority()
    peer = TlsPeer(server_context(AUTHORITY), lambda _: GOOD)
    async with peer, HttpsUplink(peer.url, stranger.identity(anchors=AUTHORITY.pem), FakeClock()) as uplink:
        with pytest.raises(UplinkUnavailableError):
            await uplink.send(BATCH)
    assert peer.requests == []


async def test_a_peer_without_tls_gets_nothing() -> None:
    """Plain HTTP on the port: untrusted, and no request."""
    peer = TlsPeer(None, lambda _: GOOD, greeting=GOOD)
    error = await failure(peer)
    assert isinstance(error, UplinkUntrustedError)
    assert peer.requests == []


async def test_an_answer_that_is_no_http_is_tried_again() -> None:
    """Garbage where a status line belongs."""
    await failure(peer_that(b"SMTP ready\r\n\r\n", half=True))


async def test_an_inflated_answer_is_not_inflated() -> None:
    """A compressed answer was not asked for; its bytes are read as they are, and are no verdict."""
    answer = reply(200, b"\x1f\x8b\x08\x00" + b"\x00" * 100, headers=["Content-Encoding: gzip"])
    await failure(peer_that(answer))


async def test_the_uplink_goes_on_after_each_failure() -> None:
    """A long answer costs its connection, not the next batch."""
    answers = [reply(200, b" " * (MAX_ANSWER_BYTES + 1)), reply(500), GOOD]
    async with peer_that(lambda _: answers.pop(0)) as peer, uplink_to(peer) as uplink:
        for _ in range(2):
            with pytest.raises(UplinkUnavailableError):
                await uplink.send(BATCH)
        assert await uplink.send(BATCH) == VERDICT
    assert len(peer.requests) == 3
