"""The second step of an enrollment over TLS: who gets the certificate, and what everybody else is told."""

import base64
from typing import Final
from uuid import UUID, uuid4

import httpx
import pytest

from appliance.wire.enrollment import REQUEST_MEDIA_TYPE, SIMPLE_ENROLL_PATH
from appliance.wire.problem import ProblemCode
from tests.receiver.newcomer import (
    DISBELIEVED,
    MALFORMED,
    UNPROVEN,
    UNSUPPORTED,
    Newcomer,
    answer_of,
    refusal_of,
    simple_enroll,
)
from tests.receiver.office import Office

_NOBODYS: Final = f"{uuid4().hex}{uuid4().hex}"


def test_the_answer_is_of_rfc_7030(door: httpx.Client, token: str) -> None:
    """The certificate comes as a certs-only PKCS #7 in base64, that no cache keeps."""
    machine = Newcomer()
    response = machine.enroll(door, answer_of(machine.apply(door, token)))
    assert response.headers["content-type"] == "application/pkcs7-mime"
    assert response.headers["cache-control"] == "no-store"
    base64.b64decode(b"".join(response.content.split()), validate=True)


def test_another_proof_is_refused(door: httpx.Client, token: str) -> None:
    """The password must follow from the challenge and from the very request that is sent."""
    machine = Newcomer()
    answer = answer_of(machine.apply(door, token))
    csr = machine.csr()
    good = machine.password(answer, csr)
    for password in ("", "0" * 64, good.upper(), machine.password(answer, machine.csr()), f"{good}0"):
        response = simple_enroll(door, answer.enrollment, password, csr)
        assert refusal_of(response) == UNPROVEN
        assert response.headers["www-authenticate"] == 'Basic realm="natalia"'
    assert machine.chain_of(simple_enroll(door, answer.enrollment, good, csr))


def test_another_key_at_the_second_step_is_refused(door: httpx.Client, token: str) -> None:
    """Whoever opened the challenge gets a certificate for the key that applied, and for no other."""
    machine = Newcomer()
    answer = answer_of(machine.apply(door, token))
    other = Newcomer().csr()
    response = simple_enroll(door, answer.enrollment, machine.password(answer, other), other)
    assert refusal_of(response) == DISBELIEVED


def test_an_enrollment_that_waited_too_long_begins_again(
    office: Office, door: httpx.Client, tenant_id: UUID, token: str
) -> None:
    """The second step must come soon; the first may be taken again."""
    machine = Newcomer()
    answer = answer_of(machine.apply(door, token))
    office.execute(tenant_id, "UPDATE natalia.enrollment SET expires_at = now()")
    assert refusal_of(machine.enroll(door, answer)) == UNPROVEN
    assert machine.certify(door, token)


def test_another_tenants_enrollment_is_not_found(office: Office, door: httpx.Client, token: str) -> None:
    """An enrollment's id in another tenant's name leads nowhere, with the right password too."""
    machine, (_, other_id) = Newcomer(), office.tenant()
    answer, csr = answer_of(machine.apply(door, token)), machine.csr()
    foreign = other_id.hex + answer.enrollment[32:]
    assert refusal_of(simple_enroll(door, foreign, machine.password(answer, csr), csr)) == UNPROVEN


_CREDENTIALS: Final = {
    "none": None,
    "bearer": "Bearer abc",
    "no base64": "Basic !!!!",
    "cut base64": "Basic YWJj1",
    "no colon": f"Basic {base64.b64encode(_NOBODYS.encode()).decode()}",
    "not ASCII": f"Basic {base64.b64encode(b'caf' + bytes([0xE9])).decode()}",
    "another user": f"Basic {base64.b64encode(b'root:secret').decode()}",
    "large letters": f"Basic {base64.b64encode(_NOBODYS.upper().encode() + b':p').decode()}",
    "nobody's": f"Basic {base64.b64encode(_NOBODYS.encode() + b':p').decode()}",
}


@pytest.mark.parametrize("kind", _CREDENTIALS)
def test_other_credentials_are_refused(door: httpx.Client, kind: str) -> None:
    """Whatever stands in the header, the answer is the one that asks for Basic."""
    credentials = _CREDENTIALS[kind]
    headers = {"Content-Type": REQUEST_MEDIA_TYPE} | ({} if credentials is None else {"Authorization": credentials})
    body = base64.b64encode(Newcomer().csr())
    assert refusal_of(door.post(SIMPLE_ENROLL_PATH, content=body, headers=headers)) == UNPROVEN


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (b"hello!", {}, MALFORMED),
        (b"YQ==", {"Content-Type": "application/json"}, UNSUPPORTED),
        (b"YQ==", {"Content-Encoding": "gzip"}, UNSUPPORTED),
        (b"YQ==", {}, UNPROVEN),
    ],
    ids=["no base64", "JSON", "encoded", "no request, unproven"],
)
def test_another_body_at_the_second_step_is_refused(
    door: httpx.Client, body: bytes, headers: dict[str, str], refusal: tuple[int, ProblemCode]
) -> None:
    """The second step takes base64 of PKCS #10; what it holds is looked at after the proof."""
    sent = {"Content-Type": REQUEST_MEDIA_TYPE} | headers
    assert refusal_of(door.post(SIMPLE_ENROLL_PATH, content=body, headers=sent, auth=(_NOBODYS, "p"))) == refusal
