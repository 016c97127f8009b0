"""Power cuts at each command of the TPM and at each step of the disk, a disk that is full, and the lockout of a TPM."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tpm2_pytss import (
    TPM2_CAP,
    TPM2_PT,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPM2B_SENSITIVE_DATA,
    TPMS_SENSITIVE_CREATE,
)

from appliance.errors import SealDiskError, TpmLockoutError, TpmMissingError
from appliance.sealing.durable import SYSTEM_DISK, Disk
from appliance.sealing.vtpm.anchor_folder import ANCHOR_FILE, NEXT_FILE
from appliance.sealing.vtpm.connection import Tpm, connected
from appliance.sealing.vtpm.counter import read_counter
from appliance.sealing.vtpm.sealer import VtpmAnchor, VtpmSealer
from tests.support.cut_disk import MortalDisk, PowerCut, full_disk
from tests.support.swtpm import Bus, Swtpm, recorded_bus
from tests.support.tpm_sealing import (
    PURPOSE,
    RECOVERY,
    SECRET,
    anchor_in,
    left_behind,
    measured_boot,
    on,
    public_pem,
    signer,
)

BOOT = measured_boot()
Work = Callable[[VtpmAnchor], VtpmSealer]
WORKS: dict[str, Work] = {
    "open": VtpmAnchor.open,
    "reseal": VtpmAnchor.reseal,
    "recover": lambda anchor: anchor.recover(signer()),
}
each_work = pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)


def anchor(folder: Path, tpm: Swtpm | Bus, *, disk: Disk = SYSTEM_DISK) -> VtpmAnchor:
    """The anchor of a whole machine: level 3, with a recovery key."""
    return anchor_in(folder / "anchor", tpm.tcti, boot=BOOT, recovery_key=public_pem(RECOVERY), disk=disk)


def opens(folder: Path, tpm: Swtpm, blob: bytes) -> bool:
    """Whether the next start finds its secret."""
    return anchor(folder, tpm).open().unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@each_work
def test_the_root_outlives_a_power_cut_at_any_command(tpm: Swtpm, tmp_path: Path, work: Work, *, done: bool) -> None:
    """Before the command or after it, unanswered: the next start opens it by itself, and the work can be done again."""
    blob = anchor(tmp_path, tpm).open().seal(SECRET, purpose=PURPOSE)
    cuts = 0
    with recorded_bus(tpm) as bus:
        while cuts < 100:
            bus.cut_power(cuts, done=done)
            try:
                work(anchor(tmp_path, bus))
            except TpmMissingError:
                cuts += 1
                tpm.start()
                assert opens(tmp_path, tpm, blob)
            else:
                break
    assert 10 < cuts < 100
    assert opens(tmp_path, tpm, blob)
    assert left_behind(tpm) == []


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_first_start_outlives_a_power_cut_at_any_command(tpm: Swtpm, tmp_path: Path, *, done: bool) -> None:
    """Nothing is there, or the whole anchor; the next start goes on by itself."""
    cuts = 0
    with recorded_bus(tpm) as bus:
        while cuts < 100:
            bus.cut_power(cuts, done=done)
            try:
                anchor(tmp_path / str(cuts), bus).open()
            except TpmMissingError:
                tpm.start()
                blob = anchor(tmp_path / str(cuts), tpm).open().seal(SECRET, purpose=PURPOSE)
                assert opens(tmp_path / str(cuts), tpm, blob)
                cuts += 1
            else:
                break
    assert 10 < cuts < 100


@pytest.mark.parametrize("error", [PowerCut(), full_disk()], ids=["power_cut", "full_disk"])
@pytest.mark.parametrize("work", [WORKS["reseal"], WORKS["recover"]], ids=["reseal", "recover"])
def test_the_root_outlives_each_step_of_the_disk(
    clean_tpm: Swtpm, tmp_path: Path, work: Work, error: BaseException
) -> None:
    """A full disk has its own error; after it, or after a power cut, the next start opens the anchor by itself."""
    blob = anchor(tmp_path, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    faults = 0
    while True:
        disk = MortalDisk(faults, error=error)
        try:
            work(anchor(tmp_path, clean_tpm, disk=disk.disk()))
        except (PowerCut, SealDiskError):
            faults += 1
            assert opens(tmp_path, clean_tpm, blob)
        else:
            break
    assert faults > 8
    assert opens(tmp_path, clean_tpm, blob)


@pytest.mark.parametrize("error", [PowerCut(), full_disk()], ids=["power_cut", "full_disk"])
def test_a_first_start_outlives_each_step_of_the_disk(clean_tpm: Swtpm, tmp_path: Path, error: BaseException) -> None:
    """No half an anchor is ever taken for one."""
    faults = 0
    while True:
        folder, disk = tmp_path / str(faults), MortalDisk(faults, error=error)
        try:
            anchor(folder, clean_tpm, disk=disk.disk()).open()
        except (PowerCut, SealDiskError):
            blob = anchor(folder, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
            assert opens(folder, clean_tpm, blob)
            faults += 1
        else:
            break
    assert faults > 4


def test_a_start_writes_nothing(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """A full disk does not keep the machine from its secrets."""
    blob = anchor(tmp_path, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    sealer = anchor(tmp_path, clean_tpm, disk=MortalDisk(0, error=full_disk()).disk()).open()
    assert sealer.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def cut_after_counting(tpm: Swtpm, folder: Path) -> None:
    """A power cut between the count and the next anchor's coming into use."""
    steps = MortalDisk()
    anchor(folder, tpm, disk=steps.disk()).reseal()
    for step in range(steps.steps):
        before = (folder / "anchor" / ANCHOR_FILE).read_bytes()
        with pytest.raises(PowerCut):
            anchor(folder, tpm, disk=MortalDisk(step).disk()).reseal()
        following = folder / "anchor" / NEXT_FILE
        if following.exists() and b'"counter":%d' % (count(tpm)) in following.read_bytes():
            assert (folder / "anchor" / ANCHOR_FILE).read_bytes() == before
            return
    raise AssertionError("no step lies between")


def count(tpm: Swtpm) -> int:
    """Where the counter stands."""
    with connected(tpm.tcti) as open_tpm:
        counter = read_counter(open_tpm)
    assert counter is not None
    return counter.value


def test_a_cut_off_sealing_is_finished_by_the_next(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The next anchor fits the counter, the one in use does not any more; a start reads it where it lies."""
    blob = anchor(tmp_path, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    cut_after_counting(clean_tpm, tmp_path)
    assert opens(tmp_path, clean_tpm, blob)
    assert (tmp_path / "anchor" / NEXT_FILE).exists()
    anchor(tmp_path, clean_tpm).reseal()
    assert not (tmp_path / "anchor" / NEXT_FILE).exists()
    assert opens(tmp_path, clean_tpm, blob)


@pytest.mark.parametrize("damaged", [ANCHOR_FILE, NEXT_FILE])
def test_of_two_anchors_the_damaged_one_does_not_hide_the_other(clean_tpm: Swtpm, tmp_path: Path, damaged: str) -> None:
    """One that nobody can read is passed over while the other one opens."""
    blob = anchor(tmp_path, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    if damaged == ANCHOR_FILE:
        cut_after_counting(clean_tpm, tmp_path)
    (tmp_path / "anchor" / damaged).write_bytes(b"{}")
    assert opens(tmp_path, clean_tpm, blob)
    anchor(tmp_path, clean_tpm).reseal()
    assert opens(tmp_path, clean_tpm, blob)


def use_what_counts(tpm: Tpm, kept: list[tuple[TPM2B_PRIVATE, TPM2B_PUBLIC]]) -> None:
    """Use, correctly, a sealed object without noDA; it is kept for the next time."""
    if not kept:
        sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(data=TPM2B_SENSITIVE_DATA(b"data")))
        public = TPM2B_PUBLIC.parse("keyedhash", objectAttributes="fixedtpm|fixedparent|userwithauth")
        private, made, *_ = tpm.esapi.create(tpm.storage_key, sensitive, public)
        kept.append((private, made))
    with tpm.flushed(tpm.esapi.load(tpm.storage_key, *kept[0])) as handle:
        tpm.esapi.unseal(handle)


def lock_out(tpm: Swtpm) -> None:
    """Cut the power three times after such a use: no password was ever wrong."""
    kept: list[tuple[TPM2B_PRIVATE, TPM2B_PUBLIC]] = []
    for _ in range(3):
        on(tpm, lambda open_tpm: use_what_counts(open_tpm, kept))
        tpm.cut_power()
    with pytest.raises(TpmLockoutError):
        on(tpm, lambda open_tpm: use_what_counts(open_tpm, kept))


def lockout_count(tpm: Swtpm) -> int:
    """How many failures the TPM has counted."""
    with connected(tpm.tcti) as open_tpm:
        _, capability = open_tpm.esapi.get_capability(TPM2_CAP.TPM_PROPERTIES, TPM2_PT.LOCKOUT_COUNTER, 1)
        properties = capability.data.tpmProperties
        return int(properties[0].value)


def test_three_power_cuts_lock_nothing_out(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """What the product seals and counts has no part in the lockout, in all that it does."""
    blob = anchor(tmp_path, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    for _ in range(3):
        for work in WORKS.values():
            work(anchor(tmp_path, clean_tpm))
            clean_tpm.cut_power()
            assert lockout_count(clean_tpm) == 0
    assert opens(tmp_path, clean_tpm, blob)


def test_three_power_cuts_lock_out_what_counts(clean_tpm: Swtpm) -> None:
    """The test above can fail: an object without noDA locks the TPM, with no wrong password."""
    lock_out(clean_tpm)
    assert lockout_count(clean_tpm) == 3


@each_work
def test_a_tpm_in_lockout_still_does_it_all(clean_tpm: Swtpm, tmp_path: Path, work: Work) -> None:
    """Another program locked it; also a first start goes on."""
    blob = anchor(tmp_path, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    lock_out(clean_tpm)
    work(anchor(tmp_path, clean_tpm))
    assert opens(tmp_path, clean_tpm, blob)
    assert anchor(tmp_path / "another", clean_tpm).open().level.obstacles == ()
