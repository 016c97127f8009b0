"""Enrollment over Secure Transport (RFC 7030), for the machines that this receiver certifies."""

import base64
import binascii
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from appliance.wire.enrollment import (
    CA_CERTIFICATES_PATH,
    REQUEST_MEDIA_TYPE,
    SIMPLE_ENROLL_PATH,
    SIMPLE_REENROLL_PATH,
)
from appliance.wire.limits import MAX_ENROLLMENT_BYTES
from appliance.wire.problem import ProblemCode
from receiver.dependencies.context import Context
from receiver.dependencies.guesses import bounded_guesses
from receiver.dependencies.machine import Machine
from receiver.dependencies.proof import offered_proof
from receiver.errors import ProblemError
from receiver.handlers.answers import certificates_answer, described_certificates
from receiver.handlers.bodies import read_plain_body

router = APIRouter(tags=["est"])

_HINT: Final = f"Send one PKCS #10 request as {REQUEST_MEDIA_TYPE}: its DER in base64 (RFC 7030 4.2.1)."
_REQUEST_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {REQUEST_MEDIA_TYPE: {"schema": {"type": "string", "contentEncoding": "base64"}}},
    }
}


@router.get(
    CA_CERTIFICATES_PATH,
    operation_id="listCaCertificates",
    summary="The certificates of the machine authority (RFC 7030 4.1)",
    response_class=Response,
    responses=described_certificates(problems=[]),
)
async def list_ca_certificates(context: Context) -> Response:
    """Give every root that is trusted or announced, the issuing certificates, and the cross-certificates between."""
    return certificates_answer(context.authority.published)


@router.post(
    SIMPLE_ENROLL_PATH,
    operation_id="simpleEnroll",
    summary="Fetch the certificate of an enrollment whose challenge was opened (RFC 7030 4.2)",
    response_class=Response,
    responses=described_certificates(
        problems=[
            ProblemCode.MALFORMED_REQUEST,
            ProblemCode.UNAUTHENTICATED,
            ProblemCode.ENCODING_UNSUPPORTED,
            ProblemCode.INVITATION_UNKNOWN,
            ProblemCode.INVITATION_EXPIRED,
            ProblemCode.EVIDENCE_INVALID,
            ProblemCode.FORBIDDEN,
            ProblemCode.APPLIANCE_QUARANTINED,
            ProblemCode.RATE_LIMITED,
        ]
    ),
    openapi_extra={"security": [{"enrollmentProof": []}]} | _REQUEST_BODY,
)
async def simple_enroll(request: Request, context: Context) -> Response:
    """Issue the certificate to whoever proves to have opened the challenge; again where the answer was lost."""
    with bounded_guesses(request, context):
        proof = offered_proof(request)
        content = await read_certificate_request(request)
        async with context.enrollment(proof.name.tenant_id) as desk:
            certificate = await desk.enroll(
                proof.name, password=proof.password, request=content, authority=context.authority
            )
    return certificates_answer([certificate, *context.authority.chain])


@router.post(
    SIMPLE_REENROLL_PATH,
    operation_id="simpleReenroll",
    summary="Renew the certificate with the one in use (RFC 7030 4.2.2); both stay valid until their own end",
    response_class=Response,
    responses=described_certificates(
        problems=[
            ProblemCode.MALFORMED_REQUEST,
            ProblemCode.UNAUTHENTICATED,
            ProblemCode.FORBIDDEN,
            ProblemCode.ENCODING_UNSUPPORTED,
            ProblemCode.EVIDENCE_INVALID,
            ProblemCode.ANCHOR_LOWERED,
            ProblemCode.APPLIANCE_QUARANTINED,
        ]
    ),
    openapi_extra={"security": [{"machineCertificate": []}]} | _REQUEST_BODY,
)
async def simple_reenroll(request: Request, context: Context, machine: Machine) -> Response:
    """Certify the appliance's next key; the same key again, where the answer was lost, is certified again."""
    content = await read_certificate_request(request)
    async with context.renewals(machine.name.tenant_id) as desk:
        certificate = await desk.renew(machine, request=content, authority=context.authority)
    return certificates_answer([certificate, *context.authority.chain])


async def read_certificate_request(request: Request) -> bytes:
    """Read a body that holds a certificate request; give its DER.

    Raises:
        ProblemError: ``encoding_unsupported`` or ``malformed_request``.
    """
    body = await read_plain_body(request, media_type=REQUEST_MEDIA_TYPE, most=MAX_ENROLLMENT_BYTES, hint=_HINT)
    try:
        # Line ends between the letters are allowed (RFC 8951 3.1).
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        detail = "the body is not base64"
        raise ProblemError(ProblemCode.MALFORMED_REQUEST, detail=detail, hint=_HINT) from None
