"""How a copied TPM shows, and that one that was not copied never looks like it."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from receiver.domain.machine_facts import CloneFinding, MachineFacts, compare

BEFORE = MachineFacts(
    ek_hash=bytes(32),
    ek_certified=False,
    ak_name=bytes(34),
    clock=5000,
    reset_count=4,
    restart_count=2,
    safe=True,
    counter=10,
    pcr_digest=bytes(32),
    firmware_version=1,
    key_in_tpm=False,
)
LATER = structs.replace(BEFORE, counter=11, clock=6000)


@dataclass(frozen=True)
class Machine:
    """What a TPM counts, and how it goes on."""

    clock: int = 0
    reset_count: int = 0
    restart_count: int = 0
    counter: int = 0

    def after(self, event: tuple[str, int]) -> "Machine":
        """The same TPM after an event."""
        kind, amount = event
        if kind == "report":
            return replace(self, counter=self.counter + 1, clock=self.clock + 1)
        if kind == "wait":
            return replace(self, clock=self.clock + amount)
        if kind == "resume":
            return replace(self, restart_count=self.restart_count + 1)
        # A power cut: the clock goes on from what was last written down.
        return replace(self, reset_count=self.reset_count + 1, restart_count=0, clock=max(0, self.clock - amount))

    def facts(self) -> MachineFacts:
        """What it reports."""
        return structs.replace(
            BEFORE,
            clock=self.clock,
            reset_count=self.reset_count,
            restart_count=self.restart_count,
            counter=self.counter,
        )


EVENTS = st.lists(
    st.tuples(st.sampled_from(["report", "wait", "resume", "power cut"]), st.integers(0, 5_000_000)), max_size=30
)
REPORT = ("report", 0)


def lived(machine: Machine, events: list[tuple[str, int]]) -> tuple[Machine, list[MachineFacts]]:
    """The machine after its events, and what it reported on the way."""
    reports = []
    for event in events:
        machine = machine.after(event)
        if event[0] == "report":
            reports.append(machine.facts())
    return machine, reports


def findings(reports: list[MachineFacts]) -> list[CloneFinding]:
    """What is found, each report beside the one before."""
    return [finding for before, now in pairwise(reports) for finding in compare(before, now)]


def test_the_same_machine_later_is_no_finding() -> None:
    """Counter and clock went on."""
    assert compare(BEFORE, LATER) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"counter": 10}, [CloneFinding.COUNTER_REPEATED]),
        ({"counter": 9}, [CloneFinding.COUNTER_FELL]),
        ({"reset_count": 3}, [CloneFinding.RESET_COUNT_FELL]),
        ({"restart_count": 1}, [CloneFinding.RESTART_COUNT_FELL]),
        ({"clock": 4999}, [CloneFinding.CLOCK_FELL]),
        ({"ak_name": bytes(33) + b"\1"}, [CloneFinding.OTHER_ATTESTATION_KEY]),
        ({"ek_hash": bytes(31) + b"\1"}, [CloneFinding.OTHER_ENDORSEMENT_KEY]),
        ({"ek_hash": bytes(31) + b"\1", "counter": 1, "clock": 0}, [CloneFinding.OTHER_ENDORSEMENT_KEY]),
        ({"reset_count": 5, "restart_count": 0, "clock": 10}, []),
        ({"reset_count": 3, "restart_count": 0, "clock": 10}, [CloneFinding.RESET_COUNT_FELL]),
        ({"restart_count": 3}, []),
        ({"clock": 5000}, []),
        ({"safe": False}, []),
        ({"pcr_digest": bytes(31) + b"\1", "firmware_version": 2, "key_in_tpm": True, "ek_certified": True}, []),
        (
            {"counter": 1, "reset_count": 1, "ak_name": bytes(33) + b"\1"},
            [CloneFinding.OTHER_ATTESTATION_KEY, CloneFinding.COUNTER_FELL, CloneFinding.RESET_COUNT_FELL],
        ),
    ],
    ids=str,
)
def test_each_step_back_is_found(change: dict[str, int | bytes], found: list[CloneFinding]) -> None:
    """One finding a count that fell, none for what a machine may do: reset, resume, update."""
    assert compare(BEFORE, structs.replace(LATER, **change)) == found


@given(events=EVENTS)
def test_an_honest_machine_is_never_suspected(events: list[tuple[str, int]]) -> None:
    """Whatever power cuts, suspensions and pauses it lives through."""
    assert findings(lived(Machine(), events)[1]) == []


@given(before=EVENTS, first=EVENTS, second=EVENTS)
def test_of_two_copies_the_second_to_report_is_found(
    before: list[tuple[str, int]], first: list[tuple[str, int]], second: list[tuple[str, int]]
) -> None:
    """However long the copies live on, and however often one of them reports before the other does once."""
    copied, reports = lived(Machine(), before)
    one = lived(copied, [*first, REPORT])[1]
    other = lived(copied, [*second, REPORT])[1]
    assert findings([*reports, *one]) == []
    assert compare(one[-1], other[0]) != []


@given(events=EVENTS, ahead=st.integers(1, 1000), power_cuts=st.integers(0, 3))
def test_a_copy_that_counts_ahead_is_found_when_the_first_reports_again(
    events: list[tuple[str, int]], ahead: int, power_cuts: int
) -> None:
    """A copy that nobody can tell apart at first gives the pair away at the machine's own next report."""
    copied, _ = lived(Machine(), [*events, REPORT])
    copy, _ = lived(copied, [("power cut", 0)] * power_cuts + [REPORT] * ahead)
    assert compare(copied.facts(), copy.facts()) == []
    assert compare(copy.facts(), copied.after(REPORT).facts()) != []
