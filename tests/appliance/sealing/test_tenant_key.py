"""The tenant secret is kept once, with its version, and never replaced."""

from pathlib import Path

import pytest

from appliance.errors import SealedBlobFormatError, SealedSecretMissingError, SealingError, TenantSecretConflictError
from appliance.ports import SecretBytes
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import (
    TENANT_KEY,
    TenantKeyStore,
    install_tenant_key,
    load_tenant_key,
)
from appliance.wire.enrollment import TenantSecrets

BROUGHT = TenantSecrets(7, bytes(range(32)))
OTHER = TenantSecrets(1, bytes(32))


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    """Nothing is kept yet."""
    return SecretStore(tmp_path / "secrets", FileSealer(SecretBytes(bytes(32))))


def test_before_one_is_brought_there_is_none(store: SecretStore) -> None:
    """No other is made in its place: its pseudonyms would be nobody else's."""
    with pytest.raises(SealedSecretMissingError):
        load_tenant_key(store)
    assert store.names() == []


def test_one_that_was_brought_is_kept_with_its_version(store: SecretStore) -> None:
    """Bringing it again changes nothing."""
    install_tenant_key(store, BROUGHT)
    install_tenant_key(store, BROUGHT)
    assert load_tenant_key(store) == BROUGHT


@pytest.mark.parametrize(
    "other", [TenantSecrets(7, bytes(32)), TenantSecrets(8, bytes(range(32)))], ids=["secret", "version"]
)
def test_another_one_is_refused_and_the_first_stays(store: SecretStore, other: TenantSecrets) -> None:
    """Pseudonyms would be cut off from their past."""
    install_tenant_key(store, BROUGHT)
    with pytest.raises(TenantSecretConflictError):
        install_tenant_key(store, other)
    assert load_tenant_key(store) == BROUGHT


def test_one_that_was_kept_without_a_version_is_version_one(store: SecretStore) -> None:
    """As releases before this one kept it: 32 bytes."""
    store.put(TENANT_KEY, SecretBytes(bytes(range(32))))
    assert load_tenant_key(store) == TenantSecrets(1, bytes(range(32)))


@pytest.mark.parametrize("kept", [b"", b"{}", b"x" * 33, b'{"type":"tenant_secrets.v2"}'])
def test_what_is_none_is_a_typed_error_and_stays(store: SecretStore, kept: bytes) -> None:
    """It is never taken for a missing one."""
    store.put(TENANT_KEY, SecretBytes(kept))
    with pytest.raises(SealedBlobFormatError):
        load_tenant_key(store)
    with pytest.raises(SealedBlobFormatError):
        install_tenant_key(store, BROUGHT)
    assert store.get(TENANT_KEY).reveal() == kept


def test_one_that_does_not_open_is_not_replaced(store: SecretStore, tmp_path: Path) -> None:
    """By one that is brought."""
    install_tenant_key(store, BROUGHT)
    other = SecretStore(tmp_path / "secrets", FileSealer(SecretBytes(bytes(range(32)))))
    with pytest.raises(SealingError):
        load_tenant_key(other)
    with pytest.raises(SealingError):
        install_tenant_key(other, BROUGHT)
    load_tenant_key(store)


def test_of_two_that_bring_one_at_once_the_first_counts(tmp_path: Path) -> None:
    """The second keeps nothing of its own: another one is a conflict, the same one is none."""
    sealer = FileSealer(SecretBytes(bytes(32)))
    first = SecretStore(tmp_path / "secrets", sealer)

    class Racing:
        """Seals after the other process has."""

        key_protection = sealer.key_protection

        def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
            install_tenant_key(first, BROUGHT)
            return sealer.seal(secret, purpose=purpose)

        def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
            return sealer.unseal(blob, purpose=purpose)

    with pytest.raises(TenantSecretConflictError):
        install_tenant_key(SecretStore(tmp_path / "secrets", Racing()), OTHER)
    install_tenant_key(SecretStore(tmp_path / "secrets", Racing()), BROUGHT)
    assert load_tenant_key(first) == BROUGHT


def test_one_of_an_unfinished_enrollment_gives_way(store: SecretStore) -> None:
    """Nothing was made with it yet: to another enrollment as to a restored one."""
    keys = TenantKeyStore(store)
    assert not keys.is_kept()
    keys.install(OTHER)
    assert keys.is_kept()
    keys.require_room(BROUGHT)
    assert load_tenant_key(store) == OTHER
    keys.install(BROUGHT)
    assert load_tenant_key(store) == BROUGHT
    install_tenant_key(store, OTHER)
    assert load_tenant_key(store) == OTHER


def test_one_of_a_finished_enrollment_stays(store: SecretStore) -> None:
    """From then on pseudonyms are made with it."""
    keys = TenantKeyStore(store)
    keys.install(BROUGHT)
    keys.settle()
    for step in (keys.require_room, keys.install, lambda key: install_tenant_key(store, key)):
        with pytest.raises(TenantSecretConflictError):
            step(OTHER)
    keys.install(BROUGHT)
    assert load_tenant_key(store) == BROUGHT


def test_one_that_was_restored_does_not_become_provisional(store: SecretStore) -> None:
    """Neither where the enrollment comes first nor where it comes after."""
    keys = TenantKeyStore(store)
    keys.install(BROUGHT)
    install_tenant_key(store, BROUGHT)
    keys.install(BROUGHT)
    with pytest.raises(TenantSecretConflictError):
        keys.install(OTHER)
    assert store.names() == [TENANT_KEY]
