"""Every answer that is no success is a problem document, whatever goes wrong; bugs and outages too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from appliance.wire.codec import decode_problem
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, ProblemCode
from receiver.app import ProblemBoundary, create_app
from receiver.clock import SystemClock
from receiver.domain.api_key import compose
from receiver.factory import ProcessContext
from receiver.kms.local_wrapper import LocalFileWrapper
from receiver.settings import StateFolder
from receiver.storage.connection import SERVICE_ROLES, embedded_url, open_engine
from tests.receiver.office import Office


def _is_problem(response: httpx.Response, code: ProblemCode) -> None:
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert decode_problem(response.content).code is code
    assert response.status_code == decode_problem(response.content).status


@pytest.mark.parametrize("path", ["/nope", "/v1", "/v1/calls/", "/v1/calls/1", "/docs", "/%00", "/v1/ingest/batches/"])
def test_an_unknown_path_is_not_found(anonymous: httpx.Client, path: str) -> None:
    """Paths that do not exist, and near misses, are not found."""
    _is_problem(anonymous.get(path), ProblemCode.NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("DELETE", "/v1/calls", "GET"), ("PUT", "/healthz", "GET"), ("GET", "/v1/ingest/batches", "POST")],
)
def test_another_method_is_not_allowed(anonymous: httpx.Client, method: str, path: str, allow: str) -> None:
    """A method that a path does not have is refused, and the ones it has are named."""
    response = anonymous.request(method, path)
    _is_problem(response, ProblemCode.METHOD_NOT_ALLOWED)
    assert response.headers["allow"] == allow


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told(anonymous: httpx.Client, path: str) -> None:
    """A receiver that works says so."""
    assert anonymous.get(path).json() == {"status": "ok"}


def test_the_openapi_document_is_valid(anonymous: httpx.Client) -> None:
    """The document is valid OpenAPI 3.1, and a client generator finds unique operation ids and every model."""
    document = anonymous.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    validate(document)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids)) >= 8
    schemas = set(document["components"]["schemas"])
    assert {"Batch", "Call", "CallPage", "HighWater", "Problem", "Verdict"} <= schemas
    assert {
        "Account",
        "Completeness",
        "CompletenessPage",
        "EnrollmentAnswer",
        "EnrollmentRequest",
        "Receipt",
    } <= schemas
    assert set(document["components"]["securitySchemes"]) == {"apiKey", "machineCertificate", "enrollmentProof"}


def test_the_openapi_document_describes_every_refusal(anonymous: httpx.Client) -> None:
    """Each operation names its answers; every other than 200 is a problem document."""
    for path in anonymous.get("/openapi.json").json()["paths"].values():
        for operation in path.values():
            refusals = {status: answer for status, answer in operation["responses"].items() if status != "200"}
            assert {"500", "503"} <= set(refusals)
            assert all(list(answer["content"]) == [PROBLEM_MEDIA_TYPE] for answer in refusals.values())


def test_the_openapi_patterns_are_ecma(anonymous: httpx.Client) -> None:
    """No pattern keeps Python's end-of-string, which JSON Schema would read as the letter Z."""
    text = anonymous.get("/openapi.json").text
    assert r"\Z" not in text
    assert r'"pattern":"^[a-p]{32}$"' in text


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://receiver.test") as client:
        yield client


@pytest.fixture
def app(office: Office, tmp_path: Path) -> FastAPI:
    """The application in this process, with a database that is nowhere."""
    urls = {role: embedded_url(role.value, socket_folder=str(tmp_path)) for role in SERVICE_ROLES}
    context = ProcessContext(
        state=StateFolder.at(tmp_path),
        authority=office.authority,
        wrapper=LocalFileWrapper(bytes(32)),
        clock=SystemClock(),
        pepper=bytes(32),
        engines={role: open_engine(url) for role, url in urls.items()},
    )
    return create_app(context)


async def test_an_outage_is_told_with_the_time_to_return(app: FastAPI) -> None:
    """Without a database the receiver lives, is not ready, and tells clients to come back."""
    _, key = compose(tenant_id=uuid4(), id_bytes=bytes(4), secret_bytes=bytes(20))
    async with _client(app) as client:
        assert (await client.get("/healthz")).status_code == 200
        for path in ("/readyz", "/v1/calls"):
            response = await client.get(path, headers={"Authorization": f"Bearer {key}"})
            _is_problem(response, ProblemCode.UNAVAILABLE)
            assert int(response.headers["retry-after"]) > 0


async def test_a_bug_is_told_as_such_and_no_more(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody foresaw is answered as internal; its message reaches neither answer nor log."""

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("32470123456")

    async with _client(app) as client:
        response = await client.get("/broken")
    _is_problem(response, ProblemCode.INTERNAL)
    assert "RuntimeError at broken" in caplog.text
    assert "32470123456" not in caplog.text + response.text


async def test_a_bug_after_the_answer_began_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    """An answer that has begun is not followed by another, and the server is not told the error's words."""

    async def half(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("32470123456")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await ProblemBoundary(half)({"type": "http"}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert "internal error: RuntimeError at half" in caplog.text
    assert "32470123456" not in caplog.text


async def test_a_client_that_left_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    """A client that goes away within its request is answered nothing and logged nowhere."""

    async def left(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ClientDisconnect

    async def nothing(_message: Message) -> None:
        raise AssertionError("nobody is there")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await ProblemBoundary(left)({"type": "http"}, receive, nothing)
    assert caplog.text == ""
