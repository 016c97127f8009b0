"""Sealing under a file anchor: what opens, what does not, and with which error."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import (
    AnchorLoweredError,
    PassphraseError,
    SealAnchorError,
    SealedBlobFormatError,
    SealedBlobTamperedError,
    SealedPurposeError,
    SealingError,
    WrongMachineError,
)
from appliance.ports import SecretBytes
from appliance.sealing.file_sealer import ANCHOR_FILE, FileSealer, _make_anchor, _read_anchor
from appliance.sealing.machine_context import MachineContext
from appliance.sealing.sealed_blob import MAX_BLOB_BYTES, BlobSealer
from appliance.wire.batch import KeyProtection

HERE = MachineContext("0123456789abcdef0123456789abcdef", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
SECRET = SecretBytes(b"thirty-two bytes of a secret ...")
PURPOSE = "tenant-secret"


def sealer_in(folder: Path, context: MachineContext = HERE) -> FileSealer:
    """A sealer on the anchor in ``folder``."""
    return FileSealer.open(folder / "anchor", machine_context=context)


def changed(blob: bytes, **fields: Any) -> bytes:
    """The blob with fields replaced, still canonical."""
    return json.dumps(json.loads(blob) | fields, separators=(",", ":")).encode()


def test_what_was_sealed_opens_after_a_restart(tmp_path: Path) -> None:
    """The anchor is kept; a second sealer on it opens the first one's blob."""
    blob = sealer_in(tmp_path).seal(SECRET, purpose=PURPOSE)
    assert sealer_in(tmp_path).unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_a_blob_says_what_it_is_and_not_what_it_holds(tmp_path: Path) -> None:
    """Version, anchor, key, purpose in clear; the secret nowhere."""
    blob = sealer_in(tmp_path).seal(SECRET, purpose=PURPOSE)
    content = json.loads(blob)
    assert list(content) == ["version", "anchor", "key_id", "purpose", "nonce", "ciphertext"]
    assert (content["version"], content["anchor"], content["purpose"]) == (1, "file", PURPOSE)
    assert SECRET.reveal() not in blob
    assert base64.b64encode(SECRET.reveal()) not in blob


def test_it_reports_the_lowest_protection() -> None:
    """Whoever copies the disk has the key, and nobody is told otherwise."""
    assert FileSealer.key_protection is KeyProtection.FILE


def test_no_two_seals_are_alike(tmp_path: Path) -> None:
    """A nonce is used once."""
    sealer = sealer_in(tmp_path)
    assert len({sealer.seal(SECRET, purpose=PURPOSE) for _ in range(50)}) == 50


def test_a_blob_opens_for_its_purpose_alone(tmp_path: Path) -> None:
    """Swapped files are noticed by name, and by authentication if the name was edited too."""
    sealer = sealer_in(tmp_path)
    blob = sealer.seal(SECRET, purpose=PURPOSE)
    with pytest.raises(SealedPurposeError):
        sealer.unseal(blob, purpose="buffer-master")
    with pytest.raises(SealedBlobTamperedError):
        sealer.unseal(changed(blob, purpose="buffer-master"), purpose="buffer-master")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda blob: blob[:-10], SealedBlobFormatError),
        (lambda _: b"", SealedBlobFormatError),
        (lambda _: b"[" * 100_000, SealedBlobFormatError),
        (lambda _: b" " * (MAX_BLOB_BYTES + 1), SealedBlobFormatError),
        (lambda blob: b" " + blob, SealedBlobFormatError),
        (lambda blob: changed(blob, version=2), SealedBlobFormatError),
        (lambda blob: changed(blob, extra=1), SealedBlobFormatError),
        (lambda blob: changed(blob, nonce="AAAA"), SealedBlobFormatError),
        (lambda blob: changed(blob, ciphertext=5), SealedBlobFormatError),
        (lambda blob: changed(blob, anchor="paper"), SealedBlobFormatError),
        (lambda blob: changed(blob, anchor="tpm"), AnchorLoweredError),
        (lambda blob: changed(blob, anchor="tpm_measured_boot"), AnchorLoweredError),
        (lambda blob: changed(blob, key_id="0" * 16), WrongMachineError),
        (lambda blob: changed(blob, nonce="A" * 16), SealedBlobTamperedError),
        (lambda blob: changed(blob, ciphertext=""), SealedBlobTamperedError),
        (lambda blob: changed(blob, ciphertext="AAAA" * 20), SealedBlobTamperedError),
    ],
)
def test_a_damaged_blob_gives_its_own_error(
    tmp_path: Path, change: Callable[[bytes], bytes], error: type[SealingError]
) -> None:
    """Format, machine and tampering are told apart; each carries a code and a hint."""
    sealer = sealer_in(tmp_path)
    with pytest.raises(SealingError) as caught:
        sealer.unseal(change(sealer.seal(SECRET, purpose=PURPOSE)), purpose=PURPOSE)
    assert type(caught.value) is error
    assert caught.value.code.startswith("seal_")


def test_no_single_byte_can_be_changed(tmp_path: Path) -> None:
    """Every byte of a blob is authenticated or checked."""
    sealer = sealer_in(tmp_path)
    blob = sealer.seal(SECRET, purpose=PURPOSE)
    for place in range(len(blob)):
        altered = bytearray(blob)
        altered[place] ^= 1
        with pytest.raises(SealingError):
            sealer.unseal(bytes(altered), purpose=PURPOSE)


@given(blob=st.binary(max_size=200))
def test_any_bytes_give_a_typed_error(blob: bytes) -> None:
    """A hostile file never crashes the appliance."""
    with pytest.raises(SealedBlobFormatError):
        FileSealer(SecretBytes(bytes(32))).unseal(blob, purpose=PURPOSE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        MachineContext("f" * 31 + "0", HERE.product_uuid),
        MachineContext(HERE.machine_id, "aaaaaaaa-bbbb-cccc-dddd-ffffffffffff"),
        MachineContext(HERE.product_uuid, HERE.machine_id),
        MachineContext(None, HERE.product_uuid),
        MachineContext(HERE.machine_id, None),
    ],
)
def test_a_state_folder_that_was_moved_is_noticed(tmp_path: Path, elsewhere: MachineContext) -> None:
    """Another machine-id or product UUID, or one that is no longer readable."""
    blob = sealer_in(tmp_path).seal(SECRET, purpose=PURPOSE)
    with pytest.raises(WrongMachineError):
        sealer_in(tmp_path, elsewhere).unseal(blob, purpose=PURPOSE)


def test_what_was_not_readable_at_first_does_not_matter_later(tmp_path: Path) -> None:
    """The daemon cannot read the product UUID; an operator who is root must still open its anchor."""
    blob = sealer_in(tmp_path, MachineContext(HERE.machine_id, None)).seal(SECRET, purpose=PURPOSE)
    assert sealer_in(tmp_path, HERE).unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_another_anchor_on_the_same_machine_opens_nothing(tmp_path: Path) -> None:
    """A lost anchor is not replaced in silence: the blobs of the old one say so."""
    blob = sealer_in(tmp_path).seal(SECRET, purpose=PURPOSE)
    (tmp_path / "anchor" / "anchor.json").unlink()
    with pytest.raises(WrongMachineError):
        sealer_in(tmp_path).unseal(blob, purpose=PURPOSE)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"version":2}'])
def test_a_damaged_anchor_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """It might still be restored by hand."""
    sealer_in(tmp_path)
    path = tmp_path / "anchor" / "anchor.json"
    path.write_bytes(content)
    with pytest.raises(SealAnchorError):
        sealer_in(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_an_anchor_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """A secret file that others read is none."""
    sealer_in(tmp_path)
    (tmp_path / "anchor" / "anchor.json").chmod(mode)
    with pytest.raises(SealAnchorError):
        sealer_in(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    """A file stands where the state folder belongs."""
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(SealAnchorError):
        FileSealer.open(tmp_path / "state" / "anchor", machine_context=HERE)


def test_two_processes_at_the_first_start_agree_on_one_anchor(tmp_path: Path) -> None:
    """Who comes second takes what the first made; it does not show what it holds."""
    first = _make_anchor(tmp_path / ANCHOR_FILE, HERE, None)
    second = _make_anchor(tmp_path / ANCHOR_FILE, HERE, None)
    assert first == second == _read_anchor(tmp_path / ANCHOR_FILE)
    assert repr(first) == "_Anchor(…)"


def test_without_a_context_the_machine_itself_is_asked(tmp_path: Path) -> None:
    """Twice on one machine is the same anchor."""
    blob = FileSealer.open(tmp_path / "anchor").seal(SECRET, purpose=PURPOSE)
    assert FileSealer.open(tmp_path / "anchor").unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_a_blob_of_a_lower_anchor_is_another_anchors(tmp_path: Path) -> None:
    """Under a TPM a file blob does not open either, but nothing was lowered."""
    blob = sealer_in(tmp_path).seal(SECRET, purpose=PURPOSE)
    with pytest.raises(WrongMachineError):
        BlobSealer(SecretBytes(bytes(32)), KeyProtection.TPM).unseal(blob, purpose=PURPOSE)


def test_the_anchors_name_is_authenticated() -> None:
    """One root under two anchors: a blob whose anchor was rewritten does not open, whatever its key id says."""
    measured = BlobSealer(SecretBytes(bytes(32)), KeyProtection.TPM_MEASURED_BOOT)
    bound = BlobSealer(SecretBytes(bytes(32)), KeyProtection.TPM)
    lowered = json.loads(bound.seal(SECRET, purpose=PURPOSE))
    blob = measured.seal(SECRET, purpose=PURPOSE)
    with pytest.raises(SealedBlobTamperedError):
        bound.unseal(changed(blob, anchor=lowered["anchor"], key_id=lowered["key_id"]), purpose=PURPOSE)


WORDS = SecretBytes(b"correct horse battery staple")


def guarded_in(folder: Path, passphrase: SecretBytes | None = WORDS) -> FileSealer:
    """A sealer on an anchor that a passphrase guards too."""
    return FileSealer.open(folder / "anchor", machine_context=HERE, passphrase=passphrase)


def test_with_its_passphrase_an_anchor_opens(tmp_path: Path) -> None:
    """The same one after a restart; the anchor file keeps the parameters of RFC 9106's second choice."""
    blob = guarded_in(tmp_path).seal(SECRET, purpose=PURPOSE)
    assert guarded_in(tmp_path).unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()
    kept = json.loads((tmp_path / "anchor" / ANCHOR_FILE).read_bytes())["argon2id"]
    assert (kept["memory_kib"], kept["passes"], kept["lanes"]) == (64 * 1024, 3, 4)


def test_the_passphrase_is_part_of_the_root(tmp_path: Path) -> None:
    """Whoever has the anchor file alone opens nothing: without its passphrase part it gives another root."""
    blob = guarded_in(tmp_path).seal(SECRET, purpose=PURPOSE)
    path = tmp_path / "anchor" / ANCHOR_FILE
    kept = json.loads(path.read_bytes())
    del kept["argon2id"]
    path.write_bytes(json.dumps(kept, separators=(",", ":")).encode())
    with pytest.raises(WrongMachineError):
        sealer_in(tmp_path).unseal(blob, purpose=PURPOSE)


@pytest.mark.parametrize(
    ("made_with", "opened_with"),
    [(WORDS, SecretBytes(b"Correct horse battery staple")), (WORDS, None), (None, WORDS)],
    ids=["a wrong one", "none", "one that is not needed"],
)
def test_any_other_passphrase_is_refused(
    tmp_path: Path, made_with: SecretBytes | None, opened_with: SecretBytes | None
) -> None:
    """With its own error, which shows no word of it; one that guards nothing would be a false belief."""
    guarded_in(tmp_path, made_with)
    with pytest.raises(PassphraseError) as caught:
        guarded_in(tmp_path, opened_with)
    assert "horse" not in str(caught.value)
    guarded_in(tmp_path, made_with)


@pytest.mark.parametrize(
    "change",
    [{"memory_kib": 1}, {"memory_kib": 2**31}, {"passes": 0}, {"lanes": 99}, {"salt": "AAAA"}, {"check": ""}],
    ids=lambda change: next(iter(change)),
)
def test_parameters_that_are_none_are_a_damaged_anchor(tmp_path: Path, change: dict[str, Any]) -> None:
    """Before any memory is taken."""
    guarded_in(tmp_path)
    path = tmp_path / "anchor" / ANCHOR_FILE
    kept = json.loads(path.read_bytes())
    kept["argon2id"] |= change
    path.write_bytes(json.dumps(kept, separators=(",", ":")).encode())
    with pytest.raises(SealAnchorError):
        guarded_in(tmp_path)
