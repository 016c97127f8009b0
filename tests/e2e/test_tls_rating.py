"""An independent scanner, sslyze, rates the receiver's port by Mozilla's profiles (version 5.7)."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.receiver_process import ReceiverProcess
from tests.support.tls_scan import ScanFailedError, rate

_GROUPS = {"X448", "secp521r1"}
"""More than the profile's groups, and stronger. They are of OpenSSL's own list, which stays: Python can name one group
or none before 3.15, and one alone would take the hybrid X25519MLKEM768 of OpenSSL 3.5 away."""


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """A running receiver."""
    with ReceiverProcess(tmp_path_factory.mktemp("rated") / "state") as process:
        yield process


def test_the_receiver_is_rated_intermediate(receiver: ReceiverProcess) -> None:
    """Versions, suites, key, signature, life span, path, known attacks: no finding but two groups too many."""
    findings = rate(receiver.url.removeprefix("https://"), profile="intermediate", anchors=receiver.trust_anchors)
    groups = findings.pop("tls_curves")
    assert findings == {}
    assert set(re.findall(r"'(\w+)'", groups)) == _GROUPS


def test_only_tls_1_2_keeps_it_from_modern(receiver: ReceiverProcess) -> None:
    """The modern profile finds fault with version 1.2 and its suites, and with nothing else."""
    findings = rate(receiver.url.removeprefix("https://"), profile="modern", anchors=receiver.trust_anchors)
    assert set(findings) == {"tls_versions", "ciphers", "tls_curves"}
    assert "{'TLSv1.2'}" in findings["tls_versions"]


@pytest.fixture
def weak_server(tmp_path: Path) -> Iterator[str]:
    """The address of a server as one should not be: old versions, old suites, a short key, a certificate of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 it is to be found out
    pem = tmp_path / "weak.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate = tmp_path / "weak.crt"
    request = [
        "openssl",
        "req",
        "-x509",
        "-key",
        str(pem),
        "-days",
        "3000",
        "-subj",
        "/CN=weak",
        "-out",
        str(certificate),
    ]
    subprocess.run(request, check=True, timeout=60)
    weak = ["-cipher", "ALL:@SECLEVEL=0", "-legacy_renegotiation", "-comp", "-min_protocol", "TLSv1", "-www"]
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(certificate), "-key", str(pem), *weak]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield next(line.split()[1] for line in server.stdout if line.startswith("ACCEPT "))
        server.kill()


def test_a_weak_server_is_found_out(weak_server: str, receiver: ReceiverProcess) -> None:
    """The scan can fail: it finds the versions, the suites, the key, the life span and the path of a bad server."""
    findings = rate(weak_server, profile="intermediate", anchors=receiver.trust_anchors)
    certificate = {"rsa_key_size", "maximum_certificate_lifespan", "certificate_path_validation"}
    assert {"tls_versions", "ciphers", *certificate} <= set(findings)


def test_no_server_is_no_rating(receiver: ReceiverProcess) -> None:
    """Where nobody answers there is no judgement, and so none that is good."""
    with pytest.raises(ScanFailedError):
        rate("127.0.0.1:1", profile="intermediate", anchors=receiver.trust_anchors)
