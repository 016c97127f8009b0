"""Roles and permissions, as the interface document fixes them."""

from uuid import UUID

import pytest

from appliance.wire.problem import ProblemCode
from receiver.domain.authz import GRANTS, Permission, Principal, Role, require
from receiver.errors import ProblemError

_TABLE = {
    "cdr.read": ("viewer", "analyst", "admin"),
    "cdr.export": ("analyst", "admin"),
    "cdr.reveal_phone": ("admin",),
    "api_key.manage": ("admin",),
    "user.manage": ("admin",),
    "audit.read": ("admin",),
}


def test_the_table_is_the_documents() -> None:
    """Every permission is granted to exactly the roles of the table, and there is no other."""
    granted = {
        permission.value: tuple(role.value for role in Role if permission in GRANTS[role]) for permission in Permission
    }
    assert granted == _TABLE


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", list(Permission))
def test_require_follows_the_table(role: Role, permission: Permission) -> None:
    """What the table grants passes, everything else is forbidden."""
    principal = Principal(tenant_id=UUID(int=1), role=role)
    if role.value in _TABLE[permission.value]:
        require(principal, permission)
        return
    with pytest.raises(ProblemError) as refusal:
        require(principal, permission)
    assert refusal.value.problem is ProblemCode.FORBIDDEN
