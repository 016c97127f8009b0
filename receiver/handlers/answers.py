"""Answers: the wire's JSON as it is, and problem documents."""

from typing import Any, Final

from fastapi import Response

from appliance.wire.codec import CONTENT_TYPE, encode_answer
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, STATUS_OF, ProblemCode, problem
from receiver.errors import ProblemError

_HEADERS: Final = {"Cache-Control": "no-store"}


def json_answer(content: bytes) -> Response:
    """Give encoded JSON that no cache keeps."""
    return Response(content, media_type=CONTENT_TYPE, headers=_HEADERS)


def problem_answer(error: ProblemError) -> Response:
    """Give the problem document of a refusal."""
    document = problem(error.problem, detail=error.detail, hint=error.advice)
    headers = dict(_HEADERS)
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.problem is ProblemCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        encode_answer(document), status_code=document.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers
    )


def described(schema: str, *, problems: list[ProblemCode]) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answers for OpenAPI: its model and every problem it may give."""
    statuses: dict[int, list[ProblemCode]] = {}
    for code in [*problems, ProblemCode.UNAVAILABLE, ProblemCode.INTERNAL]:
        statuses.setdefault(STATUS_OF[code].value, []).append(code)
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": "Done", "content": {CONTENT_TYPE: {"schema": _reference(schema)}}}
    }
    for status, codes in sorted(statuses.items()):
        content = {PROBLEM_MEDIA_TYPE: {"schema": _reference("Problem")}}
        answers[status] = {"description": ", ".join(sorted(codes)), "content": content}
    return answers


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
