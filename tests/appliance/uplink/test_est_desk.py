"""The receiver's desk over real TLS: what goes out, what comes back, and what is believed of neither."""

import base64
import gzip
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.errors import (
    AnchorLoweredError,
    ApplianceError,
    ApprovalPendingError,
    ClockOffError,
    EnrollmentError,
    EnrollmentUnavailableError,
    EvidenceRefusedError,
    IdentityMismatchError,
    InvitationExpiredError,
    InvitationUnknownError,
    InvitationUsedError,
    QuarantinedError,
    ReceiverUntrustedError,
    RetryableError,
)
from appliance.identity.machine_key import MachineKey
from appliance.uplink.est_desk import EstDesk
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import encode_enrollment
from appliance.wire.enrollment import EnrollmentAnswer, EnrollmentRequest, EnrollmentState, FileEvidence
from appliance.wire.limits import MAX_ANSWER_BYTES
from appliance.wire.problem import ProblemCode
from tests.support.enrollment_desk import ENROLLMENT, TOKEN, certify, certs_only, refusal
from tests.support.fake_clock import FakeClock
from tests.support.tls_peer import APPLIANCE, TENANT, Authority, Reply, Request, TlsPeer, reply, server_context

AUTHORITY = Authority()
ISSUING = Authority(issuer=AUTHORITY)
KEY = MachineKey.generate()
ASKED = EnrollmentRequest(KEY.request(), KeyProtection.FILE, FileEvidence(), bytes(32), TOKEN)
ANSWER = EnrollmentAnswer(ENROLLMENT, TENANT, APPLIANCE, EnrollmentState.WAITING)
GOOD = reply(200, encode_enrollment(ANSWER))
LEAF = certify(KEY.request(), authority=ISSUING)
CHAIN = LEAF.public_bytes(Encoding.PEM) + ISSUING.pem
CERTIFICATES = certs_only(ISSUING.certificate, LEAF, AUTHORITY.certificate)


def peer_that(answer: Callable[[Request], Reply] | Reply, *, half: bool = False, ask_client: bool = False) -> TlsPeer:
    """A peer that gives one answer to everything, or what a function says."""
    decide = answer if callable(answer) else lambda _: answer
    return TlsPeer(server_context(AUTHORITY, ask_client=ask_client), decide, half=half)


def desk_at(peer: TlsPeer, *, seconds: float = 30.0) -> EstDesk:
    """The desk of a machine without a certificate, which trusts the authority."""
    return EstDesk.for_newcomer(peer.url, AUTHORITY.pem, FakeClock(), timeout_seconds=seconds)


async def failure(peer: TlsPeer, *, seconds: float = 30.0) -> ApplianceError:
    """Apply; give the error that must come."""
    async with peer, desk_at(peer, seconds=seconds) as desk:
        with pytest.raises(ApplianceError) as caught:
            await desk.apply(ASKED)
    return caught.value


async def test_an_application_goes_out_as_json_and_its_answer_comes_back() -> None:
    """Path, headers and body are the contract's."""
    async with peer_that(GOOD) as peer, desk_at(peer) as desk:
        assert await desk.apply(ASKED) == ANSWER
    (request,) = peer.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/enrollments", encode_enrollment(ASKED))
    assert {"content-type": "application/json", "accept-encoding": "identity"}.items() <= request.headers.items()
    assert not {"cookie", "authorization"} & request.headers.keys()


async def test_a_certificate_is_fetched_with_the_proof() -> None:
    """RFC 7030 4.2: PKCS #10 in base64, HTTP Basic; the chain comes back leaf first, without the root."""
    async with peer_that(CERTIFICATES) as peer, desk_at(peer) as desk:
        assert await desk.enroll(enrollment=ENROLLMENT, proof="ab" * 32, request=KEY.request()) == CHAIN
    (request,) = peer.requests
    assert (request.method, request.path) == ("POST", "/.well-known/est/simpleenroll")
    assert request.headers["content-type"] == "application/pkcs10"
    assert request.headers["content-transfer-encoding"] == "base64"
    assert base64.b64decode(request.body, validate=True) == KEY.request()
    scheme, _, password = request.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(password)) == ("Basic", f"{ENROLLMENT}:{'ab' * 32}".encode())


async def test_a_renewal_shows_the_certificate_in_use() -> None:
    """In the handshake, not in a header."""
    identity = AUTHORITY.identity()
    peer = peer_that(CERTIFICATES, ask_client=True)
    async with peer, EstDesk.for_machine(peer.url, identity, FakeClock()) as desk:
        assert await desk.renew(KEY.request(evidence=b"{}")) == CHAIN
    (request,) = peer.requests
    assert (request.method, request.path) == ("POST", "/.well-known/est/simplereenroll")
    assert base64.b64decode(request.body) == KEY.request(evidence=b"{}")
    assert "authorization" not in request.headers


async def test_a_newcomer_shows_no_certificate() -> None:
    """A receiver that asks for one at every door does not let it in."""
    peer = peer_that(CERTIFICATES, ask_client=True)
    assert isinstance(await failure(peer), EnrollmentUnavailableError)
    assert peer.requests == []


async def test_announced_trust_anchors_are_fetched() -> None:
    """RFC 7030 4.1: all of them, whatever they are; which may be trusted, the identity store says."""
    async with peer_that(CERTIFICATES) as peer, desk_at(peer) as desk:
        anchors = x509.load_pem_x509_certificates(await desk.trust_anchors())
    (request,) = peer.requests
    assert (request.method, request.path, request.body) == ("GET", "/.well-known/est/cacerts", b"")
    assert set(anchors) == {AUTHORITY.certificate, ISSUING.certificate, LEAF}


async def test_the_steps_share_one_connection_and_no_cookie() -> None:
    """One handshake, then keep-alive; nothing marks the machine but what it says itself."""
    marked = {
        "/v1/enrollments": reply(200, encode_enrollment(ANSWER), headers=["Set-Cookie: a=b; Path=/"]),
        "/.well-known/est/simpleenroll": CERTIFICATES,
    }
    async with peer_that(lambda request: marked[request.path]) as peer, desk_at(peer) as desk:
        await desk.apply(ASKED)
        await desk.enroll(enrollment=ENROLLMENT, proof="00", request=KEY.request())
    assert peer.connections == 1
    assert all("cookie" not in request.headers for request in peer.requests)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ProblemCode.INVITATION_UNKNOWN, InvitationUnknownError),
        (ProblemCode.INVITATION_EXPIRED, InvitationExpiredError),
        (ProblemCode.INVITATION_USED, InvitationUsedError),
        (ProblemCode.EVIDENCE_INVALID, EvidenceRefusedError),
        (ProblemCode.APPLIANCE_QUARANTINED, QuarantinedError),
        (ProblemCode.ANCHOR_LOWERED, AnchorLoweredError),
        (ProblemCode.MALFORMED_REQUEST, EnrollmentError),
        (ProblemCode.UNAUTHENTICATED, EnrollmentError),
        (ProblemCode.FORBIDDEN, EnrollmentError),
        (ProblemCode.NOT_FOUND, EnrollmentError),
    ],
)
async def test_each_refusal_has_its_class(code: ProblemCode, kind: type[ApplianceError]) -> None:
    """Decided by the problem's code; trying again would not help."""
    error = await failure(peer_that(refusal(code)))
    assert type(error) is kind
    assert not isinstance(error, RetryableError)
    assert str(error) == f"the receiver refused: {code}"


@pytest.mark.parametrize("code", [ProblemCode.RATE_LIMITED, ProblemCode.UNAVAILABLE, ProblemCode.INTERNAL])
async def test_a_receiver_that_is_not_ready_is_tried_again(code: ProblemCode) -> None:
    """By its own word."""
    error = await failure(peer_that(refusal(code)))
    assert type(error) is EnrollmentUnavailableError
    assert str(error) == f"the receiver is not ready: {code}"


@pytest.mark.parametrize("status", [204, 301, 307, 400, 401, 403, 404, 407, 409, 413, 429, 500, 502, 503, 504])
async def test_an_answer_that_is_no_problem_document_is_tried_again(status: int) -> None:
    """A gateway's page is no judgement of ours, whatever its number; a redirect is not followed."""
    answer = reply(status, b"" if status == 204 else b"<html>", headers=["Location: https://127.0.0.1:1/"])
    peer = peer_that(answer)
    error = await failure(peer)
    assert type(error) is EnrollmentUnavailableError
    assert str(error) == f"the receiver is not ready: http_{status}"
    assert len(peer.requests) == 1


@pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("999999", 3600.0), ("later", None)])
async def test_the_wait_that_the_receiver_asks_for_is_carried(header: str, seconds: float | None) -> None:
    """At most an hour."""
    error = await failure(peer_that(reply(429, headers=[f"Retry-After: {header}"])))
    assert isinstance(error, EnrollmentUnavailableError)
    assert error.retry_after_seconds == seconds


async def test_an_accepted_request_waits_for_somebody() -> None:
    """RFC 7030 4.2.3: 202."""
    assert isinstance(await failure(peer_that(reply(202))), ApprovalPendingError)


@pytest.mark.parametrize(
    "body", [b"<html>", b"", encode_enrollment(ANSWER)[:-1], b"[]"], ids=["html", "empty", "cut", "another type"]
)
async def test_a_200_that_is_no_answer_is_tried_again(body: bytes) -> None:
    """At every step; the message holds nothing of it."""
    async with peer_that(reply(200, body)) as peer, desk_at(peer) as desk:
        steps = [
            lambda: desk.apply(ASKED),
            lambda: desk.enroll(enrollment=ENROLLMENT, proof="00", request=KEY.request()),
            lambda: desk.renew(KEY.request()),
            desk.trust_anchors,
        ]
        for step in steps:
            with pytest.raises(EnrollmentUnavailableError) as caught:
                await step()
            assert "html" not in str(caught.value)


async def test_certificates_for_another_key_are_tried_again() -> None:
    """Some other machine's answer."""
    async with peer_that(CERTIFICATES) as peer, desk_at(peer) as desk:
        with pytest.raises(EnrollmentUnavailableError, match="for this request"):
            await desk.enroll(enrollment=ENROLLMENT, proof="00", request=MachineKey.generate().request())


@pytest.mark.parametrize("status", [200, 403, 503])
async def test_the_rest_of_a_long_answer_is_never_fetched(status: int) -> None:
    """One byte too many, whatever the status."""
    error = await failure(peer_that(reply(status, b" " * (MAX_ANSWER_BYTES + 1))))
    assert (type(error), str(error)) == (EnrollmentUnavailableError, "the answer is too long")


@pytest.mark.parametrize("cut", [0, 10, 60, -1])
async def test_half_an_answer_is_none(cut: int) -> None:
    """The connection ends before it, within the head, or one byte before the end."""
    assert type(await failure(peer_that(GOOD[:cut], half=True))) is EnrollmentUnavailableError


async def test_an_inflated_answer_is_not_inflated() -> None:
    """A compressed answer was not asked for."""
    answer = reply(200, gzip.compress(encode_enrollment(ANSWER)), headers=["Content-Encoding: gzip"])
    assert type(await failure(peer_that(answer))) is EnrollmentUnavailableError


async def test_a_silent_receiver_is_left_after_the_timeout() -> None:
    """It took the request and never answers."""
    assert type(await failure(peer_that(None), seconds=0.5)) is EnrollmentUnavailableError


async def test_a_refused_connection_is_tried_again() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with EstDesk.for_newcomer(f"https://127.0.0.1:{port}", AUTHORITY.pem, FakeClock()) as desk:
        with pytest.raises(EnrollmentUnavailableError) as caught:
            await desk.apply(ASKED)
    assert not isinstance(caught.value, ReceiverUntrustedError)


async def test_no_proxy_of_the_environment_is_used() -> None:
    """Nor its .netrc: the way to the receiver is in the settings alone."""
    async with peer_that(GOOD) as peer, desk_at(peer) as desk:
        assert desk._session.trust_env is False


@pytest.mark.parametrize("case", ["another CA", "another name"])
async def test_a_receiver_that_does_not_verify_gets_nothing(case: str) -> None:
    """Neither token nor request: another CA than the invitation's, or another host's certificate."""
    certificate = {
        "another CA": lambda: Authority().issue_server(),
        "another name": lambda: AUTHORITY.issue_server(host="receiver.example"),
    }[case]()
    peer = TlsPeer(server_context(AUTHORITY, certificate=certificate, ask_client=False), lambda _: GOOD)
    assert type(await failure(peer)) is ReceiverUntrustedError
    assert peer.requests == []


@pytest.mark.parametrize("years", [-10, 10], ids=["the clock is ahead", "the clock is behind"])
async def test_a_certificate_out_of_its_time_speaks_of_the_clock(years: int) -> None:
    """The message names this machine's date, which the installer can compare with a watch."""
    middle = timedelta(days=365 * years)
    certificate = AUTHORITY.issue_server(valid=(middle, middle + timedelta(days=1)))
    peer = TlsPeer(server_context(AUTHORITY, certificate=certificate, ask_client=False), lambda _: GOOD)
    error = await failure(peer)
    assert type(error) is ClockOffError
    assert f"{FakeClock().now():%Y-%m-%d}" in str(error)
    assert peer.requests == []


async def test_old_tls_is_refused() -> None:
    """1.2 at least."""
    context = server_context(AUTHORITY, ask_client=False, newest=ssl.TLSVersion.TLSv1_1)
    peer = TlsPeer(context, lambda _: GOOD)
    assert isinstance(await failure(peer), EnrollmentUnavailableError)
    assert peer.requests == []


async def test_a_peer_without_tls_gets_nothing() -> None:
    """Plain HTTP on the port."""
    peer = TlsPeer(None, lambda _: GOOD, greeting=GOOD)
    assert type(await failure(peer)) is ReceiverUntrustedError
    assert peer.requests == []


async def test_what_is_no_trust_anchor_opens_no_desk() -> None:
    """Before anything is sent."""
    with pytest.raises(IdentityMismatchError):
        EstDesk.for_newcomer("https://127.0.0.1:1", b"no PEM", FakeClock())
