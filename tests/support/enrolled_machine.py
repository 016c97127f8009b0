"""A machine without a TPM that becomes an appliance in this process, by a real receiver's invitation."""

from pathlib import Path

from appliance.clock import SystemClock
from appliance.enrollment import Enrollment, trust_anchors_of
from appliance.identity.file_identity import FileIdentityStore
from appliance.ports import MachineIdentity
from appliance.sealing.file_sealer import FileSealer
from appliance.sealing.file_witness import FileWitness
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import TenantKeyStore
from appliance.uplink.est_desk import EstDesk
from appliance.wire.invitation import Invitation


async def enrolled(folder: Path, invitation: Invitation) -> MachineIdentity:
    """Enrol; its sealed secrets lie in ``folder``."""
    clock = SystemClock()
    secrets = SecretStore(folder / "secrets", FileSealer.open(folder / "anchor"))
    async with EstDesk.for_newcomer(invitation.receiver, trust_anchors_of(invitation), clock) as desk:
        enrollment = Enrollment(
            invitation=invitation,
            identities=FileIdentityStore(secrets, clock),
            tenant_keys=TenantKeyStore(secrets),
            witness=FileWitness(),
            desk=desk,
            clock=clock,
        )
        return await enrollment.run()
