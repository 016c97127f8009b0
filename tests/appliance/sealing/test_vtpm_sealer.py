"""Secrets under a root that a real TPM gives out: what opens, on which TPM, and when no more."""

import json
import shutil
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from tpm2_pytss import ESYS_TR

from appliance.errors import (
    SealAnchorError,
    SealedBlobRetiredError,
    SealedBlobTamperedError,
    SealedPurposeError,
    TpmMissingError,
    TpmReplacedError,
    WrongMachineError,
)
from appliance.ports import SecretBytes, SecretSealer
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tpm_policy import key_name
from appliance.sealing.vtpm.anchor_folder import ANCHOR_FILE, NEXT_FILE
from appliance.sealing.vtpm.connection import Tpm, found
from appliance.sealing.vtpm.counter import COUNTER_INDEX, count_up
from appliance.sealing.vtpm.level import Level, Obstacle
from appliance.wire.batch import KeyProtection
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import PURPOSE, RECOVERY, SECRET, anchor_in, on, public_pem


def opens(sealer: SecretSealer, blob: bytes) -> bool:
    """Whether the secret comes out."""
    return sealer.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_what_was_sealed_opens_after_each_kind_of_restart(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """In order, and after a power cut."""
    blob = anchor_in(tmp_path / "anchor", clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    for restart in (clean_tpm.restart, clean_tpm.cut_power):
        restart()
        assert opens(anchor_in(tmp_path / "anchor", clean_tpm).open(), blob)


def test_a_secret_as_long_as_a_settings_file_is_sealed(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """A TPM seals 128 bytes; what is sealed under its root may be as long as it likes."""
    long = SecretBytes(bytes(256 * 1024))
    blob = anchor_in(tmp_path / "anchor", clean_tpm).open().seal(long, purpose="settings")
    assert anchor_in(tmp_path / "anchor", clean_tpm).open().unseal(blob, purpose="settings").reveal() == long.reveal()


def test_a_store_keeps_its_secrets_under_it(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """It is a sealer like another."""
    store = SecretStore(tmp_path / "secrets", anchor_in(tmp_path / "anchor", clean_tpm).open())
    secret = store.get_or_create("tenant-secret")
    again = SecretStore(tmp_path / "secrets", anchor_in(tmp_path / "anchor", clean_tpm).open())
    assert again.get("tenant-secret").reveal() == secret.reveal()


def test_the_anchor_says_what_it_is_and_not_what_it_holds(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Version, storage key, policy, keys, PCRs, counter, id and time, in one file that its owner alone reads."""
    sealer = anchor_in(tmp_path / "anchor", clean_tpm, recovery_key=public_pem(RECOVERY)).open()
    path = tmp_path / "anchor" / ANCHOR_FILE
    content = json.loads(path.read_bytes())
    assert {name: content[name] for name in ("version", "anchor", "policy", "policy_key", "pcrs", "counter_index")} == {
        "version": 1,
        "anchor": "tpm",
        "policy": "tpm",
        "policy_key": None,
        "pcrs": [],
        "counter_index": COUNTER_INDEX,
    }
    assert b64decode(content["storage_key"]) == sealer.storage_key_name
    assert b64decode(content["recovery_key"]) == key_name(RECOVERY.public_key())
    assert content["key_id"] == sealer.key_id
    assert content["created_at"].endswith("Z")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_sealed_object_has_no_password_and_no_part_in_the_lockout(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """TPMA_OBJECT: fixedTPM, fixedParent, adminWithPolicy, noDA; no userWithAuth."""
    anchor_in(tmp_path / "anchor", clean_tpm).open()
    public = b64decode(json.loads((tmp_path / "anchor" / ANCHOR_FILE).read_bytes())["public"])
    assert int.from_bytes(public[4:8], "big") == 1 << 1 | 1 << 4 | 1 << 7 | 1 << 10


def test_a_blob_opens_for_its_purpose_alone(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """As under every anchor."""
    sealer = anchor_in(tmp_path / "anchor", clean_tpm).open()
    blob = sealer.seal(SECRET, purpose=PURPOSE)
    with pytest.raises(SealedPurposeError):
        sealer.unseal(blob, purpose="buffer-master")
    with pytest.raises(SealedBlobTamperedError):
        sealer.unseal(blob.replace(PURPOSE.encode(), b"buffer-master"), purpose="buffer-master")


def test_a_blob_of_another_root_is_of_another_machine(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Two anchors of one TPM, and a file anchor."""
    blob = anchor_in(tmp_path / "anchor", clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    with pytest.raises(WrongMachineError):
        anchor_in(tmp_path / "another", clean_tpm).open().unseal(blob, purpose=PURPOSE)
    of_file = FileSealer.open(tmp_path / "file").seal(SECRET, purpose=PURPOSE)
    with pytest.raises(WrongMachineError):
        anchor_in(tmp_path / "anchor", clean_tpm).open().unseal(of_file, purpose=PURPOSE)


def test_it_is_level_2_and_says_why_not_3(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """As codes."""
    sealer = anchor_in(tmp_path / "anchor", clean_tpm).open()
    assert sealer.level == Level(KeyProtection.TPM, (Obstacle.NO_UEFI, Obstacle.NO_PCR_KEY, Obstacle.NO_PCR_SIGNATURE))
    assert sealer.key_protection is KeyProtection.TPM


def test_its_root_shows_nowhere(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Neither as text nor in a file."""
    sealer = anchor_in(tmp_path / "anchor", clean_tpm).open()
    blob = sealer.seal(SECRET, purpose=PURPOSE)
    for content in (blob, (tmp_path / "anchor" / ANCHOR_FILE).read_bytes(), repr(sealer).encode()):
        assert SECRET.reveal() not in content
        assert b64encode(SECRET.reveal()) not in content


def test_another_tpm_opens_nothing(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The disk in another machine, or a TPM that lost its state: one and the same to see."""
    anchor_in(tmp_path / "anchor", clean_tpm).open()
    with Swtpm(tmp_path / "fresh") as fresh:
        for _ in range(2):
            with pytest.raises(TpmReplacedError):
                anchor_in(tmp_path / "anchor", fresh).open()
        anchor_in(tmp_path / "its own", fresh).open()
        with pytest.raises(TpmReplacedError):
            anchor_in(tmp_path / "anchor", fresh).open()


def test_a_tpm_that_was_cleared_opens_nothing(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """TPM2_Clear in the firmware's menu makes a new storage seed."""
    anchor_in(tmp_path / "anchor", clean_tpm).open()
    on(clean_tpm, lambda tpm: tpm.esapi.clear(ESYS_TR.LOCKOUT))
    with pytest.raises(TpmReplacedError):
        anchor_in(tmp_path / "anchor", clean_tpm).open()


def test_a_clone_with_its_tpm_opens_everything_and_goes_its_own_way(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The limit, said where it applies; the counters of the two part, which the receiver sees."""
    blob = anchor_in(tmp_path / "anchor", clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    clean_tpm.stop()
    clean_tpm.copy_state(tmp_path / "clone")
    shutil.copytree(tmp_path / "anchor", tmp_path / "cloned anchor")
    clean_tpm.start()
    with Swtpm(tmp_path / "clone") as clone:
        assert opens(anchor_in(tmp_path / "cloned anchor", clone).open(), blob)
        anchor_in(tmp_path / "anchor", clean_tpm).reseal()
        assert opens(anchor_in(tmp_path / "anchor", clean_tpm).open(), blob)
        with pytest.raises(TpmReplacedError):
            anchor_in(tmp_path / "anchor", clone).open()
        with pytest.raises(SealedBlobRetiredError):
            anchor_in(tmp_path / "cloned anchor", clean_tpm).open()


def test_an_anchor_that_was_put_back_is_retired(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """A snapshot of the disk from before the last sealing."""
    anchor = anchor_in(tmp_path / "anchor", clean_tpm)
    blob = anchor.open().seal(SECRET, purpose=PURPOSE)
    old = (tmp_path / "anchor" / ANCHOR_FILE).read_bytes()
    assert opens(anchor.reseal(), blob)
    assert opens(anchor.open(), blob)
    (tmp_path / "anchor" / ANCHOR_FILE).write_bytes(old)
    with pytest.raises(SealedBlobRetiredError):
        anchor.open()
    with pytest.raises(SealedBlobRetiredError):
        anchor.reseal()


def test_a_retired_anchor_stays_retired_when_the_counter_is_made_again(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Who owns the TPM may remove the counter, but not set it back."""
    anchor = anchor_in(tmp_path / "anchor", clean_tpm)
    anchor.open()

    def remove(tpm: Tpm) -> None:
        index = found(tpm.esapi, COUNTER_INDEX)
        assert index is not None
        tpm.esapi.nv_undefine_space(index)

    on(clean_tpm, remove)
    with pytest.raises(TpmReplacedError):
        anchor.open()
    on(clean_tpm, count_up)
    with pytest.raises(SealedBlobRetiredError):
        anchor.open()


def test_sealing_anew_leaves_one_anchor(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The next one takes the place of the one before."""
    anchor = anchor_in(tmp_path / "anchor", clean_tpm)
    with pytest.raises(SealAnchorError):
        anchor.reseal()
    anchor.open()
    for _ in range(3):
        anchor.reseal()
    assert (tmp_path / "anchor" / ANCHOR_FILE).exists()
    assert not (tmp_path / "anchor" / NEXT_FILE).exists()


@pytest.mark.parametrize("tcti", ["swtpm:host=127.0.0.1,port=1", "device:/dev/no-such-tpm", "no-such-library"])
def test_without_a_tpm_nothing_is_made_and_nothing_opens(clean_tpm: Swtpm, tmp_path: Path, tcti: str) -> None:
    """Nothing falls back by itself."""
    with pytest.raises(TpmMissingError):
        anchor_in(tmp_path / "new", tcti).open()
    assert not (tmp_path / "new" / ANCHOR_FILE).exists()
    anchor_in(tmp_path / "anchor", clean_tpm).open()
    for use in (anchor_in(tmp_path / "anchor", tcti).open, anchor_in(tmp_path / "anchor", tcti).reseal):
        with pytest.raises(TpmMissingError):
            use()


def test_a_tpm_that_goes_away_while_it_is_used_breaks_nothing(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """What was opened stays open; the next start finds the TPM missing."""
    sealer = anchor_in(tmp_path / "anchor", clean_tpm).open()
    clean_tpm.kill()
    assert opens(sealer, sealer.seal(SECRET, purpose=PURPOSE))
    with pytest.raises(TpmMissingError):
        anchor_in(tmp_path / "anchor", clean_tpm).open()
