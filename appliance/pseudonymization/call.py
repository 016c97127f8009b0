"""From a record with clear numbers to the call that may leave: an allow-list, field by field.

Only what ``appliance.wire.call.Call`` names is made, from normalised numbers, times and counts; no text of the record
passes through. The direction, where the PBX did not say, follows from what kind of number each party has.
"""

from collections.abc import Sequence
from typing import Final

from appliance.cdr.record import CallRecord
from appliance.numbering.number import normalise
from appliance.numbering.plan import NumberingPlan
from appliance.pseudonymization.disclosure import DisclosurePolicy, clear_digits
from appliance.pseudonymization.pseudonym import Pseudonymizer
from appliance.wire.call import Call, Category, Direction, Party

_MEMO_ENTRIES: Final = 20_000
"""Bound of the memo between two calls of ``forget``."""

_OUTSIDE_CALLERS: Final = (Category.EXTERNAL, Category.WITHHELD)
_DIRECTIONS: Final = {
    (Category.INTERNAL, Category.INTERNAL): Direction.INTERNAL,
    (Category.INTERNAL, Category.SERVICE): Direction.INTERNAL,
    **{(Category.INTERNAL, to): Direction.OUTBOUND for to in (Category.EXTERNAL, Category.SHORT, Category.EMERGENCY)},
    **{(caller, Category.INTERNAL): Direction.INBOUND for caller in _OUTSIDE_CALLERS},
    **{(caller, Category.EXTERNAL): Direction.TRANSIT for caller in _OUTSIDE_CALLERS},
}
"""By the categories of calling and called; anything else says nothing of the direction."""


class CallEncoder:
    """Makes the calls of one feed. Remembers numbers until ``forget``, so that a batch normalises each one once."""

    __slots__ = (
        *(
            "_call_ids",
            "_called",
            "_calling",
            "_dialect",
            "_event_ids",
            "_feed",
            "_key_version",
            "_plan",
            "_policy",
            "_pseudonymizer",
        ),
    )

    def __init__(
        self,
        pseudonymizer: Pseudonymizer,
        *,
        plan: NumberingPlan,
        policy: DisclosurePolicy,
        feed: str,
        dialect: str,
    ) -> None:
        """Bind what is the same for all records of the feed; ``feed`` and ``dialect`` as the wire allows them."""
        self._pseudonymizer = pseudonymizer
        self._event_ids = pseudonymizer.event_ids(feed=feed)
        self._call_ids = pseudonymizer.call_ids(feed=feed)
        self._plan = plan
        self._policy = policy
        self._feed = feed
        self._dialect = dialect
        self._key_version = pseudonymizer.key_version
        self._calling: dict[str, Party] = {}
        self._called: dict[str, Party] = {}

    def __repr__(self) -> str:
        """Name the feed; the remembered numbers stay hidden."""
        return f"CallEncoder(feed={self._feed!r})"

    def forget(self) -> None:
        """Drop the remembered numbers; call it after each batch."""
        self._calling.clear()
        self._called.clear()

    def to_calls(self, records: Sequence[CallRecord]) -> list[Call]:
        """Give what may leave of each record."""
        event_ids = self._event_ids.tokens([record.natural_key for record in records])
        call_ids = self._call_ids.tokens([record.call_key for record in records])
        return list(map(self._to_call, records, event_ids, call_ids))

    def _to_call(self, record: CallRecord, event_id: str, call_id: str) -> Call:
        calling = self._calling.get(record.calling) or self._party(record.calling, dialled=False)
        called = self._called.get(record.called) or self._party(record.called, dialled=True)
        forwarded_to = None
        if record.forwarded_to:
            forwarded_to = self._called.get(record.forwarded_to) or self._party(record.forwarded_to, dialled=True)
        direction = record.direction
        if direction is Direction.UNKNOWN:
            direction = _DIRECTIONS.get((calling.category, called.category), direction)
        # In the order of the wire's fields: naming all of them would cost as much again.
        return Call(
            event_id,
            call_id,
            record.leg,
            record.started_at,
            record.answered_at,
            record.ended_at,
            record.ring_seconds,
            record.talk_seconds,
            record.total_seconds,
            direction,
            record.disposition,
            calling,
            called,
            # The same number in another spelling is no forward.
            None if forwarded_to == called else forwarded_to,
            self._feed,
            self._dialect,
            self._key_version,
        )

    def _party(self, raw: str, *, dialled: bool) -> Party:
        number = normalise(raw, self._plan, dialled=dialled)
        party = Party(
            category=number.category,
            pseudonym=self._pseudonymizer.pseudonym(number),
            clear_digits=clear_digits(number, self._policy),
        )
        memo = self._called if dialled else self._calling
        if len(memo) >= _MEMO_ENTRIES:
            memo.clear()
        memo[raw] = party
        return party
