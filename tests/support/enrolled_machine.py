"""A machine that becomes an appliance in this process, by a real receiver's invitation."""

from pathlib import Path

from appliance.clock import SystemClock
from appliance.daemon import identities_of
from appliance.enrollment import Enrollment, trust_anchors_of
from appliance.ports import MachineIdentity
from appliance.sealing.anchor import open_secrets
from appliance.sealing.anchor_record import AnchorWay
from appliance.sealing.tenant_key import TenantKeyStore
from appliance.sealing.witness import witness_of
from appliance.uplink.est_desk import EstDesk
from appliance.wire.invitation import Invitation

NO_TPM = "device:/dev/tpm9"
"""Where none is, so that the file is the anchor whatever the machine of the test has."""


async def enrolled(folder: Path, invitation: Invitation, *, tpm: str = NO_TPM) -> MachineIdentity:
    """Enrol a fresh machine with its state in ``folder``; ``tpm`` is a TCTI."""
    clock = SystemClock()
    secrets, anchor = open_secrets(folder, AnchorWay(tpm, None))
    async with EstDesk.for_newcomer(invitation.receiver, trust_anchors_of(invitation), clock) as desk:
        enrollment = Enrollment(
            invitation=invitation,
            identities=identities_of(secrets, anchor),
            tenant_keys=TenantKeyStore(secrets),
            witness=witness_of(anchor),
            desk=desk,
            clock=clock,
        )
        return await enrollment.run()
