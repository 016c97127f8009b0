"""The receiver's desk for a machine with a certificate: it is shown where a renewal is asked for, and nowhere else.

So a certificate that ended, which the receiver's TLS does not let in, stands in the way of nothing but the renewal:
what is to be trusted, and a return, are asked for without it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from appliance.machine_ports import CertificateDesk
from appliance.ports import Clock, MachineIdentity
from appliance.uplink.est_desk import TOTAL_TIMEOUT_SECONDS, EstDesk
from appliance.wire.enrollment import EnrollmentAnswer, EnrollmentRequest


@asynccontextmanager
async def machine_desk(
    url: str, identity: MachineIdentity, clock: Clock, *, timeout_seconds: float = TOTAL_TIMEOUT_SECONDS
) -> AsyncIterator[CertificateDesk]:
    """Open the desk of the receiver at ``url`` (``https://host[:port]``) for ``identity``.

    Raises:
        IdentityMismatchError: certificate, key or trust anchors do not load.
    """
    async with (
        EstDesk.for_newcomer(url, identity.trust_anchors, clock, timeout_seconds=timeout_seconds) as open_door,
        EstDesk.for_machine(url, identity, clock, timeout_seconds=timeout_seconds) as machine_door,
    ):
        yield MachineDesk(open_door, machine_door)


class MachineDesk:
    """Implements ``machine_ports.CertificateDesk`` over two others."""

    def __init__(self, open_door: CertificateDesk, machine_door: CertificateDesk) -> None:
        """Ask for renewals at ``machine_door``, for all else at ``open_door``."""
        self._open_door = open_door
        self._machine_door = machine_door

    async def apply(self, request: EnrollmentRequest) -> EnrollmentAnswer:
        """Ask to be enrolled. Raises as the port says."""
        return await self._open_door.apply(request)

    async def enroll(self, *, enrollment: str, proof: str, request: bytes) -> bytes:
        """Fetch the certificate of an enrollment or a return. Raises as ``apply``."""
        return await self._open_door.enroll(enrollment=enrollment, proof=proof, request=request)

    async def renew(self, request: bytes) -> bytes:
        """Fetch the next certificate with the one in use. Raises as ``apply``."""
        return await self._machine_door.renew(request)

    async def trust_anchors(self) -> bytes:
        """Fetch what is to be trusted. Raises as ``apply``."""
        return await self._open_door.trust_anchors()
