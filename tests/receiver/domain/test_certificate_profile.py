"""The certificates' profiles, and that a strict verifier takes the chain."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from receiver.domain.certificate_profile import MACHINE_LIFETIME, machine_builder, server_builder
from receiver.domain.machine_name import MachineName, to_urn
from receiver.errors import NotInitialisedError
from receiver.kms.local_authority import LocalFileAuthority

_NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
_MACHINE = MachineName(tenant_id=UUID(int=5), appliance="hq")


@pytest.fixture
def authority(tmp_path: Path) -> LocalFileAuthority:
    """A fresh authority."""
    return LocalFileAuthority.ensure(tmp_path / "ca", now=_NOW)


def _machine(authority: LocalFileAuthority) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return authority.sign(machine_builder(key, machine=_MACHINE, issuer=authority.issuing, now=_NOW))


def _server(authority: LocalFileAuthority) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    hosts = ["receiver.test", "127.0.0.1", "::1"]
    return authority.sign(server_builder(key, hosts=hosts, issuer=authority.issuing, now=_NOW))


def test_a_machines_chain_verifies(authority: LocalFileAuthority) -> None:
    """A strict verifier takes leaf and issuing certificate up to the root, for clients."""
    policy = PolicyBuilder().store(Store([authority.root])).time(_NOW)
    verified = policy.build_client_verifier().verify(_machine(authority), [authority.issuing])
    assert verified.subjects == [x509.UniformResourceIdentifier(to_urn(_MACHINE))]


def test_a_machine_is_no_server(authority: LocalFileAuthority) -> None:
    """A machine's certificate is refused where a server's is wanted."""
    policy = PolicyBuilder().store(Store([authority.root])).time(_NOW)
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("hq")).verify(_machine(authority), [authority.issuing])


@pytest.mark.parametrize(
    "subject",
    [
        x509.DNSName("receiver.test"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ],
)
def test_a_servers_chain_verifies(authority: LocalFileAuthority, subject: x509.DNSName | x509.IPAddress) -> None:
    """A strict verifier takes the server's chain for each of its names."""
    policy = PolicyBuilder().store(Store([authority.root])).time(_NOW)
    policy.build_server_verifier(subject).verify(_server(authority), [authority.issuing])


def test_a_machine_lives_seven_days_at_most(authority: LocalFileAuthority) -> None:
    """From its backdated beginning to its end a leaf has the lifetime, no more."""
    leaf = _machine(authority)
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert timedelta(days=6) < lifetime <= MACHINE_LIFETIME == timedelta(days=7)


def test_each_leaf_has_one_use(authority: LocalFileAuthority) -> None:
    """Leaves sign handshakes for their side and nothing else."""
    uses = {_machine: ExtendedKeyUsageOID.CLIENT_AUTH, _server: ExtendedKeyUsageOID.SERVER_AUTH}
    for issue, use in uses.items():
        extensions = issue(authority).extensions
        assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [use]
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        assert (constraints.critical, constraints.value.ca) == (True, False)


def test_the_cas_are_bounded(authority: LocalFileAuthority) -> None:
    """The root allows one CA below it, the issuing CA none; both only sign certificates and lists."""
    for certificate, depth in ((authority.root, 1), (authority.issuing, 0)):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, depth)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)


def test_serials_and_keys_are_fresh(authority: LocalFileAuthority) -> None:
    """No two certificates share a serial number of at least 64 bits."""
    serials = {_machine(authority).serial_number for _ in range(20)}
    assert len(serials) == 20
    assert all(serial.bit_length() > 64 for serial in serials)


def test_the_authority_is_made_once(authority: LocalFileAuthority, tmp_path: Path) -> None:
    """Ensuring again loads what is there, and its secrets are for the owner alone."""
    again = LocalFileAuthority.ensure(tmp_path / "ca", now=_NOW)
    assert again.root == authority.root
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "ca").glob("*.key")} == {
        "root.key": 0o600,
        "issuing.key": 0o600,
    }


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("name", ["root.pem", "issuing.pem", "issuing.key"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_broken_authority_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    """A missing or broken file is a typed error."""
    path = tmp_path / "ca" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(NotInitialisedError):
        LocalFileAuthority.load(tmp_path / "ca")


@pytest.mark.usefixtures("authority")
def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """An issuing key that is not elliptic is a typed error."""
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ca" / "issuing.key").write_bytes(pem)
    with pytest.raises(NotInitialisedError):
        LocalFileAuthority.load(tmp_path / "ca")
