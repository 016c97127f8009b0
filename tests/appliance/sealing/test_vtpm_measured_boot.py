"""Level 3 on a real TPM: what the vendor signed opens, and nothing else that was booted."""

import hashlib
import json
from pathlib import Path

import pytest
from msgspec import structs

from appliance.errors import (
    AnchorLoweredError,
    PolicyKeyError,
    SealingError,
    TpmBusyError,
    TpmPolicyError,
    TpmSignatureForgedError,
)
from appliance.sealing import tpm_policy
from appliance.sealing.boot_state import BootState
from appliance.sealing.tpm_policy import PcrSignature
from appliance.sealing.vtpm.anchor_folder import ANCHOR_FILE
from appliance.sealing.vtpm.level import Level, Obstacle
from appliance.wire.batch import KeyProtection
from tests.support.swtpm import Swtpm, recorded_bus
from tests.support.tpm_sealing import (
    AT_POWER_ON,
    FOREIGN,
    PLAIN_BOOT,
    PURPOSE,
    RECOVERY,
    SECRET,
    VENDOR,
    anchor_in,
    extend,
    measured_boot,
    on,
    public_pem,
)

SIGNED = Path(__file__).parents[2] / "testdata/tpm"
MEASUREMENT = b"\7" * 32
UPDATED = hashlib.sha256(AT_POWER_ON + MEASUREMENT).digest()
"""What PCR 11 shows after one measurement: the next release."""
BOOT = measured_boot()
UNSEAL = 0x15E
EXTEND_PCR_12 = (
    bytes.fromhex("8002 00000041 00000182 0000000c 00000009 40000009 0000 00 0000 00000001 000b") + MEASUREMENT
)
"""TPM2_PCR_Extend with an empty password: another program measures."""


def boot_release(tpm: Swtpm) -> None:
    """Boot other software than before: start anew and measure it."""
    tpm.restart()
    on(tpm, lambda open_tpm: extend(open_tpm, MEASUREMENT))


def with_signatures(*signatures: PcrSignature) -> BootState:
    """The vendor's boot, with these signatures."""
    return structs.replace(BOOT, signatures=tpm_policy.write_signatures(signatures))


def test_what_was_sealed_at_level_3_opens_and_is_reported(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The first seal proves that the signature fits what was booted."""
    sealer = anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    assert sealer.level == Level(KeyProtection.TPM_MEASURED_BOOT)
    assert sealer.key_protection is KeyProtection.TPM_MEASURED_BOOT
    blob = sealer.seal(SECRET, purpose=PURPOSE)
    again = anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    assert again.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()
    content = json.loads((tmp_path / "anchor" / ANCHOR_FILE).read_bytes())
    assert (content["policy"], content["pcrs"]) == ("signed_pcr", [11])


def test_an_update_that_the_vendor_signed_opens_it(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """PCR 11 differs, the vendor's key does not; the signature is picked among several."""
    blob = anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open().seal(SECRET, purpose=PURPOSE)
    boot_release(clean_tpm)
    update = measured_boot(bytes([9]) * 32, UPDATED, AT_POWER_ON)
    sealer = anchor_in(tmp_path / "anchor", clean_tpm, boot=update).open()
    assert sealer.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_software_that_nobody_signed_does_not_open_it(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The signatures of another release do not help; the release before still opens it."""
    anchor = anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT)
    anchor.open()
    boot_release(clean_tpm)
    for use in (anchor.open, anchor.reseal):
        with pytest.raises(TpmPolicyError):
            use()
    clean_tpm.restart()
    anchor.open()


def test_software_of_another_vendor_does_not_open_it(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """A whole image with a key and signatures of its own."""
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    with pytest.raises(TpmPolicyError, match="another vendor"):
        anchor_in(tmp_path / "anchor", clean_tpm, boot=measured_boot(key=FOREIGN)).open()
    mixed = with_signatures(tpm_policy.sign_pcr_policy(FOREIGN, AT_POWER_ON))
    with pytest.raises(TpmPolicyError):
        anchor_in(tmp_path / "anchor", clean_tpm, boot=mixed).open()


@pytest.mark.parametrize(
    "change",
    [lambda sig: bytes([sig[0] ^ 1]) + sig[1:], lambda sig: sig[:-1], lambda _: b"", lambda sig: sig * 9],
    ids=["a_bit", "short", "none", "long"],
)
def test_a_forged_signature_is_told_apart(clean_tpm: Swtpm, tmp_path: Path, change: object) -> None:
    """Somebody wrote to the boot files; that is no mere update."""
    assert callable(change)
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    true = tpm_policy.sign_pcr_policy(VENDOR, AT_POWER_ON)
    forged = with_signatures(structs.replace(true, sig=change(true.sig)))
    with pytest.raises(TpmSignatureForgedError):
        anchor_in(tmp_path / "anchor", clean_tpm, boot=forged).open()


def test_a_signature_of_another_key_under_the_vendors_name_is_forged(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The fingerprint in the file is not what is believed."""
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    foreign = tpm_policy.sign_pcr_policy(FOREIGN, AT_POWER_ON)
    forged = with_signatures(structs.replace(foreign, pkfp=tpm_policy.fingerprint(VENDOR.public_key())))
    with pytest.raises(TpmSignatureForgedError):
        anchor_in(tmp_path / "anchor", clean_tpm, boot=forged).open()


LOWER = {
    "secure_boot_off": (structs.replace(BOOT, secure_boot=False), "secure_boot_off"),
    "no_uefi": (structs.replace(BOOT, secure_boot=None), "no_uefi"),
    "no_signature": (structs.replace(BOOT, signatures=None), "no_pcr_signature"),
    "no_key": (structs.replace(BOOT, public_key=None), "no_pcr_public_key"),
}


@pytest.mark.parametrize(("boot", "code"), LOWER.values(), ids=LOWER)
def test_a_boot_that_shows_less_opens_nothing(clean_tpm: Swtpm, tmp_path: Path, boot: BootState, code: str) -> None:
    """The TPM itself would still open it with Secure Boot off; nothing falls back by itself."""
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    lower = anchor_in(tmp_path / "anchor", clean_tpm, boot=boot)
    for use in (lower.open, lower.reseal):
        with pytest.raises(AnchorLoweredError, match=code):
            use()
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()


UNFIT: dict[str, tuple[BootState, type[SealingError]]] = {
    "signed_for_another_release": (measured_boot(UPDATED), TpmPolicyError),
    "nothing_signed": (with_signatures(), TpmPolicyError),
    "damaged_signatures": (structs.replace(BOOT, signatures=b"{"), TpmPolicyError),
    "damaged_key": (structs.replace(BOOT, public_key=b"no key"), PolicyKeyError),
    "no_rsa_key": (structs.replace(BOOT, public_key=public_pem(RECOVERY)), PolicyKeyError),
}


@pytest.mark.parametrize(("boot", "error"), UNFIT.values(), ids=UNFIT)
def test_a_first_seal_to_a_broken_image_is_refused(
    clean_tpm: Swtpm, tmp_path: Path, boot: BootState, error: type[SealingError]
) -> None:
    """An image that brings all of level 3 and does not fit is no reason for level 2; nothing is written."""
    with pytest.raises(error):
        anchor_in(tmp_path / "anchor", clean_tpm, boot=boot).open()
    assert not (tmp_path / "anchor" / ANCHOR_FILE).exists()


def test_a_level_2_anchor_is_lifted_by_sealing_anew(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Until then it says that it could; afterwards the blobs of before still open, at level 3 alone."""
    blob = anchor_in(tmp_path / "anchor", clean_tpm, boot=PLAIN_BOOT).open().seal(SECRET, purpose=PURPOSE)
    anchor = anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT)
    assert anchor.open().level == Level(KeyProtection.TPM, (Obstacle.SEALED_BEFORE,))
    lifted = anchor.reseal()
    assert lifted.level == Level(KeyProtection.TPM_MEASURED_BOOT)
    assert lifted.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()
    with pytest.raises(AnchorLoweredError):
        anchor_in(tmp_path / "anchor", clean_tpm, boot=PLAIN_BOOT).open()


def test_a_measurement_between_check_and_use_is_waited_out(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Something else of the boot measures just then; the session is built again."""
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    with recorded_bus(clean_tpm) as bus:
        bus.slip_in(EXTEND_PCR_12, before=UNSEAL, times=2)
        assert anchor_in(tmp_path / "anchor", bus.tcti, boot=BOOT).open().level.obstacles == ()
        assert bus.recorded.count(UNSEAL.to_bytes(4, "big")) >= 3


def test_a_machine_that_never_stops_measuring_is_busy(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Five times, then the error says so."""
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()
    with recorded_bus(clean_tpm) as bus:
        bus.slip_in(EXTEND_PCR_12, before=UNSEAL, times=5)
        with pytest.raises(TpmBusyError):
            anchor_in(tmp_path / "anchor", bus.tcti, boot=BOOT).open()


def test_a_change_of_pcr_11_between_reading_and_checking_is_seen(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The next phase of the boot is measured just then; its own signature opens."""
    anchor_in(tmp_path / "anchor", clean_tpm, boot=BOOT).open()

    phase = EXTEND_PCR_12.replace(bytes.fromhex("0000000c"), bytes.fromhex("0000000b"), 1)
    with recorded_bus(clean_tpm) as bus:
        bus.slip_in(phase, before=0x17F)
        boot = measured_boot(AT_POWER_ON, UPDATED)
        assert anchor_in(tmp_path / "anchor", bus.tcti, boot=boot).open().level.obstacles == ()


def test_a_boot_that_systemd_measure_signed_opens_in_each_of_its_phases(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """What systemd-stub and systemd measure of it, one after the other; before and after the phases nothing opens."""
    boot = BootState(
        secure_boot=True,
        public_key=(SIGNED / "tpm2-pcr-public-key.pem").read_bytes(),
        signatures=(SIGNED / "tpm2-pcr-signature.json").read_bytes(),
    )
    anchor = anchor_in(tmp_path / "anchor", clean_tpm, boot=boot)
    opened = []
    for measured in (b".linux\0", b"linux\n", b".cmdline\0", b"root=x\n", b"sysinit", b"ready", b"shutdown"):
        on(clean_tpm, lambda tpm, measured=measured: extend(tpm, hashlib.sha256(measured).digest()))
        try:
            opened.append((measured, anchor.open().key_id))
        except TpmPolicyError:
            continue
    assert [measured for measured, _ in opened] == [b"sysinit", b"ready"]
    assert len({root for _, root in opened}) == 1
