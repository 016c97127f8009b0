"""Where a machine asks to be enrolled; it has no certificate yet."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from appliance.wire.codec import CONTENT_TYPE, WireError, decode_enrollment_request, encode_enrollment
from appliance.wire.enrollment import ENROLLMENTS_PATH, EnrollmentRequest
from appliance.wire.limits import MAX_ENROLLMENT_BYTES
from appliance.wire.problem import ProblemCode
from receiver.dependencies.context import Context
from receiver.dependencies.guesses import bounded_guesses
from receiver.domain.invitation import parse
from receiver.errors import ProblemError
from receiver.handlers.answers import described, json_answer
from receiver.handlers.bodies import read_plain_body
from receiver.services.machine_certificates import read_claim

router = APIRouter(tags=["enrollment"])

_HINT: Final = "Send one enrollment.v1 as the wire contract says; see /openapi.json."
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/EnrollmentRequest"}}},
    }
}
_PROBLEMS: Final = [
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.ENCODING_UNSUPPORTED,
    ProblemCode.INVITATION_UNKNOWN,
    ProblemCode.INVITATION_EXPIRED,
    ProblemCode.INVITATION_USED,
    ProblemCode.EVIDENCE_INVALID,
    ProblemCode.FORBIDDEN,
    ProblemCode.APPLIANCE_QUARANTINED,
    ProblemCode.ANCHOR_LOWERED,
    ProblemCode.RATE_LIMITED,
]


@router.post(
    ENROLLMENTS_PATH,
    operation_id="postEnrollment",
    summary="Ask for a challenge, with an invitation's token or a certificate that ended",
    responses=described("EnrollmentAnswer", problems=_PROBLEMS),
    openapi_extra=_BODY,
)
async def post_enrollment(request: Request, context: Context) -> Response:
    """Check invitation and evidence, and send a challenge that only this machine opens; the same key may ask again.

    A machine whose certificate ended shows that instead, and waits until an administrator has approved it.
    """
    with bounded_guesses(request, context):
        asked = await _read_request(request)
        if asked.returning is not None:
            tenant_id = read_claim(asked.returning.certificate).name.tenant_id
            async with context.returns(tenant_id) as returns:
                answer = await returns.apply(asked, returning=asked.returning)
        else:
            token = parse(asked.token or "")
            async with context.enrollment(token.tenant_id) as desk:
                answer = await desk.apply(asked, token=token)
    return json_answer(encode_enrollment(answer))


async def _read_request(request: Request) -> EnrollmentRequest:
    body = await read_plain_body(request, media_type=CONTENT_TYPE, most=MAX_ENROLLMENT_BYTES, hint=_HINT)
    try:
        asked = decode_enrollment_request(body)
    except WireError as error:
        raise _malformed(str(error)) from None
    if (asked.token is None) is (asked.returning is None):
        raise _malformed("there must be either a token or a return")
    return asked


def _malformed(detail: str) -> ProblemError:
    return ProblemError(ProblemCode.MALFORMED_REQUEST, detail=detail, hint=_HINT)
