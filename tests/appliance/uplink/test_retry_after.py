"""How long a receiver may ask a site to wait."""

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.uplink.retry_after import LONGEST_WAIT_SECONDS, retry_after_seconds
from tests.support.records import START


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 17 ", 17.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("9" * 60, 3600.0),
        (format_datetime(START + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(START - timedelta(days=9), usegmt=True), 0.0),
        (format_datetime(START + timedelta(days=9), usegmt=True), 3600.0),
        ("Tue, 20 Oct 2026 08:00:30 -0000", 30.0),
    ],
)
def test_seconds_and_dates_are_read_within_bounds(header: str, seconds: float) -> None:
    """Both forms of RFC 9110, never below nothing nor above an hour."""
    assert retry_after_seconds(header, now=START) == seconds


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "٣", "9" * 65, "Tue, 99 Oct 2026 08:00:00 GMT"])
def test_what_says_nothing_readable_is_none(header: str | None) -> None:
    """Delivery then waits by its own back-off."""
    assert retry_after_seconds(header, now=START) is None


@given(st.text(max_size=70))
def test_any_header_gives_a_bounded_wait_or_none(header: str) -> None:
    """A receiver cannot raise an error here, nor silence a site for longer than an hour."""
    wait = retry_after_seconds(header, now=START)
    assert wait is None or 0 <= wait <= LONGEST_WAIT_SECONDS
