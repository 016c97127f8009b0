"""The Idempotency-Key header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.problem import ProblemCode
from receiver.domain.idempotency import BatchKey, parse_key, require_same
from receiver.errors import ProblemError

_counters = st.integers(1, 2**53 - 1)


@given(epoch=_counters, sequence=_counters)
def test_a_key_parses(epoch: int, sequence: int) -> None:
    """The quoted form gives its three parts, up to the contract's largest counters."""
    assert parse_key(f'"hq-2/{epoch}/{sequence}"') == BatchKey("hq-2", epoch, sequence)


def test_a_missing_key_is_named_so() -> None:
    """No header has a code of its own."""
    with pytest.raises(ProblemError) as refusal:
        parse_key(None)
    assert refusal.value.problem is ProblemCode.IDEMPOTENCY_KEY_MISSING


@given(st.text(max_size=60))
def test_any_other_text_is_malformed(text: str) -> None:
    """Nothing but the form parses, and nothing raises another error."""
    with pytest.raises(ProblemError) as refusal:
        parse_key(text)
    assert refusal.value.problem is ProblemCode.MALFORMED_REQUEST


@pytest.mark.parametrize("other", [BatchKey("hq", 1, 3), BatchKey("hq", 2, 2), BatchKey("hr", 1, 2)])
def test_another_batch_is_a_mismatch(other: BatchKey) -> None:
    """Each part counts."""
    require_same(BatchKey("hq", 1, 2), other=BatchKey("hq", 1, 2))
    with pytest.raises(ProblemError) as refusal:
        require_same(BatchKey("hq", 1, 2), other=other)
    assert refusal.value.problem is ProblemCode.IDEMPOTENCY_KEY_MISMATCH
