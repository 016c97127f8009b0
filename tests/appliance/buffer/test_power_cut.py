"""Power cuts at every write and sync of the buffer: what was acknowledged is there, and nothing is half there.

Hypothesis chooses what the buffer is asked to do; at each write the disk is cut, in several ways, and what is found is
opened by the product. It must be the state after the last call that returned, or the one after the call that was cut.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appliance.buffer.sealed_blob import BatchRow
from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.ports import QuarantinedLine
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import decode_batch
from tests.support.buffer_file import MASTER
from tests.support.power_cut import Connection, Disk, connect
from tests.support.records import intake, token, verdict

SETTINGS = BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=3)
WAYS = 3
"""In how many ways each cut is played through."""
CUTS = 20_000
MANY_CUTS = 100_000


class State(NamedTuple):
    """What the buffer must hold: the source's position, the waiting events, and how many lines were refused."""

    position: bytes | None
    waiting: tuple[str, ...]
    refused: int


EMPTY = State(None, (), 0)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 7), st.integers(0, 2)),
        st.tuples(st.just("acknowledge"), st.just(0), st.just(0)),
        st.tuples(st.just("set_aside"), st.just(0), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=8,
)


@contextmanager
def opened(disk: Disk, *, synchronous: str = "FULL") -> Iterator[SqliteBuffer]:
    """The product's buffer on ``disk``."""
    with connect(disk) as connection:
        buffer = SqliteBuffer.attach(connection, masters={1: MASTER}, settings=SETTINGS)
        connection.execute(f"PRAGMA synchronous={synchronous}")
        yield buffer


def state_of(disk: Disk) -> State:
    """What the product finds on a disk; a corruption raises."""
    with opened(disk) as buffer:
        connection: Any = buffer._connection
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute(
            "SELECT epoch, sequence, feed, day, records, previous, body FROM batch ORDER BY epoch, sequence"
        ).fetchall()
        waiting = []
        for row in rows:
            waiting += [call.event_id for call in decode_batch(buffer.open_batch(BatchRow._make(row))).records]
        refused = sum(item.records for item in buffer.stats().quarantine if item.kind == "line")
        return State(buffer.position("main"), tuple(waiting), refused)


class Experiment:
    """Runs actions on one disk and cuts copies of it at every write."""

    def __init__(self, random: Random, *, synchronous: str) -> None:
        self.random = random
        self.synchronous = synchronous
        self.disk = Disk()
        self.cuts = self.violations = 0
        self.allowed = {EMPTY}
        self.number = 0

    def run(self, actions: list[tuple[str, int, int]]) -> None:
        """Do one action after the other, the disk being opened anew where they say so."""
        self.disk.before = self.cut
        state, rest = EMPTY, list(actions)
        while rest:
            with opened(self.disk, synchronous=self.synchronous) as buffer:
                while rest and (action := rest.pop(0))[0] != "reopen":
                    state = self.act(buffer, state, *action)
            # A clean end is a checkpoint, which may be cut as well.

    def act(self, buffer: SqliteBuffer, state: State, kind: str, records: int, refused: int) -> State:
        """Do one action; while it runs, the state before and the one after are both right."""
        if kind == "append":
            numbers = [self.number + place for place in range(1, records + 1)]
            self.number += records
            position = f"position {self.number} {self.cuts}".encode()
            lines = [QuarantinedLine(place, "binary", b"x") for place in range(refused)]
            after = State(position, state.waiting + tuple(map(token, numbers)), state.refused + refused)
            self.allowed = {state, after}
            buffer.append(intake(numbers, position=position, quarantined=lines))
        else:
            batch = buffer.oldest()
            if batch is None:
                return state
            after = State(state.position, state.waiting[batch.records :], state.refused)
            self.allowed = {state, after}
            if kind == "acknowledge":
                buffer.acknowledge(batch, verdict(batch.epoch, batch.sequence, accepted=batch.records))
            else:
                buffer.set_aside(batch, "batch_invalid")
        self.allowed = {after}
        return after

    def cut(self) -> None:
        """Cut now, in several ways, and look at what is found."""
        for _ in range(WAYS):
            self.cuts += 1
            found = state_of(self.disk.after_cut(self.random))
            self.violations += found not in self.allowed


def experiment(least: int, *, synchronous: str = "FULL") -> tuple[int, int]:
    """Give how many cuts were made, at least ``least``, and after how many something was wrong."""
    cuts = violations = 0

    @settings(
        max_examples=200, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(ACTIONS, st.integers(0, 2**32))
    def one(actions: list[tuple[str, int, int]], seed: int) -> None:
        nonlocal cuts, violations
        if cuts < least:
            run = Experiment(Random(seed), synchronous=synchronous)  # noqa: S311 - the cut's fate, not a secret
            run.run(actions)
            cuts += run.cuts
            violations += run.violations

    while cuts < least:
        one()
    return cuts, violations


@pytest.mark.parametrize("part", range(4))
def test_no_power_cut_loses_or_corrupts_anything(part: int) -> None:
    """20,000 cuts, in four parts that can run side by side."""
    cuts, violations = experiment(CUTS // 4)
    assert cuts >= CUTS // 4, part
    assert violations == 0


@pytest.mark.slow
def test_no_power_cut_of_very_many_loses_or_corrupts_anything() -> None:
    """100,000 cuts."""
    cuts, violations = experiment(MANY_CUTS)
    assert cuts >= MANY_CUTS
    assert violations == 0


def test_the_same_cuts_lose_records_where_commits_are_not_synced() -> None:
    """With ``synchronous=NORMAL`` the experiment fails, so it can."""
    _, violations = experiment(500, synchronous="NORMAL")
    assert violations > 0


def test_a_cut_keeps_what_was_synced_and_nothing_else_for_certain() -> None:
    """The disk itself: over many cuts an unsynced write is found whole, torn and not at all; a synced one always."""
    disk = Disk()
    with connect(disk) as connection:
        assert isinstance(connection, Connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE t (a)")
    file = disk.files["buffer.db"]
    synced = bytes(file.content)
    file.write(b"\xff" * 8, len(synced))
    found = {
        bytes(disk.after_cut(Random(seed)).files["buffer.db"].content[len(synced) :])  # noqa: S311 - as above
        for seed in range(200)
    }
    assert all(bytes(disk.after_cut(Random(seed)).files["buffer.db"].content).startswith(synced) for seed in range(9))  # noqa: S311 - as above
    assert found == {b"\xff" * length for length in range(9)}
