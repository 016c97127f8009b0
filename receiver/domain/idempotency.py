"""The Idempotency-Key of an ingest request: the structured-field string ``"<appliance>/<epoch>/<sequence>"``.

A String of RFC 9651 is quoted; ours needs no escapes, so one spelling has one key.
"""

import re
from typing import Final

from msgspec import Struct

from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError

_FORM: Final = re.compile(r'"([a-z0-9-]{1,63})/([1-9][0-9]{0,15})/([1-9][0-9]{0,15})"', re.ASCII)
_HINT: Final = 'Send Idempotency-Key: "<appliance>/<epoch>/<sequence>", with the quotes.'


class BatchKey(Struct, frozen=True):
    """Which batch a request carries; the same for every retry of it."""

    appliance: str
    epoch: int
    sequence: int


def parse_key(header: str | None) -> BatchKey:
    """Read the header's value; None where it was not sent, or more than once.

    Raises:
        ProblemError: ``idempotency_key_missing`` or ``malformed_request``.
    """
    if header is None:
        raise ProblemError(
            ProblemCode.IDEMPOTENCY_KEY_MISSING, detail="exactly one Idempotency-Key is required", hint=_HINT
        )
    match = _FORM.fullmatch(header)
    if match is None:
        raise ProblemError(
            ProblemCode.MALFORMED_REQUEST, detail="the Idempotency-Key is not of the required form", hint=_HINT
        )
    return BatchKey(appliance=match[1], epoch=int(match[2]), sequence=int(match[3]))


def require_same(key: BatchKey, *, other: BatchKey) -> None:
    """Refuse a key that names another batch than the body and the certificate do.

    Raises:
        ProblemError: ``idempotency_key_mismatch``.
    """
    if key != other:
        raise ProblemError(
            ProblemCode.IDEMPOTENCY_KEY_MISMATCH,
            detail="the Idempotency-Key does not match the certificate's appliance and the body's epoch and sequence",
            hint=_HINT,
        )
