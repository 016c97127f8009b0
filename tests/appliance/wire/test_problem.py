"""The table of problems is complete, and each follows from its code."""

import pytest

from appliance.wire.codec import decode_problem, encode_answer
from appliance.wire.problem import RETRYABLE_STATUS, STATUS_OF, ProblemCode, problem


def test_every_code_has_a_status() -> None:
    """No code can be raised that has no answer."""
    assert set(STATUS_OF) == set(ProblemCode)


@pytest.mark.parametrize("code", ProblemCode)
def test_a_problem_follows_from_its_code(code: ProblemCode) -> None:
    """Type, title, status and code agree, and the document survives the wire."""
    document = problem(code, detail="where", hint="what next")
    assert document.type == f"urn:natalia:problem:{document.code}"
    assert document.status == STATUS_OF[code]
    assert document.title[0].isupper()
    assert decode_problem(encode_answer(document)) == document


@pytest.mark.parametrize("code", ProblemCode)
def test_a_problem_is_an_error_of_http(code: ProblemCode) -> None:
    """A client that knows nothing of our codes still sees a refusal."""
    assert 400 <= STATUS_OF[code] < 600


def test_what_is_said_of_a_batch_itself_is_never_tried_again() -> None:
    """A retry cannot mend a batch; everything that speaks of the receiver's own state is tried again."""
    of_the_batch = {
        ProblemCode.MALFORMED_REQUEST,
        ProblemCode.IDEMPOTENCY_KEY_MISSING,
        ProblemCode.IDEMPOTENCY_KEY_REUSED,
        ProblemCode.IDEMPOTENCY_KEY_MISMATCH,
        ProblemCode.BATCH_TOO_LARGE,
        ProblemCode.BATCH_INVALID,
        ProblemCode.ENCODING_UNSUPPORTED,
        ProblemCode.EVIDENCE_INVALID,  # of an enrollment or a renewal, which judge it themselves; no batch gets it
    }
    assert {code for code in ProblemCode if STATUS_OF[code] not in RETRYABLE_STATUS} == of_the_batch


def test_codes_are_permanent() -> None:
    """A code may be added; one that was published is never renamed (operators' scripts and docs name them)."""
    published = (
        "malformed_request unauthenticated forbidden not_found method_not_allowed idempotency_key_missing "
        "idempotency_key_reused idempotency_key_mismatch batch_too_large batch_invalid encoding_unsupported "
        "rate_limited unavailable internal"
    )
    assert set(published.split()) <= {code.value for code in ProblemCode}
