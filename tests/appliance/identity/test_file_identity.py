"""From a request to an identity, and what is refused on the way."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.errors import (
    CertificateUntrustedError,
    IdentityError,
    IdentityMismatchError,
    NotEnrolledError,
    SealedSecretMissingError,
    SettingsError,
)
from appliance.identity.file_identity import IDENTITY, PENDING_KEY, FileIdentityStore, _Record
from appliance.ports import MachineIdentity, SecretBytes
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.settings import MachineContext
from appliance.tls_context import client_context
from tests.support.fake_clock import FakeClock
from tests.support.records import START
from tests.support.tls_peer import APPLIANCE, DAY, TENANT, Authority, machine_urn

AUTHORITY = Authority(now=START)
OTHER = Authority(now=START)


class MemorySecrets:
    """Secrets in a dictionary; it counts nothing and seals nothing."""

    def __init__(self) -> None:
        self.kept: dict[str, SecretBytes] = {}

    def get(self, name: str) -> SecretBytes:
        """Give one."""
        if name not in self.kept:
            raise SealedSecretMissingError(name)
        return self.kept[name]

    def put(self, name: str, secret: SecretBytes) -> None:
        """Keep one."""
        self.kept[name] = secret

    def discard(self, name: str) -> None:
        """Forget one."""
        self.kept.pop(name, None)


@pytest.fixture
def secrets() -> MemorySecrets:
    """No secret yet."""
    return MemorySecrets()


@pytest.fixture
def store(secrets: MemorySecrets) -> FileIdentityStore:
    """A store that judges at the authority's time."""
    return FileIdentityStore(secrets, FakeClock())


def certify(
    request: bytes,
    *,
    authority: Authority = AUTHORITY,
    uris: Sequence[str] = (machine_urn(),),
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    valid: tuple[timedelta, timedelta] = (-DAY, DAY),
) -> bytes:
    """Answer a request as the receiver would, but for what is given."""
    key = x509.load_pem_x509_csr(request).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return authority.issue_machine(key, uris=uris, usage=usage, valid=valid)


def enrolled(store: FileIdentityStore) -> MachineIdentity:
    """Enrol from request to certificate."""
    return store.install(certify(store.create_request(APPLIANCE)), AUTHORITY.pem)


def test_a_request_names_the_appliance_and_proves_its_key(store: FileIdentityStore) -> None:
    """PKCS #10 over P-256, signed by the key itself."""
    request = x509.load_pem_x509_csr(store.create_request(APPLIANCE))
    key = request.public_key()
    assert request.is_signature_valid
    assert request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == APPLIANCE
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


@pytest.mark.parametrize("name", ["", "A", "1a", "a" * 64, "a-", "a b", "a\n", "café"])
def test_a_name_that_no_certificate_could_carry_is_refused(
    store: FileIdentityStore, secrets: MemorySecrets, name: str
) -> None:
    """Before a key is made."""
    with pytest.raises(IdentityMismatchError):
        store.create_request(name)
    assert secrets.kept == {}


def test_an_installed_identity_loads_and_speaks_tls(store: FileIdentityStore) -> None:
    """Names and end come from the certificate; the parts fit together."""
    installed = enrolled(store)
    loaded = store.load()
    assert (loaded.tenant, loaded.appliance, loaded.expires_at) == (TENANT, APPLIANCE, START + DAY)
    assert loaded.private_key.reveal() == installed.private_key.reveal()
    assert loaded.trust_anchors == AUTHORITY.pem
    assert client_context(loaded).check_hostname


def test_a_chain_with_an_intermediate_verifies(store: FileIdentityStore) -> None:
    """Leaf first, then the CA between it and the anchor."""
    middle = Authority(now=START, issuer=AUTHORITY)
    leaf = certify(store.create_request(APPLIANCE), authority=middle)
    assert store.install(leaf + middle.pem, AUTHORITY.pem).appliance == APPLIANCE


def test_the_files_of_a_folder_are_installed(store: FileIdentityStore, tmp_path: Path) -> None:
    """As `natalia-receiver appliance certify` writes them."""
    (tmp_path / "certificate.pem").write_bytes(certify(store.create_request(APPLIANCE)))
    with pytest.raises(SettingsError):
        store.install_from(tmp_path)
    (tmp_path / "trust-anchors.pem").write_bytes(AUTHORITY.pem)
    assert store.install_from(tmp_path).appliance == APPLIANCE


def test_without_an_identity_the_machine_says_so(store: FileIdentityStore) -> None:
    """Neither to load nor a request to answer."""
    with pytest.raises(NotEnrolledError):
        store.load()
    with pytest.raises(NotEnrolledError):
        store.install(b"", b"")


def test_a_certificate_is_used_for_one_request(store: FileIdentityStore) -> None:
    """The waiting key is taken into use once; a renewal needs its own request."""
    enrolled(store)
    with pytest.raises(NotEnrolledError):
        store.install(b"", b"")


def test_an_expired_identity_still_loads(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """The machine goes on buffering for its tenant while it waits for a new certificate."""
    enrolled(store)
    later = FakeClock()
    later.slept.append(30 * 86_400.0)
    loaded = FileIdentityStore(secrets, later).load()
    assert loaded.expires_at < later.now()


def refused(store: FileIdentityStore, certificate: bytes, anchors: bytes = AUTHORITY.pem) -> type[IdentityError]:
    """Install what must be refused; give the error's type. The identity before must still be in use."""
    before = store.load().certificate_chain
    with pytest.raises(IdentityError) as caught:
        store.install(certificate, anchors)
    assert store.load().certificate_chain == before
    return type(caught.value)


def test_a_certificate_of_another_key_is_refused(store: FileIdentityStore) -> None:
    """An earlier request's, for one."""
    enrolled(store)
    first = store.create_request(APPLIANCE)
    store.create_request(APPLIANCE)
    assert refused(store, certify(first)) is IdentityMismatchError


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["urn:natalia:tenant:x:appliance:edge-a"],
        [machine_urn(tenant="0" * 36)],
        [machine_urn(tenant="-" * 36)],
        [machine_urn(appliance="Edge")],
        [machine_urn() + "\n"],
        [machine_urn(), machine_urn(appliance="edge-b")],
        ["https://receiver.example/"],
    ],
)
def test_a_certificate_that_does_not_name_one_appliance_is_refused(store: FileIdentityStore, uris: list[str]) -> None:
    """None, two, or one in another spelling."""
    enrolled(store)
    assert refused(store, certify(store.create_request(APPLIANCE), uris=uris)) is IdentityMismatchError


@pytest.mark.parametrize(
    "certificate", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_refused(store: FileIdentityStore, certificate: bytes) -> None:
    """In place of the chain, or of the anchors."""
    enrolled(store)
    request = store.create_request(APPLIANCE)
    assert refused(store, certificate) is IdentityMismatchError
    assert refused(store, certify(request), certificate) is IdentityMismatchError


@pytest.mark.parametrize(
    "valid", [(-3 * DAY, -timedelta(seconds=1)), (timedelta(minutes=1), DAY)], ids=["expired", "not yet valid"]
)
def test_a_certificate_outside_its_time_is_refused(
    store: FileIdentityStore, valid: tuple[timedelta, timedelta]
) -> None:
    """By the appliance's own clock, which is an argument."""
    enrolled(store)
    assert refused(store, certify(store.create_request(APPLIANCE), valid=valid)) is CertificateUntrustedError


def test_a_certificate_of_another_ca_is_refused(store: FileIdentityStore) -> None:
    """It must lead to the anchors that come with it."""
    enrolled(store)
    certificate = certify(store.create_request(APPLIANCE), authority=OTHER)
    assert refused(store, certificate) is CertificateUntrustedError


def test_a_server_certificate_is_no_identity(store: FileIdentityStore) -> None:
    """Its extended key usage says server."""
    enrolled(store)
    certificate = certify(store.create_request(APPLIANCE), usage=ExtendedKeyUsageOID.SERVER_AUTH)
    assert refused(store, certificate) is CertificateUntrustedError


@pytest.mark.parametrize("record", [b"", b"{}", b'{"version":2}'])
def test_a_stored_record_of_another_version_is_refused(
    store: FileIdentityStore, secrets: MemorySecrets, record: bytes
) -> None:
    """It opened, so it is ours, but from another release."""
    secrets.put(IDENTITY, SecretBytes(record))
    with pytest.raises(IdentityMismatchError):
        store.load()


def test_a_key_of_another_kind_is_refused(store: FileIdentityStore, secrets: MemorySecrets) -> None:
    """Only elliptic-curve keys are made here."""
    certificate = certify(store.create_request(APPLIANCE))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secrets.put(PENDING_KEY, SecretBytes(pem))
    with pytest.raises(IdentityMismatchError):
        store.install(certificate, AUTHORITY.pem)


def test_a_record_does_not_show_its_key() -> None:
    """Not in a log, not in a traceback."""
    assert repr(_Record(1, b"", b"key", b"")) == "_Record(…)"


def test_on_disk_the_key_is_never_in_clear(tmp_path: Path) -> None:
    """With the real store and sealer: before and after the certificate came, no file holds a private key."""
    sealer = FileSealer.open(tmp_path / "anchor", machine_context=MachineContext(None, None))
    store = FileIdentityStore(SecretStore(tmp_path / "secrets", sealer), FakeClock())
    request = store.create_request(APPLIANCE)
    waiting = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    identity = store.install(certify(request), AUTHORITY.pem)
    installed = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert sorted(waiting) == ["anchor.json", "machine-key-pending.sealed"]
    assert sorted(installed) == ["anchor.json", "machine-identity.sealed"]
    secret = identity.private_key.reveal().split(b"\n")[1]
    for content in (*waiting.values(), *installed.values()):
        assert b"PRIVATE KEY" not in content
        assert secret not in content
