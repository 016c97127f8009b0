"""How a TPM's structures are taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.problem import ProblemCode
from receiver.domain.tpm_marshalling import TpmReader, refused, sized
from receiver.errors import ProblemError

RULE = "the statement is not marshalled as the TPM 2.0 standard says"


def test_parts_come_in_their_order() -> None:
    """Numbers are big-endian; a sized part gives its content."""
    reader = TpmReader(bytes.fromhex("0102 00000003 0002 aabb cc"), "statement")
    assert (reader.number(2), reader.number(4), reader.sized(most=2), reader.take(1)) == (
        0x0102,
        3,
        b"\xaa\xbb",
        b"\xcc",
    )
    reader.end()


@given(parts=st.lists(st.binary(max_size=300), max_size=5))
def test_what_was_sized_reads_back(parts: list[bytes]) -> None:
    """Writing and reading agree, part for part."""
    reader = TpmReader(b"".join(map(sized, parts)), "statement")
    assert [reader.sized(most=300) for _ in parts] == parts
    reader.end()


@pytest.mark.parametrize("data", ["", "00", "0001", "0003aabb"], ids=repr)
def test_a_part_that_is_not_there_is_refused(data: str) -> None:
    """A length without so many bytes behind it, or half a length."""
    with pytest.raises(ProblemError, match=RULE):
        TpmReader(bytes.fromhex(data), "statement").sized(most=9)


def test_a_part_longer_than_its_bound_is_refused() -> None:
    """Also where the bytes are there."""
    with pytest.raises(ProblemError, match=RULE):
        TpmReader(sized(bytes(3)), "statement").sized(most=2)


def test_what_is_left_is_refused() -> None:
    """One byte too many is one too many."""
    reader = TpmReader(bytes(3), "statement")
    reader.number(2)
    with pytest.raises(ProblemError, match=RULE):
        reader.end()


def test_the_refusal_says_what_to_do() -> None:
    """It has the permanent code, the rule and a hint."""
    refusal = refused("the rule")
    assert (refusal.problem, refusal.detail) == (ProblemCode.EVIDENCE_INVALID, "the rule")
    assert refusal.advice
