"""What a delivery is refused for: every refusal is a problem document, and nothing of the request stands in it."""

import socket
from collections.abc import Iterator

import httpx
import msgspec
import pytest
import zstandard

from appliance.wire.batch import Batch, KeyProtection
from appliance.wire.codec import decode_problem, encode_batch
from appliance.wire.limits import MAX_COMPRESSED_BYTES, MAX_JSON_BYTES, MAX_RECORDS_PER_BATCH
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, STATUS_OF, ProblemCode
from tests.receiver.deliveries import Machine, client_context, make_batch, make_call
from tests.support.receiver_process import ReceiverProcess

_URL = "/v1/ingest/batches"
_NUMBER = "32470123456"


def _refused(response: httpx.Response, code: ProblemCode) -> None:
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    problem = decode_problem(response.content)
    assert (problem.code, response.status_code, problem.status) == (code, STATUS_OF[code], STATUS_OF[code])
    assert _NUMBER not in response.text


def _zipped(document: object) -> bytes:
    return zstandard.ZstdCompressor().compress(msgspec.json.encode(document))


def _altered(**changes: object) -> bytes:
    """A batch with one record's fields replaced or added, past the types."""
    document = msgspec.to_builtins(Batch(1, 1, KeyProtection.FILE, [make_call()]))
    document["records"][0].update(changes)
    return _zipped(document)


def _spaced() -> bytes:
    document = msgspec.json.encode(Batch(1, 1, KeyProtection.FILE, [make_call()]))
    return zstandard.ZstdCompressor().compress(document.replace(b",", b", "))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_altered(note=_NUMBER), id="unknown field"),
        pytest.param(_altered(**{_NUMBER: 1}), id="unknown field that is a number"),
        pytest.param(_altered(event_id=_NUMBER.ljust(32, "0")), id="digits in a token"),
        pytest.param(_altered(feed=_NUMBER), id="digits in the feed's name"),
        pytest.param(
            _altered(calling={"category": "external", "pseudonym": None, "clear_digits": _NUMBER}),
            id="too many clear digits",
        ),
        pytest.param(_altered(started_at="2026-03-10T12:00:00"), id="time without zone"),
        pytest.param(_altered(type="call.v2"), id="record of another version"),
        pytest.param(_altered(leg=None), id="null where a value belongs"),
        pytest.param(_spaced(), id="not canonical"),
        pytest.param(_zipped([]), id="no batch"),
        pytest.param(zstandard.ZstdCompressor().compress(b"\xff\xfe{"), id="no JSON"),
        pytest.param(zstandard.ZstdCompressor().compress(b"[" * 100_000), id="nested without end"),
    ],
)
def test_a_body_outside_the_contract_is_invalid(line: httpx.Client, machine: Machine, body: bytes) -> None:
    """Whatever is not exactly a batch of the contract is refused whole, without a word of it in the answer."""
    _refused(line.post(_URL, content=body, headers=machine.headers()), ProblemCode.BATCH_INVALID)


def test_too_many_records_are_refused(line: httpx.Client, machine: Machine) -> None:
    """One record more than the contract's bound refuses the batch."""
    call = make_call()
    body = encode_batch(Batch(1, 1, KeyProtection.FILE, [call] * (MAX_RECORDS_PER_BATCH + 1)))
    _refused(line.post(_URL, content=body, headers=machine.headers()), ProblemCode.BATCH_INVALID)


def test_an_empty_batch_is_refused(line: httpx.Client, machine: Machine) -> None:
    """A batch without records would move the mark for nothing."""
    body = encode_batch(Batch(1, 1, KeyProtection.FILE, []))
    _refused(line.post(_URL, content=body, headers=machine.headers()), ProblemCode.BATCH_INVALID)


def test_a_bomb_is_not_inflated(line: httpx.Client, machine: Machine) -> None:
    """A frame that announces more than the bound is refused by its header."""
    body = zstandard.ZstdCompressor().compress(bytes(MAX_JSON_BYTES + 1))
    _refused(line.post(_URL, content=body, headers=machine.headers()), ProblemCode.BATCH_TOO_LARGE)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="plain"),
        pytest.param(make_batch([make_call()])[:-1], id="cut"),
        pytest.param(make_batch([make_call()]) + b"x", id="trailing byte"),
    ],
)
def test_a_body_that_is_not_one_frame_is_unsupported(line: httpx.Client, machine: Machine, body: bytes) -> None:
    """The body is one whole zstd frame, no byte less or more."""
    _refused(line.post(_URL, content=body, headers=machine.headers()), ProblemCode.ENCODING_UNSUPPORTED)


def test_a_long_body_is_refused_by_its_length(line: httpx.Client, machine: Machine) -> None:
    """A declared length above the bound is refused before the body is read."""
    response = line.post(_URL, content=bytes(MAX_COMPRESSED_BYTES + 1), headers=machine.headers())
    _refused(response, ProblemCode.BATCH_TOO_LARGE)


def test_a_long_stream_is_cut(line: httpx.Client, machine: Machine) -> None:
    """A body of undeclared length is read up to the bound and no further."""

    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_COMPRESSED_BYTES // 65536 + 1):
            yield bytes(65536)

    _refused(line.post(_URL, content=chunks(), headers=machine.headers()), ProblemCode.BATCH_TOO_LARGE)


def test_an_endless_stream_is_answered(receiver: ReceiverProcess, machine: Machine) -> None:
    """The answer to a body that is too long does not wait for its end."""
    url, context = httpx.URL(receiver.url), client_context(receiver.trust_anchors)
    context.load_cert_chain(machine.certificate, machine.key)
    head = "".join(f"{name}: {value}\r\n" for name, value in machine.headers().items())
    with (
        socket.create_connection((url.host, url.port or 0), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=url.host) as tls,
    ):
        tls.sendall(f"POST {_URL} HTTP/1.1\r\nHost: {url.host}\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(MAX_COMPRESSED_BYTES // 65536 + 1):
            tls.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "changes",
    [
        {"Content-Type": "application/msgpack"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "zstd, zstd"},
    ],
)
def test_another_media_type_is_unsupported(line: httpx.Client, machine: Machine, changes: dict[str, str]) -> None:
    """Content-Type and Content-Encoding are what the contract says, spelled so."""
    response = line.post(_URL, content=make_batch([make_call()]), headers=machine.headers() | changes)
    _refused(response, ProblemCode.ENCODING_UNSUPPORTED)


def test_the_idempotency_key_is_required(line: httpx.Client, machine: Machine) -> None:
    """Without a key a retry could not be told from a second batch."""
    headers = machine.headers()
    del headers["Idempotency-Key"]
    response = line.post(_URL, content=make_batch([make_call()]), headers=headers)
    _refused(response, ProblemCode.IDEMPOTENCY_KEY_MISSING)


def test_two_idempotency_keys_are_none(line: httpx.Client, machine: Machine) -> None:
    """Two keys could mean two batches to two readers."""
    headers = [*machine.headers().items(), ("Idempotency-Key", '"other/1/1"')]
    response = line.post(_URL, content=make_batch([make_call()]), headers=headers)
    _refused(response, ProblemCode.IDEMPOTENCY_KEY_MISSING)


@pytest.mark.parametrize(
    "key", ["hq/1/1", '"hq/1"', '"hq/01/1"', '"hq/1/0"', '"HQ/1/1"', '"hq/1/1";p=1', f'"{_NUMBER}"']
)
def test_a_key_of_another_form_is_malformed(line: httpx.Client, machine: Machine, key: str) -> None:
    """One batch has one spelling of its key."""
    headers = machine.headers() | {"Idempotency-Key": key}
    response = line.post(_URL, content=make_batch([make_call()]), headers=headers)
    _refused(response, ProblemCode.MALFORMED_REQUEST)


@pytest.mark.parametrize(("epoch", "sequence"), [(2, 1), (1, 2)])
def test_the_key_names_the_body(line: httpx.Client, machine: Machine, epoch: int, sequence: int) -> None:
    """A key that names another batch than the body is refused."""
    headers = machine.headers(epoch=epoch, sequence=sequence)
    response = line.post(_URL, content=make_batch([make_call()]), headers=headers)
    _refused(response, ProblemCode.IDEMPOTENCY_KEY_MISMATCH)


def test_the_key_names_the_certificates_appliance(line: httpx.Client, machine: Machine, sibling: Machine) -> None:
    """An appliance cannot deliver under another's name, not even of its own tenant."""
    headers = machine.headers() | {"Idempotency-Key": f'"{sibling.name}/1/1"'}
    response = line.post(_URL, content=make_batch([make_call()]), headers=headers)
    _refused(response, ProblemCode.IDEMPOTENCY_KEY_MISMATCH)


def test_refused_deliveries_leave_no_trace(line: httpx.Client, machine: Machine) -> None:
    """After a refusal the same key is free for the right bytes."""
    _refused(line.post(_URL, content=_altered(note=1), headers=machine.headers()), ProblemCode.BATCH_INVALID)
    assert machine.deliver(line, [make_call()]).status_code == 200
