"""The customer's recovery key on a real TPM: it opens what nothing else opens, each signature once, when asked."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from appliance.errors import (
    PolicyKeyError,
    SealAnchorError,
    SealedBlobRetiredError,
    SealedBlobTamperedError,
    TpmPolicyError,
    TpmReplacedError,
    TpmSignatureForgedError,
)
from appliance.sealing import tpm_policy
from appliance.sealing.boot_state import BootState
from appliance.sealing.vtpm.anchor_folder import ANCHOR_FILE
from appliance.sealing.vtpm.connection import Tpm, found
from appliance.sealing.vtpm.counter import COUNTER_INDEX
from appliance.sealing.vtpm.sealer import VtpmAnchor
from appliance.wire.batch import KeyProtection
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import (
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
    signer,
)

KEY = public_pem(RECOVERY)
ANOTHER = generate_private_key(SECP256R1())
EVERYDAY = {"level_2": PLAIN_BOOT, "level_3": measured_boot()}
each_level = pytest.mark.parametrize("boot", EVERYDAY.values(), ids=EVERYDAY)


def anchor_with_key(folder: Path, tpm: Swtpm, boot: BootState = PLAIN_BOOT, key: bytes | None = KEY) -> VtpmAnchor:
    """An anchor that the customer's key opens too."""
    return anchor_in(folder, tpm, boot=boot, recovery_key=key)


@each_level
def test_everyday_use_needs_no_recovery_key(clean_tpm: Swtpm, tmp_path: Path, boot: BootState) -> None:
    """The first branch of the two opens by itself, also where the settings do not name the key any more."""
    blob = anchor_with_key(tmp_path, clean_tpm, boot).open().seal(SECRET, purpose=PURPOSE)
    for key in (KEY, None):
        sealer = anchor_with_key(tmp_path, clean_tpm, boot, key).open()
        assert sealer.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_it_opens_what_other_software_was_booted_for(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """And everyday use then goes on with what was booted: here without measured boot, knowingly."""
    blob = anchor_with_key(tmp_path, clean_tpm, measured_boot()).open().seal(SECRET, purpose=PURPOSE)
    on(clean_tpm, extend)
    with pytest.raises(TpmPolicyError):
        anchor_with_key(tmp_path, clean_tpm, measured_boot()).open()
    recovered = anchor_with_key(tmp_path, clean_tpm).recover(signer())
    assert recovered.key_protection is KeyProtection.TPM
    for sealer in (recovered, anchor_with_key(tmp_path, clean_tpm).open()):
        assert sealer.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_it_opens_for_a_new_vendors_key(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The vendor lost its signing key: the customer agrees to the new one."""
    blob = anchor_with_key(tmp_path, clean_tpm, measured_boot()).open().seal(SECRET, purpose=PURPOSE)
    other = measured_boot(key=FOREIGN)
    recovered = anchor_with_key(tmp_path, clean_tpm, other).recover(signer())
    assert recovered.key_protection is KeyProtection.TPM_MEASURED_BOOT
    assert anchor_with_key(tmp_path, clean_tpm, other).open().unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_it_opens_a_retired_anchor_and_one_whose_counter_is_gone(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """The customer restores a snapshot on purpose."""
    anchor = anchor_with_key(tmp_path, clean_tpm)
    blob = anchor.open().seal(SECRET, purpose=PURPOSE)
    old = (tmp_path / ANCHOR_FILE).read_bytes()
    anchor.reseal()
    (tmp_path / ANCHOR_FILE).write_bytes(old)
    assert anchor.recover(signer()).unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()

    def remove(tpm: Tpm) -> None:
        index = found(tpm.esapi, COUNTER_INDEX)
        assert index is not None
        tpm.esapi.nv_undefine_space(index)

    on(clean_tpm, remove)
    assert anchor.recover(signer()).unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()
    assert anchor.open().unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_it_retires_the_anchor_before(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """As each sealing anew."""
    anchor = anchor_with_key(tmp_path, clean_tpm)
    anchor.open()
    old = (tmp_path / ANCHOR_FILE).read_bytes()
    anchor.recover(signer())
    (tmp_path / ANCHOR_FILE).write_bytes(old)
    with pytest.raises(SealedBlobRetiredError):
        anchor.open()


def test_a_recovery_key_may_be_rsa(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """RSA-2048 or P-256, as the customer has it."""
    anchor = anchor_with_key(tmp_path, clean_tpm, key=public_pem(VENDOR))
    blob = anchor.open().seal(SECRET, purpose=PURPOSE)
    assert anchor.recover(signer(VENDOR)).unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_a_signature_opens_one_session(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Recorded and played again, it is refused: the TPM's nonce is in it."""
    anchor = anchor_with_key(tmp_path, clean_tpm)
    anchor.open()
    signatures: list[bytes] = []

    def recording(message: bytes) -> bytes:
        signatures.append(signer()(message))
        return signatures[0]

    anchor.recover(recording)
    with pytest.raises(TpmSignatureForgedError):
        anchor.recover(recording)


@pytest.mark.parametrize(
    "sign",
    [signer(ANOTHER), lambda _: b"", lambda _: b"no signature", lambda message: signer()(message + b"!")],
    ids=["another_key", "none", "no_signature", "another_message"],
)
def test_what_is_not_signed_by_the_key_opens_nothing(clean_tpm: Swtpm, tmp_path: Path, sign: tpm_policy.Signer) -> None:
    """The anchor stays as it was."""
    anchor = anchor_with_key(tmp_path, clean_tpm)
    anchor.open()
    before = (tmp_path / ANCHOR_FILE).read_bytes()
    with pytest.raises(TpmSignatureForgedError):
        anchor.recover(sign)
    assert (tmp_path / ANCHOR_FILE).read_bytes() == before
    anchor.open()


@pytest.mark.parametrize("key", [None, public_pem(ANOTHER)], ids=["none", "another"])
def test_a_key_that_was_not_sealed_with_recovers_nothing(clean_tpm: Swtpm, tmp_path: Path, key: bytes | None) -> None:
    """It says so before anybody signs."""
    anchor_with_key(tmp_path, clean_tpm).open()
    with pytest.raises(PolicyKeyError):
        anchor_with_key(tmp_path, clean_tpm, key=key).recover(signer(ANOTHER))


def test_a_key_that_came_later_recovers_after_the_next_sealing(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Naming it in the settings is not enough, and naming another one replaces it."""
    blob = anchor_with_key(tmp_path, clean_tpm, key=None).open().seal(SECRET, purpose=PURPOSE)
    anchor = anchor_with_key(tmp_path, clean_tpm)
    with pytest.raises(PolicyKeyError):
        anchor.recover(signer())
    anchor.reseal()
    assert anchor.recover(signer()).unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()
    other = anchor_with_key(tmp_path, clean_tpm, key=public_pem(ANOTHER))
    other.reseal()
    with pytest.raises(PolicyKeyError):
        anchor.recover(signer())
    other.recover(signer(ANOTHER))


def test_sealing_anew_without_a_key_keeps_the_key_of_before(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Nobody loses the way back because a file was not there one day."""
    blob = anchor_with_key(tmp_path, clean_tpm).open().seal(SECRET, purpose=PURPOSE)
    anchor_with_key(tmp_path, clean_tpm, key=None).reseal()
    recovered = anchor_with_key(tmp_path, clean_tpm).recover(signer())
    assert recovered.unseal(blob, purpose=PURPOSE).reveal() == SECRET.reveal()


def test_it_does_not_move_secrets_to_another_tpm(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """That is what the escrow is for."""
    anchor_with_key(tmp_path / "anchor", clean_tpm).open()
    with Swtpm(tmp_path / "fresh") as fresh, pytest.raises(TpmReplacedError):
        anchor_with_key(tmp_path / "anchor", fresh).recover(signer())


def test_it_opens_no_altered_anchor(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """What came out is checked against all that stands in the anchor."""
    anchor = anchor_with_key(tmp_path, clean_tpm)
    anchor.open()
    path = tmp_path / ANCHOR_FILE
    path.write_bytes(path.read_bytes().replace(b'"created_at":"2', b'"created_at":"3'))
    with pytest.raises(SealedBlobTamperedError):
        anchor.recover(signer())


def test_there_is_nothing_to_recover_without_an_anchor(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """None is made."""
    with pytest.raises(SealAnchorError):
        anchor_with_key(tmp_path, clean_tpm).recover(signer())
    assert not (tmp_path / ANCHOR_FILE).exists()


def test_a_key_that_no_policy_takes_is_refused_at_once(clean_tpm: Swtpm, tmp_path: Path) -> None:
    """Not at the day of the recovery."""
    with pytest.raises(PolicyKeyError):
        anchor_with_key(tmp_path, clean_tpm, key=b"no key")
