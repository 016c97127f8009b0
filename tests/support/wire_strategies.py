"""Hypothesis strategies for the wire's types: every value that the contract allows, short lists."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from appliance.wire.batch import Batch, KeyProtection
from appliance.wire.call import NIBBLE_LETTERS, Call, Category, Direction, Disposition, Party
from appliance.wire.completeness import Account, Completeness, Gap, GapCause, ReasonCount
from appliance.wire.limits import MAX_COUNT, MAX_DURATION_SECONDS

tokens = st.text(NIBBLE_LETTERS, min_size=32, max_size=32)
versions = st.integers(1, 9999)
pseudonyms = st.builds("k{}_{}".format, versions, tokens)
times = st.integers(0, 4_000_000_000_000).map(
    lambda milliseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)
seconds = st.integers(0, MAX_DURATION_SECONDS)
parties = st.builds(
    Party,
    category=st.sampled_from(Category),
    pseudonym=st.none() | pseudonyms,
    clear_digits=st.none() | st.text("0123456789", min_size=1, max_size=4),
)
calls = st.builds(
    Call,
    event_id=tokens,
    call_id=tokens,
    leg=st.integers(1, 9999),
    started_at=times,
    answered_at=st.none() | times,
    ended_at=times,
    ring_seconds=seconds,
    talk_seconds=seconds,
    total_seconds=seconds,
    direction=st.sampled_from(Direction),
    disposition=st.sampled_from(Disposition),
    calling=parties,
    called=parties,
    forwarded_to=st.none() | parties,
    feed=st.from_regex(r"[a-z](?:[a-z-]{0,30}[a-z])?[0-9]{0,4}", fullmatch=True),
    dialect=st.from_regex(r"[a-z][a-z_]{0,27}[0-9]{0,4}", fullmatch=True),
    key_version=versions,
)


def batches() -> st.SearchStrategy[Batch]:
    """Batches of one to three records."""
    counters = st.integers(1, 2**53 - 1)
    return st.builds(
        Batch,
        epoch=counters,
        sequence=counters,
        key_protection=st.sampled_from(KeyProtection),
        records=st.lists(calls, min_size=1, max_size=3),
    )


counts = st.integers(0, MAX_COUNT)
gaps = st.builds(
    lambda moments, records, cause: Gap(min(moments), max(moments), records, cause),
    st.tuples(times, times),
    st.none() | counts,
    st.sampled_from(GapCause),
)
accounts = st.builds(
    Account,
    feed=st.sampled_from(["main", "branch-two", "a", "z9"]),
    day=st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(str),
    held=st.integers(-MAX_COUNT, MAX_COUNT),
    reasons=st.lists(
        st.builds(
            ReasonCount,
            kind=st.sampled_from(["line", "record", "batch"]),
            reason=st.sampled_from(["column_count", "binary", "http_422"]),
            records=counts,
        ),
        max_size=3,
    ),
    gaps=st.lists(gaps, max_size=3),
    **dict.fromkeys(
        [
            *("read", "recorded", "quarantined", "ignored", "waiting", "acknowledged", "duplicate", "refused"),
            *("set_aside", "lost", "chain_broken"),
        ],
        counts,
    ),
)


def reports() -> st.SearchStrategy[Completeness]:
    """Reports of one to three accounts."""
    listed = st.lists(accounts, min_size=1, max_size=3, unique_by=lambda item: (item.feed, item.day))
    return st.builds(Completeness, number=st.integers(1, 2**53 - 1), accounts=listed)
