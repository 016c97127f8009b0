"""Reports of completeness over a real TLS peer: what goes up, and which answers are receipts."""

import asyncio

import pytest

from appliance.errors import UplinkError, UplinkUnavailableError
from appliance.ports import PendingBatch
from appliance.uplink.https_uplink import HttpsUplink
from appliance.wire.codec import decode_completeness, encode_answer
from appliance.wire.completeness import Completeness, Receipt
from appliance.wire.problem import ProblemCode, problem
from tests.support.fake_clock import FakeClock
from tests.support.records import account, verdict
from tests.support.tls_peer import Authority, Reply, Request, TlsPeer, reply, server_context

AUTHORITY = Authority()
REPORT = Completeness(3, [account()])


def receipt(number: int, newest: int, *, stored: bool) -> Reply:
    """An answer to a report."""
    return reply(200, encode_answer(Receipt(number, stored, newest)))


async def send(answer: Reply) -> tuple[Receipt, Request]:
    """Send the report to a peer that answers so; give what came back and what went up."""
    async with (
        TlsPeer(server_context(AUTHORITY), lambda _: answer) as peer,
        HttpsUplink(peer.url, AUTHORITY.identity(), FakeClock()) as uplink,
    ):
        got = await uplink.report(REPORT)
    (request,) = peer.requests
    return got, request


async def test_a_report_goes_up_and_its_receipt_comes_down() -> None:
    """Path, headers and body are the contract's."""
    got, request = await send(receipt(3, 3, stored=True))
    assert got == Receipt(3, stored=True, newest=3)
    assert (request.method, request.path) == ("POST", "/v1/ingest/completeness")
    assert (request.headers["content-type"], request.headers["content-encoding"]) == ("application/json", "zstd")
    assert decode_completeness(request.body) == REPORT


@pytest.mark.parametrize("newest", [3, 9])
async def test_a_report_that_is_not_the_newest_is_said_to_be_so(newest: int) -> None:
    """The receiver holds one with the same number, or a higher one."""
    got, _ = await send(receipt(3, newest, stored=False))
    assert (got.stored, got.newest) == (False, newest)


@pytest.mark.parametrize(
    "answer",
    [
        receipt(4, 4, stored=True),
        receipt(3, 4, stored=True),
        receipt(3, 2, stored=False),
        reply(200, b"<html>welcome</html>"),
        reply(200, encode_answer(verdict(1, 1, accepted=1))),
        reply(503),
        reply(401, encode_answer(problem(ProblemCode.UNAUTHENTICATED, detail="no", hint="none"))),
    ],
    ids=["of another", "stored as another", "older than this", "html", "a verdict", "not ready", "not known"],
)
async def test_an_answer_that_is_no_receipt_of_this_report_is_tried_again(answer: Reply) -> None:
    """The same rules as for batches."""
    with pytest.raises(UplinkUnavailableError):
        await send(answer)


async def test_a_refusal_for_good_carries_its_code() -> None:
    """A 422 judges the report."""
    document = problem(ProblemCode.BATCH_INVALID, detail="at $.accounts[0]", hint="Update.")
    with pytest.raises(UplinkError) as caught:
        await send(reply(422, encode_answer(document)))
    assert caught.value.problem_code == "batch_invalid"


async def test_a_report_that_is_never_answered_holds_up_no_batch() -> None:
    """They have a connection each."""

    def answer(request: Request) -> Reply:
        if request.path.endswith("completeness"):
            return None
        return reply(200, encode_answer(verdict(1, 1, accepted=5)))

    async with (
        TlsPeer(server_context(AUTHORITY), answer) as peer,
        HttpsUplink(peer.url, AUTHORITY.identity(), FakeClock()) as uplink,
    ):
        silent = asyncio.create_task(uplink.report(REPORT))
        while not peer.requests:  # noqa: ASYNC110 - the peer has no event for what it was asked
            await asyncio.sleep(0)
        for _ in range(3):
            assert (await uplink.send(PendingBatch(1, 1, 5, b"body"))).accepted == 5
        assert not silent.done()
        silent.cancel()
        await asyncio.gather(silent, return_exceptions=True)
