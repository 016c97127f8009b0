"""RFC 9457 problem documents with permanent codes.

A code is never renamed nor reused. ``RETRYABLE_STATUS`` is the whole rule for the appliance: such an answer is
tried again, any other 4xx is a judgement of the batch and sets it aside, visibly.
"""

from enum import StrEnum
from http import HTTPStatus
from typing import Final

from msgspec import Struct

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRYABLE_STATUS: Final = frozenset({401, 403, 404, 405, 408, 409, 429, 500, 502, 503, 504})
"""Answers that speak of the certificate, the address, a copy in flight or the receiver, not of the batch.

500 too: a receiver's bug must not cost the site its records, nor may a certificate that was revoked by mistake.
"""


class ProblemCode(StrEnum):
    """Permanent codes; the first member's value stands in ``code``, the URI in ``type`` ends in it."""

    MALFORMED_REQUEST = "malformed_request"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IDEMPOTENCY_KEY_MISMATCH = "idempotency_key_mismatch"
    BATCH_TOO_LARGE = "batch_too_large"
    BATCH_INVALID = "batch_invalid"
    ENCODING_UNSUPPORTED = "encoding_unsupported"
    INVITATION_UNKNOWN = "invitation_unknown"
    INVITATION_EXPIRED = "invitation_expired"
    INVITATION_USED = "invitation_used"
    EVIDENCE_INVALID = "evidence_invalid"
    ANCHOR_LOWERED = "anchor_lowered"
    APPLIANCE_QUARANTINED = "appliance_quarantined"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


STATUS_OF: Final[dict[ProblemCode, HTTPStatus]] = {
    ProblemCode.MALFORMED_REQUEST: HTTPStatus.BAD_REQUEST,
    ProblemCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ProblemCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ProblemCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ProblemCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ProblemCode.IDEMPOTENCY_KEY_MISSING: HTTPStatus.BAD_REQUEST,
    ProblemCode.IDEMPOTENCY_KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.IDEMPOTENCY_KEY_MISMATCH: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.BATCH_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ProblemCode.BATCH_INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.ENCODING_UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVITATION_UNKNOWN: HTTPStatus.UNAUTHORIZED,
    ProblemCode.INVITATION_EXPIRED: HTTPStatus.UNAUTHORIZED,
    ProblemCode.INVITATION_USED: HTTPStatus.CONFLICT,
    ProblemCode.EVIDENCE_INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.ANCHOR_LOWERED: HTTPStatus.FORBIDDEN,
    ProblemCode.APPLIANCE_QUARANTINED: HTTPStatus.FORBIDDEN,
    ProblemCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ProblemCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Problem(Struct, frozen=True, forbid_unknown_fields=True):
    """A refusal a program can act on and an operator can read; it never quotes the request.

    ``detail`` says where (a field's path) and what was expected, ``hint`` the next step.
    """

    type: str
    title: str
    status: int
    code: ProblemCode
    detail: str
    hint: str


def problem(code: ProblemCode, *, detail: str, hint: str) -> Problem:
    """Build the document of ``code``; title and status follow from it."""
    return Problem(
        type=f"urn:natalia:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=STATUS_OF[code].value,
        code=code,
        detail=detail,
        hint=hint,
    )
