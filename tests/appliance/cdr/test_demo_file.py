"""The committed demo file: what its generator writes, and all that it is meant to show."""

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from appliance.cdr.record import CallRecord
from appliance.numbering.plan import NumberingPlan
from appliance.wire.call import Category, Direction, Disposition
from tests.support.cdr_generator import DEMO_ROWS, generate
from tests.support.cdr_rows import belgian_plan, encoder, frame, parse

DEMO = Path(__file__).parents[2] / "testdata" / "demo"


def test_the_demo_file_is_what_the_generator_writes(tmp_path: Path) -> None:
    """Generated again by its command, it is the same to the last byte."""
    again = tmp_path / "Master.csv"
    command = [sys.executable, "-m", "tests.support.cdr_generator", str(again)]
    subprocess.run(command, check=True, cwd=DEMO.parents[2])
    assert again.read_bytes() == (DEMO / "Master.csv").read_bytes()


def test_another_seed_and_size_give_another_file() -> None:
    """So that benchmarks and long tests have their own."""
    small, other = generate(rows=300, seed=1), generate(rows=300, seed=2)
    assert small != other
    assert len(frame(small)) < DEMO_ROWS / 2


def test_the_sidecar_is_the_site_of_the_file() -> None:
    """Its numbering plan is the one that the tests read the file with."""
    site = tomllib.loads((DEMO / "site.toml").read_text())
    plan = NumberingPlan.parse(**{option: value for option, value in site["site"].items() if option != "timezone"})
    assert plan == belgian_plan()
    assert (site["site"]["timezone"], site["privacy"]["clear_digits"]) == ("Europe/Brussels", 4)


def test_the_demo_file_has_the_quirks_of_a_real_one() -> None:
    """Every category, direction and outcome that matters, forwards, queues, both hours of the fold, equal rows."""
    data = generate()
    encode = encoder()
    calls = [encode.to_calls([outcome])[0] for outcome in parse(data) if isinstance(outcome, CallRecord)]
    assert len(calls) >= 1000
    assert {call.calling.category for call in calls} == {Category.EXTERNAL, Category.INTERNAL, Category.WITHHELD}
    assert {call.called.category for call in calls} >= {
        *(Category.EXTERNAL, Category.INTERNAL, Category.EMERGENCY, Category.SHORT, Category.SERVICE),
    }
    assert {call.direction for call in calls} == set(Direction) - {Direction.UNKNOWN}
    assert {call.disposition for call in calls} >= {
        *(Disposition.ANSWERED, Disposition.NO_ANSWER, Disposition.BUSY, Disposition.FAILED),
    }
    assert any(call.forwarded_to for call in calls)
    assert max(Counter(call.call_id for call in calls).values()) >= 3
    fold = [call.started_at for call in calls if call.started_at.isoformat().startswith("2026-10-25T0")]
    assert {started_at.hour for started_at in fold} >= {0, 1}
    lines = Counter(line.content for line in frame(data))
    assert [count for count in lines.values() if count > 1] == [2]
    widths = Counter(line.content.count(b'","') for line in frame(data))
    assert len(widths) > 2


def test_equal_rows_of_the_demo_file_are_two_calls() -> None:
    """No event id occurs twice: the receiver stores as many as the file has records."""
    encode = encoder()
    records = [outcome for outcome in parse(generate()) if isinstance(outcome, CallRecord)]
    assert len({encode.to_calls([record])[0].event_id for record in records}) == len(records)
