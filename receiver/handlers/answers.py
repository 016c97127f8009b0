"""Answers: the wire's JSON as it is, certificates, and problem documents."""

import base64
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from fastapi import Response

from appliance.wire.codec import CONTENT_TYPE, encode_answer
from appliance.wire.enrollment import CERTIFICATES_MEDIA_TYPE
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, STATUS_OF, ProblemCode, problem
from receiver.errors import ProblemError

_HEADERS: Final = {"Cache-Control": "no-store"}


def json_answer(content: bytes) -> Response:
    """Give encoded JSON that no cache keeps."""
    return Response(content, media_type=CONTENT_TYPE, headers=_HEADERS)


def certificates_answer(certificates: list[x509.Certificate]) -> Response:
    """Give certificates as a certs-only PKCS #7 in base64 (RFC 7030 4.1.3, 4.2.3; RFC 8951 3.1)."""
    message = pkcs7.serialize_certificates(certificates, Encoding.DER)
    headers = {**_HEADERS, "Content-Transfer-Encoding": "base64"}
    return Response(base64.encodebytes(message), media_type=CERTIFICATES_MEDIA_TYPE, headers=headers)


def problem_answer(error: ProblemError) -> Response:
    """Give the problem document of a refusal."""
    document = problem(error.problem, detail=error.detail, hint=error.advice)
    headers = dict(_HEADERS)
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.problem is ProblemCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = error.scheme
    return Response(
        encode_answer(document), status_code=document.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers
    )


def described(schema: str, *, problems: list[ProblemCode]) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answers for OpenAPI: its model and every problem it may give."""
    return _described({CONTENT_TYPE: {"schema": _reference(schema)}}, problems=problems)


def described_certificates(*, problems: list[ProblemCode]) -> dict[int | str, dict[str, Any]]:
    """Describe a route that answers with ``certificates_answer``."""
    schema = {"type": "string", "contentEncoding": "base64"}
    return _described({CERTIFICATES_MEDIA_TYPE: {"schema": schema}}, problems=problems)


def _described(content: dict[str, Any], *, problems: list[ProblemCode]) -> dict[int | str, dict[str, Any]]:
    statuses: dict[int, list[ProblemCode]] = {}
    for code in [*problems, ProblemCode.UNAVAILABLE, ProblemCode.INTERNAL]:
        statuses.setdefault(STATUS_OF[code].value, []).append(code)
    answers: dict[int | str, dict[str, Any]] = {200: {"description": "Done", "content": content}}
    for status, codes in sorted(statuses.items()):
        document = {PROBLEM_MEDIA_TYPE: {"schema": _reference("Problem")}}
        answers[status] = {"description": ", ".join(sorted(codes)), "content": document}
    return answers


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
