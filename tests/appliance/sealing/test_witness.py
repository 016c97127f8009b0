"""Who speaks for a machine goes with its anchor."""

from pathlib import Path

from appliance.sealing.anchor import AnchorFiles
from appliance.sealing.anchor_record import AnchorWay
from appliance.sealing.file_witness import FileWitness
from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.sealing.witness import witness_of
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import TpmEvidence
from tests.support.appliance_process import NO_TPM
from tests.support.swtpm import Swtpm
from tests.support.tpm_sealing import PLAIN_BOOT, measured_boot


def test_a_file_anchor_has_nothing_to_show(tmp_path: Path) -> None:
    """Level 1, and nothing more is claimed."""
    witness = witness_of(AnchorFiles(tmp_path / "state", boot=PLAIN_BOOT).open(AnchorWay(NO_TPM, None)))
    assert isinstance(witness, FileWitness)
    assert witness.key_protection is KeyProtection.FILE


def test_a_tpm_speaks_for_the_machine_whose_secrets_it_guards(tmp_path: Path, tpm: Swtpm) -> None:
    """By the way that is recorded, at the anchor's own level, and pinned to its storage key."""
    for boot, level in ((PLAIN_BOOT, KeyProtection.TPM), (measured_boot(), KeyProtection.TPM_MEASURED_BOOT)):
        anchor = AnchorFiles(tmp_path / level, boot=boot).open(AnchorWay(tpm.tcti, None))
        witness = witness_of(anchor)
        assert isinstance(witness, VtpmWitness)
        assert witness.key_protection is level
        assert isinstance(witness.evidence(public_key=b"key", occasion=b"token"), TpmEvidence)
