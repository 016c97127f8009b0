"""What FreeSWITCH's variables say of a leg, however they were written down: CSV, JSON and XML records share it.

A leg is known by its ``uuid``. The legs that it originates carry its ``call_uuid`` and, in ``originating_leg_uuid``
or ``originator``, its ``uuid`` (signalwire/freeswitch ``src/switch_ivr_originate.c``): the first leg's own uuid is the
call. ``direction`` is that of the leg as the switch sees it, so that it says nothing of the call; ``call_direction``
(FusionPBX) does, and so does the context ``public``, which calls from outside enter (``conf/vanilla``).
Epochs decide the times wherever there are any, in whole seconds, as FreeSWITCH counts its durations; stamps are of the
site's zone.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from appliance.cdr.local_time import LocalTimes, Reading, decide
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction

ID: Final = re.compile(r"[!-~]{0,256}", re.ASCII)
"""A uuid, or a SIP Call-ID where ``inbound-use-callid-as-uuid`` is on."""
PUBLIC: Final = "public"
"""The context that calls from outside enter."""
_SECOND_DIGITS: Final = (9, 10)
_MICROSECOND_DIGITS: Final = (15, 16)

_CALL_DIRECTIONS: Final = {
    "inbound": Direction.INBOUND,
    "outbound": Direction.OUTBOUND,
    "local": Direction.INTERNAL,
}
_WITHHELD_PRIVACY: Final = frozenset({"id", "user", "full"})
_TRUE: Final = frozenset({"true", "yes", "on", "enabled", "active", "allow", "1", "t"})
"""What ``switch_true`` takes for true."""


class Span(NamedTuple):
    """When a leg was, in UTC, and its whole seconds."""

    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    ring_seconds: int
    talk_seconds: int
    total_seconds: int


Lengths = tuple[int | None, int | None]
"""Whole seconds of the leg and of its talk, where they are written."""


class Moment(NamedTuple):
    """The three spellings of one time: local text, seconds and microseconds since 1970 (0 if it never came)."""

    stamp: str
    epoch: str
    uepoch: str


def direction_of(call_direction: str, context: str, direction: str) -> Direction:
    """Say where the call goes; ``direction`` is the leg's: only one that comes in enters a context."""
    known = _CALL_DIRECTIONS.get(call_direction)
    if known is None:
        known = Direction.INBOUND if context == PUBLIC and direction != "outbound" else Direction.UNKNOWN
    return known


def call_of(uuid: str, call_uuid: str, *parents: str) -> str:
    """Name the call that the leg ``uuid`` belongs to; ``parents`` are the variables that name who originated it.

    A leg that outlives its bridge is given its own uuid as ``call_uuid``.
    """
    if call_uuid and call_uuid != uuid:
        return call_uuid
    return next(filter(None, parents), uuid)


def is_withheld(privacy: str, hide_number: str) -> bool:
    """Whether the caller asked that the number be withheld (RFC 3323, RFC 3325; ``privacy_hide_number``)."""
    if privacy:
        return not _WITHHELD_PRIVACY.isdisjoint(privacy.lower().replace(",", ";").replace(" ", "").split(";"))
    return hide_number.lower() in _TRUE


def read_moment(times: LocalTimes, moment: Moment) -> Reading | Reason | None:
    """Read a time from the best of its spellings; None if it has none, or says that it never came."""
    stamp, epoch, uepoch = moment
    for text, digits, unit in ((uepoch, _MICROSECOND_DIGITS, 1_000_000), (epoch, _SECOND_DIGITS, 1)):
        if text.strip("0"):
            if text.isascii() and text.isdecimal() and len(text) in digits:
                return datetime.fromtimestamp(int(text) // unit, UTC)
            return Reason.TYPE_SIGNATURE
        if text:
            return None
    if not stamp:
        return None
    reading = times.read(stamp)
    return Reason.TYPE_SIGNATURE if reading is None else reading


def settle(start: Reading | None, answer: Reading | None, end: Reading | None, lengths: Lengths) -> Span | Reason:
    """Decide each time by the others where it is uncertain, and work out what is not written."""
    total, talk = lengths
    if total is None and (start is None or end is None):
        # Templates without a start: no more is known than when it was answered, or else that it ended.
        total = talk or 0
    length = timedelta(seconds=total or 0)
    if start is None:
        start = end - length if isinstance(end, datetime) else end
    if start is None:
        return Reason.TYPE_SIGNATURE
    started_at = decide(start, near=end - length if isinstance(end, datetime) else None)
    if isinstance(started_at, Reason):
        return started_at
    ended_at = started_at + length if end is None else decide(end, near=started_at + length)
    if isinstance(ended_at, Reason):
        return ended_at
    spoken = timedelta(seconds=talk or 0)
    if answer is None:
        return spanned(started_at, ended_at - spoken if spoken else None, ended_at, lengths)
    answered_at = decide(answer, near=ended_at - spoken)
    return answered_at if isinstance(answered_at, Reason) else spanned(started_at, answered_at, ended_at, lengths)


def spanned(started_at: datetime, answered_at: datetime | None, ended_at: datetime, lengths: Lengths) -> Span:
    """Give the span; seconds that are not written are counted between its times."""
    total, talk = lengths
    if total is None:
        total = _seconds_between(started_at, ended_at)
    if answered_at is None:
        return Span(started_at, None, ended_at, total, 0, total)
    if talk is None:
        talk = _seconds_between(answered_at, ended_at)
    return Span(started_at, answered_at, ended_at, _seconds_between(started_at, answered_at), talk, total)


def _seconds_between(earlier: datetime, later: datetime) -> int:
    """Give 0 where the order is wrong: such a record is refused for its times."""
    between = later - earlier
    return max(0, between.days * 86_400 + between.seconds)
