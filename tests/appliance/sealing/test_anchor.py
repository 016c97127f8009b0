"""The one anchor of a state directory: the best at first, then that one or none. With a real TPM."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tpm2_pytss import ESAPI, ESYS_TR, TPM2_SU, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE

from appliance.errors import (
    AnchorInUseError,
    AnchorLoweredError,
    PassphraseError,
    SealAnchorError,
    SealDiskError,
    SealedBlobTamperedError,
    SealingError,
    TpmFailedError,
    TpmMissingError,
    TpmReplacedError,
    WrongMachineError,
)
from appliance.ports import SecretBytes
from appliance.sealing.anchor import AnchorFiles, StateAnchor, open_secrets
from appliance.sealing.anchor_record import AnchorWay
from appliance.sealing.boot_state import BootState
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.secret_store import SecretStore
from appliance.wire.batch import KeyProtection
from tests.support.cut_disk import MortalDisk, PowerCut
from tests.support.swtpm import Swtpm

SECRET = SecretBytes(b"thirty-two bytes of a secret ...")
NAME = "tenant-secret"
NO_TPM = AnchorWay("device:/dev/tpmrm9", None)
PLAIN = BootState(secure_boot=None, public_key=None, signatures=None)


def way_to(tpm: Swtpm) -> AnchorWay:
    """How the test's TPM is reached."""
    return AnchorWay(tpm.tcti, None)


def open_in(folder: Path, way: AnchorWay | None = None, *, alone: bool = False) -> StateAnchor:
    """Open the anchor of a state directory on a machine that was booted plainly."""
    return AnchorFiles(folder / "state", boot=PLAIN).open(way, alone=alone)


def sealed_under(folder: Path, way: AnchorWay) -> None:
    """A state directory with one secret; nobody has it open."""
    anchor = open_in(folder, way)
    SecretStore(folder / "state/secrets", anchor).put(NAME, SECRET)
    anchor.close()


def opens(folder: Path, way: AnchorWay | None) -> bytes:
    """The secret again, after a restart."""
    return SecretStore(folder / "state/secrets", open_in(folder, way)).get(NAME).reveal()


def test_with_a_tpm_a_fresh_directory_hangs_on_it(tmp_path: Path, tpm: Swtpm) -> None:
    """Level 2, and what keeps it from level 3; the record alone says how to reach it again."""
    anchor = open_in(tmp_path, way_to(tpm))
    assert (anchor.key_protection, anchor.record.protection) == (KeyProtection.TPM, KeyProtection.TPM)
    assert anchor.why_not_higher == ["no_uefi", "no_pcr_public_key", "no_pcr_signature"]
    assert not (tmp_path / "state/anchor/anchor.json").exists()
    anchor.close()
    sealed_under(tmp_path, way_to(tpm))
    assert opens(tmp_path, way_to(tpm)) == opens(tmp_path, None) == SECRET.reveal()


def test_without_a_tpm_a_fresh_directory_hangs_on_a_file(tmp_path: Path) -> None:
    """Level 1, and why."""
    sealed_under(tmp_path, NO_TPM)
    anchor = open_in(tmp_path)
    assert (anchor.key_protection, anchor.why_not_higher) == (KeyProtection.FILE, ["no_tpm"])
    assert isinstance(anchor.sealer, FileSealer)
    assert opens(tmp_path, None) == SECRET.reveal()


def test_a_tpm_that_comes_later_changes_nothing_by_itself(tmp_path: Path, tpm: Swtpm) -> None:
    """Only ``rewrap`` moves the secrets; the way that the settings now name is recorded."""
    sealed_under(tmp_path, NO_TPM)
    assert opens(tmp_path, way_to(tpm)) == SECRET.reveal()
    anchor = open_in(tmp_path)
    assert (anchor.key_protection, anchor.record.way) == (KeyProtection.FILE, way_to(tpm))


def test_a_tpm_that_is_gone_closes_everything(tmp_path: Path, tpm: Swtpm) -> None:
    """No file anchor, no fresh secret, nothing changed; with its TPM back all opens."""
    sealed_under(tmp_path, way_to(tpm))
    before = content_of(tmp_path)
    tpm.kill()
    for way in (way_to(tpm), NO_TPM, None):
        with pytest.raises(TpmMissingError):
            open_in(tmp_path, way)
    assert content_of(tmp_path) == before
    tpm.start()
    assert opens(tmp_path, None) == SECRET.reveal()


def test_another_tpm_opens_nothing(tmp_path: Path, tpm: Swtpm) -> None:
    """A disk in another machine."""
    sealed_under(tmp_path, way_to(tpm))
    with Swtpm(tmp_path / "other") as other, pytest.raises(TpmReplacedError):
        open_in(tmp_path, way_to(other))


def test_a_tpm_that_refuses_at_the_first_use_is_no_reason_for_a_file(tmp_path: Path, tpm: Swtpm) -> None:
    """Something else lies where its storage key belongs: an error, and no anchor of any kind."""
    occupy_storage_key(tpm)
    with pytest.raises(TpmFailedError):
        open_in(tmp_path, way_to(tpm))
    assert [path.name for path in (tmp_path / "state/anchor").glob("*.json")] == []


def occupy_storage_key(tpm: Swtpm) -> None:
    """Leave a key that can be duplicated at the storage key's handle, as another program might."""
    attributes = "sensitivedataorigin|userwithauth|restricted|decrypt"
    with ESAPI(tpm.tcti) as esapi:
        esapi.startup(TPM2_SU.CLEAR)
        template = TPM2B_PUBLIC.parse("ecc256:aes128cfb", objectAttributes=attributes)
        made, *_ = esapi.create_primary(in_sensitive=TPM2B_SENSITIVE_CREATE(), in_public=template)
        esapi.evict_control(auth=ESYS_TR.OWNER, object_handle=made, persistent_handle=0x81000001)
        esapi.flush_context(made)


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file of the state directory."""
    state = folder / "state"
    return {str(path.relative_to(state)): path.read_bytes() for path in state.rglob("*") if path.is_file()}


def test_a_directory_of_before_there_were_records_keeps_its_file_anchor(tmp_path: Path, tpm: Swtpm) -> None:
    """Also where a TPM answers: its secrets must still open."""
    SecretStore(tmp_path / "state/secrets", FileSealer.open(tmp_path / "state/anchor")).put(NAME, SECRET)
    assert opens(tmp_path, way_to(tpm)) == SECRET.reveal()
    assert open_in(tmp_path).why_not_higher == ["anchored_before_tpm"]


@pytest.mark.parametrize("step", range(24))
def test_a_power_cut_at_any_step_of_the_first_use_costs_nothing(tmp_path: Path, tpm: Swtpm, step: int) -> None:
    """The next start comes to a TPM anchor, whatever was there."""
    try:
        AnchorFiles(tmp_path / "state", boot=PLAIN, disk=MortalDisk(step).disk()).open(way_to(tpm))
    except PowerCut:
        pass
    else:
        assert step > 8
    sealed_under(tmp_path, way_to(tpm))
    assert open_in(tmp_path).key_protection is KeyProtection.TPM


def lost(*names: str) -> Callable[[Path], None]:
    """Remove files of the folder of anchors."""

    def remove(anchors: Path) -> None:
        for name in names:
            (anchors / name).unlink()

    return remove


@pytest.mark.parametrize(
    "remove", [lost("anchor.json"), lost("anchor.json", "record.json")], ids=["the anchor", "anchor and record"]
)
def test_where_secrets_are_no_fresh_anchor_is_made(tmp_path: Path, remove: Callable[[Path], None]) -> None:
    """A lost file anchor is an error, not a first use, also where a TPM would answer."""
    sealed_under(tmp_path, NO_TPM)
    remove(tmp_path / "state/anchor")
    with pytest.raises(SealAnchorError, match="is gone"):
        open_in(tmp_path, NO_TPM)
    assert not (tmp_path / "state/anchor/anchor.json").exists()


def test_a_lost_tpm_anchor_is_no_first_use_either(tmp_path: Path, tpm: Swtpm) -> None:
    """Its record says that there was one."""
    sealed_under(tmp_path, way_to(tpm))
    (tmp_path / "state/anchor/tpm-anchor.json").unlink()
    with pytest.raises(SealAnchorError, match="is gone"):
        open_in(tmp_path, way_to(tpm))


def test_a_lost_record_is_written_again(tmp_path: Path, tpm: Swtpm) -> None:
    """What anchor it was, the anchor's own file says; how it is reached, the settings."""
    sealed_under(tmp_path, way_to(tpm))
    (tmp_path / "state/anchor/record.json").unlink()
    with pytest.raises(SealAnchorError, match="no anchor here"):
        open_in(tmp_path)
    assert opens(tmp_path, way_to(tpm)) == opens(tmp_path, None) == SECRET.reveal()


def edited(folder: Path, **fields: Any) -> None:
    """The record with other fields, still canonical."""
    path = folder / "state/anchor/record.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | fields, separators=(",", ":")))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"protection": "tpm_measured_boot"}, SealedBlobTamperedError),
        ({"why_not_higher": []}, SealedBlobTamperedError),
        ({"protection": "file"}, SealAnchorError),
        ({"version": 2}, SealAnchorError),
        ({"extra": 1}, SealAnchorError),
        ({"protection": "paper"}, SealAnchorError),
        ({"proof": ""}, SealingError),
    ],
    ids=["raised", "whitewashed", "lowered", "version", "field", "unknown", "unproven"],
)
def test_an_edited_record_opens_nothing(
    tmp_path: Path, tpm: Swtpm, fields: dict[str, Any], error: type[SealingError]
) -> None:
    """Each field is checked or authenticated."""
    sealed_under(tmp_path, way_to(tpm))
    edited(tmp_path, **fields)
    with pytest.raises(error):
        open_in(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 50_000, b"\xff", b" " * 70_000], ids=range(5))
def test_a_damaged_record_is_a_typed_error_and_stays(tmp_path: Path, content: bytes) -> None:
    """It is not a missing one: the anchor might have been a TPM."""
    sealed_under(tmp_path, NO_TPM)
    path = tmp_path / "state/anchor/record.json"
    path.write_bytes(content)
    with pytest.raises(SealAnchorError):
        open_in(tmp_path, NO_TPM)
    assert path.read_bytes() == content


def test_a_record_that_is_a_folder_is_a_typed_error(tmp_path: Path) -> None:
    """Somebody put it there."""
    (tmp_path / "state/anchor/record.json").mkdir(parents=True)
    with pytest.raises(SealAnchorError):
        open_in(tmp_path, NO_TPM)


def test_a_forged_lower_anchor_opens_no_secret(tmp_path: Path, tpm: Swtpm) -> None:
    """Who can write the disk puts a whole file anchor of his own there: the blobs say that they hung on a TPM."""
    sealed_under(tmp_path, way_to(tpm))
    for path in (tmp_path / "state/anchor").iterdir():
        path.unlink()
    forged = FileSealer.open(tmp_path / "state/anchor")
    AnchorFiles(tmp_path / "state").record(forged, NO_TPM, [])
    with pytest.raises(AnchorLoweredError):
        opens(tmp_path, NO_TPM)


def test_a_record_of_another_file_anchor_does_not_authenticate(tmp_path: Path) -> None:
    """Two state directories were mixed."""
    sealed_under(tmp_path / "a", NO_TPM)
    sealed_under(tmp_path / "b", NO_TPM)
    (tmp_path / "a/state/anchor/anchor.json").replace(tmp_path / "b/state/anchor/anchor.json")
    with pytest.raises(WrongMachineError):
        open_in(tmp_path / "b", NO_TPM)


def passphrase_in(folder: Path, text: str = "correct horse battery staple\n") -> AnchorWay:
    """No TPM, and a passphrase file."""
    path = folder / "passphrase"
    path.write_text(text)
    path.chmod(0o600)
    return AnchorWay(NO_TPM.tpm, str(path))


def test_a_passphrase_is_needed_ever_after(tmp_path: Path) -> None:
    """By the settings or by the record alone; none or another one is refused."""
    sealed_under(tmp_path, passphrase_in(tmp_path))
    assert opens(tmp_path, None) == SECRET.reveal()
    with pytest.raises(PassphraseError):
        open_in(tmp_path, NO_TPM)
    passphrase_in(tmp_path, "another horse, another staple")
    with pytest.raises(PassphraseError):
        open_in(tmp_path)
    (tmp_path / "passphrase").unlink()
    with pytest.raises(PassphraseError):
        open_in(tmp_path)


def test_many_have_it_open_or_one_has_it_alone(tmp_path: Path) -> None:
    """What opened it goes on; who is gone does not count."""
    first = open_in(tmp_path, NO_TPM)
    second = open_in(tmp_path, NO_TPM)
    with pytest.raises(AnchorInUseError):
        open_in(tmp_path, NO_TPM, alone=True)
    first.close()
    del second
    alone = open_in(tmp_path, NO_TPM, alone=True)
    with pytest.raises(AnchorInUseError):
        open_in(tmp_path, NO_TPM)
    alone.close()
    open_in(tmp_path, NO_TPM)


def test_an_opening_that_fails_holds_nothing(tmp_path: Path) -> None:
    """Who could not open it does not keep it from others."""
    sealed_under(tmp_path, NO_TPM)
    anchor = tmp_path / "state/anchor/anchor.json"
    anchor.rename(tmp_path / "kept")
    with pytest.raises(SealAnchorError):
        open_in(tmp_path)
    (tmp_path / "kept").rename(anchor)
    open_in(tmp_path, alone=True)


def test_a_full_disk_at_the_first_use_has_its_own_error(tmp_path: Path) -> None:
    """And a place where no folder can be made."""

    def refuse(_: int, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    disk = MortalDisk().disk()
    full = type(disk)(write=refuse)
    with pytest.raises(SealDiskError):
        AnchorFiles(tmp_path / "state", boot=PLAIN, disk=full).open(NO_TPM)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SealDiskError):
        AnchorFiles(tmp_path / "file", boot=PLAIN).open(NO_TPM)


def test_files_are_their_owners_alone(tmp_path: Path, tpm: Swtpm) -> None:
    """Whatever the anchor."""
    sealed_under(tmp_path, way_to(tpm))
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert (tmp_path / "state/anchor").stat().st_mode & 0o777 == 0o700


def test_the_store_and_its_anchor_are_opened_together(tmp_path: Path) -> None:
    """What the appliance uses."""
    store, anchor = open_secrets(tmp_path / "state", NO_TPM)
    made = store.get_or_create(NAME).reveal()
    assert open_secrets(tmp_path / "state")[0].get(NAME).reveal() == made
    assert anchor.key_protection is KeyProtection.FILE
