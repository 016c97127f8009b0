"""Which appliance is asking, by its client certificate."""

from typing import Annotated

from fastapi import Depends, Request

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError
from receiver.services.machine_certificates import MachineClaim, read_claim
from receiver.tls_context import PEER_CERTIFICATE


def machine_claim(request: Request) -> MachineClaim:
    """Read the claim of the certificate that TLS verified.

    Raises:
        ProblemError: ``unauthenticated`` without a certificate, ``forbidden`` with one that names no appliance.
    """
    certificate: bytes | None = request.scope["state"].get(PEER_CERTIFICATE)
    if certificate is None:
        raise ProblemError(
            ProblemCode.UNAUTHENTICATED,
            detail="no client certificate was presented",
            hint="Connect with the certificate of an enrollment: `natalia-receiver appliance invite` begins one.",
        )
    return read_claim(certificate)


Machine = Annotated[MachineClaim, Depends(machine_claim)]
