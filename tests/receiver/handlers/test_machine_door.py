"""Who may deliver: TLS versions, client certificates, registration."""

import socket
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.wire.codec import decode_problem
from appliance.wire.problem import ProblemCode
from receiver.domain.certificate_profile import machine_builder, server_builder
from receiver.domain.machine_name import MachineName
from receiver.kms.local_authority import LocalFileAuthority
from receiver.ports import CertificateAuthority
from tests.receiver.deliveries import PEM, Machine, client_context, key_pem, open_client
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess

_MARK = "/v1/ingest/high-water"
_REFUSED = r"(?i)EOF occurred|handshake failure|protocol version"
"""How a refused handshake looks: the server's event loop may close before its alert is out."""


def _status(receiver: ReceiverProcess, context: ssl.SSLContext) -> tuple[int, ProblemCode]:
    with open_client(receiver, context) as client:
        response = client.get(_MARK)
    return response.status_code, decode_problem(response.content).code


def _presenting(
    receiver: ReceiverProcess,
    folder: Path,
    *,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    issuing: x509.Certificate,
) -> ssl.SSLContext:
    (folder / "own.pem").write_bytes(certificate.public_bytes(PEM) + issuing.public_bytes(PEM))
    (folder / "own.key").write_bytes(key_pem(key))
    context = client_context(receiver.trust_anchors)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    return context


def _machine_context(
    receiver: ReceiverProcess, folder: Path, *, authority: CertificateAuthority, machine: MachineName, now: datetime
) -> ssl.SSLContext:
    """A context with a machine certificate that nobody registered."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = machine_builder(key.public_key(), machine=machine, issuer=authority.issuing, now=now)
    certificate = authority.sign(builder)
    return _presenting(receiver, folder, certificate=certificate, key=key, issuing=authority.issuing)


def test_without_a_certificate_nothing_is_taken(anonymous: httpx.Client) -> None:
    """The ingest routes require what TLS leaves optional."""
    for response in (anonymous.get(_MARK), anonymous.post("/v1/ingest/batches", content=b"x")):
        assert response.status_code == 401
        assert decode_problem(response.content).code is ProblemCode.UNAUTHENTICATED


def test_an_api_key_is_no_certificate(reader: httpx.Client) -> None:
    """A tenant's API key does not open the machine door."""
    assert reader.get(_MARK).status_code == 401


def test_an_unregistered_certificate_is_refused(
    receiver: ReceiverProcess, office: Office, machine: Machine, tmp_path: Path
) -> None:
    """A certificate of the right CA for a registered name, but never registered itself, delivers nothing."""
    name = MachineName(tenant_id=UUID(machine.tenant_id), appliance=machine.name)
    context = _machine_context(receiver, tmp_path, authority=office.authority, machine=name, now=datetime.now(tz=UTC))
    assert _status(receiver, context) == (403, ProblemCode.FORBIDDEN)


def test_an_unknown_tenant_is_refused(receiver: ReceiverProcess, office: Office, tmp_path: Path) -> None:
    """A certificate that names a tenant that does not exist is refused like any other unregistered one."""
    name = MachineName(tenant_id=uuid4(), appliance="hq")
    context = _machine_context(receiver, tmp_path, authority=office.authority, machine=name, now=datetime.now(tz=UTC))
    assert _status(receiver, context) == (403, ProblemCode.FORBIDDEN)


def test_a_nameless_certificate_is_refused(receiver: ReceiverProcess, office: Office, tmp_path: Path) -> None:
    """A client certificate of the right CA that names no appliance is refused."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuing, now = office.authority.issuing, datetime.now(tz=UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(issuing.subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    identifier = issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = builder.add_extension(authority_key, critical=False)
    names = x509.SubjectAlternativeName([x509.DNSName("hq.example")])
    certificate = office.authority.sign(builder.add_extension(names, critical=True))
    context = _presenting(receiver, tmp_path, certificate=certificate, key=key, issuing=issuing)
    assert _status(receiver, context) == (403, ProblemCode.FORBIDDEN)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE natalia.machine_certificate SET revoked_at = now()",
        "UPDATE natalia.machine_certificate SET expires_at = now()",
    ],
)
def test_a_registration_that_ended_is_refused(
    office: Office, machine: Machine, line: httpx.Client, statement: str
) -> None:
    """A revoked certificate is refused on a connection that is already open, as is one whose time is over."""
    assert line.get(_MARK).status_code == 200
    office.execute(UUID(machine.tenant_id), statement)
    assert line.get(_MARK).status_code == 403


def test_another_ca_is_refused_by_tls(receiver: ReceiverProcess, machine: Machine, tmp_path: Path) -> None:
    """A certificate of another CA, with a known appliance's name, does not get through the handshake."""
    now = datetime.now(tz=UTC)
    foreign = LocalFileAuthority.ensure(tmp_path / "ca", now=now)
    name = MachineName(tenant_id=UUID(machine.tenant_id), appliance=machine.name)
    context = _machine_context(receiver, tmp_path, authority=foreign, machine=name, now=now)
    with open_client(receiver, context) as client, pytest.raises(httpx.TransportError):
        client.get(_MARK)


@pytest.mark.parametrize("days", [-30, 30], ids=["expired", "not yet valid"])
def test_a_certificate_out_of_its_time_is_refused_by_tls(
    receiver: ReceiverProcess, office: Office, tmp_path: Path, days: int
) -> None:
    """A certificate before or after its time ends the handshake."""
    now = datetime.now(tz=UTC) + timedelta(days=days)
    name = MachineName(tenant_id=uuid4(), appliance="hq")
    context = _machine_context(receiver, tmp_path, authority=office.authority, machine=name, now=now)
    with open_client(receiver, context) as client, pytest.raises(httpx.TransportError):
        client.get(_MARK)


def test_a_server_certificate_is_no_clients(receiver: ReceiverProcess, office: Office, tmp_path: Path) -> None:
    """A certificate for servers, of the same CA, is refused as a client's: its extended key usage says so."""
    key, issuing = ec.generate_private_key(ec.SECP256R1()), office.authority.issuing
    builder = server_builder(key.public_key(), hosts=["localhost"], issuer=issuing, now=datetime.now(tz=UTC))
    certificate = office.authority.sign(builder)
    context = _presenting(receiver, tmp_path, certificate=certificate, key=key, issuing=issuing)
    with open_client(receiver, context) as client, pytest.raises(httpx.TransportError):
        client.get(_MARK)


def _shake_hands(receiver: ReceiverProcess, context: ssl.SSLContext) -> str | None:
    url = httpx.URL(receiver.url)
    with (
        socket.create_connection((url.host, url.port or 0)) as plain,
        context.wrap_socket(plain, server_hostname=url.host) as tls,
    ):
        return tls.version()


def test_tls_1_3_is_preferred(receiver: ReceiverProcess) -> None:
    """A current client gets TLS 1.3."""
    assert _shake_hands(receiver, client_context(receiver.trust_anchors)) == "TLSv1.3"


def test_tls_1_2_with_an_aead_cipher_is_taken(receiver: ReceiverProcess) -> None:
    """An older client gets TLS 1.2."""
    context = client_context(receiver.trust_anchors)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert _shake_hands(receiver, context) == "TLSv1.2"


def test_tls_1_1_is_refused(receiver: ReceiverProcess) -> None:
    """Older versions are refused by the server, whatever the client would take."""
    context = client_context(receiver.trust_anchors)
    with warnings.catch_warnings():
        # The versions are deprecated in this test's own client too, which is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=_REFUSED):
        _shake_hands(receiver, context)


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA"])
def test_a_cipher_without_aead_is_refused(receiver: ReceiverProcess, cipher: str) -> None:
    """TLS 1.2 with a CBC cipher is refused."""
    context = client_context(receiver.trust_anchors)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError, match=_REFUSED):
        _shake_hands(receiver, context)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"NOT HTTP AT ALL\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET /" + b"a" * 100_000, id="endless path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000, id="endless header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000, id="endless headers"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", id="no length"),
    ],
)
def test_bytes_that_are_not_http_get_a_problem(receiver: ReceiverProcess, sent: bytes) -> None:
    """What is not HTTP, or has no end, is answered with a problem document too, and the connection is closed."""
    url, context = httpx.URL(receiver.url), client_context(receiver.trust_anchors)
    with (
        socket.create_connection((url.host, url.port or 0)) as plain,
        context.wrap_socket(plain, server_hostname=url.host) as tls,
    ):
        tls.sendall(sent)
        answer = b"".join(iter(lambda: tls.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert decode_problem(body).code is ProblemCode.MALFORMED_REQUEST
