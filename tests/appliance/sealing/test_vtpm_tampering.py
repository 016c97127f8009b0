"""An anchor that was altered, on a real TPM: each field, any bit, parts of another anchor, files that are none."""

import json
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import (
    SealAnchorError,
    SealDiskError,
    SealedBlobTamperedError,
    SealingError,
    TpmReplacedError,
    WrongMachineError,
)
from appliance.ports import SecretBytes
from appliance.sealing import tpm_policy
from appliance.sealing.vtpm.anchor import Anchor, PolicyKind, decode_anchor
from appliance.sealing.vtpm.anchor_folder import ANCHOR_FILE
from appliance.sealing.vtpm.counter import COUNTER_INDEX, COUNTER_NAME
from tests.support.fake_clock import FakeClock
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import (
    FOREIGN,
    PURPOSE,
    RECOVERY,
    SECRET,
    VENDOR,
    anchor_in,
    measured_boot,
    public_pem,
)

ROOT = SecretBytes(bytes(range(32)))
BOOT = measured_boot()
Content = dict[str, Any]
Edit = Callable[[Content], Content]


def flipped(part: str, place: int = -1) -> str:
    """Base64 with one bit of its content changed."""
    content = bytearray(b64decode(part))
    content[place] ^= 1
    return b64encode(bytes(content)).decode()


def name_of(key: tpm_policy.PrivateKey) -> str:
    """A key's Name, as an anchor holds it."""
    return b64encode(tpm_policy.key_name(key.public_key())).decode()


EDITS: dict[str, tuple[Edit, type[SealingError]]] = {
    "version": (lambda a: a | {"version": 2}, SealAnchorError),
    "kind_of_anchor": (lambda a: a | {"anchor": "file"}, SealAnchorError),
    "another_field": (lambda a: a | {"more": 1}, SealAnchorError),
    "a_field_less": (lambda a: {name: a[name] for name in a if name != "pcrs"}, SealAnchorError),
    "storage_key": (lambda a: a | {"storage_key": flipped(a["storage_key"])}, TpmReplacedError),
    "storage_key_short": (lambda a: a | {"storage_key": "AAAA"}, SealAnchorError),
    "policy_lowered": (lambda a: a | {"policy": "tpm", "policy_key": None, "pcrs": []}, SealedBlobTamperedError),
    "policy": (lambda a: a | {"policy": "tpm"}, SealedBlobTamperedError),
    "policy_unknown": (lambda a: a | {"policy": "none"}, SealAnchorError),
    "policy_key": (lambda a: a | {"policy_key": name_of(FOREIGN)}, SealedBlobTamperedError),
    "policy_key_gone": (lambda a: a | {"policy_key": None}, SealedBlobTamperedError),
    "pcrs": (lambda a: a | {"pcrs": [7]}, SealedBlobTamperedError),
    "pcrs_gone": (lambda a: a | {"pcrs": []}, SealedBlobTamperedError),
    "recovery_key": (lambda a: a | {"recovery_key": name_of(FOREIGN)}, SealedBlobTamperedError),
    "recovery_key_gone": (lambda a: a | {"recovery_key": None}, SealedBlobTamperedError),
    "counter_index": (lambda a: a | {"counter_index": COUNTER_INDEX + 1}, SealedBlobTamperedError),
    "counter_up": (lambda a: a | {"counter": a["counter"] + 1}, SealedBlobTamperedError),
    "counter_down": (lambda a: a | {"counter": a["counter"] - 1}, SealedBlobTamperedError),
    "counter_negative": (lambda a: a | {"counter": -1}, SealAnchorError),
    "public_attributes": (lambda a: a | {"public": flipped(a["public"], 7)}, SealedBlobTamperedError),
    "public_policy": (lambda a: a | {"public": flipped(a["public"], 12)}, SealedBlobTamperedError),
    "public_unique": (lambda a: a | {"public": flipped(a["public"])}, SealedBlobTamperedError),
    "private": (lambda a: a | {"private": flipped(a["private"])}, SealedBlobTamperedError),
    "private_form": (lambda a: a | {"private": flipped(a["private"], 0)}, SealedBlobTamperedError),
    "private_short": (lambda a: a | {"private": "AAAA"}, SealedBlobTamperedError),
    "private_long": (lambda a: a | {"private": "A" * 680}, SealedBlobTamperedError),
    "private_too_long": (lambda a: a | {"private": "A" * 1000}, SealAnchorError),
    "key_id": (lambda a: a | {"key_id": "0" * 16}, SealedBlobTamperedError),
    "created_at": (lambda a: a | {"created_at": "2020-01-01T00:00:00Z"}, SealedBlobTamperedError),
    "created_at_no_time": (lambda a: a | {"created_at": "yesterday"}, SealAnchorError),
    "mac": (lambda a: a | {"mac": flipped(a["mac"])}, SealedBlobTamperedError),
}


def written(content: Content) -> bytes:
    """An anchor's canonical bytes."""
    return json.dumps(content, separators=(",", ":")).encode()


def make(folder: Path, tpm: Swtpm) -> Path:
    """An anchor with every field in use; where its file is."""
    anchor = anchor_in(folder, tpm, boot=BOOT, recovery_key=public_pem(RECOVERY))
    anchor.open()
    anchor.reseal()
    return folder / ANCHOR_FILE


def refusal(folder: Path, tpm: Swtpm) -> type[SealingError]:
    """Why it does not open."""
    with pytest.raises(SealingError) as caught:
        anchor_in(folder, tpm, boot=BOOT).open()
    assert caught.value.hint
    return type(caught.value)


@pytest.mark.parametrize(("edit", "error"), EDITS.values(), ids=EDITS)
def test_an_edited_field_has_its_own_error(
    clean_tpm: Swtpm, tmp_path: Path, edit: Edit, error: type[SealingError]
) -> None:
    """Each field is checked by itself, by the TPM, or by the MAC; the file is left as it is."""
    path = make(tmp_path, clean_tpm)
    before = path.read_bytes()
    assert written(json.loads(before)) == before
    path.write_bytes(written(edit(json.loads(before))))
    edited = path.read_bytes()
    assert edited != before
    assert refusal(tmp_path, clean_tpm) is error
    assert path.read_bytes() == edited
    path.write_bytes(before)
    anchor_in(tmp_path, clean_tpm, boot=BOOT).open()


def test_any_bit_of_the_file_matters_to_the_tpm(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """A failing disk: each flip is a typed error, never a secret and never a hang."""
    path = make(tmp_path, clean_tpm)
    before = path.read_bytes()
    chance = random.Random(20261125)  # noqa: S311 - places to damage, no secret
    for _ in range(80):
        damaged = bytearray(before)
        damaged[chance.randrange(len(before))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(damaged))
        refusal(tmp_path, clean_tpm)
    path.write_bytes(before)
    anchor_in(tmp_path, clean_tpm, boot=BOOT).open()


@pytest.mark.parametrize("part", ["public", "private", "mac", "key_id", "recovery_key", "policy_key"])
def test_a_part_of_another_anchor_does_not_fit(clean_tpm: Swtpm, tmp_path: Path, part: str) -> None:
    """Of the same TPM, and of an anchor with other keys."""
    path = make(tmp_path / "one", clean_tpm)
    other = anchor_in(tmp_path / "other", clean_tpm, boot=measured_boot(key=FOREIGN), recovery_key=public_pem(VENDOR))
    other.open()
    content = json.loads(path.read_bytes())
    foreign = json.loads((tmp_path / "other" / ANCHOR_FILE).read_bytes())[part]
    assert content[part] != foreign
    path.write_bytes(written(content | {part: foreign}))
    assert refusal(tmp_path / "one", clean_tpm) is SealedBlobTamperedError


def test_the_anchor_of_another_machine_is_told_from_a_damaged_one(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """By the pinned storage key; and secrets of another machine under this one's anchor by their root."""
    path = make(tmp_path / "here", clean_tpm)
    before = path.read_bytes()
    with Swtpm(tmp_path / "other tpm") as other:
        foreign = make(tmp_path / "there", other).read_bytes()
        blob = anchor_in(tmp_path / "there", other, boot=BOOT).open().seal(SECRET, purpose=PURPOSE)
    path.write_bytes(foreign)
    assert refusal(tmp_path / "here", clean_tpm) is TpmReplacedError
    path.write_bytes(before)
    with pytest.raises(WrongMachineError):
        anchor_in(tmp_path / "here", clean_tpm, boot=BOOT).open().unseal(blob, purpose=PURPOSE)


NO_ANCHORS = {
    "empty": b"",
    "no_text": b"\xff",
    "no_object": b"[]",
    "deep": b"[" * 5_000,
    "nothing_in_it": b"{}",
    "too_long": b" " * 10_000,
}


@pytest.mark.parametrize("content", NO_ANCHORS.values(), ids=NO_ANCHORS)
def test_what_is_no_anchor_is_refused_and_left_alone(clean_tpm: Swtpm, tmp_path: Path, content: bytes) -> None:
    """It might still be restored by hand; no new one is made in its place."""
    path = make(tmp_path, clean_tpm)
    path.write_bytes(content)
    assert refusal(tmp_path, clean_tpm) is SealAnchorError
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_read_is_the_disks_error(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """A folder stands where the anchor belongs, a file where its folder belongs."""
    (tmp_path / "one" / ANCHOR_FILE).mkdir(parents=True)
    assert refusal(tmp_path / "one", clean_tpm) is SealDiskError
    (tmp_path / "two").write_bytes(b"")
    assert refusal(tmp_path / "two", clean_tpm) is SealDiskError


def made_up() -> Anchor:
    """An anchor whose fields fit one another, with no TPM."""
    anchor = Anchor(
        version=1,
        anchor="tpm",
        storage_key=bytes(34),
        policy=PolicyKind.SIGNED_PCR,
        policy_key=tpm_policy.key_name(VENDOR.public_key()),
        pcrs=[11],
        recovery_key=tpm_policy.key_name(RECOVERY.public_key()),
        counter_index=COUNTER_INDEX,
        counter=7,
        public=bytes(78),
        private=bytes(160),
        key_id="0" * 16,
        created_at=FakeClock().now(),
    )
    public = tpm_policy.sealed_area(anchor.policy_digest) + bytes(32)
    return Anchor(**{**{name: getattr(anchor, name) for name in anchor.__struct_fields__}, "public": public})


def test_no_single_bit_of_an_anchor_can_be_changed() -> None:
    """Every bit is checked by the form, by the fields among one another, or by the MAC."""
    content = made_up().authenticated(ROOT).encode()
    decode_anchor(content).verify(ROOT)
    passed = 0
    for place in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        try:
            anchor = decode_anchor(bytes(damaged))
        except (SealAnchorError, SealedBlobTamperedError):
            continue
        passed += 1
        with pytest.raises(SealedBlobTamperedError):
            anchor.verify(ROOT)
    assert passed > 100


def test_another_root_is_not_that_of_the_anchor() -> None:
    """The MAC binds the fields to what came out."""
    with pytest.raises(SealedBlobTamperedError):
        made_up().authenticated(ROOT).verify(SecretBytes(bytes(32)))


def test_the_policy_of_an_anchor_is_the_one_that_it_describes() -> None:
    """Vendor and counter in everyday use, or the recovery key."""
    vendor, recovery = tpm_policy.key_name(VENDOR.public_key()), tpm_policy.key_name(RECOVERY.public_key())
    everyday = tpm_policy.policy_counter(COUNTER_NAME, 7, before=tpm_policy.policy_authorize(vendor))
    recovered = tpm_policy.policy_signed(recovery, ref=b"natalia/recovery/v1")
    assert made_up().policy_digest == tpm_policy.policy_or([everyday, recovered])
