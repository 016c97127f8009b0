"""Bound how often one address may fail where a secret could be guessed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError
from receiver.factory import ProcessContext

_GUESSES: Final = frozenset({ProblemCode.INVITATION_UNKNOWN, ProblemCode.UNAUTHENTICATED})
"""Refusals of what may have been a guess; whoever is refused otherwise has shown a secret."""


@contextmanager
def bounded_guesses(request: Request, context: ProcessContext) -> Iterator[None]:
    """Refuse a client whose address has failed too often; count a failure of the block.

    Raises:
        ProblemError: ``rate_limited``.
    """
    address = "" if request.client is None else request.client.host
    context.guesses.require_room(address, now=context.clock.now())
    try:
        yield
    except ProblemError as error:
        if error.problem in _GUESSES:
            context.guesses.note_failure(address, now=context.clock.now())
        raise
