"""Power cuts between any two steps of keeping a secret, and damaged blobs: one that opens always stays."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import SealDiskError, SealedBlobRetiredError, SealedBlobTamperedError, SealedSecretMissingError
from appliance.ports import SecretBytes
from appliance.sealing.durable import Disk
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.wire.batch import KeyProtection
from tests.support.cut_disk import MortalDisk, PowerCut

NAME = "machine-identity"
OLD, NEW = SecretBytes(b"the old one"), SecretBytes(b"the new one")
SEALER = FileSealer(SecretBytes(bytes(range(32))))
STEPS = ["write", "fsync", "rename", "fsync of the folder"]


def store_in(folder: Path, disk: MortalDisk | None = None) -> SecretStore:
    """A store as a process opens it; every call is a start of the machine."""
    return SecretStore(folder / "secrets", SEALER, disk=(disk or MortalDisk()).disk())


def sealed(folder: Path) -> Path:
    """Where the blob lies."""
    return folder / "secrets" / f"{NAME}.sealed"


def previous(folder: Path) -> Path:
    """Where the one before lies."""
    return folder / "secrets" / f"{NAME}.previous"


def cut(folder: Path, secret: SecretBytes, step: int) -> bool:
    """Put ``secret`` on a disk whose power goes at ``step``; whether it went."""
    try:
        store_in(folder, MortalDisk(step)).put(NAME, secret)
    except PowerCut:
        return True
    return False


def unconfirmed(folder: Path) -> None:
    """The state after a power cut right after the new blob came into place."""
    store_in(folder).put(NAME, OLD)
    assert cut(folder, NEW, 7)
    assert previous(folder).exists()
    assert sealed(folder).read_bytes() != previous(folder).read_bytes()


def test_after_a_put_the_older_blob_is_gone(tmp_path: Path) -> None:
    """It opened from the disk, so nothing may fall back any more."""
    store = store_in(tmp_path)
    store.put(NAME, OLD)
    store.put(NAME, NEW)
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == [f"{NAME}.sealed"]


@pytest.mark.parametrize("step", range(9), ids=[f"{copy} {step}" for copy in ("old", "new") for step in STEPS] + ["go"])
def test_a_power_cut_at_any_step_of_a_put_leaves_one_that_opens(tmp_path: Path, step: int) -> None:
    """The old one before the rename, the new one after it; the next put goes through."""
    store_in(tmp_path).put(NAME, OLD)
    assert cut(tmp_path, NEW, step)
    assert store_in(tmp_path).get(NAME).reveal() == (NEW if step > 6 else OLD).reveal()
    store_in(tmp_path).put(NAME, NEW)
    assert store_in(tmp_path).get(NAME).reveal() == NEW.reveal()


@pytest.mark.parametrize("step", range(6), ids=["folder above", "folder", *STEPS])
def test_a_power_cut_at_the_first_put_leaves_nothing_or_the_secret(tmp_path: Path, step: int) -> None:
    """Nothing is said to be missing that was kept."""
    cut(tmp_path, NEW, step)
    try:
        assert store_in(tmp_path).get(NAME).reveal() == NEW.reveal()
    except SealedSecretMissingError:
        assert not sealed(tmp_path).exists()


@pytest.mark.parametrize("step", range(2))
def test_a_power_cut_while_forgetting_brings_no_older_one_back(tmp_path: Path, step: int) -> None:
    """The older blob goes first: what then still opens is the newest."""
    unconfirmed(tmp_path)
    with pytest.raises(PowerCut):
        store_in(tmp_path, MortalDisk(step)).discard(NAME)
    assert not previous(tmp_path).exists()
    store_in(tmp_path).discard(NAME)
    assert store_in(tmp_path).names() == []


@pytest.mark.parametrize("damage", [b"", b"\0" * 300, None], ids=["empty", "zeros", "gone"])
def test_a_new_blob_that_the_disk_damaged_gives_way_to_the_one_before(
    tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its put never returned, so the one before is what was promised; the log says so, and the next put heals it."""
    unconfirmed(tmp_path)
    sealed(tmp_path).unlink()
    if damage is not None:
        sealed(tmp_path).write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        assert store_in(tmp_path).get_or_create(NAME).reveal() == OLD.reveal()
    assert "opened=previous" in caplog.text
    with pytest.raises(FileExistsError):
        store_in(tmp_path).create(NAME, NEW)
    assert store_in(tmp_path).names() == [NAME]
    assert store_in(tmp_path).written_at(NAME) > 0
    assert cut(tmp_path, NEW, 2)
    assert store_in(tmp_path).get(NAME).reveal() == OLD.reveal()
    store_in(tmp_path).put(NAME, NEW)
    assert store_in(tmp_path).get(NAME).reveal() == NEW.reveal()
    assert not previous(tmp_path).exists()


def test_a_damaged_blob_that_had_opened_gives_way_to_nothing(tmp_path: Path) -> None:
    """A put returned: what was before must not come back, and nothing fresh is made."""
    store_in(tmp_path).put(NAME, OLD)
    store_in(tmp_path).put(NAME, NEW)
    sealed(tmp_path).write_bytes(sealed(tmp_path).read_bytes()[:-9] + b'AAAAAAA"}')
    with pytest.raises(SealedBlobTamperedError):
        store_in(tmp_path).get_or_create(NAME)


def test_where_both_are_damaged_the_error_is_of_the_newer(tmp_path: Path) -> None:
    """And nothing is made in their place."""
    unconfirmed(tmp_path)
    previous(tmp_path).write_bytes(b"")
    sealed(tmp_path).write_bytes(sealed(tmp_path).read_bytes()[:-9] + b'AAAAAAA"}')
    with pytest.raises(SealedBlobTamperedError):
        store_in(tmp_path).get_or_create(NAME)


class Counting:
    """A sealer whose blobs open only while its counter stands where it stood at their sealing, as a TPM's does."""

    key_protection = KeyProtection.TPM

    def __init__(self) -> None:
        self.counter = 1

    def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
        """Seal to the counter."""
        return bytes([self.counter]) + SEALER.seal(secret, purpose=purpose)

    def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
        """Refuse what the counter retired."""
        if blob[:1] != bytes([self.counter]):
            raise SealedBlobRetiredError("retired")
        return SEALER.unseal(blob[1:], purpose=purpose)


@pytest.mark.parametrize("current_is_damaged", [False, True], ids=["whole", "damaged"])
def test_a_retired_blob_does_not_come_back(tmp_path: Path, *, current_is_damaged: bool) -> None:
    """Not as the newest, where an older one that opens lies beside it, and not as the one before a damaged one."""
    sealer = Counting()
    store = SecretStore(tmp_path / "secrets", sealer)
    store.put(NAME, OLD)
    retired = sealed(tmp_path).read_bytes()
    sealer.counter = 2
    store.put(NAME, NEW)
    new = sealed(tmp_path).read_bytes()
    previous(tmp_path).write_bytes(retired if current_is_damaged else new)
    sealed(tmp_path).write_bytes(new[:-9] + b'AAAAAAA"}' if current_is_damaged else retired)
    with pytest.raises(SealedBlobRetiredError):
        store.get(NAME)


def test_a_full_disk_has_its_own_error_and_costs_nothing(tmp_path: Path) -> None:
    """Keeping and forgetting; the secret before still opens."""
    store_in(tmp_path).put(NAME, OLD)

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    full = SecretStore(tmp_path / "secrets", SEALER, disk=Disk(write=refuse))
    with pytest.raises(SealDiskError):
        full.put(NAME, NEW)
    with pytest.raises(SealDiskError):
        full.get_or_create("another")
    assert full.get(NAME).reveal() == OLD.reveal()

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(SealDiskError):
        SecretStore(tmp_path / "secrets", SEALER, disk=Disk(fsync=fail)).discard(NAME)


def test_an_older_blob_that_cannot_be_taken_away_is_no_failure(tmp_path: Path) -> None:
    """The secret opens; the next opening tries again."""
    unconfirmed(tmp_path)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    store = SecretStore(tmp_path / "secrets", SEALER, disk=Disk(fsync=fail))
    assert store.get(NAME).reveal() == NEW.reveal()


STEP = st.one_of(
    st.tuples(st.just("put"), st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("get"), st.just(b"")),
    st.tuples(st.integers(0, 9), st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("damage"), st.just(b"")),
)


@given(steps=st.lists(STEP, max_size=12))
def test_any_interleaving_of_puts_gets_cuts_and_damage_keeps_one_value_that_opens(
    steps: list[tuple[str | int, bytes]],
) -> None:
    """A number is a put whose power goes at that step; damage hits only a blob that has never been read back."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        store_in(folder).put(NAME, SecretBytes(b"first"))
        allowed = {b"first"}
        for step, value in steps:
            if step == "damage":
                if previous(folder).exists() and previous(folder).read_bytes() != sealed(folder).read_bytes():
                    sealed(folder).write_bytes(b"\0" * 64)
            elif step == "get":
                allowed &= {store_in(folder).get(NAME).reveal()}
            elif step == "put" or not cut(folder, SecretBytes(value), int(step)):
                store_in(folder).put(NAME, SecretBytes(value))
                allowed = {value}
            else:
                allowed |= {value}
            assert store_in(folder).get(NAME).reveal() in allowed
