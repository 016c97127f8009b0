"""All secrets move from the file anchor to the TPM, and stay the same. With a real TPM."""

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.clock import SystemClock
from appliance.errors import (
    AnchorInUseError,
    SealDiskError,
    SealedBlobRetiredError,
    SealedBlobTamperedError,
    SealingError,
    TpmMissingError,
)
from appliance.ports import SecretBytes
from appliance.sealing.anchor import AnchorFiles
from appliance.sealing.anchor_record import AnchorWay
from appliance.sealing.boot_state import BootState
from appliance.sealing.buffer_keys import BufferKeys
from appliance.sealing.durable import Disk
from appliance.sealing.rewrap import rewrap
from appliance.sealing.secret_store import SecretStore
from appliance.wire.batch import KeyProtection
from tests.support.buffer_file import drain
from tests.support.cut_disk import MortalDisk, PowerCut
from tests.support.records import intake
from tests.support.swtpm import Swtpm

NO_TPM = AnchorWay("device:/dev/tpmrm9", None)
PLAIN = BootState(secure_boot=None, public_key=None, signatures=None)
SECRETS = {"tenant-secret": b"one", "buffer-master-1": b"two", "machine-identity": b"three" * 1000}
BUFFER = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=100)


def files(folder: Path, disk: Disk | None = None) -> AnchorFiles:
    """The anchor of a state directory on a machine that was booted plainly."""
    return AnchorFiles(folder / "state", boot=PLAIN, disk=disk or MortalDisk().disk())


def way_to(tpm: Swtpm) -> AnchorWay:
    """How the test's TPM is reached."""
    return AnchorWay(tpm.tcti, None)


def anchored_in_a_file(folder: Path) -> None:
    """A state directory with a few secrets under the file anchor; nobody has it open."""
    anchor = files(folder).open(NO_TPM)
    store = SecretStore(folder / "state/secrets", anchor)
    for name, secret in SECRETS.items():
        store.put(name, SecretBytes(secret))
    anchor.close()


def opened(folder: Path, way: AnchorWay) -> tuple[KeyProtection, dict[str, bytes]]:
    """What opens after a restart, and under what."""
    anchor = files(folder).open(way)
    store = SecretStore(folder / "state/secrets", anchor)
    found = {name: store.get(name).reveal() for name in store.names()}
    anchor.close()
    return anchor.key_protection, found


def names(folder: Path) -> set[str]:
    """Every file of the state directory but those that are only locked."""
    return {path.name for path in (folder / "state").rglob("*") if path.is_file() and not path.name.endswith(".lock")}


AFTER = {f"{name}.sealed" for name in SECRETS} | {"record.json", "tpm-anchor.json"}


def test_every_secret_moves_and_stays_the_same(tmp_path: Path, tpm: Swtpm) -> None:
    """Level 2 afterwards; no file of the old anchor is left."""
    anchored_in_a_file(tmp_path)
    record = rewrap(files(tmp_path), way_to(tpm))
    assert record.protection is KeyProtection.TPM
    assert record.why_not_higher == ["no_uefi", "no_pcr_public_key", "no_pcr_signature"]
    assert opened(tmp_path, way_to(tpm)) == (KeyProtection.TPM, SECRETS)
    assert names(tmp_path) == AFTER


def test_the_old_anchor_and_blobs_are_of_no_use_any_more(tmp_path: Path, tpm: Swtpm) -> None:
    """Not even to who kept the blobs: the anchor's bytes are gone from the disk's file."""
    anchored_in_a_file(tmp_path)
    with (tmp_path / "state/anchor/anchor.json").open("rb") as old:
        secret = old.read()
        rewrap(files(tmp_path), way_to(tpm))
        old.seek(0)
        noise = old.read()
    assert len(noise) == len(secret)
    assert noise != secret
    assert b"secret" not in noise


def test_the_buffer_still_opens(tmp_path: Path, tpm: Swtpm) -> None:
    """What waited under the file anchor is delivered under the TPM."""
    anchor = files(tmp_path).open(NO_TPM)
    keys = BufferKeys(SecretStore(tmp_path / "state/secrets", anchor), SystemClock())
    buffer = SqliteBuffer.open(tmp_path / "state/buffer.db", masters=keys.masters(), settings=BUFFER)
    buffer.append(intake([1, 2, 3]))
    buffer.close()
    del keys
    anchor.close()
    rewrap(files(tmp_path), way_to(tpm))
    store = SecretStore(tmp_path / "state/secrets", files(tmp_path).open())
    masters = BufferKeys(store, SystemClock()).masters()
    buffer = SqliteBuffer.open(tmp_path / "state/buffer.db", masters=masters, settings=BUFFER)
    assert [batch.records for batch in drain(buffer)] == [3]
    buffer.close()


def test_a_secret_keeps_its_age(tmp_path: Path, tpm: Swtpm) -> None:
    """The buffer's key is renewed by it."""
    anchored_in_a_file(tmp_path)
    then = time.time() - 80 * 86_400
    os.utime(tmp_path / "state/secrets/buffer-master-1.sealed", (then, then))
    rewrap(files(tmp_path), way_to(tpm))
    store = SecretStore(tmp_path / "state/secrets", files(tmp_path).open())
    assert abs(store.written_at("buffer-master-1") - then) < 1


def test_a_power_cut_at_any_step_leaves_one_anchor_that_opens_everything(tmp_path: Path, tpm: Swtpm) -> None:
    """And the next rewrap comes to the end; so does a plain start, where the record names the TPM already."""
    step, seen = 0, set()
    while True:
        folder = tmp_path / str(step)
        anchored_in_a_file(folder)
        try:
            rewrap(files(folder, MortalDisk(step).disk()), way_to(tpm))
        except PowerCut:
            protection, found = opened(folder, way_to(tpm))
            assert found == SECRETS, step
            assert (protection is KeyProtection.TPM) == (names(folder) == AFTER), step
            seen.add(protection)
            rewrap(files(folder), way_to(tpm))
        else:
            break
        assert opened(folder, way_to(tpm)) == (KeyProtection.TPM, SECRETS), step
        assert names(folder) == AFTER, step
        step += 1
    assert seen == {KeyProtection.FILE, KeyProtection.TPM}
    assert step > 30


def test_a_cut_off_rewrap_does_not_bring_back_what_changed_since(tmp_path: Path, tpm: Swtpm) -> None:
    """Blobs that wait beside the old ones are made anew, and one of a secret that is gone is dropped."""
    anchored_in_a_file(tmp_path)
    step = 0
    while len(list((tmp_path / "state/secrets").glob("*.rewrapped"))) < len(SECRETS):
        with suppress(PowerCut):
            rewrap(files(tmp_path, MortalDisk(step).disk()), way_to(tpm))
        step += 1
    anchor = files(tmp_path).open()
    store = SecretStore(tmp_path / "state/secrets", anchor)
    assert anchor.key_protection is KeyProtection.FILE
    store.put("tenant-secret", SecretBytes(b"changed"))
    store.discard("buffer-master-1")
    anchor.close()
    rewrap(files(tmp_path), way_to(tpm))
    kept = {"tenant-secret": b"changed", "machine-identity": SECRETS["machine-identity"]}
    assert opened(tmp_path, way_to(tpm)) == (KeyProtection.TPM, kept)


def test_an_unconfirmed_blob_moves_as_what_opens(tmp_path: Path, tpm: Swtpm) -> None:
    """Of a damaged new blob and the one before, the one before; neither stays under the file."""
    anchored_in_a_file(tmp_path)
    secrets = tmp_path / "state/secrets"
    (secrets / "tenant-secret.previous").write_bytes((secrets / "tenant-secret.sealed").read_bytes())
    (secrets / "tenant-secret.sealed").write_bytes(b"")
    rewrap(files(tmp_path), way_to(tpm))
    assert opened(tmp_path, way_to(tpm)) == (KeyProtection.TPM, SECRETS)
    assert names(tmp_path) == AFTER


def test_without_a_tpm_nothing_changes(tmp_path: Path) -> None:
    """Its own error."""
    anchored_in_a_file(tmp_path)
    with pytest.raises(TpmMissingError):
        rewrap(files(tmp_path), NO_TPM)
    assert opened(tmp_path, NO_TPM) == (KeyProtection.FILE, SECRETS)


def test_while_somebody_uses_the_secrets_nothing_moves(tmp_path: Path, tpm: Swtpm) -> None:
    """A running appliance would go on sealing under the file."""
    anchored_in_a_file(tmp_path)
    user = files(tmp_path).open()
    with pytest.raises(AnchorInUseError):
        rewrap(files(tmp_path), way_to(tpm))
    user.close()
    rewrap(files(tmp_path), way_to(tpm))


def test_a_secret_that_does_not_open_stops_it(tmp_path: Path, tpm: Swtpm) -> None:
    """Nothing is left behind under an anchor that is destroyed."""
    anchored_in_a_file(tmp_path)
    path = tmp_path / "state/secrets/machine-identity.sealed"
    path.write_bytes(path.read_bytes()[:-9] + b'AAAAAAA"}')
    with pytest.raises(SealedBlobTamperedError):
        rewrap(files(tmp_path), way_to(tpm))
    assert files(tmp_path).open().key_protection is KeyProtection.FILE


def test_a_full_disk_stops_it(tmp_path: Path, tpm: Swtpm) -> None:
    """And the file anchor opens everything as before."""
    anchored_in_a_file(tmp_path)
    files(tmp_path).tpm(way_to(tpm)).open()

    def refuse(_: int, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    with pytest.raises(SealDiskError):
        rewrap(files(tmp_path, Disk(write=refuse)), way_to(tpm))
    assert opened(tmp_path, NO_TPM) == (KeyProtection.FILE, SECRETS)


def test_from_a_tpm_it_never_goes_back(tmp_path: Path, tpm: Swtpm) -> None:
    """A second rewrap seals the root anew; the copy of the anchor from before it is retired."""
    anchored_in_a_file(tmp_path)
    rewrap(files(tmp_path), way_to(tpm))
    path = tmp_path / "state/anchor/tpm-anchor.json"
    old = path.read_bytes()
    assert rewrap(files(tmp_path), way_to(tpm)).protection is KeyProtection.TPM
    assert opened(tmp_path, way_to(tpm)) == (KeyProtection.TPM, SECRETS)
    path.write_bytes(old)
    with pytest.raises(SealedBlobRetiredError):
        files(tmp_path).open()


def test_with_its_tpm_gone_a_rewrap_makes_no_file_anchor(tmp_path: Path, tpm: Swtpm) -> None:
    """Not for any way that the settings name."""
    anchored_in_a_file(tmp_path)
    rewrap(files(tmp_path), way_to(tpm))
    tpm.kill()
    for way in (way_to(tpm), NO_TPM, None):
        with pytest.raises(SealingError):
            rewrap(files(tmp_path), way)
    assert names(tmp_path) == AFTER


def test_a_passphrase_is_not_needed_under_the_tpm(tmp_path: Path, tpm: Swtpm) -> None:
    """It guarded the file anchor, which is gone."""
    path = tmp_path / "passphrase"
    path.write_bytes(b"correct horse battery staple")
    path.chmod(0o600)
    files(tmp_path).open(AnchorWay(NO_TPM.tpm, str(path))).close()
    rewrap(files(tmp_path), AnchorWay(tpm.tcti, str(path)))
    path.unlink()
    assert files(tmp_path).open().key_protection is KeyProtection.TPM


def test_what_the_counter_does_not_see(tmp_path: Path, tpm: Swtpm) -> None:
    """The limit, as it is stated: a single older blob that was put back opens, since the root stays the same."""
    files(tmp_path).open(way_to(tpm)).close()
    path = tmp_path / "state/secrets/tenant-secret.sealed"
    store = SecretStore(tmp_path / "state/secrets", files(tmp_path).open())
    store.put("tenant-secret", SecretBytes(b"older"))
    older = path.read_bytes()
    store.put("tenant-secret", SecretBytes(b"newer"))
    path.write_bytes(older)
    assert store.get("tenant-secret").reveal() == b"older"
