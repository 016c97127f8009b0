"""The words of 3CX for what takes part in a call and how it ended, in the spellings of v12 to v18 and of v20.

``Ivr`` and ``ivr``, ``TerminatedBySrc`` and ``src_participant_terminated`` occur in one file after an upgrade: words
are compared in small letters without underscores. Sources: as ``threecx_cdr`` and ``threecx_v20_cdroutput``.
"""

from typing import Final

from appliance.wire.call import Direction, Disposition

_OUTSIDE: Final = frozenset({"line", "external", "externalline", "provider", "outboundrule", "bridge"})
"""What leads outside the PBX."""
_INSIDE: Final = frozenset(
    {
        *("extension", "queue", "ringgroup", "ringgroupringall", "ringgrouphunt", "ringgrouppaging", "group", "ivr"),
        *("voicemail", "conference", "confplace", "conferenceplace", "parking", "sharedparking", "fax", "script"),
        *("callflow", "inboundrouting", "routepoint", "specialmenu", "officehours", "endcall"),
    }
)
_DIRECTIONS: Final = {
    (True, True): Direction.INTERNAL,
    (True, False): Direction.OUTBOUND,
    (False, True): Direction.INBOUND,
    (False, False): Direction.TRANSIT,
}
_ENDS: Final = (
    dict.fromkeys(("busy", "failedbusy", "userbusy"), Disposition.BUSY)
    | dict.fromkeys(("failed", "noroute", "notfound", "unreachable", "notregistered"), Disposition.FAILED)
    | dict.fromkeys(("failednotfound", "failednotregistered", "failednoroute"), Disposition.FAILED)
    | dict.fromkeys(
        (
            *("terminatedbysrc", "terminatedbydst", "srcparticipantterminated", "dstparticipantterminated"),
            *("failedcancelled", "failednoanswer", "failedrejected", "cancelled", "noanswer", "rejected", "timeout"),
            *("redirected", "continuedin", "polling", "completedelsewhere", "replacedsrc", "replaceddst"),
        ),
        Disposition.NO_ANSWER,
    )
)
"""How a call ended that nobody answered."""


def plain_word(word: str) -> str:
    """Give a word in small letters without underscores."""
    return word.replace("_", "").lower()


def is_inside(kind: str) -> bool | None:
    """Say whether an entity of this type is part of the PBX; None if the word is not known."""
    word = plain_word(kind)
    return True if word in _INSIDE else False if word in _OUTSIDE else None


def direction_between(calling: bool | None, called: bool | None) -> Direction:  # noqa: FBT001 - what ``is_inside`` says
    """Give the direction of a call by whether its parties are inside."""
    if calling is None or called is None:
        return Direction.UNKNOWN
    return _DIRECTIONS[calling, called]


def unanswered_disposition(*reasons: str) -> Disposition:
    """Give how a call ended that nobody answered; the first of ``reasons`` that says so decides."""
    known = (_ENDS.get(plain_word(reason)) for reason in reasons)
    return next(filter(None, known), Disposition.UNKNOWN)
