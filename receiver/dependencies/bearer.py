"""Which API key is offered. It is proven within the request's transaction (``factory``)."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from receiver.domain.api_key import ApiKey, parse, unauthenticated

_SCHEME = HTTPBearer(scheme_name="apiKey", bearerFormat="ntl_<env>_<key id>_<secret>_<crc32>", auto_error=False)


def offered_key(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]) -> ApiKey:
    """Read the key of the Authorization header; a wrong checksum costs no database query.

    Raises:
        ProblemError: ``unauthenticated``.
    """
    if credentials is None:
        raise unauthenticated()
    return parse(credentials.credentials)


OfferedKey = Annotated[ApiKey, Depends(offered_key)]
