"""Which enrollment asks for its certificate, by HTTP Basic (RFC 7617): its id, and the proof as the password."""

import base64
import binascii
import re
from typing import Final

from fastapi import Request
from msgspec import Struct

from receiver.domain.enrollment import EnrollmentName, parse_name, unproven

_BASIC: Final = re.compile(r"(?i:basic) +([A-Za-z0-9+/]{1,400}={0,2})", re.ASCII)


class Proof(Struct, frozen=True):
    """What is offered; not yet proven."""

    name: EnrollmentName
    password: str

    def __repr__(self) -> str:
        """Show the enrollment, never the password."""
        return f"Proof(name={self.name!r})"


def offered_proof(request: Request) -> Proof:
    """Read the Authorization header.

    Raises:
        ProblemError: ``unauthenticated``.
    """
    match = _BASIC.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        raise unproven()
    try:
        user, colon, password = base64.b64decode(match[1], validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unproven() from None
    if not colon:
        raise unproven()
    return Proof(name=parse_name(user), password=password)
