"""Secrets at rest, by name."""

from pathlib import Path

import pytest

from appliance.errors import SealedBlobTamperedError, SealedPurposeError, SealedSecretMissingError, SealingError
from appliance.ports import SecretBytes
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.machine_context import MachineContext
from appliance.sealing.secret_store import SecretStore
from appliance.wire.batch import KeyProtection

HERE = MachineContext("0123456789abcdef0123456789abcdef", None)
NAME = "tenant-secret"


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    """A store on a fresh anchor."""
    return SecretStore(tmp_path / "secrets", FileSealer.open(tmp_path / "anchor", machine_context=HERE))


class ForgetfulSealer:
    """Opens every blob to other bytes than were sealed."""

    key_protection = KeyProtection.FILE

    def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
        """Keep nothing."""
        return f"{purpose} of {len(secret.reveal())} bytes".encode()

    def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
        """Give something."""
        return SecretBytes(blob + purpose.encode())


def test_a_secret_is_made_once_and_then_stays(store: SecretStore, tmp_path: Path) -> None:
    """32 random bytes, the same after a restart."""
    secret = store.get_or_create(NAME).reveal()
    again = SecretStore(tmp_path / "secrets", FileSealer.open(tmp_path / "anchor", machine_context=HERE))
    assert len(secret) == 32
    assert again.get_or_create(NAME).reveal() == secret
    assert again.get(NAME).reveal() == secret


def test_secrets_of_two_names_differ(store: SecretStore) -> None:
    """One name's secret says nothing of another's."""
    assert store.get_or_create(NAME).reveal() != store.get_or_create("buffer-master").reveal()


def test_no_secret_lies_on_disk_in_clear(store: SecretStore, tmp_path: Path) -> None:
    """Only blobs, 0600."""
    secret = store.get_or_create(NAME).reveal()
    files = list((tmp_path / "secrets").iterdir())
    assert [file.name for file in files] == ["tenant-secret.sealed"]
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert secret not in files[0].read_bytes()


def test_a_missing_secret_is_said_to_be_missing(store: SecretStore) -> None:
    """Its own error: only then may a fresh one be made."""
    with pytest.raises(SealedSecretMissingError):
        store.get(NAME)


def test_a_secret_that_does_not_open_is_never_replaced(store: SecretStore, tmp_path: Path) -> None:
    """A fresh secret would cut all earlier pseudonyms off in silence."""
    store.get_or_create(NAME)
    path = tmp_path / "secrets" / "tenant-secret.sealed"
    path.write_bytes(path.read_bytes()[:-4])
    damaged = path.read_bytes()
    with pytest.raises(SealingError):
        store.get_or_create(NAME)
    assert path.read_bytes() == damaged


def test_swapped_files_do_not_open(store: SecretStore, tmp_path: Path) -> None:
    """A blob is bound to its name."""
    store.get_or_create(NAME)
    (tmp_path / "secrets" / "tenant-secret.sealed").rename(tmp_path / "secrets" / "buffer-master.sealed")
    with pytest.raises(SealedPurposeError):
        store.get("buffer-master")


def test_put_replaces(store: SecretStore) -> None:
    """The newest is the one that opens, of whatever length."""
    store.get_or_create(NAME)
    store.put(NAME, SecretBytes(b"x" * 5000))
    assert store.get(NAME).reveal() == b"x" * 5000


def test_the_old_blob_stays_until_the_new_one_has_opened(store: SecretStore, tmp_path: Path) -> None:
    """A sealer that cannot open its own blob loses nothing."""
    secret = store.get_or_create(NAME).reveal()
    with pytest.raises(SealedBlobTamperedError):
        SecretStore(tmp_path / "secrets", ForgetfulSealer()).put(NAME, SecretBytes(b"new"))
    assert store.get(NAME).reveal() == secret


def test_who_comes_second_takes_what_the_first_made(store: SecretStore, tmp_path: Path) -> None:
    """Two processes at the first start agree on one secret."""
    sealer = FileSealer.open(tmp_path / "anchor", machine_context=HERE)

    class Racing:
        """While this one seals its fresh secret, another process makes one."""

        key_protection = KeyProtection.FILE

        def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
            store.get_or_create(purpose)
            return sealer.seal(secret, purpose=purpose)

        def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
            return sealer.unseal(blob, purpose=purpose)

    assert SecretStore(tmp_path / "secrets", Racing()).get_or_create(NAME).reveal() == store.get(NAME).reveal()


def test_a_discarded_secret_is_gone(store: SecretStore) -> None:
    """Twice is once."""
    store.get_or_create(NAME)
    store.discard(NAME)
    store.discard(NAME)
    with pytest.raises(SealedSecretMissingError):
        store.get(NAME)


@pytest.mark.parametrize("name", ["", "../tenant", "a/b", "A", ".hidden", "a" * 49, "a\n"])
def test_a_name_is_no_path(store: SecretStore, name: str) -> None:
    """Names are the program's own; anything else is a bug, and found out."""
    with pytest.raises(ValueError, match="name"):
        store.get(name)


def test_a_disk_that_refuses_is_a_sealing_error(store: SecretStore, tmp_path: Path) -> None:
    """Reading, keeping and forgetting: a folder stands where the blob belongs."""
    (tmp_path / "secrets" / "tenant-secret.sealed").mkdir(parents=True)
    for step in (store.get, store.get_or_create, store.discard):
        with pytest.raises(SealingError):
            step(NAME)
    with pytest.raises(SealingError):
        store.put(NAME, SecretBytes(b"new"))
