"""The cursor between pages."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.problem import ProblemCode
from receiver.domain.call_page import Position, parse_cursor, to_cursor
from receiver.errors import ProblemError
from tests.receiver.deliveries import make_call, token


@given(microseconds=st.integers(0, 4_000_000_000_000_000))
def test_a_cursor_names_its_call(microseconds: int) -> None:
    """The cursor after a call gives back its place, to the microsecond."""
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    call = make_call(start)
    assert parse_cursor(to_cursor(call)) == Position(started_at=start, event_id=call.event_id)


@given(st.text(max_size=100))
def test_any_text_is_refused_without_another_error(text: str) -> None:
    """Whatever a client sends back as a cursor raises the one refusal."""
    with pytest.raises(ProblemError) as refusal:
        parse_cursor(text)
    assert refusal.value.problem is ProblemCode.MALFORMED_REQUEST


@pytest.mark.parametrize("place", ["-1.{}", "1.5.{}", "{}", "1{}", "1. {}", "999999999999999999.{}", "1.{}\n"])
def test_another_place_is_refused(place: str) -> None:
    """Well-encoded text that names no place is refused too."""
    with pytest.raises(ProblemError):
        parse_cursor(base64.urlsafe_b64encode(place.format(token()).encode()).decode().rstrip("="))
