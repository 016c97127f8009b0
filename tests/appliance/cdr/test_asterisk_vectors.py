"""Vectors of the whole pure way: a file's bytes to what leaves, under a fixed secret, or to the reason of refusal.

``*.txt`` are the bytes, ``*.json`` the outcomes: a wire record, ``{"quarantined": reason}`` or ``{"ignored": true}``.
Each was looked at by hand when it was made; it changes only with the wire's version.
"""

import json
from pathlib import Path

import pytest

from appliance.cdr.record import CallRecord, Outcome, Quarantined
from appliance.wire.codec import encode_call
from tests.support.cdr_rows import encoder, parse

VECTORS = sorted((Path(__file__).parents[2] / "testdata" / "cdr" / "asterisk_csv").glob("*.txt"))


def test_there_are_vectors() -> None:
    """The folder is found, and each has its expectation."""
    assert len(VECTORS) >= 13
    assert all(vector.with_suffix(".json").exists() for vector in VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.stem)
def test_vector(vector: Path) -> None:
    """Every line gives exactly what is written beside it."""
    expected = json.loads(vector.with_suffix(".json").read_text())
    encode = encoder()

    def spelled(outcome: Outcome) -> object:
        if isinstance(outcome, CallRecord):
            return json.loads(encode_call(encode.to_call(outcome)))
        return {"quarantined": outcome.reason} if isinstance(outcome, Quarantined) else {"ignored": True}

    outcomes = parse(vector.read_bytes(), zone=expected["zone"])
    assert [spelled(outcome) for outcome in outcomes] == expected["outcomes"]
