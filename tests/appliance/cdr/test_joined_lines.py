"""Lines that make a record together: what is held, what is counted, and that a restart changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.csv_rows import text_lines
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.joined_lines import MAX_HELD_BYTES, MAX_HELD_LINES, JoinedLines, Piece, Role
from appliance.cdr.line_parser import Outcome
from appliance.cdr.occurrence import OccurrenceWindow
from appliance.cdr.record import CallRecord, Line, Parsed, QuarantineReason
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame

AT = datetime(2026, 10, 20, 9, tzinfo=UTC)


class ShortWords:
    """Lines such as ``open 7`` and ``end 7``: the first word says what it does to call 7."""

    def __init__(self) -> None:
        self._window = OccurrenceWindow()

    def read(self, _line: Line, content: str, _now: datetime, /) -> Piece[str] | Outcome:
        word, _, key = content.partition(" ")
        roles = {"open": Role.OPENS, "add": Role.ADDS, "end": Role.ENDS, "late": Role.ENDS, "bad": Role.ENDS}
        if word in roles:
            return Piece(key.encode(), roles[word], content)
        if word == "whole":
            return record(content.encode(), 1, AT)
        return QuarantineReason.COLUMN_COUNT if word == "torn" else None

    def alone(self, line: Line, facts: str, /) -> Outcome:
        if facts.startswith("add"):
            return None
        self._window.leg(facts.encode(), line)
        return QuarantineReason.UNPAIRED

    def join(self, line: Line, pieces: Sequence[str], /) -> CallRecord | QuarantineReason:
        leg = self._window.leg(pieces[-1].encode(), line)
        if pieces[-1].startswith("bad"):
            return QuarantineReason.DATE_INVALID
        return record("+".join(pieces).encode(), leg, AT + timedelta(days=900 * pieces[-1].startswith("late")))


def record(key: bytes, leg: int, at: datetime) -> CallRecord:
    """A call of no length."""
    return CallRecord(key, key, leg, at, None, at, 0, 0, 0, Direction.UNKNOWN, Disposition.NO_ANSWER, "201", "202", "")


def parser() -> JoinedLines[str, str]:
    """One at the beginning of a file."""
    return JoinedLines(ShortWords(), text_lines)


def lines_of(*texts: str) -> list[Line]:
    """The lines of a file."""
    return frame("".join(text + "\n" for text in texts).encode())


def keys(parsed: Parsed) -> list[bytes]:
    """What the records were made of."""
    return [item.natural_key for item in parsed.records]


def reasons(parsed: Parsed) -> list[tuple[int, str]]:
    """Which lines were refused, and why."""
    return [(item.line.offset, str(item.reason)) for item in parsed.refused]


def test_a_call_gives_its_record_with_its_last_line() -> None:
    """The line that ends it counts as the record, the others are ignored then and not before."""
    one = parser()
    lines = lines_of("open 7", "open 8", "add 7", "end 7", "end 8")
    first = one.parse(lines[:3], now=NOW)
    assert (keys(first), first.refused, first.ignored) == ([], [], 0)
    assert one.held() == [lines[0], lines[2], lines[1]]
    second = one.parse(lines[3:], now=NOW)
    assert keys(second) == [b"open 7+add 7+end 7", b"open 8+end 8"]
    assert (second.ignored, one.held()) == (3, [])


def test_a_line_can_be_all_there_is() -> None:
    """A record, a refusal or no record without any other line, as in a dialect that joins nothing."""
    made = parser().parse(lines_of("whole", "torn", "", "\x1b"), now=NOW)
    assert keys(made) == [b"whole"]
    assert reasons(made) == [(6, "column_count"), (12, "binary")]
    assert made.ignored == 1


def test_a_line_without_its_call_is_what_the_joiner_says() -> None:
    """Nothing is held for a call whose beginning was not seen."""
    one = parser()
    made = one.parse(lines_of("add 7", "end 7"), now=NOW)
    assert (made.ignored, reasons(made), one.held()) == (1, [(6, "unpaired")], [])


@pytest.mark.parametrize(("end", "why"), [("bad 7", "date_invalid"), ("late 7", "date_out_of_range")])
def test_all_lines_of_a_call_without_a_record_are_refused(end: str, why: str) -> None:
    """A person who looks at the quarantine needs each of them."""
    made = parser().parse(lines_of("open 7", "add 7", end), now=NOW)
    assert (keys(made), reasons(made), made.ignored) == ([], [(0, why), (7, why), (13, why)], 0)


def test_a_call_that_never_ends_is_refused_at_the_end_of_the_file() -> None:
    """It is not dropped in silence, and the next file begins with nothing held."""
    one = parser()
    one.parse(lines_of("open 7", "add 7"), now=NOW)
    assert reasons(one.finish()) == [(0, "unpaired"), (7, "unpaired")]
    assert (one.held(), one.finish().refused) == ([], [])


def test_the_oldest_call_goes_when_too_many_lines_are_held() -> None:
    """A feed that loses every end costs bounded memory, and each lost call is counted."""
    one = parser()
    lines = lines_of(*(f"open {key}" for key in range(MAX_HELD_LINES + 2)))
    made = one.parse(lines, now=NOW)
    assert [item.line for item in made.refused] == lines[:2]
    assert one.held() == lines[2:]


def test_the_oldest_call_goes_when_too_many_bytes_are_held() -> None:
    """Long lines are bounded by their bytes."""
    one = parser()
    lines = lines_of(*(f"open {key}{'x' * 60_000}" for key in range(40)))
    made = one.parse(lines, now=NOW)
    assert made.refused
    assert sum(len(line.content) for line in one.held()) <= MAX_HELD_BYTES


def test_one_call_of_too_many_lines_goes_whole() -> None:
    """No call can hold more than all calls together."""
    made = parser().parse(lines_of(*["open 7"] * (MAX_HELD_LINES + 1)), now=NOW)
    assert len(made.refused) == MAX_HELD_LINES + 1


def test_a_restart_knows_what_was_held_in_the_file_before() -> None:
    """A call may begin in one file and end in the next, whatever the offsets are."""
    one = parser()
    one.parse(lines_of("", "open 7"), now=NOW)
    two = parser()
    two.rewind((), held=one.held())
    assert two.held() == one.held()
    three = parser()
    three.rewind(lines_of("open 8", "end 8"), held=two.held())
    assert keys(three.parse(lines_of("end 7"), now=NOW)) == [b"open 7+end 7"]


def test_a_restart_at_the_first_line_holds_it_once() -> None:
    """The first line stands at offset 0 both as a held one and as one of those before."""
    lines = lines_of("open 7", "end 7")
    for shown in ([], [lines[0]]):
        one = parser()
        one.rewind(shown, held=[lines[0]])
        assert one.held() == [lines[0]]
        made = one.parse(lines[1:], now=NOW)
        assert (keys(made), made.ignored) == ([b"open 7+end 7"], 1)


def test_a_call_that_ended_in_the_gap_is_not_held_again() -> None:
    """After a restart the lines before are the file's head and what is near: the end may lie between them."""
    head = lines_of("open 7")
    near = [Line(100 * HEAD_BYTES, b"open 9"), Line(100 * HEAD_BYTES + 7, b"end 9")]
    one = parser()
    one.rewind([*head, *near])
    assert one.held() == []


def test_held_lines_that_cannot_be_read_any_more_are_refused() -> None:
    """The settings changed while they waited: they are counted, with the next lines or at the end."""
    lost = [Line(5, b"end 7"), Line(90, b"")]
    one = parser()
    one.rewind((), held=lost)
    assert one.held() == lost
    assert reasons(one.parse(lines_of("open 1"), now=NOW)) == [(5, "unpaired"), (90, "unpaired")]
    two = parser()
    two.rewind((), held=lost)
    assert reasons(two.finish()) == [(5, "unpaired"), (90, "unpaired")]
    assert two.finish().refused == []


TEXTS = st.lists(
    st.sampled_from(["open 1", "open 2", "add 1", "add 2", "end 1", "end 2", "bad 1", "late 2", "whole", "torn", ""]),
    max_size=24,
)


@given(texts=TEXTS, cut=st.integers(0, 24))
def test_each_line_is_counted_once_and_a_restart_changes_nothing(texts: list[str], cut: int) -> None:
    """Read = records + refused + ignored + held at every moment, restarted before each line or not."""
    lines = lines_of(*texts)
    whole = parser()
    expected = [whole.parse(lines[:cut], now=NOW), whole.parse(lines[cut:], now=NOW), whole.finish()]
    one, made = parser(), []
    for place, line in enumerate(lines):
        made.append(one.parse([line], now=NOW))
        counted = sum(len(part.records) + len(part.refused) + part.ignored for part in made)
        assert counted + len(one.held()) == place + 1
        held, one = one.held(), parser()
        one.rewind(lines[: place + 1], held=held)
        assert one.held() == held
    made.append(one.finish())
    assert _summed(made) == _summed(expected)


def _summed(parts: Sequence[Parsed]) -> tuple[list[CallRecord], list[tuple[int, str]], int]:
    return (
        [item for part in parts for item in part.records],
        [item for part in parts for item in reasons(part)],
        sum(part.ignored for part in parts),
    )
