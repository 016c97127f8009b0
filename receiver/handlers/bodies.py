"""Request bodies, bounded."""

from fastapi import Request

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError


async def read_body(request: Request, *, most: int) -> bytes | None:
    """Read a body of at most ``most`` bytes, and no byte more; None if it is longer."""
    if int(request.headers.get("content-length", "0")) > most:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


async def read_plain_body(request: Request, *, media_type: str, most: int, hint: str) -> bytes:
    """Read a body of one media type, not encoded, of at most ``most`` bytes.

    Raises:
        ProblemError: ``encoding_unsupported`` or ``malformed_request``, with ``hint``.
    """
    if request.headers.get("content-type") != media_type or "content-encoding" in request.headers:
        detail = f"the body must be {media_type}, not encoded"
        raise ProblemError(ProblemCode.ENCODING_UNSUPPORTED, detail=detail, hint=hint)
    body = await read_body(request, most=most)
    if body is None:
        detail = f"the body is longer than {most} bytes"
        raise ProblemError(ProblemCode.MALFORMED_REQUEST, detail=detail, hint=hint)
    return body
