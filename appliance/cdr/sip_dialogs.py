"""Calls from the SIP transactions that a proxy accounted: an INVITE and the BYE of its dialog make one record.

A proxy stamps each transaction when it is answered, so that the INVITE's time is when the call was answered and its
ringing is not known. An INVITE that failed is a call of no length; one with credentials asked for is no call yet, and
one within a call that is going on (hold, a codec change) is part of it. The transactions of a dialog have its call id
and both tags, the tags in either order: who hangs up is the sender of the BYE. Each dialog of a forked call is a leg.

A BYE whose INVITE was not seen, and an INVITE whose BYE never came (a telephone that lost power sends none), are
refused: without its end nobody knows how long the call was.
"""

import re
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from msgspec import Struct

from appliance.cdr.framing import REWIND_BYTES
from appliance.cdr.joined_lines import Piece, Role
from appliance.cdr.line_parser import Outcome
from appliance.cdr.local_time import LocalTimes, Reading, Uncertain, decide
from appliance.cdr.occurrence import MAX_LEG, OccurrenceWindow
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.cdr.sip_responses import disposition_of, is_challenge, is_final
from appliance.wire.call import Direction, Disposition

UNSAID = "?"
"""Stands for a party that the line does not have: unknown, where an empty one would be withheld."""
UNTIMED: Final = Uncertain((), Reason.TYPE_SIGNATURE)
"""The time of a transaction that has none."""
_EPOCH: Final = re.compile(r"(\d{9,10})(?:\.\d{1,6})?", re.ASCII)


class Parties(Struct, frozen=True, gc=False):
    """Who called whom, as written."""

    calling: str
    called: str
    forwarded_to: str


class Transaction(Struct, frozen=True, gc=False):
    """One accounted transaction."""

    method: str
    from_tag: str
    to_tag: str
    call_id: str
    code: str
    stamp: str
    """Its time as written."""
    at: Reading
    """Its time, or ``UNTIMED``."""
    parties: Parties


class _EventWindow:
    """Numbers the events (ends and failures) of each call among the lines of the last ``REWIND_BYTES``.

    The same event again keeps out of the numbers. All of it follows from the lines of that span, so that a parser which
    starts in the middle of a file numbers alike.
    """

    __slots__ = ("_events", "_recent")

    def __init__(self) -> None:
        self._recent: deque[tuple[int, bytes, bytes]] = deque()
        self._events: dict[bytes, Counter[bytes]] = {}

    def leg(self, call_key: bytes, event: bytes, *, offset: int) -> int | None:
        """Note an event of a call; give its number, or None if the same one was noted before."""
        while self._recent and self._recent[0][0] < offset - REWIND_BYTES:
            _, call, expired = self._recent.popleft()
            left = self._events[call]
            left[expired] -= 1
            if not left[expired]:
                del left[expired]
            if not left:
                del self._events[call]
        self._recent.append((offset, call_key, event))
        events = self._events.setdefault(call_key, Counter())
        events[event] += 1
        return min(len(events), MAX_LEG) if events[event] == 1 else None


class DialogJoiner:
    """Implements ``joined_lines.Joiner`` but for ``read``, which is the dialect's."""

    __slots__ = ("_events", "_times", "_window")

    def __init__(self, zone: tzinfo) -> None:
        """Start at the beginning of a file whose local times are those of ``zone``."""
        self._times = LocalTimes(zone)
        self._events = _EventWindow()
        self._window = OccurrenceWindow()

    def time(self, text: str) -> Reading | None:
        """Read an epoch, to the second, or an SQL time, which is local."""
        match = _EPOCH.fullmatch(text)
        return self._times.read(text) if match is None else datetime.fromtimestamp(int(match[1]), UTC)

    def piece(self, transaction: Transaction) -> Piece[Transaction] | Reason | None:
        """Say which call the transaction belongs to, or that it is part of none."""
        method, code = transaction.method, transaction.code
        if not method or not transaction.call_id or not is_final(code):
            return Reason.TYPE_SIGNATURE
        if is_challenge(code) or method not in {"INVITE", "ACK", "BYE"}:
            return None
        opens = method == "INVITE" and code.startswith("2")
        role = Role.OPENS if opens else Role.ENDS if method == "BYE" else Role.ADDS
        return Piece(_dialog(transaction), role, transaction)

    def alone(self, line: Line, transaction: Transaction, /) -> Outcome:
        """See ``joined_lines.Joiner``."""
        if transaction.method == "ACK":
            return None
        if transaction.method == "BYE":
            return Reason.UNPAIRED if self._leg(line, transaction) else None
        call_key = _joined(transaction.call_id)
        failed = b"failed\0%b\0%b" % (_dialog(transaction), _joined(transaction.code, transaction.stamp))
        leg = self._events.leg(call_key, failed, offset=line.offset)
        if leg is None:
            # Accounted twice, as a missed call and as a failed transaction.
            return None
        at = decide(transaction.at, near=None)
        if isinstance(at, Reason):
            return at
        parts = (transaction.from_tag, transaction.to_tag, transaction.code, transaction.stamp)
        parties = transaction.parties
        return CallRecord(
            _joined(transaction.call_id, *parts),
            call_key,
            leg,
            at,
            None,
            at,
            0,
            0,
            0,
            Direction.UNKNOWN,
            disposition_of(transaction.code),
            parties.calling,
            parties.called,
            parties.forwarded_to,
        )

    def join(self, line: Line, transactions: Sequence[Transaction], /) -> CallRecord | Reason:
        """See ``joined_lines.Joiner``."""
        first, last = transactions[0], transactions[-1]
        leg = self._leg(line, last) or 1
        # One variant leaves the INVITE without a time; its ACK, which comes at once, has it.
        answer = next((item.at for item in transactions[:-1] if item.at is not UNTIMED), UNTIMED)
        answered_at = decide(answer, near=last.at if isinstance(last.at, datetime) else None)
        if isinstance(answered_at, Reason):
            return answered_at
        ended_at = decide(last.at, near=answered_at)
        if isinstance(ended_at, Reason):
            return ended_at
        keys = dialog_keys(first.call_id, first.from_tag, first.to_tag)
        return whole_call(keys, leg, (answered_at, answered_at, ended_at), first.parties)

    def leg(self, line: Line, keys: tuple[bytes, bytes]) -> int:
        """Number a leg that needs no other line, by its ``dialog_keys``."""
        return self._events.leg(keys[1], keys[0], offset=line.offset) or 1

    def line_key(self, line: Line) -> bytes:
        """Give the natural key of a record without a call id."""
        return self._window.line_key(line)

    def _leg(self, line: Line, bye: Transaction) -> int | None:
        """Number the dialog that a BYE ends; None if another BYE did so just before, as when both hang up at once.

        Counted at the BYE, which is never held, so that a restart counts the same.
        """
        return self._events.leg(_joined(bye.call_id), b"bye\0" + _dialog(bye), offset=line.offset)


def whole_call(
    keys: tuple[bytes, bytes], leg: int, times: tuple[datetime, datetime, datetime], parties: Parties
) -> CallRecord:
    """Make the record of an answered call from ``dialog_keys`` and from its start, answer and end."""
    natural_key, call_key = keys
    started_at, answered_at, ended_at = times
    return CallRecord(
        natural_key,
        call_key,
        leg,
        started_at,
        answered_at,
        ended_at,
        _whole_seconds(started_at, answered_at),
        _whole_seconds(answered_at, ended_at),
        _whole_seconds(started_at, ended_at),
        Direction.UNKNOWN,
        Disposition.ANSWERED,
        parties.calling,
        parties.called,
        parties.forwarded_to,
    )


def dialog_keys(call_id: str, from_tag: str, to_tag: str) -> tuple[bytes, bytes]:
    """Give the natural key and the call's key of an answered call."""
    return _joined(call_id, from_tag, to_tag), _joined(call_id)


def _dialog(transaction: Transaction) -> bytes:
    tags = sorted((transaction.from_tag, transaction.to_tag))
    return _joined(transaction.call_id, *tags)


def _joined(*parts: str) -> bytes:
    return b"sip\0" + "\0".join(parts).encode("latin-1")


def _whole_seconds(start: datetime, end: datetime) -> int:
    span = end - start
    return span.days * 86_400 + span.seconds
