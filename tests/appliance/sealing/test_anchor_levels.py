"""Level 3 of a state directory: lifted when the machine boots signed software, never lowered but by the customer's key.

With a real TPM; the vendor's signature is for what PCR 11 shows after power on, until something else is measured.
"""

from pathlib import Path

import pytest

from appliance.errors import (
    AnchorInUseError,
    AnchorLoweredError,
    PolicyKeyError,
    SealAnchorError,
    SealedBlobTamperedError,
    SettingsError,
    TpmPolicyError,
)
from appliance.ports import SecretBytes
from appliance.sealing.anchor import AnchorFiles
from appliance.sealing.anchor_record import AnchorWay, read_record, write_record
from appliance.sealing.boot_state import BootState
from appliance.sealing.recovery import recover
from appliance.sealing.rewrap import rewrap
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.vtpm.connection import connected
from appliance.wire.batch import KeyProtection
from tests.support.sealed_machine import Machine, run
from tests.support.swtpm import Swtpm
from tests.support.tls_peer import Authority
from tests.support.tpm_sealing import FOREIGN, PLAIN_BOOT, RECOVERY, extend, measured_boot, private_pem, public_pem

NAME = "tenant-secret"
SECRET = b"the secret of a tenant"
MEASURED = measured_boot()


def files(folder: Path, boot: BootState) -> AnchorFiles:
    """The anchor of a machine that was booted like this."""
    return AnchorFiles(folder / "state", boot=boot)


def sealed(folder: Path, tpm: Swtpm, boot: BootState, *, recovery: bool = False) -> AnchorWay:
    """A state directory with one secret; nobody has it open."""
    key = folder / "recovery.pem"
    key.write_bytes(public_pem(RECOVERY))
    way = AnchorWay(tpm.tcti, None, str(key) if recovery else None)
    anchor = files(folder, boot).open(way)
    SecretStore(folder / "state/secrets", anchor).put(NAME, SecretBytes(SECRET))
    anchor.close()
    return way


def opened(folder: Path, boot: BootState) -> tuple[KeyProtection, list[str]]:
    """The level and what keeps it from a higher one; the secret must open."""
    anchor = files(folder, boot).open()
    assert SecretStore(folder / "state/secrets", anchor).get(NAME).reveal() == SECRET
    anchor.close()
    return anchor.key_protection, anchor.why_not_higher


def boot_other_software(tpm: Swtpm) -> None:
    """Measure something that nobody signed."""
    with connected(tpm.tcti) as connection:
        extend(connection)


def test_signed_software_gives_level_3_at_once(tmp_path: Path, tpm: Swtpm) -> None:
    """Nothing keeps it from more."""
    sealed(tmp_path, tpm, MEASURED)
    assert opened(tmp_path, MEASURED) == (KeyProtection.TPM_MEASURED_BOOT, [])


@pytest.mark.parametrize(
    "boot", [PLAIN_BOOT, BootState(secure_boot=False, public_key=b"", signatures=b"")], ids=["no UEFI", "switched off"]
)
def test_a_boot_that_shows_less_opens_nothing(tmp_path: Path, tpm: Swtpm, boot: BootState) -> None:
    """Secure Boot was switched off: nothing is lowered by itself; with it back all opens."""
    sealed(tmp_path, tpm, MEASURED)
    with pytest.raises(AnchorLoweredError):
        files(tmp_path, boot).open()
    with pytest.raises(AnchorLoweredError):
        rewrap(files(tmp_path, boot))
    assert opened(tmp_path, MEASURED) == (KeyProtection.TPM_MEASURED_BOOT, [])


def test_a_record_of_a_level_that_the_anchor_does_not_have_opens_nothing(tmp_path: Path, tpm: Swtpm) -> None:
    """Somebody put the anchor of before back, under the record of after: both are genuine."""
    way = sealed(tmp_path, tpm, PLAIN_BOOT)
    anchors = tmp_path / "state/anchor"
    record = read_record(anchors)
    assert record is not None
    sealer = files(tmp_path, PLAIN_BOOT).tpm(way).open()
    higher = type(record)(1, KeyProtection.TPM_MEASURED_BOOT, [], way).proven(sealer)
    write_record(anchors, higher)
    with pytest.raises(AnchorLoweredError):
        files(tmp_path, PLAIN_BOOT).open()


def test_a_rewrap_lifts_the_level_when_the_machine_boots_signed_software(tmp_path: Path, tpm: Swtpm) -> None:
    """Until then the reason says so; afterwards the plain boot opens nothing any more."""
    sealed(tmp_path, tpm, PLAIN_BOOT)
    assert opened(tmp_path, MEASURED) == (KeyProtection.TPM, ["sealed_before_measured_boot"])
    assert rewrap(files(tmp_path, MEASURED)).protection is KeyProtection.TPM_MEASURED_BOOT
    assert opened(tmp_path, MEASURED) == (KeyProtection.TPM_MEASURED_BOOT, [])
    with pytest.raises(AnchorLoweredError):
        files(tmp_path, PLAIN_BOOT).open()


def test_other_software_opens_nothing_until_the_customers_key_says_so(tmp_path: Path, tpm: Swtpm) -> None:
    """The secrets stay the same; the root is sealed anew to what is booted now."""
    sealed(tmp_path, tpm, MEASURED, recovery=True)
    boot_other_software(tpm)
    with pytest.raises(TpmPolicyError):
        files(tmp_path, MEASURED).open()
    record = recover(files(tmp_path, PLAIN_BOOT), private_pem(RECOVERY))
    assert record.protection is KeyProtection.TPM
    assert opened(tmp_path, PLAIN_BOOT)[0] is KeyProtection.TPM


def test_a_recovery_key_that_comes_later_counts_from_the_next_rewrap(tmp_path: Path, tpm: Swtpm) -> None:
    """Not before: the policy is part of what was sealed."""
    sealed(tmp_path, tpm, PLAIN_BOOT)
    with pytest.raises(PolicyKeyError):
        recover(files(tmp_path, PLAIN_BOOT), private_pem(RECOVERY))
    rewrap(files(tmp_path, PLAIN_BOOT), AnchorWay(tpm.tcti, None, str(tmp_path / "recovery.pem")))
    recover(files(tmp_path, PLAIN_BOOT), private_pem(RECOVERY))
    recover(files(tmp_path, PLAIN_BOOT), private_pem(RECOVERY))
    assert opened(tmp_path, PLAIN_BOOT)[0] is KeyProtection.TPM


def test_everyday_use_does_not_need_the_public_key_either(tmp_path: Path, tpm: Swtpm) -> None:
    """Its file may be gone; what would leave it out of a new seal is refused."""
    way = sealed(tmp_path, tpm, PLAIN_BOOT, recovery=True)
    (tmp_path / "recovery.pem").unlink()
    assert opened(tmp_path, PLAIN_BOOT)[0] is KeyProtection.TPM
    with pytest.raises(SettingsError):
        rewrap(files(tmp_path, PLAIN_BOOT), way)


@pytest.mark.parametrize(
    "key", [b"", b"no key", public_pem(RECOVERY), private_pem(FOREIGN)], ids=["empty", "text", "public", "another"]
)
def test_no_other_key_recovers(tmp_path: Path, tpm: Swtpm, key: bytes) -> None:
    """And nothing is changed."""
    sealed(tmp_path, tpm, PLAIN_BOOT, recovery=True)
    with pytest.raises(PolicyKeyError):
        recover(files(tmp_path, PLAIN_BOOT), key)
    assert opened(tmp_path, PLAIN_BOOT)[0] is KeyProtection.TPM


def test_while_the_secrets_are_in_use_nothing_is_recovered(tmp_path: Path, tpm: Swtpm) -> None:
    """As nothing is moved."""
    sealed(tmp_path, tpm, PLAIN_BOOT, recovery=True)
    user = files(tmp_path, PLAIN_BOOT).open()
    with pytest.raises(AnchorInUseError):
        recover(files(tmp_path, PLAIN_BOOT), private_pem(RECOVERY))
    user.close()


def test_a_file_anchor_has_nothing_to_recover(tmp_path: Path) -> None:
    """Nor has a directory without an anchor."""
    for _ in range(2):
        with pytest.raises(SealAnchorError):
            recover(files(tmp_path, PLAIN_BOOT), private_pem(RECOVERY))
        files(tmp_path, PLAIN_BOOT).open(AnchorWay("device:/dev/tpmrm9", None)).close()


def test_an_edited_record_is_not_recovered(tmp_path: Path, tpm: Swtpm) -> None:
    """Also the customer's key does not bless what somebody wrote there."""
    sealed(tmp_path, tpm, PLAIN_BOOT, recovery=True)
    path = tmp_path / "state/anchor/record.json"
    path.write_bytes(path.read_bytes().replace(b'"no_uefi",', b""))
    with pytest.raises(SealedBlobTamperedError):
        recover(files(tmp_path, PLAIN_BOOT), private_pem(RECOVERY))


def test_the_command_recovers_by_the_key_in_a_file(tmp_path: Path, tpm: Swtpm) -> None:
    """By --state, where sealed settings could not be opened; it says the level, and shows nothing of the key."""
    machine = Machine(tmp_path / "one", tpm=tpm.tcti)
    (tmp_path / "public.pem").write_bytes(public_pem(RECOVERY))
    (tmp_path / "private.pem").write_bytes(private_pem(RECOVERY))
    text = machine.file.read_text().replace(
        "[appliance]\n", f'[appliance]\nrecovery_key_file = "{tmp_path / "public.pem"}"\n'
    )
    machine.file.write_text(text)
    machine.enroll(Authority())
    done = run("recover", "--key", tmp_path / "private.pem", "--state", machine.state)
    assert done.status == 0, done.err
    assert "level 2 of 3" in done.out
    assert "PRIVATE" not in done.out + done.err
    wrong = run("recover", "--key", tmp_path / "public.pem", "--state", machine.state)
    assert (wrong.status, "error[seal_policy_key_invalid]" in wrong.err) == (1, True)
