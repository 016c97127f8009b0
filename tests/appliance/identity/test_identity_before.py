"""The identity before stays at hand until the new one works; trust anchors change alone."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.errors import (
    CertificateUntrustedError,
    NotEnrolledError,
)
from appliance.identity.certificate import MAX_PEM_BYTES
from appliance.identity.file_identity import FileIdentityStore
from appliance.identity.trust_anchors import MAX_ANCHORS
from appliance.ports import MachineIdentity, SecretBytes
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from tests.support.enrollment_desk import certify as issue
from tests.support.fake_clock import FakeClock
from tests.support.records import START
from tests.support.tls_peer import APPLIANCE, TENANT, Authority

AUTHORITY = Authority(now=START)
OTHER = Authority(now=START)


def certify(store: FileIdentityStore) -> bytes:
    """Answer the store's request as the receiver would."""
    return issue(store.propose().request(), authority=AUTHORITY).public_bytes(Encoding.PEM)


def accept(store: FileIdentityStore, chain: bytes, *, anchors: bytes = AUTHORITY.pem) -> MachineIdentity:
    """Accept a certificate for the usual appliance."""
    return store.accept(chain, trust_anchors=anchors, tenant=TENANT, appliance=APPLIANCE)


def enrolled(store: FileIdentityStore) -> MachineIdentity:
    """Enrol from request to certificate."""
    return accept(store, certify(store))


def test_the_identity_before_stays_until_the_new_one_was_used(store: FileIdentityStore) -> None:
    """Then it is forgotten, and there is no way back."""
    first = enrolled(store)
    assert store.previous() is None
    second = enrolled(store)
    before = store.previous()
    assert before is not None
    assert before.certificate_chain == first.certificate_chain
    assert store.load().certificate_chain == second.certificate_chain
    store.confirm()
    store.confirm()
    assert store.previous() is None
    with pytest.raises(NotEnrolledError):
        store.revert()


def test_an_identity_that_does_not_work_gives_way_to_the_one_before(store: FileIdentityStore) -> None:
    """The one that worked last, however many came after it without being used."""
    first = enrolled(store)
    enrolled(store)
    enrolled(store)
    assert store.revert().certificate_chain == first.certificate_chain
    assert store.load().private_key.reveal() == first.private_key.reveal()


def test_trust_anchors_are_replaced_alone(store: FileIdentityStore) -> None:
    """A rollover that was announced: certificate and key stay, and the anchors before can be gone back to."""
    before = enrolled(store)
    after = store.trust(AUTHORITY.pem + OTHER.pem)
    assert store.load().trust_anchors == after.trust_anchors == AUTHORITY.pem + OTHER.pem
    assert after.certificate_chain == before.certificate_chain
    assert after.renewed_at == before.renewed_at
    assert store.revert().trust_anchors == AUTHORITY.pem


def test_the_same_trust_anchors_change_nothing(store: FileIdentityStore) -> None:
    """They are announced every day; there is no identity before to go back to."""
    enrolled(store)
    assert store.trust(AUTHORITY.pem + AUTHORITY.pem).trust_anchors == AUTHORITY.pem
    assert store.previous() is None


def test_what_is_no_trust_anchor_changes_nothing(store: FileIdentityStore) -> None:
    """``trust_anchors`` says what is one."""
    enrolled(store)
    with pytest.raises(CertificateUntrustedError):
        store.trust(Authority(now=START, strict=False).pem)
    assert store.load().trust_anchors == AUTHORITY.pem


def test_a_new_anchor_may_be_signed_by_one_that_is_trusted(store: FileIdentityStore) -> None:
    """RFC 7030 4.1.3, new with old: it stands beside the new root itself."""
    enrolled(store)
    cross = Authority(now=START, issuer=AUTHORITY)
    assert store.trust(OTHER.pem + cross.pem).trust_anchors == OTHER.pem


def test_the_longest_identity_fits_on_disk_beside_the_one_before(tmp_path: Path) -> None:
    """What is accepted can also be sealed: chain and anchors up to their bounds, twice."""
    store = FileIdentityStore(SecretStore(tmp_path / "secrets", FileSealer(SecretBytes(bytes(32)))), FakeClock())
    anchors = b"".join(Authority(now=START).pem for _ in range(MAX_ANCHORS - 1)) + AUTHORITY.pem
    for _ in range(2):
        chain = certify(store)
        while len(chain) + len(OTHER.pem) <= MAX_PEM_BYTES:
            chain += OTHER.pem
        accept(store, chain, anchors=anchors)
    before = store.previous()
    assert before is not None
    assert len(store.load().certificate_chain) + len(OTHER.pem) > MAX_PEM_BYTES
