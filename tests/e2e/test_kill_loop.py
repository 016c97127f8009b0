"""SIGKILL at any moment of the daemon's life, again and again: each record of the feed is stored once.

Meanwhile the feed grows, also within a line, and is rotated in both ways, and the receiver dies and comes back. The
daemon is the real one, forked from a process that has imported it (``tests/support/daemon_nursery.py``).
"""

import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from appliance.buffer.inspection import read_stats
from tests.support.appliance_process import ApplianceProcess
from tests.support.cdr_generator import generate
from tests.support.daemon_nursery import Nursery
from tests.support.receiver_process import ReceiverProcess
from tests.support.stored_calls import Expected, fetch_calls

ROOT = Path(__file__).parents[2]
SITE = (ROOT / "tests/testdata/demo/site.toml").read_text(encoding="utf-8")
PATIENCE_SECONDS = 120
MOMENTS = ("at once", "started", "committed", "delivered")
"""What must have happened before a life ends; but none is waited for longer than a while."""
LIFE_SECONDS = 3.0
AWAY_SECONDS = 0.5


class Feed:
    """A PBX that writes the lines of a file, stops within a line, and rotates."""

    def __init__(self, path: Path, content: bytes, random: Random) -> None:
        self.path = path
        self.content = content
        self.random = random
        self.written = 0
        self.rotated_at = 0
        self.rotations = 0
        path.touch()

    @property
    def lines(self) -> int:
        """How many whole lines were written."""
        return self.content.count(b"\n", 0, self.written)

    def grow(self, size: int) -> None:
        """Write some bytes more, wherever a line may be cut by that."""
        with self.path.open("ab") as file:
            file.write(self.content[self.written : self.written + size])
        self.written = min(self.written + size, len(self.content))

    def end_line(self) -> None:
        """Write the rest of the line."""
        end = self.content.find(b"\n", self.written) + 1
        if self.written and self.content[self.written - 1 : self.written] != b"\n":
            self.grow((end or len(self.content)) - self.written)

    def rotate(self, read: int) -> None:
        """Rotate if the reader is past the last rotation.

        By copying only if it has read everything: what is written between copy and cut is lost by the writer.
        """
        if read <= self.rotated_at:
            return
        aside = self.path.with_name(f"{self.path.name}.{self.rotations + 1}")
        if read == self.lines and self.random.random() < 0.5:
            shutil.copy(self.path, aside)
            self.path.write_bytes(b"")
        elif self.random.random() < 0.5:
            self.path.rename(aside)
            self.path.touch()
        else:
            return
        self.rotations, self.rotated_at = self.rotations + 1, self.lines


class Loop:
    """One appliance that is killed, and its receiver, which is as well."""

    def __init__(self, folder: Path, receiver: ReceiverProcess, *, kills: int, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - repeatable, not a secret
        self.kills = kills
        self.receiver = receiver
        self.port = int(receiver.url.rsplit(":", 1)[1])
        self.feed = Feed(folder / "Master.csv", generate(rows=12 * kills, seed=seed), self.random)
        self.appliance = ApplianceProcess(
            folder, url=receiver.url, feed=self.feed.path, dialect="asterisk_csv", site=SITE
        )
        receiver.create_tenant("killed")
        self.appliance.enroll(receiver.invite("edge-one", tenant="killed"))
        self.key = receiver.create_api_key("killed", role="viewer")
        self.appliance.log.touch()
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.reached: Counter[str] = Counter()

    def run(self, *, outages: int) -> None:
        """Live and die; then let it settle."""
        away = {(self.kills * number) // (outages + 1) for number in range(1, outages + 1)}
        size = len(self.feed.content) // (2 * self.kills)
        counts: dict[str, int] = {}
        with Nursery(self.appliance.settings, self.appliance.log) as nursery:
            for life in range(self.kills):
                if life in away:
                    self.receiver.kill()
                self.feed.grow(self.random.randrange(2 * size))
                nursery.start()
                self.live(self.random.choice(MOMENTS), is_away=life in away, size=size)
                assert nursery.kill() == 9, self.appliance.log.read_text(encoding="utf-8")[-2000:]
                before, counts = counts, self.look()
                self.reached[reached(before, counts)] += 1
                if life in away:
                    self.receiver.start(port=self.port)
                if self.random.random() < 0.3:
                    self.feed.end_line()
                    self.feed.rotate(counts.get("read", 0))
        self.feed.grow(len(self.feed.content))
        (self.appliance.state / "status.json").unlink(missing_ok=True)  # what a killed one has said
        self.appliance.start()
        assert self.appliance.wait_for(
            lambda now: now.get("read", 0) >= self.feed.lines and now.get("waiting") == 0,
            seconds=PATIENCE_SECONDS,
        ), self.appliance.log.read_text(encoding="utf-8")[-2000:]
        assert self.appliance.stop() == 0

    def live(self, moment: str, *, is_away: bool, size: int) -> None:
        """Let the daemon get to the moment and a little further."""
        log, wal = self.appliance.log, self.appliance.state / "buffer.db-wal"
        start = log.stat().st_size
        touched = changed_at(wal)
        self.feed.grow(self.random.randrange(2 * size))

        def said(words: bytes) -> bool:
            with log.open("rb") as file:
                file.seek(start)
                return words in file.read()

        done = {
            "at once": lambda: True,
            "started": lambda: said(b"appliance="),
            "committed": lambda: changed_at(wal) != touched,
            "delivered": lambda: said(b"link=ok"),
        }
        end = time.monotonic() + (AWAY_SECONDS if is_away else LIFE_SECONDS)
        while not done[moment]() and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(self.random.random() ** 2 * 0.2)

    def look(self) -> dict[str, int]:
        """What the killed daemon's buffer has counted; looked at in a copy."""
        for name in ("buffer.db", "buffer.db-wal"):
            (self.scratch / name).unlink(missing_ok=True)
            if (self.appliance.state / name).exists():
                shutil.copy(self.appliance.state / name, self.scratch / name)
        if not (self.scratch / "buffer.db").exists():
            return {}
        total: Counter[str] = Counter()
        with closing(sqlite3.connect(self.scratch / "buffer.db")) as connection:
            if connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'tally'").fetchone() == (0,):
                return {}
            for tally in read_stats(connection).tallies:
                total.update(tally.counts)
        return dict(total)


def changed_at(path: Path) -> int:
    """When a file was last written; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def reached(before: dict[str, int], after: dict[str, int]) -> str:
    """How far a life got, by what it committed."""

    def grew(*kinds: str) -> bool:
        return sum(after.get(kind, 0) - before.get(kind, 0) for kind in kinds) > 0

    return "delivered" if grew("acknowledged", "duplicate") else "committed" if grew("read") else "nothing"


@pytest.mark.parametrize(
    ("kills", "outages", "seed"),
    [(50, 3, 71), pytest.param(1_000, 10, 72, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_no_kill_loses_or_doubles_a_record(tmp_path: Path, kills: int, outages: int, seed: int) -> None:
    """Stored = distinct records; lives ended before a commit, between commit and acknowledgement, and after it."""
    with ReceiverProcess(tmp_path / "receiver") as receiver:
        loop = Loop(tmp_path, receiver, kills=kills, seed=seed)
        loop.run(outages=outages)
        assert all(loop.reached[moment] for moment in ("nothing", "committed", "delivered")), loop.reached
        assert loop.feed.rotations > kills // 25
        whole = tmp_path / "whole.csv"
        whole.write_bytes(loop.feed.content)
        expected = Expected(loop.appliance.settings, whole)
        stored = fetch_calls(receiver.url, api_key=loop.key, trust_anchors=receiver.trust_anchors)
        assert expected.lost(stored) == set()
        assert expected.doubled(stored) == 0
