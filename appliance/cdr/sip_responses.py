"""What a final SIP response says of an INVITE that it answered (RFC 3261, section 21)."""

from typing import Final

from appliance.wire.call import Disposition

_NO_ANSWER: Final = ("408", "480", "487")
"""It rang too long, nobody was there, or the caller gave up."""
_BUSY: Final = ("486", "600")
_CONGESTION: Final = ("503",)
_DISPOSITIONS: Final = (
    dict.fromkeys(_NO_ANSWER, Disposition.NO_ANSWER)
    | dict.fromkeys(_BUSY, Disposition.BUSY)
    | dict.fromkeys(_CONGESTION, Disposition.CONGESTION)
)
_FIRST_DIGITS: Final = {"2": Disposition.ANSWERED} | dict.fromkeys("3456", Disposition.FAILED)


def is_final(code: str) -> bool:
    """Whether it is the code of a final response."""
    return len(code) == len("200") and code.isascii() and code.isdecimal() and code[0] in _FIRST_DIGITS


def is_challenge(code: str) -> bool:
    """Whether it asks for credentials: the same request comes again with them, so that it is no outcome."""
    return code in {"401", "407"}


def disposition_of(code: str) -> Disposition:
    """Say how the INVITE ended that was answered with ``code``."""
    return _DISPOSITIONS.get(code) or _FIRST_DIGITS.get(code[:1], Disposition.UNKNOWN)
