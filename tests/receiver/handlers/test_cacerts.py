"""Anybody may fetch the authority's certificates (RFC 7030 4.1)."""

import base64

import httpx
from cryptography.hazmat.primitives.serialization import pkcs7

from appliance.wire.enrollment import CA_CERTIFICATES_PATH
from tests.receiver.deliveries import Machine
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess


def test_the_authoritys_certificates_are_told_to_anybody(anonymous: httpx.Client, office: Office) -> None:
    """A client without certificate or key is given all that is published, as certs-only PKCS #7 in base64."""
    answer = anonymous.get(CA_CERTIFICATES_PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pkcs7-mime")
    assert answer.headers["content-transfer-encoding"] == "base64"
    certificates = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.content))
    assert set(certificates) == set(office.authority.published)
    assert set(office.authority.anchors) < set(certificates)


def test_a_machine_may_ask_too(receiver: ReceiverProcess, machine: Machine, anonymous: httpx.Client) -> None:
    """With a certificate the answer is the same, and it is not to be cached."""
    with machine.connect(receiver) as line:
        answer = line.get(CA_CERTIFICATES_PATH)
    assert answer.content == anonymous.get(CA_CERTIFICATES_PATH).content
    assert answer.headers["cache-control"] == "no-store"


def test_the_operation_is_described(anonymous: httpx.Client) -> None:
    """The OpenAPI document says what the body is."""
    operation = anonymous.get("/openapi.json").json()["paths"][CA_CERTIFICATES_PATH]["get"]
    content = operation["responses"]["200"]["content"]
    assert content == {"application/pkcs7-mime": {"schema": {"type": "string", "contentEncoding": "base64"}}}
