"""Reports of completeness: the vector, what is refused, and the two sums of an account."""

import re
import traceback
from contextlib import suppress
from datetime import timedelta, timezone

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.record import QuarantineReason
from appliance.wire import codec
from appliance.wire.batch import RefusalCode
from appliance.wire.codec import WireError, decode_completeness, decode_receipt, is_reportable
from appliance.wire.completeness import Account, Completeness, Gap, GapCause, ReasonCount, Receipt
from appliance.wire.limits import MAX_ACCOUNTS_PER_REPORT, MAX_GAPS_PER_ACCOUNT
from appliance.wire.problem import ProblemCode
from tests.support.records import START, account
from tests.support.wire_strategies import reports

GAP = Gap(START, START + timedelta(seconds=90), 12, GapCause.BUFFER_FULL)
REPORT = Completeness(7, [account(reasons=[ReasonCount("line", "column_count", 1)], gaps=[GAP])])
TEXT = (
    b'{"type":"completeness.v1","number":7,"accounts":[{"feed":"main","day":"2026-10-20","read":12,"recorded":9,'
    b'"quarantined":1,"ignored":1,"held":1,"waiting":2,"acknowledged":3,"duplicate":1,"refused":1,"set_aside":1,'
    b'"lost":1,"chain_broken":0,"reasons":[{"kind":"line","reason":"column_count","records":1}],'
    b'"gaps":[{"began_at":"2026-10-20T08:00:00Z","ended_at":"2026-10-20T08:01:30Z","records":12,'
    b'"cause":"buffer_full"}]}]}'
)
SECRET = "32475123456"
REFUSED = {
    "a batch": TEXT.replace(b"completeness.v1", b"batch.v1"),
    "an unknown field": TEXT.replace(b'"read":12', b'"read":12,"number":"%b"' % SECRET.encode()),
    "a field named as a number": TEXT.replace(b'"read":12', b'"read":12,"%b":1' % SECRET.encode()),
    "a missing count": TEXT.replace(b'"lost":1,', b""),
    "a count as long as a number": TEXT.replace(b'"read":12', b'"read":%b' % SECRET.encode()),
    "a negative count": TEXT.replace(b'"read":12', b'"read":-12'),
    "a number for a feed": TEXT.replace(b'"main"', b'"f%b"' % SECRET.encode()),
    "a number for a reason": TEXT.replace(b"column_count", b"c_%b" % SECRET.encode()),
    "a long reason": TEXT.replace(b"column_count", b"c" * 41),
    "a number for a day": TEXT.replace(b"2026-10-20", b"3247-51-23", 1),
    "a day that is none": TEXT.replace(b"2026-10-20", b"2026-02-30", 1),
    "an unknown kind": TEXT.replace(b'"line"', b'"call"'),
    "an unknown cause": TEXT.replace(b"buffer_full", SECRET.encode()),
    "a gap that ends before it begins": TEXT.replace(b"08:00:00Z", b"08:01:31Z"),
    "microseconds": TEXT.replace(b"08:00:00Z", b"08:00:00.475123Z"),
    "an offset": TEXT.replace(b"08:00:00Z", b"08:00:00+01:00"),
    "number 0": TEXT.replace(b'"number":7', b'"number":0'),
    "no account": b'{"type":"completeness.v1","number":7,"accounts":[]}',
    "a feed and day twice": codec.zstandard.decompress(
        codec.encode_completeness(Completeness(7, [account(), account(read=1)]))
    ),
    "a space": TEXT.replace(b":7,", b": 7,"),
}


def test_a_report_is_exactly_these_bytes() -> None:
    """The published vector: encoding gives it and decoding takes it."""
    assert zstandard.decompress(codec.encode_completeness(REPORT)) == TEXT
    assert decode_completeness(zstandard.compress(TEXT)) == REPORT


def test_a_receipt_is_exactly_these_bytes() -> None:
    """The published vector of the answer."""
    text = b'{"type":"receipt.v1","number":7,"stored":true,"newest":7}'
    assert codec.encode_answer(Receipt(7, stored=True, newest=7)) == text
    assert decode_receipt(text) == Receipt(7, stored=True, newest=7)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_exactly_the_contract_is_refused_without_repeating_it(text: bytes) -> None:
    """One code, and a message that holds no value of the report."""
    assert text != TEXT
    with pytest.raises(WireError) as caught:
        decode_completeness(zstandard.compress(text))
    assert caught.value.code is ProblemCode.BATCH_INVALID
    assert not re.search(r"[0-9]{4}", str(caught.value))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"type":"verdict.v1"}', b'{"type":"receipt.v1","number":1,"stored":true}', b"\xff"]
)
def test_an_answer_that_is_no_receipt_is_refused(body: bytes) -> None:
    """The appliance does not act on it."""
    with pytest.raises(WireError):
        decode_receipt(body)


def test_a_report_is_bounded() -> None:
    """Accounts a report and gaps an account: the bound itself passes, one more does not."""
    days = [
        f"20{year:02}-{month:02}-{day:02}" for year in range(10, 13) for month in range(1, 13) for day in (1, 9, 20)
    ]
    full = [account(feed=feed, day=day) for feed in ("a", "b", "c", "d") for day in days][:MAX_ACCOUNTS_PER_REPORT]
    assert len(full) == MAX_ACCOUNTS_PER_REPORT
    assert decode_completeness(codec.encode_completeness(Completeness(1, full))).accounts == full
    for accounts in ([*full, account(feed="z")], [account(gaps=[GAP] * (MAX_GAPS_PER_ACCOUNT + 1))]):
        with pytest.raises(WireError):
            decode_completeness(codec.encode_completeness(Completeness(1, accounts)))


@given(report=reports())
def test_a_report_survives_the_wire(report: Completeness) -> None:
    """Decoding what was encoded gives the same report, and each of its accounts may leave."""
    assert decode_completeness(codec.encode_completeness(report)) == report
    assert all(map(is_reportable, report.accounts))


@given(report=reports(), noise=st.binary(min_size=1, max_size=8), place=st.integers(min_value=0))
def test_what_parses_encodes_to_the_same_bytes(report: Completeness, noise: bytes, place: int) -> None:
    """Any mutation of a report is refused or is itself canonical."""
    text = msgspec.json.encode(report)
    place %= len(text)
    mutated = text[:place] + noise + text[place + len(noise) :]
    with suppress(WireError):
        assert msgspec.json.encode(decode_completeness(zstandard.compress(mutated))) == mutated


@pytest.mark.parametrize(
    "damaged",
    [
        account(feed=SECRET),
        account(day=""),
        account(day="2026-02-30"),
        account(read=-1),
        account(read=2**40),
        account(reasons=[ReasonCount("line", SECRET, 1)]),
        account(gaps=[Gap(START + timedelta(1), START, None, GapCause.TORN)]),
        account(gaps=[Gap(START.astimezone(timezone(timedelta(hours=1))), START, None, GapCause.TORN)]),
    ],
)
def test_a_damaged_account_may_not_leave(damaged: Account) -> None:
    """A stored name or count that was altered could be a number."""
    assert is_reportable(account())
    assert not is_reportable(damaged)


def test_every_reason_of_the_product_may_leave() -> None:
    """The codes of refused lines, records and batches, and of answers that are no problem document."""
    for reason in [*QuarantineReason, *RefusalCode, *ProblemCode, "tampered", "http_599"]:
        assert is_reportable(account(reasons=[ReasonCount("line", str(reason), 1)])), reason


def test_every_line_and_every_record_has_its_place() -> None:
    """Two records wait, one line waits, the others went."""
    assert account().balanced
    assert (account(held=0).missing_lines, account(held=-2, recorded=12).missing_lines) == (1, 0)
    assert account(waiting=1).missing_records == 1


@pytest.mark.parametrize(
    "kind", [*("read", "recorded", "quarantined", "ignored", "held"), *("waiting", "acknowledged", "duplicate"), "lost"]
)
@pytest.mark.parametrize("change", [-1, 1, 1 << 20])
def test_any_count_that_changed_is_seen(kind: str, change: int) -> None:
    """A flipped bit in one of them unbalances the account."""
    assert not account(**{kind: getattr(account(), kind) + change}).balanced
