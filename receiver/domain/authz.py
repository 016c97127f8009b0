"""Who may do what: one table, and one function that refuses."""

from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError


class Permission(StrEnum):
    """All that can be allowed."""

    CDR_READ = "cdr.read"
    CDR_EXPORT = "cdr.export"
    CDR_REVEAL_PHONE = "cdr.reveal_phone"
    API_KEY_MANAGE = "api_key.manage"
    USER_MANAGE = "user.manage"
    AUDIT_READ = "audit.read"


class Role(StrEnum):
    """What a user or an API key is, within one tenant."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


GRANTS: Final[dict[Role, frozenset[Permission]]] = {
    Role.VIEWER: frozenset({Permission.CDR_READ}),
    Role.ANALYST: frozenset({Permission.CDR_READ, Permission.CDR_EXPORT}),
    Role.ADMIN: frozenset(Permission),
}


class Principal(Struct, frozen=True):
    """Who asks: a role within a tenant, proven."""

    tenant_id: UUID
    role: Role


def require(principal: Principal, permission: Permission) -> None:
    """Refuse unless the principal's role holds ``permission``.

    Raises:
        ProblemError: ``forbidden``.
    """
    if permission not in GRANTS[principal.role]:
        raise ProblemError(
            ProblemCode.FORBIDDEN,
            detail=f"the role lacks the permission {permission}",
            hint="Ask an administrator of the tenant for a key or role that holds it.",
        )
