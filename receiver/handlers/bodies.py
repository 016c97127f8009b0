"""Request bodies, bounded."""

from fastapi import Request


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
