"""SIP transactions to calls, whatever format they were accounted in: pairs, legs, and calls that go on side by side."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.joined_lines import JoinedLines, Piece, Role
from appliance.cdr.line_parser import Outcome
from appliance.cdr.local_time import Uncertain
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from appliance.cdr.sip_dialogs import UNTIMED, DialogJoiner, Parties, Transaction, dialog_keys, whole_call
from appliance.cdr.sip_responses import disposition_of, is_challenge, is_final
from appliance.wire.call import Disposition
from tests.support.cdr_rows import NOW

AT = datetime(2026, 10, 20, 7, tzinfo=UTC)
PARTIES = Parties("201", "202", "")
BRUSSELS = ZoneInfo("Europe/Brussels")


class Listed(DialogJoiner):
    """Takes transactions from a list instead of reading them."""

    def __init__(self, transactions: Sequence[Transaction]) -> None:
        super().__init__(BRUSSELS)
        self._transactions = transactions

    def read(self, line: Line, _content: bytes, _now: datetime, /) -> Piece[Transaction] | Outcome:
        return self.piece(self._transactions[line.offset])


def transaction(
    method: str, call: str = "c", code: str = "200", second: int = 0, *, reverse: bool = False
) -> Transaction:
    """One at a second after the start; ``reverse`` swaps the tags, as for a request of the called party."""
    tags = ("t", "f") if reverse else ("f", "t")
    at = AT + timedelta(seconds=second)
    return Transaction(method, *tags, call, code, str(second), at, PARTIES)


def records_of(transactions: Sequence[Transaction]) -> tuple[list[CallRecord], list[str], int]:
    """What transactions give, in the order in which they were accounted: records, reasons, and the ignored."""
    lines = [Line(place, b"x") for place in range(len(transactions))]
    one: JoinedLines[bytes, Transaction] = JoinedLines(
        Listed(transactions), lambda some: (line.content for line in some)
    )
    parts = [one.parse(lines, now=NOW), one.finish()]
    return (
        [record for part in parts for record in part.records],
        [str(item.reason) for part in parts for item in part.refused],
        sum(part.ignored for part in parts),
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_either_side_may_end_a_call(*, reverse: bool) -> None:
    """The tags say which dialog it is, in whichever order."""
    [record], reasons, ignored = records_of([transaction("INVITE"), transaction("BYE", second=9, reverse=reverse)])
    assert (record.talk_seconds, reasons, ignored) == (9, [], 1)


@pytest.mark.parametrize(
    ("method", "code", "role"),
    [
        ("INVITE", "200", Role.OPENS),
        ("INVITE", "202", Role.OPENS),
        ("INVITE", "486", Role.ADDS),
        ("ACK", "200", Role.ADDS),
        ("BYE", "200", Role.ENDS),
        ("BYE", "481", Role.ENDS),
    ],
)
def test_what_a_transaction_does_to_its_call(method: str, code: str, role: Role) -> None:
    """A failed INVITE adds to a call that is going on, as a hold that was refused does."""
    piece = DialogJoiner(BRUSSELS).piece(transaction(method, code=code))
    assert isinstance(piece, Piece)
    assert piece.role is role


@pytest.mark.parametrize(
    ("method", "code"), [("INVITE", "407"), ("BYE", "401"), ("CANCEL", "200"), ("REFER", "202"), ("OPTIONS", "404")]
)
def test_what_is_part_of_no_call(method: str, code: str) -> None:
    """Challenges, and all other methods."""
    assert DialogJoiner(BRUSSELS).piece(transaction(method, code=code)) is None


@pytest.mark.parametrize(("method", "call", "code"), [("", "c", "200"), ("INVITE", "", "200"), ("INVITE", "c", "180")])
def test_a_transaction_that_lacks_what_every_one_has_is_refused(method: str, call: str, code: str) -> None:
    """A method, a call id, and a final response."""
    assert DialogJoiner(BRUSSELS).piece(transaction(method, call, code)) is QuarantineReason.TYPE_SIGNATURE


def test_an_answer_takes_the_first_time_there_is() -> None:
    """The INVITE's, or that of what follows it."""
    untimed = Transaction("INVITE", "f", "t", "c", "200", "", UNTIMED, PARTIES)
    [record], _, _ = records_of([untimed, transaction("ACK", second=2), transaction("BYE", second=9)])
    assert (record.started_at, record.talk_seconds) == (AT + timedelta(seconds=2), 7)
    assert records_of([untimed, transaction("BYE", second=9)])[1] == ["type_signature"] * 2


def test_parties_are_those_of_the_first_invite() -> None:
    """A BYE of the called party names them the other way round, and a hold as well."""
    hold = Transaction("INVITE", "t", "f", "c", "200", "3", AT, Parties("202", "201", "203"))
    [record], _, _ = records_of([transaction("INVITE"), hold, transaction("BYE", second=9)])
    assert (record.calling, record.called, record.forwarded_to) == ("201", "202", "")


def test_a_whole_call_has_the_keys_of_a_joined_one() -> None:
    """So that a proxy may be set up otherwise without any call being counted twice."""
    [joined], _, _ = records_of([transaction("INVITE"), transaction("BYE", second=9)])
    whole = whole_call(dialog_keys("c", "f", "t"), 1, (AT, AT, AT + timedelta(seconds=9)), PARTIES)
    assert whole == joined


@pytest.mark.parametrize("text", ["1792479600", "1792479600.5", "2026-10-20 09:00:00"])
def test_times_are_epochs_or_local(text: str) -> None:
    """To the second."""
    assert DialogJoiner(BRUSSELS).time(text) == AT


@pytest.mark.parametrize("text", ["", "17924796", "17924796000", "1792479600.", "1792479600,5", "today", "\xb2" * 10])
def test_what_is_no_time(text: str) -> None:
    """Not even nearly."""
    assert DialogJoiner(BRUSSELS).time(text) is None


def test_a_time_without_a_day_is_a_time_that_does_not_exist() -> None:
    """It has the shape of one, so that the reason can be said."""
    assert DialogJoiner(BRUSSELS).time("2026-02-30 09:00:00") == Uncertain((), QuarantineReason.DATE_INVALID)


@given(st.integers(0, 999))
def test_each_code_is_one_thing(number: int) -> None:
    """An answer, a failure of some kind, or no outcome at all."""
    code = f"{number:03}"
    assert is_final(code) == (200 <= number <= 699)
    assert not is_challenge(code) or is_final(code)
    answered = disposition_of(code) is Disposition.ANSWERED
    assert answered == (200 <= number <= 299)
    assert (disposition_of(code) is Disposition.UNKNOWN) == (not is_final(code))


@given(
    calls=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans(), st.booleans()), max_size=12),
)
def test_calls_that_go_on_side_by_side_do_not_touch_each_other(calls: list[tuple[int, int, bool, bool]]) -> None:
    """Each call that ended gives its record with its own length, the others are refused at the end, in any mixture."""
    timed = []
    for place, (start, length, ends, reverse) in enumerate(calls):
        timed.append((start, 0, place, transaction("INVITE", f"c{place}", second=start)))
        if ends:
            end = start + length
            timed.append((end, 1, place, transaction("BYE", f"c{place}", second=end, reverse=reverse)))
    records, reasons, ignored = records_of([item for *_, item in sorted(timed, key=lambda item: item[:3])])
    lengths = {record.call_key: record.talk_seconds for record in records}
    ended = {b"sip\0c%d" % place: length for place, (_, length, ends, _) in enumerate(calls) if ends}
    assert lengths == ended
    assert (reasons, ignored) == (["unpaired"] * (len(calls) - len(ended)), len(ended))
