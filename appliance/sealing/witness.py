"""Who speaks for this machine at an enrollment and a renewal: its TPM where that is the anchor, else nobody."""

from appliance.ports import MachineWitness
from appliance.sealing.anchor import StateAnchor
from appliance.sealing.file_witness import FileWitness
from appliance.sealing.vtpm.attestation import VtpmWitness
from appliance.sealing.vtpm.sealer import VtpmSealer


def witness_of(anchor: StateAnchor) -> MachineWitness:
    """Give the witness that goes with the anchor."""
    if not isinstance(anchor.sealer, VtpmSealer):
        return FileWitness()
    return VtpmWitness(
        anchor.record.way.tpm,
        key_protection=anchor.key_protection,
        storage_key_name=anchor.sealer.storage_key_name,
    )
