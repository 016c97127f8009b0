"""Release causes of calls that nobody answered."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.q850 import unanswered
from appliance.wire.call import Disposition

NAMED = {
    1: Disposition.FAILED,  # unallocated number
    3: Disposition.FAILED,  # no route to destination
    16: Disposition.NO_ANSWER,  # normal call clearing
    17: Disposition.BUSY,  # user busy
    18: Disposition.NO_ANSWER,  # no user responding
    19: Disposition.NO_ANSWER,  # no answer from user (user alerted)
    20: Disposition.NO_ANSWER,  # subscriber absent
    21: Disposition.FAILED,  # call rejected
    27: Disposition.FAILED,  # destination out of order
    28: Disposition.FAILED,  # invalid number format
    31: Disposition.NO_ANSWER,  # normal, unspecified
    34: Disposition.CONGESTION,  # no circuit or channel available
    38: Disposition.CONGESTION,  # network out of order
    41: Disposition.CONGESTION,  # temporary failure
    42: Disposition.CONGESTION,  # switching equipment congestion
    44: Disposition.CONGESTION,  # requested circuit or channel not available
    47: Disposition.CONGESTION,  # resource unavailable
    102: Disposition.NO_ANSWER,  # recovery on timer expiry
    127: Disposition.FAILED,  # interworking, unspecified
    0: Disposition.UNKNOWN,
    128: Disposition.UNKNOWN,
    393216: Disposition.UNKNOWN,
}


@pytest.mark.parametrize(("cause", "disposition"), NAMED.items())
def test_each_cause_has_its_meaning(cause: int, disposition: Disposition) -> None:
    """With and without zeros in front."""
    assert {unanswered(text) for text in (str(cause), f"{cause:02}", f"{cause:03}")} == {disposition}


def test_causes_say_nothing_alone_or_not_at_all() -> None:
    """No cause, or text, is unknown; never a failure of the reader."""
    assert unanswered() is unanswered("") is unanswered("busy", "") is Disposition.UNKNOWN


@pytest.mark.parametrize("causes", [*permutations(("0", "16", "17"))])
def test_the_side_that_says_most_decides(causes: tuple[str, ...]) -> None:
    """Whichever it is: busy says more than that a side hung up, which says more than nothing."""
    assert unanswered(*causes) is Disposition.BUSY
    assert unanswered(*(cause for cause in causes if cause != "17")) is Disposition.NO_ANSWER


@given(st.lists(st.sampled_from([str(cause) for cause in NAMED]), min_size=1, max_size=4))
def test_the_outcome_is_that_of_one_side(causes: list[str]) -> None:
    """Sides are chosen from, never mixed; and none is ever an answer."""
    outcome = unanswered(*causes)
    assert outcome in {unanswered(cause) for cause in causes}
    assert outcome is not Disposition.ANSWERED
