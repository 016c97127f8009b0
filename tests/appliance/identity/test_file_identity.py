"""From a proposed key to an identity in use, and back; what is refused on the way."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from appliance.errors import (
    CertificateUntrustedError,
    ClockOffError,
    IdentityError,
    IdentityMismatchError,
    NotEnrolledError,
    SealDiskError,
    SealedBlobTamperedError,
    TpmBusyError,
)
from appliance.identity.file_identity import IDENTITY, PENDING_KEY, FileIdentityStore, _Kept
from appliance.ports import MachineIdentity, SecretBytes
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.machine_context import MachineContext
from appliance.sealing.secret_store import SecretStore
from appliance.tls_context import client_context
from tests.support.fake_clock import FakeClock
from tests.support.memory_secrets import MemorySecrets
from tests.support.records import START
from tests.support.tls_peer import APPLIANCE, DAY, TENANT, Authority, machine_urn

AUTHORITY = Authority(now=START)
OTHER = Authority(now=START)


def certify(
    store: FileIdentityStore,
    *,
    authority: Authority = AUTHORITY,
    uris: Sequence[str] = (machine_urn(),),
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    valid: tuple[timedelta, timedelta] = (-DAY, DAY),
) -> bytes:
    """Answer the store's request as the receiver would, but for what is given."""
    key = x509.load_der_x509_csr(store.propose().request()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return authority.issue_machine(key, uris=uris, usage=usage, valid=valid)


def accept(
    store: FileIdentityStore, chain: bytes, *, anchors: bytes = AUTHORITY.pem, appliance: str = APPLIANCE
) -> MachineIdentity:
    """Accept a certificate for the usual appliance."""
    return store.accept(chain, trust_anchors=anchors, tenant=TENANT, appliance=appliance)


def enrolled(store: FileIdentityStore) -> MachineIdentity:
    """Enrol from request to certificate."""
    return accept(store, certify(store))


def refused(store: FileIdentityStore, chain: bytes, anchors: bytes = AUTHORITY.pem) -> type[IdentityError]:
    """Accept what must be refused; give the error's type. The identity before must still be in use."""
    before = store.load().certificate_chain
    with pytest.raises(IdentityError) as checked:
        store.verify(chain, trust_anchors=anchors, tenant=TENANT, appliance=APPLIANCE)
    with pytest.raises(IdentityError) as caught:
        accept(store, chain, anchors=anchors)
    assert store.load().certificate_chain == before
    assert type(checked.value) is type(caught.value)
    return type(caught.value)


def test_an_accepted_identity_loads_and_speaks_tls(store: FileIdentityStore) -> None:
    """Names and times come from the certificate; the parts fit together."""
    accepted = enrolled(store)
    loaded = store.load()
    assert (loaded.tenant, loaded.appliance) == (TENANT, APPLIANCE)
    assert (loaded.valid_from, loaded.expires_at, loaded.renewed_at) == (START - DAY, START + DAY, START)
    assert loaded.private_key.reveal() == accepted.private_key.reveal()
    assert loaded.trust_anchors == AUTHORITY.pem
    assert client_context(loaded).check_hostname


def test_a_chain_with_an_intermediate_verifies(store: FileIdentityStore) -> None:
    """Leaf first, then the CA between it and the anchor."""
    middle = Authority(now=START, issuer=AUTHORITY)
    leaf = certify(store, authority=middle)
    assert accept(store, leaf + middle.pem).certificate_chain == leaf + middle.pem


def test_the_proposed_key_stays_until_a_certificate_came(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """Also over a restart: whatever was lost on the way, the same request is made again, byte for byte."""
    first = store.propose().request()
    again = FileIdentityStore(secrets, FakeClock()).propose().request()
    assert again == first
    accept(store, certify(store))
    assert store.propose().request() != first


def test_a_key_that_was_certified_is_not_proposed_again(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """A power cut right after the certificate was kept leaves it behind."""
    left = store.propose()
    accept(store, certify(store))
    secrets.put(PENDING_KEY, left.pem)
    assert store.propose().public_key != left.public_key


def test_a_damaged_proposed_key_is_made_anew(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """It guards nothing yet; to stop here for good would mean a reinstallation."""
    first = store.propose().public_key
    secrets.broken[PENDING_KEY] = SealedBlobTamperedError("altered")
    assert store.propose().public_key != first


def test_a_key_that_only_does_not_open_now_is_not_replaced(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """A busy TPM is no reason to use a second invitation up."""
    store.propose()
    secrets.broken[PENDING_KEY] = TpmBusyError("again")
    with pytest.raises(TpmBusyError):
        store.propose()


def test_verifying_keeps_nothing(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """The use case can look before it leaps."""
    chain = certify(store)
    looked = store.verify(chain, trust_anchors=AUTHORITY.pem, tenant=TENANT, appliance=APPLIANCE)
    assert looked.expires_at == START + DAY
    assert list(secrets.kept) == [PENDING_KEY]


def test_without_an_identity_the_machine_says_so(store: FileIdentityStore) -> None:
    """Nothing to load, nothing to sign with, nothing to trust for, nothing to go back to, no key that waits."""
    for step in (
        store.load,
        store.previous,
        store.confirm,
        store.revert,
        lambda: store.sign(b""),
        lambda: store.trust(AUTHORITY.pem),
        lambda: accept(store, AUTHORITY.pem),
    ):
        with pytest.raises(NotEnrolledError):
            step()


def test_a_certificate_is_accepted_once(store: FileIdentityStore) -> None:
    """A renewal needs a key of its own."""
    chain = certify(store)
    accept(store, chain)
    with pytest.raises(NotEnrolledError):
        accept(store, chain)


def test_a_full_disk_leaves_the_identity_and_the_waiting_key(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """The same certificate is accepted once there is room."""
    enrolled(store)
    before, chain = store.load().certificate_chain, certify(store)
    secrets.full = True
    with pytest.raises(SealDiskError):
        accept(store, chain)
    assert store.load().certificate_chain == before
    secrets.full = False
    assert accept(store, chain).certificate_chain == chain


def test_the_key_in_use_signs(store: FileIdentityStore) -> None:
    """ECDSA with SHA-256, for a machine whose certificate ended: not the key that waits."""
    identity = enrolled(store)
    waiting = store.propose()
    leaf = x509.load_pem_x509_certificate(identity.certificate_chain)
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(store.sign(b"binding"), b"binding", ec.ECDSA(SHA256()))
    assert load_der_public_key(waiting.public_key) != key


def test_an_expired_identity_still_loads(secrets: MemorySecrets, store: FileIdentityStore) -> None:
    """The machine goes on buffering for its tenant while it waits for a new certificate."""
    enrolled(store)
    later = FakeClock()
    later.slept.append(30 * 86_400.0)
    loaded = FileIdentityStore(secrets, later).load()
    assert loaded.expires_at < later.now()


def test_a_certificate_of_another_key_is_refused(store: FileIdentityStore) -> None:
    """An earlier request's, for one."""
    first = enrolled(store).certificate_chain
    store.propose()
    assert refused(store, first) is IdentityMismatchError


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
        [machine_urn(appliance="edge-b")],
        [machine_urn(tenant="00000000-0000-0000-0000-000000000000")],
    ],
)
def test_a_certificate_that_does_not_name_this_appliance_is_refused(store: FileIdentityStore, uris: list[str]) -> None:
    """None, two, one in another spelling, another appliance or tenant."""
    enrolled(store)
    assert refused(store, certify(store, uris=uris)) is IdentityMismatchError


def test_a_machine_does_not_become_another_appliance(store: FileIdentityStore) -> None:
    """Its buffer and its pseudonyms belong to the first."""
    enrolled(store)
    chain = certify(store, uris=[machine_urn(appliance="edge-b")])
    with pytest.raises(IdentityMismatchError):
        accept(store, chain, appliance="edge-b")
    assert store.load().appliance == APPLIANCE


@pytest.mark.parametrize(
    "certificate",
    [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", AUTHORITY.pem * 100],
    ids=["empty", "no PEM", "no certificate", "too many"],
)
def test_what_is_no_certificate_is_refused(store: FileIdentityStore, certificate: bytes) -> None:
    """In place of the chain, or of the anchors."""
    enrolled(store)
    chain = certify(store)
    assert refused(store, certificate) is IdentityMismatchError
    assert refused(store, chain, certificate) is IdentityMismatchError


@pytest.mark.parametrize(
    "valid", [(-3 * DAY, -timedelta(seconds=1)), (timedelta(minutes=1), DAY)], ids=["expired", "not yet valid"]
)
def test_a_certificate_outside_its_time_is_refused(
    store: FileIdentityStore, valid: tuple[timedelta, timedelta]
) -> None:
    """By the appliance's own clock, which is an argument."""
    enrolled(store)
    assert refused(store, certify(store, valid=valid)) is ClockOffError


def test_a_certificate_of_another_ca_is_refused(store: FileIdentityStore) -> None:
    """It must lead to the anchors that come with it."""
    enrolled(store)
    assert refused(store, certify(store, authority=OTHER)) is CertificateUntrustedError


def test_an_anchor_that_is_no_proper_ca_is_refused_with_all_that_came(store: FileIdentityStore) -> None:
    """Though the certificate leads to another, which is one."""
    enrolled(store)
    anchors = AUTHORITY.pem + Authority(now=START, strict=False).pem
    assert refused(store, certify(store), anchors) is CertificateUntrustedError


def test_a_server_certificate_is_no_identity(store: FileIdentityStore) -> None:
    """Its extended key usage says server."""
    enrolled(store)
    assert refused(store, certify(store, usage=ExtendedKeyUsageOID.SERVER_AUTH)) is CertificateUntrustedError


@pytest.mark.parametrize("record", [b"", b"{}", b'{"version":1}'], ids=["empty", "no version", "another version"])
def test_a_stored_record_of_another_version_is_refused_and_can_be_replaced(
    store: FileIdentityStore, secrets: MemorySecrets, record: bytes
) -> None:
    """It opened, so it is ours, but from another release: an enrollment puts that right."""
    secrets.put(IDENTITY, SecretBytes(record))
    with pytest.raises(IdentityMismatchError):
        store.load()
    assert enrolled(store).appliance == APPLIANCE


def test_a_damaged_identity_can_be_replaced(store: FileIdentityStore, secrets: MemorySecrets) -> None:
    """Enrolling again is what the hint says."""
    enrolled(store)
    secrets.broken[IDENTITY] = SealedBlobTamperedError("altered")
    with pytest.raises(SealedBlobTamperedError):
        store.load()
    assert enrolled(store).appliance == APPLIANCE
    assert store.previous() is None


@pytest.mark.parametrize("kind", ["RSA", "P-384", "no key"])
def test_a_waiting_key_of_another_kind_is_made_anew(
    store: FileIdentityStore, secrets: MemorySecrets, kind: str
) -> None:
    """Only P-256 keys are made here."""
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem = {
        "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*form),
        "P-384": ec.generate_private_key(ec.SECP384R1()).private_bytes(*form),
        "no key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    }[kind]
    secrets.put(PENDING_KEY, SecretBytes(pem))
    with pytest.raises(NotEnrolledError):
        accept(store, AUTHORITY.pem)
    assert enrolled(store).appliance == APPLIANCE


def test_a_record_does_not_show_its_key() -> None:
    """Not in a log, not in a traceback."""
    assert repr(_Kept(b"", b"key", b"", START)) == "_Kept(…)"


def test_on_disk_the_key_is_never_in_clear(tmp_path: Path) -> None:
    """With the real store and sealer: before and after the certificate came, no file holds a private key."""
    sealer = FileSealer.open(tmp_path / "anchor", machine_context=MachineContext(None, None))
    store = FileIdentityStore(SecretStore(tmp_path / "secrets", sealer), FakeClock())
    chain = certify(store)
    waiting = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    identity = accept(store, chain)
    accepted = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert sorted(waiting) == ["anchor.json", "machine-key-pending.sealed"]
    assert sorted(accepted) == ["anchor.json", "machine-identity.sealed"]
    secret = identity.private_key.reveal().split(b"\n")[1]
    for content in (*waiting.values(), *accepted.values()):
        assert b"PRIVATE KEY" not in content
        assert secret not in content
