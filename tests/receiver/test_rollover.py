"""A rollover of the authority while the receiver serves: no restart, no connection broken, nobody locked out."""

import http.client
import shutil
import ssl
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7

from appliance.wire.enrollment import CA_CERTIFICATES_PATH
from receiver.domain.certificate_profile import SERVER_LIFETIME, machine_builder, server_builder, subject
from receiver.domain.machine_name import MachineName
from receiver.kms.durable import replace_private
from receiver.kms.generation_files import GenerationFiles, key_to_pem, read_issuing_key, to_pem
from receiver.kms.local_authority import LocalFileAuthority
from receiver.settings import StateFolder
from tests.receiver.authorities import bring_date_forward
from tests.receiver.deliveries import Machine, client_context, open_client
from tests.receiver.office import Office
from tests.receiver.tls_line import TlsLine, machine_context, requests_throughout
from tests.support.receiver_process import ReceiverProcess

_MARK = "/v1/ingest/high-water"


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that was initialised, to be copied: that is quicker than to make one."""
    folder = tmp_path_factory.mktemp("initialised") / "state"
    ReceiverProcess(folder).run("init")
    assert _eventually(lambda: not (folder / "postgres" / "data" / "postmaster.pid").exists())
    return folder


@pytest.fixture
def process(tmp_path: Path, initialised: Path) -> Iterator[ReceiverProcess]:
    """A receiver of the test's own."""
    # The database's files belong to an account of its own where the tests run as root.
    subprocess.run(["cp", "-a", str(initialised), str(tmp_path / "state")], check=True)
    with ReceiverProcess(tmp_path / "state") as process:
        # What a client had from the start; a retirement takes the receiver's own copy away.
        (tmp_path / "first-root.pem").write_bytes(_root(process, 1).read_bytes())
        yield process


@pytest.fixture
def machine(process: ReceiverProcess, tmp_path: Path) -> Machine:
    """An appliance that was certified before any rollover."""
    return _certify(process, tmp_path)


@pytest.mark.parametrize(("years", "asked"), [(0, False), (7, False), (9, True)])
def test_a_start_asks_for_a_rollover_in_time(tmp_path: Path, initialised: Path, years: int, *, asked: bool) -> None:
    """Two years before the authority ends the log says so at each start."""
    subprocess.run(["cp", "-a", str(initialised), str(tmp_path / "state")], check=True)
    shutil.rmtree(tmp_path / "state" / "ca")
    LocalFileAuthority.ensure(tmp_path / "state" / "ca", now=datetime.now(tz=UTC) - timedelta(days=365 * years))
    with ReceiverProcess(tmp_path / "state") as process, TlsLine(process, client_context(_root(process, 1))) as line:
        assert line.get("/readyz") == 200
    assert ("the machine authority ends on" in (tmp_path / "state.serve.log").read_text()) is asked


def _certify(process: ReceiverProcess, folder: Path) -> Machine:
    office = Office(process.state_dir)
    tenant, tenant_id = office.tenant()
    return office.machine(folder, tenant=tenant, tenant_id=tenant_id)


def _root(process: ReceiverProcess, number: int) -> Path:
    return process.state_dir / "ca" / f"{number:04}" / "root.pem"


def _server(process: ReceiverProcess) -> x509.Certificate:
    """The certificate that the server shows to a new connection."""
    with TlsLine(process, client_context(process.state_dir.parent / "first-root.pem")) as line:
        return line.server


def _eventually(condition: Callable[[], bool]) -> bool:
    """Wait for as long as a change may take to be followed."""
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def _roll_over(process: ReceiverProcess, number: int) -> None:
    """Announce and switch to the generation; wait until the server shows it."""
    process.run("ca", "announce")
    process.run("ca", "switch")
    assert _eventually(lambda: _server(process).issuer == subject(f"Natalia machine issuing {number}"))


def test_a_switch_is_followed_without_breaking_a_connection(process: ReceiverProcess, machine: Machine) -> None:
    """Not one request on an open connection fails; new ones see the new certificate, old leaves still open the door."""
    context = machine_context(machine, anchors=_root(process, 1))
    with TlsLine(process, context) as line, requests_throughout(line, _MARK) as statuses:
        _roll_over(process, 2)
        with TlsLine(process, context) as fresh:
            assert fresh.server.issuer != line.server.issuer
            assert fresh.get(_MARK) == 200
        before = len(statuses)
        assert _eventually(lambda: len(statuses) > before + 2)
    assert set(statuses) == {200}


def test_two_rollovers_are_slept_through(process: ReceiverProcess, machine: Machine, tmp_path: Path) -> None:
    """Whoever knows only the first, only the second or only the third root gets through, with leaves of any of them."""
    machines = [machine]
    for number in (2, 3):
        _roll_over(process, number)
        machines.append(_certify(process, tmp_path))
    issuers = set()
    for known in (1, 2, 3):
        for each in machines:
            with TlsLine(process, machine_context(each, anchors=_root(process, known))) as line:
                assert line.get(_MARK) == 200
                issuers.add(line.server.issuer)
    assert issuers == {subject("Natalia machine issuing 3")}


def test_an_announcement_is_told_and_trusted(process: ReceiverProcess, machine: Machine) -> None:
    """Soon after it cacerts holds the new root, and a leaf of the new generation gets through the handshake."""
    process.run("ca", "announce")
    with open_client(process, client_context(process.trust_anchors)) as client:
        told = pkcs7.load_der_pkcs7_certificates(b64decode(client.get(CA_CERTIFICATES_PATH).content))
    files = GenerationFiles.read(process.state_dir / "ca" / "0002")
    assert files.root in told
    key = ec.generate_private_key(ec.SECP256R1())
    issuing_key = read_issuing_key(process.state_dir / "ca" / "0002", issuing=files.issuing)
    context = _presenting(process, files, issuing_key=issuing_key, key=key)
    # The door is still shut: TLS believes the leaf, but nobody registered it.
    assert _eventually(lambda: _answers(process, context) == 403)
    with TlsLine(process, machine_context(machine, anchors=_root(process, 1))) as line:
        assert line.get(_MARK) == 200


def _presenting(
    process: ReceiverProcess,
    files: GenerationFiles,
    *,
    issuing_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
) -> ssl.SSLContext:
    """A context with a leaf that was signed by hand with an issuing key."""
    name = MachineName(tenant_id=uuid4(), appliance="hq")
    builder = machine_builder(key.public_key(), machine=name, issuer=files.issuing, now=datetime.now(tz=UTC))
    leaf = builder.sign(issuing_key, SHA256())
    own = process.state_dir.parent / "own.pem"
    own.write_bytes(key_to_pem(key) + to_pem([leaf, files.issuing]))
    context = client_context(_root(process, 1))
    context.load_cert_chain(own)
    return context


def _answers(process: ReceiverProcess, context: ssl.SSLContext) -> int | None:
    """Give the status of a request on a new connection, None where there is none."""
    try:
        with TlsLine(process, context) as line:
            return line.get(_MARK)
    except (OSError, http.client.HTTPException):
        return None


def test_a_retired_generation_opens_no_connection(process: ReceiverProcess, machine: Machine, tmp_path: Path) -> None:
    """Its leaves end in the handshake; a machine that knows only its root and has a newer leaf still gets through."""
    sleeper = tmp_path / "first-root.pem"
    old = machine_context(machine, anchors=sleeper)
    with TlsLine(process, old) as line, requests_throughout(line, _MARK) as statuses:
        _roll_over(process, 2)
        renewed = machine_context(_certify(process, tmp_path), anchors=sleeper)
        bring_date_forward(process.state_dir / "ca")
        process.run("ca", "retire")
        assert _eventually(lambda: _answers(process, old) is None)
        assert _answers(process, renewed) == 200
    assert set(statuses) == {200}


def test_a_server_certificate_renews_itself(process: ReceiverProcess, machine: Machine) -> None:
    """One that has a third of its life left is replaced while the service runs, and open connections go on."""
    authority = LocalFileAuthority.load(process.state_dir / "ca")
    key, long_ago = ec.generate_private_key(ec.SECP256R1()), datetime.now(tz=UTC) - SERVER_LIFETIME * 2 / 3
    builder = server_builder(key.public_key(), hosts=["localhost", "127.0.0.1"], issuer=authority.issuing, now=long_ago)
    ending = authority.sign(builder)
    context = machine_context(machine, anchors=_root(process, 1))
    with TlsLine(process, context) as line, requests_throughout(line, _MARK) as statuses:
        first = line.server
        pair = key_to_pem(key) + to_pem([ending, *authority.chain])
        replace_private(StateFolder.at(process.state_dir).server_certificate, pair)
        assert _eventually(lambda: _server(process) not in {first, ending})
        assert _server(process).not_valid_after_utc > ending.not_valid_after_utc + SERVER_LIFETIME / 2
    assert set(statuses) == {200}


def test_other_names_are_taken_into_use(process: ReceiverProcess) -> None:
    """A name that is added beside the running service is in the certificate that it shows soon after."""
    process.run("init", "--name", "127.0.0.1", "--name", "receiver.test")
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("receiver.test")])
    extension = x509.SubjectAlternativeName
    assert _eventually(lambda: _server(process).extensions.get_extension_for_class(extension).value == names)


@pytest.mark.parametrize("name", ["ca/authority.json", "receiver.toml"])
def test_what_cannot_be_read_does_not_end_the_service(process: ReceiverProcess, machine: Machine, name: str) -> None:
    """With a damaged file it serves on as before and logs it; once it is whole again, changes are followed."""
    path, log = process.state_dir / name, process.state_dir.parent / "state.serve.log"
    whole = path.read_bytes()
    replace_private(path, b"damaged")
    code = "not_initialised" if name.startswith("ca/") else "settings_invalid"
    assert _eventually(lambda: f"the TLS context is not renewed: {code}" in log.read_text())
    assert _answers(process, machine_context(machine, anchors=_root(process, 1))) == 200
    replace_private(path, whole)
    _roll_over(process, 2)
