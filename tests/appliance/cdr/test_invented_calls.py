"""Whole feeds against the calls that they were written from: nobody is mixed up, and no second gets lost.

The generators write invented calls in the format of each dialect; what the dialect reads must be those calls again.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.record import CallRecord, Parsed
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW
from tests.support.feeds import feed_of
from tests.support.feeds.calls import FIRST_SECOND, Invented, invented
from tests.support.vectors import frames

Facts = tuple[str, str, datetime, int, int, bool]
"""Calling, called, start, ringing, talking, answered."""


def parser_of(dialect: str) -> LineParser:
    """One at the beginning of a file."""
    return find_dialect(dialect).open(FeedContext(zone=ZoneInfo("Europe/Brussels")))


def parsed(dialect: str, data: bytes) -> Parsed:
    """A whole feed."""
    return parser_of(dialect).parse(frames(dialect, data), now=NOW)


def facts(record: CallRecord) -> Facts:
    """What a record says of a call."""
    calling, called = record.calling.partition("@")[0], record.called.partition("@")[0]
    answered = record.answered_at is not None
    return calling, called, record.started_at, record.ring_seconds, record.talk_seconds, answered


def written(call: Invented, *, from_answer: bool) -> Facts:
    """What a format says of the call, which may know nothing of what was before the answer."""
    answer = datetime.fromtimestamp(FIRST_SECOND + call.second + call.ring, UTC)
    if from_answer:
        return call.calling, call.called, answer, 0, call.talk, call.talk > 0
    return call.calling, call.called, answer - timedelta(seconds=call.ring), call.ring, call.talk, call.talk > 0


def calls_of(seed: int, count: int, *, draws_between: Callable[[Random, Invented], object]) -> list[Invented]:
    """The calls of a generator, which draws from the same dice between them."""
    random = Random(seed)  # noqa: S311 - test data
    found = []
    for call in invented(random, count):
        found.append(call)
        draws_between(random, call)
    return found


def no_draw(_random: Random, _call: Invented) -> None:
    """The generator draws nothing."""


def draw_failure(random: Random, call: Invented) -> None:
    """The generator draws how an unanswered call failed, of four ways."""
    if not call.talk:
        random.choice(range(4))


def draw_status(random: Random, call: Invented) -> None:
    """The generator draws a status of three for an unanswered call."""
    if not call.talk:
        random.choice(range(3))


def draw_name_and_arguments(random: Random, call: Invented) -> None:
    """The generator draws a name, a status for an unanswered call, and whether commas follow."""
    random.choice(range(4))
    draw_status(random, call)
    random.random()


def draw_any_failure(random: Random, _call: Invented) -> None:
    """The generator draws a failure of three for every call."""
    random.choice(range(3))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("dialect", "lines_of_a_call"), [("kamailio_acc", 2), ("opensips_flatstore", 3)])
def test_a_proxy_s_transactions_are_the_calls(dialect: str, lines_of_a_call: int, seed: int) -> None:
    """Interleaved as they are, each BYE finds its INVITE; ringing is not known."""
    calls = calls_of(seed, 200, draws_between=draw_failure)
    made = parsed(dialect, feed_of(dialect, rows=200 * lines_of_a_call, seed=seed))
    assert sorted(map(facts, made.records)) == sorted(written(call, from_answer=True) for call in calls)
    answered = sum(call.talk > 0 for call in calls)
    assert (made.refused, made.ignored) == ([], answered * (lines_of_a_call - 1))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("dialect", "draws_between"), [("yeastar", draw_status), ("grandstream_ucm", draw_name_and_arguments)]
)
def test_a_pbx_s_rows_are_the_calls(
    dialect: str, draws_between: Callable[[Random, Invented], object], seed: int
) -> None:
    """In their order, with ringing and talking."""
    calls = calls_of(seed, 200, draws_between=draws_between)
    made = parsed(dialect, feed_of(dialect, rows=200, seed=seed))
    assert [facts(record) for record in made.records] == [written(call, from_answer=False) for call in calls]
    for record, call in zip(made.records, calls, strict=True):
        assert record.direction in {Direction.UNKNOWN, Direction(call.kind.lower())}


@pytest.mark.parametrize("seed", [1, 2])
def test_each_leg_of_a_border_controller_is_the_call(seed: int) -> None:
    """Two legs a call, which share it."""
    calls = calls_of(seed, 100, draws_between=draw_any_failure)
    made = parsed("audiocodes_sbc", feed_of("audiocodes_sbc", rows=200, seed=seed))
    assert [facts(record) for record in made.records[::2]] == [written(call, from_answer=False) for call in calls]
    assert list(map(facts, made.records[1::2])) == list(map(facts, made.records[::2]))
    assert [record.leg for record in made.records] == [1, 2] * 100
    assert len({record.call_key for record in made.records}) == 100


@pytest.mark.parametrize(
    "dialect", ["kamailio_acc", "opensips_flatstore", "yeastar", "grandstream_ucm", "audiocodes_sbc"]
)
@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 120), max_size=4))
def test_batches_change_nothing(dialect: str, cuts: list[int]) -> None:
    """However many lines come at a time, the records are the same, and so are the counts."""
    lines = frames(dialect, feed_of(dialect, rows=120, seed=5))
    whole = parser_of(dialect).parse(lines, now=NOW)
    one, parts = parser_of(dialect), []
    edges = [0, *sorted(cuts), len(lines)]
    for start, end in zip(edges, edges[1:], strict=False):  # noqa: RUF007 - pairs of neighbours
        parts.append(one.parse(lines[start:end], now=NOW))
    assert [record for part in parts for record in part.records] == whole.records
    assert sum(part.ignored for part in parts) == whole.ignored


@pytest.mark.parametrize(
    "dialect", ["kamailio_acc", "opensips_flatstore", "yeastar", "grandstream_ucm", "audiocodes_sbc"]
)
def test_overlapping_files_give_equal_keys(dialect: str) -> None:
    """A second export that begins later and ends later names the calls that both have alike."""
    lines = frames(dialect, feed_of(dialect, rows=120, seed=6))
    header = lines[:1]
    first = parser_of(dialect).parse(lines[:90], now=NOW).records
    second = parser_of(dialect).parse([*header, *lines[30:]], now=NOW).records
    keys = [{(*facts(record), record.leg): record.natural_key for record in made} for made in (first, second)]
    both = keys[0].keys() & keys[1].keys()
    assert both
    assert all(keys[0][call] == keys[1][call] for call in both)
    assert all(record.disposition is not Disposition.UNKNOWN for record in [*first, *second])


def test_the_dialects_say_what_becomes_of_each_field() -> None:
    """The map names what is read, and what never leaves."""
    for name in ("kamailio_acc", "opensips_flatstore", "yeastar", "grandstream_ucm", "audiocodes_sbc"):
        dialect = find_dialect(name)
        assert any(text.startswith(("number", "URI")) for text in dialect.columns.values())
        assert any(text.startswith("never leaves") for text in dialect.columns.values())
