"""Renewals over EST with the certificate in use, and what a quarantine and a revocation do to an open connection."""

import base64
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store

from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import encode_enrollment
from appliance.wire.enrollment import (
    CERTIFICATES_MEDIA_TYPE,
    REQUEST_MEDIA_TYPE,
    SIMPLE_REENROLL_PATH,
    FileEvidence,
    RenewalEvidence,
)
from appliance.wire.limits import MAX_ENROLLMENT_BYTES
from appliance.wire.problem import ProblemCode
from tests.receiver.deliveries import Machine, client_context, make_call
from tests.receiver.fleet_world import fresh_key, renewal_csr
from tests.receiver.office import Office
from tests.receiver.renewing import chain_of, key_of, reenroll, refusal_of, renewed, request_of
from tests.support.receiver_process import ReceiverProcess
from tests.support.swtpm import Swtpm

_MARK = "/v1/ingest/high-water"
_EVIDENCE = encode_enrollment(RenewalEvidence(KeyProtection.FILE, FileEvidence()))
MALFORMED = (400, ProblemCode.MALFORMED_REQUEST)
QUARANTINED = (403, ProblemCode.APPLIANCE_QUARANTINED)
FORBIDDEN = (403, ProblemCode.FORBIDDEN)


def test_a_renewal_gives_a_chain_that_opens_the_door(
    receiver: ReceiverProcess, office: Office, machine: Machine, line: httpx.Client, tmp_path: Path
) -> None:
    """The answer is certs-only PKCS #7; the new certificate delivers, and so does the old one meanwhile."""
    key = fresh_key()
    response = reenroll(line, request_of(machine, key))
    assert (response.status_code, response.headers["content-type"]) == (200, CERTIFICATES_MEDIA_TYPE)
    assert response.headers["content-transfer-encoding"] == "base64"
    chain = chain_of(response, key)
    verified = (
        PolicyBuilder().store(Store(office.authority.anchors)).build_client_verifier().verify(chain[0], chain[1:])
    )
    urn = f"urn:natalia:tenant:{machine.tenant_id}:appliance:{machine.name}"
    assert verified.subjects == [x509.UniformResourceIdentifier(urn)]
    after = renewed(receiver, machine, tmp_path)
    with after.connect(receiver) as client:
        assert after.deliver(client, [make_call()]).status_code == 200
        assert machine.deliver(line, [make_call()], sequence=2).status_code == 200


def test_certificates_follow_one_another(receiver: ReceiverProcess, machine: Machine, tmp_path: Path) -> None:
    """A renewed certificate renews the next one."""
    current = machine
    for sequence in range(1, 4):
        current = renewed(receiver, current, tmp_path)
        with current.connect(receiver) as client:
            assert current.deliver(client, [make_call()], sequence=sequence).status_code == 200


def test_without_a_certificate_nothing_is_renewed(anonymous: httpx.Client, machine: Machine) -> None:
    """The door of the enrollment is another one."""
    response = reenroll(anonymous, request_of(machine, fresh_key()))
    assert refusal_of(response) == (401, ProblemCode.UNAUTHENTICATED)


def test_a_copy_over_tls_is_quarantined_and_keeps_its_buffer(
    receiver: ReceiverProcess, office: Office, machine: Machine, tmp_path: Path
) -> None:
    """The newcomer's renewal and deliveries are refused by a code that no batch is given up for."""
    after = renewed(receiver, machine, tmp_path)
    with after.connect(receiver) as client, machine.connect(receiver) as copy:
        assert client.get(_MARK).status_code == 200
        assert refusal_of(reenroll(copy, request_of(machine, fresh_key()))) == QUARANTINED
        assert refusal_of(copy.get(_MARK)) == QUARANTINED
        assert refusal_of(machine.deliver(copy, [make_call()])) == QUARANTINED
        assert client.get(_MARK).status_code == 200
    kinds = office.value(UUID(machine.tenant_id), "SELECT string_agg(kind, ' ') FROM natalia.security_event")
    assert kinds == "certificate_reused"


def test_a_refused_renewal_over_tls_keeps_its_event(
    office: Office, machine: Machine, sibling: Machine, line: httpx.Client
) -> None:
    """What the client is told is what the database holds, though the refusal is an error."""
    assert refusal_of(reenroll(line, request_of(machine, key_of(sibling)))) == QUARANTINED
    tenant_id = UUID(machine.tenant_id)
    assert office.value(tenant_id, "SELECT kind FROM natalia.security_event") == "machine_held_twice"
    quarantined = "SELECT count(*) FROM natalia.machine_certificate WHERE quarantined_at IS NOT NULL"
    assert office.value(tenant_id, quarantined) == 1


@pytest.fixture(scope="module")
def vtpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    """A real software TPM."""
    with Swtpm(tmp_path_factory.mktemp("vtpm") / "state") as tpm:
        yield tpm


def test_a_copied_vtpm_is_found_out(receiver: ReceiverProcess, machine: Machine, vtpm: Swtpm, tmp_path: Path) -> None:
    """A hypervisor's clone has the same keys and the same disk; its counts repeat."""
    witness = VtpmWitness(vtpm.tcti, key_protection=KeyProtection.TPM)
    first = renewed(receiver, machine, tmp_path, witness=witness)
    vtpm.stop()
    vtpm.copy_state(tmp_path / "clone")
    vtpm.start()
    second = renewed(receiver, first, tmp_path, witness=witness)
    with Swtpm(tmp_path / "clone") as clone, first.connect(receiver) as client:
        copied = VtpmWitness(clone.tcti, key_protection=KeyProtection.TPM)
        assert refusal_of(reenroll(client, request_of(first, fresh_key(), witness=copied))) == QUARANTINED
    third = renewed(receiver, second, tmp_path, witness=witness)
    with third.connect(receiver) as client:
        assert client.get(_MARK).status_code == 200


def test_another_tpms_evidence_for_the_key_is_refused(machine: Machine, line: httpx.Client, vtpm: Swtpm) -> None:
    """Evidence that was made for another key, or with another certificate, is not believed."""
    witness = VtpmWitness(vtpm.tcti, key_protection=KeyProtection.TPM)
    stolen = witness.evidence(public_key=b"another key", occasion=b"another certificate")
    text = encode_enrollment(RenewalEvidence(KeyProtection.TPM, stolen))
    response = reenroll(line, renewal_csr(fresh_key(), [text]))
    assert refusal_of(response) == (422, ProblemCode.EVIDENCE_INVALID)
    assert machine.deliver(line, [make_call()]).status_code == 200


def _csr_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def _tampered() -> bytes:
    der = bytearray(renewal_csr(fresh_key(), [_EVIDENCE]))
    der[-1] ^= 1
    return bytes(der)


_BROKEN: dict[str, Callable[[], bytes]] = {
    "RSA": lambda: _csr_of(rsa.generate_private_key(65537, 2048)),
    "P-384": lambda: _csr_of(ec.generate_private_key(ec.SECP384R1())),
    "Ed25519": lambda: _csr_of(ed25519.Ed25519PrivateKey.generate()),
    "a certificate": lambda: b"\x30\x03\x02\x01\x01",
    "nothing": lambda: b"",
    "PEM": lambda: b"-----BEGIN CERTIFICATE REQUEST-----\n",
    "another's signature": _tampered,
    "no attribute": lambda: renewal_csr(fresh_key(), []),
    "no JSON": lambda: renewal_csr(fresh_key(), [b"not json"]),
}


@pytest.mark.parametrize("broken", _BROKEN)
def test_a_request_that_cannot_be_used_is_refused(line: httpx.Client, broken: str) -> None:
    """Each is the request's fault: nothing is certified, and nobody is told of a copy."""
    assert refusal_of(reenroll(line, _BROKEN[broken]())) == MALFORMED
    assert line.get(_MARK).status_code == 200


def test_a_body_in_another_form_is_refused(machine: Machine, line: httpx.Client) -> None:
    """Another media type, no base64, and more bytes than a request can have."""
    request = request_of(machine, fresh_key())
    assert refusal_of(reenroll(line, request, media_type="application/json")) == (
        415,
        ProblemCode.ENCODING_UNSUPPORTED,
    )
    headers = {"Content-Type": REQUEST_MEDIA_TYPE}
    for content in (b"!" * 100, base64.b64encode(bytes(MAX_ENROLLMENT_BYTES))):
        assert refusal_of(line.post(SIMPLE_REENROLL_PATH, content=content, headers=headers)) == MALFORMED


def test_an_unregistered_certificate_renews_nothing(office: Office, machine: Machine, line: httpx.Client) -> None:
    """What is not in the table is nobody's, whoever signed it."""
    office.execute(UUID(machine.tenant_id), "UPDATE natalia.machine_certificate SET fingerprint = '\\x00'")
    assert refusal_of(reenroll(line, request_of(machine, fresh_key()))) == FORBIDDEN


def _kept_open(receiver: ReceiverProcess, machine: Machine) -> http.client.HTTPSConnection:
    url, context = httpx.URL(receiver.url), client_context(receiver.trust_anchors)
    context.load_cert_chain(machine.certificate, machine.key)
    return http.client.HTTPSConnection(url.host, url.port, context=context)


def _status(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", _MARK)
    response = connection.getresponse()
    response.read()
    return response.status


def test_a_revocation_reaches_an_open_connection(
    receiver: ReceiverProcess, office: Office, machine: Machine, sibling: Machine
) -> None:
    """The next request on the same TLS connection is refused; another appliance's goes on."""
    connection, other = _kept_open(receiver, machine), _kept_open(receiver, sibling)
    assert _status(connection) == 200
    assert _status(other) == 200
    sockets = (connection.sock, other.sock)
    # In this process: a command takes a second or two, and the server closes what is idle for five.
    office.revoke(machine)
    assert _status(connection) == 403
    assert _status(other) == 200
    assert (connection.sock, other.sock) == sockets
    connection.close()
    other.close()


def _exchange(
    receiver: ReceiverProcess, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[bytes, bool | None, ssl.SSLSession | None]:
    """Ask for the mark on a connection of its own; give the status, whether it was resumed, and its session."""
    url = httpx.URL(receiver.url)
    plain = socket.create_connection((url.host, url.port or 0))
    with context.wrap_socket(plain, server_hostname=url.host, session=session) as tls:
        tls.sendall(f"GET {_MARK} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        return tls.recv(65536)[9:12], tls.session_reused, tls.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_revocation_reaches_a_resumed_session(
    receiver: ReceiverProcess, office: Office, machine: Machine, version: ssl.TLSVersion
) -> None:
    """A session that is resumed shows no certificate anew, and is judged by the table all the same."""
    context = client_context(receiver.trust_anchors)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(machine.certificate, machine.key)
    status, reused, session = _exchange(receiver, context, None)
    assert (status, reused) == (b"200", False)
    office.execute(UUID(machine.tenant_id), "UPDATE natalia.machine_certificate SET revoked_at = now()")
    status, reused, _ = _exchange(receiver, context, session)
    assert (status, reused) == (b"403", True)
