"""What API clients see of their appliances, and the way back over HTTP."""

from pathlib import Path
from uuid import UUID

import httpx
import pytest
from msgspec import structs

from appliance.wire.codec import encode_enrollment
from appliance.wire.enrollment import EnrollmentState, Return
from appliance.wire.problem import ProblemCode
from receiver.domain.authz import Role
from tests.receiver.deliveries import Machine, client_context, make_call, open_client
from tests.receiver.fleet_world import fresh_key
from tests.receiver.newcomer import Newcomer, answer_of, post_enrollment
from tests.receiver.office import Office
from tests.receiver.renewing import ENDED_LONG_AGO, leaf_of, reenroll, refusal_of, renewed, request_of, stored, wish_of
from tests.support.receiver_process import ReceiverProcess

_APPLIANCES = "/v1/appliances"


@pytest.fixture
def administrator(receiver: ReceiverProcess, office: Office, machine: Machine) -> httpx.Client:
    """An API client that may read what is audited."""
    key = office.key(UUID(machine.tenant_id), Role.ADMIN)
    return open_client(receiver, client_context(receiver.trust_anchors), Authorization=f"Bearer {key}")


def test_a_new_appliance_is_listed(machine: Machine, administrator: httpx.Client) -> None:
    """Before it has said anything there is its certificate, and nothing else."""
    with administrator:
        response = administrator.get(_APPLIANCES)
    ends_at = leaf_of(machine).not_valid_after_utc
    assert response.json() == {
        "appliances": [
            {
                "name": machine.name,
                "state": "active",
                "key_protection": None,
                "last_seen_at": None,
                "certificate_expires_at": f"{ends_at:%Y-%m-%dT%H:%M:%S}Z",
                "quarantined_certificates": 0,
                "waits_for_approval": False,
                "open_alarms": [],
            }
        ]
    }


def test_a_deliverys_time_and_protection_are_listed(
    machine: Machine, line: httpx.Client, administrator: httpx.Client
) -> None:
    """An appliance that was never enrolled says with its batches what guards its keys."""
    assert machine.deliver(line, [make_call()]).status_code == 200
    with administrator:
        (listed,) = administrator.get(_APPLIANCES).json()["appliances"]
    assert listed["key_protection"] == "file"
    assert listed["last_seen_at"] is not None


def test_alarms_are_listed(
    receiver: ReceiverProcess, machine: Machine, sibling: Machine, administrator: httpx.Client, tmp_path: Path
) -> None:
    """An administrator's program sees at a glance which appliance is in two places; another one has no part in it."""
    after = renewed(receiver, machine, tmp_path)
    with after.connect(receiver) as client, machine.connect(receiver) as copy:
        assert client.get("/v1/ingest/high-water").status_code == 200
        assert reenroll(copy, request_of(machine, fresh_key())).status_code == 403
    with administrator:
        listed = {entry["name"]: entry for entry in administrator.get(_APPLIANCES).json()["appliances"]}
    assert list(listed) == sorted([machine.name, sibling.name])
    assert listed[machine.name]["open_alarms"] == ["certificate_reused"]
    assert listed[machine.name]["quarantined_certificates"] == 1
    assert listed[sibling.name]["open_alarms"] == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST])
def test_a_role_that_may_not_read_what_is_audited_is_refused(
    receiver: ReceiverProcess, office: Office, machine: Machine, role: Role
) -> None:
    """Who reads calls need not know which machine is taken for a copy."""
    key = office.key(UUID(machine.tenant_id), role)
    with open_client(receiver, client_context(receiver.trust_anchors), Authorization=f"Bearer {key}") as client:
        assert refusal_of(client.get(_APPLIANCES)) == (403, ProblemCode.FORBIDDEN)


def test_without_a_key_nothing_is_listed(anonymous: httpx.Client, line: httpx.Client) -> None:
    """Nor with a machine's certificate."""
    for client in (anonymous, line):
        assert refusal_of(client.get(_APPLIANCES)) == (401, ProblemCode.UNAUTHENTICATED)


def test_another_tenants_appliances_are_not_listed(receiver: ReceiverProcess, office: Office, machine: Machine) -> None:
    """A tenant sees its own."""
    _, other = office.tenant()
    key = office.key(other, Role.ADMIN)
    with open_client(receiver, client_context(receiver.trust_anchors), Authorization=f"Bearer {key}") as client:
        assert client.get(_APPLIANCES).json() == {"appliances": []}
    assert machine.tenant_id != str(other)


def test_an_appliance_comes_back_over_http(
    receiver: ReceiverProcess, office: Office, machine: Machine, anonymous: httpx.Client, tmp_path: Path
) -> None:
    """Its certificate ended; it waits, an administrator approves, and it has a certificate that opens the door."""
    newcomer = Newcomer()
    assert refusal_of(post_enrollment(anonymous, wish_of(machine, newcomer))) == (403, ProblemCode.FORBIDDEN)
    office.execute(UUID(machine.tenant_id), ENDED_LONG_AGO)
    answer = answer_of(post_enrollment(anonymous, wish_of(machine, newcomer)))
    assert (answer.state, answer.appliance, answer.challenge) == (EnrollmentState.WAITING, machine.name, None)
    receiver.run("appliance", "approve", "--tenant", machine.tenant, machine.name)
    answer = answer_of(post_enrollment(anonymous, wish_of(machine, newcomer)))
    assert answer.state is EnrollmentState.READY
    chain = newcomer.chain_of(newcomer.enroll(anonymous, answer))
    back = stored(machine, tmp_path, key=newcomer.key, chain=chain)
    with back.connect(receiver) as client:
        assert back.deliver(client, [make_call()]).status_code == 200


def test_a_certificate_that_is_none_does_not_come_back(anonymous: httpx.Client) -> None:
    """Bytes that name no appliance are nobody's certificate."""
    newcomer = Newcomer()
    returning = Return(certificate=b"\x30\x00", signature=bytes(8))
    body = encode_enrollment(structs.replace(newcomer.request(""), token=None, returning=returning))
    assert refusal_of(post_enrollment(anonymous, body)) == (403, ProblemCode.FORBIDDEN)
