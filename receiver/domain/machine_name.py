"""The name of an appliance as its certificate carries it: ``urn:natalia:tenant:<uuid>:appliance:<name>``."""

import re
from typing import Final
from uuid import UUID

from msgspec import Struct

from receiver.errors import NameInvalidError

_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_URN: Final = re.compile(rf"urn:natalia:tenant:([0-9a-f-]{{36}}):appliance:({_NAME.pattern})", re.ASCII)


class MachineName(Struct, frozen=True):
    """One appliance of one tenant."""

    tenant_id: UUID
    appliance: str


def parse_appliance(text: str) -> str:
    """Check an appliance's name.

    Raises:
        NameInvalidError: not of the form.
    """
    if _NAME.fullmatch(text) is None:
        raise NameInvalidError("the appliance's name is not of the allowed form")
    return text


def to_urn(name: MachineName) -> str:
    """Spell the URI of the certificate's subject alternative name."""
    return f"urn:natalia:tenant:{name.tenant_id}:appliance:{name.appliance}"


def parse_urn(text: str) -> MachineName:
    """Read such a URI.

    Raises:
        NameInvalidError: not of the form.
    """
    match = _URN.fullmatch(text)
    if match is None:
        raise NameInvalidError("the certificate names no appliance")
    try:
        return MachineName(tenant_id=UUID(match[1]), appliance=match[2])
    except ValueError:
        raise NameInvalidError("the certificate names no appliance") from None
