"""Which verdicts may delete records."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import UplinkUnavailableError
from appliance.policy.verdict_check import check_verdict
from appliance.ports import PendingBatch
from appliance.wire.batch import Refusal, RefusalCode, Verdict
from tests.support.records import verdict

BATCH = PendingBatch(epoch=3, sequence=7, records=5, body=b"")
TIME_ORDER = RefusalCode.TIME_ORDER


def refusals(*places: int) -> list[Refusal]:
    """A refusal at each place."""
    return [Refusal(place, TIME_ORDER) for place in places]


@pytest.mark.parametrize(
    "answer",
    [
        verdict(3, 7, accepted=5),
        verdict(3, 7, accepted=0, duplicate=5),
        verdict(3, 7, accepted=2, duplicate=1, refused=refusals(4, 0)),
        verdict(3, 7, accepted=0, refused=refusals(0, 1, 2, 3, 4)),
    ],
)
def test_a_verdict_on_every_record_passes(answer: Verdict) -> None:
    """Accepted, known before, or refused: each record once."""
    check_verdict(answer, BATCH)


@pytest.mark.parametrize(
    "answer",
    [
        verdict(3, 8, accepted=5),
        verdict(4, 7, accepted=5),
        verdict(3, 7, accepted=4),
        verdict(3, 7, accepted=6),
        verdict(3, 7, accepted=5, duplicate=1),
        verdict(3, 7, accepted=5, refused=refusals(0)),
        verdict(3, 7, accepted=3, refused=refusals(1, 1)),
        verdict(3, 7, accepted=4, refused=refusals(5)),
    ],
)
def test_a_verdict_that_does_not_fit_is_no_delivery(answer: Verdict) -> None:
    """Another batch's, wrong sums, a record twice, a record that is not there: the batch stays."""
    with pytest.raises(UplinkUnavailableError):
        check_verdict(answer, BATCH)


@given(accepted=st.integers(0, 6), duplicate=st.integers(0, 6), places=st.lists(st.integers(0, 6), max_size=6))
def test_what_passes_accounts_for_each_record_once(accepted: int, duplicate: int, places: list[int]) -> None:
    """Whatever the numbers, a passed verdict's refusals are distinct records of the batch and the sums are its."""
    answer = msgspec.structs.replace(verdict(3, 7, accepted=accepted, duplicate=duplicate), refused=refusals(*places))
    sound = len(set(places)) == len(places) and set(places) <= set(range(5))
    fits = sound and accepted + duplicate + len(places) == 5
    try:
        check_verdict(answer, BATCH)
    except UplinkUnavailableError:
        assert not fits
    else:
        assert fits
