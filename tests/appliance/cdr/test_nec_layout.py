"""Where the parts of NEC records stand, and that a record has one reading or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.nec_layout import INCOMING, INTERNAL, OUTGOING, read_fields
from tests.support.feeds.nec_sv import TIMES, field, fixed, incoming, internal, outgoing, station

KINDS = sorted(OUTGOING | INCOMING | INTERNAL)
DIGITS = st.text("0123456789", min_size=1, max_size=24)


def test_there_are_three_types_of_each_direction() -> None:
    """Normal, extended and flexible."""
    assert len(KINDS) == 9
    assert {len(kinds) for kinds in (OUTGOING, INCOMING, INTERNAL)} == {3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (outgoing(), ("KK", "0", "201", "", "0470112233", "")),
        (incoming(), ("KL", "", "", "201", "024445566", "0470112233")),
        (internal(), ("KM", "0", "201", "202", "202", "")),
    ],
)
def test_tagged_records(text: str, expected: tuple[str, ...]) -> None:
    """Kind, party, calling, called, dialled, presented; and both times."""
    call = read_fields(text[2:])
    assert call is not None
    assert call[:6] == expected
    assert call.start + call.end == TIMES


@pytest.mark.parametrize(
    ("kind", "length", "parts", "expected"),
    [
        ("KA", 128, {"dialled": "0470112233"}, ("201", "", "0470112233", "")),
        ("KA", 128, {"dialled": "9" * 32}, ("201", "", "9" * 32, "")),
        ("KE", 128, {"dialled": "024445566", "caller": "0470112233"}, ("", "201", "024445566", "0470112233")),
        ("KE", 128, {"caller": "9" * 18}, ("", "201", "", "9" * 18)),
        ("KB", 128, {"called": "202"}, ("201", "202", None, "")),
        ("KH", 162, {"dialled": "0470112233"}, ("201", "", "0470112233", "")),
        ("KI", 162, {"presentation": "1", "presented": "9" * 32}, ("", "201", "", "9" * 32)),
        ("KI", 162, {"presentation": "4", "presented": "0470112233"}, ("", "201", "", "0470112233")),
        *(("KI", 162, {"presentation": code, "presented": "0470112233"}, ("", "201", "", "")) for code in "0235 "),
        ("KJ", 162, {"called": "202"}, ("201", "202", None, "")),
    ],
)
def test_fixed_records(kind: str, length: int, parts: dict[str, str], expected: tuple[str | None, ...]) -> None:
    """Calling, called, dialled, presented: full columns do not run into their neighbours."""
    call = read_fields(fixed(kind, length=length, **parts)[2:])
    assert call is not None
    calling, called, dialled, presented = expected
    assert (call.calling, call.presented) == (calling, presented)
    assert kind in OUTGOING or call.called == called
    assert dialled is None or call.dialled == dialled


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind < "KK"])
def test_a_fixed_record_has_its_length(kind: str) -> None:
    """Blanks at its end may be gone; nothing may stand behind it, nor may columns be missing."""
    length = 162 if kind >= "KH" else 128
    text = fixed(kind, length=length, dialled="202".rjust(8))[2:]
    assert read_fields(text) is not None
    assert read_fields(text + "x") is None
    assert read_fields(text[:50]) is None


@pytest.mark.parametrize("kind", ["", "K", "KC", "KD", "KF", "KG", "KN", "KZ", "ka", "0!", "XX"])
def test_other_types_are_not_read(kind: str) -> None:
    """Nobody said what they hold."""
    assert read_fields(kind + outgoing()[4:]) is None
    assert read_fields(kind.ljust(128)) is None


def tagged(*fields: str, kind: str = "KM") -> str:
    """A record of these fields."""
    return kind + "".join(fields)


PARTIES = (field(2, station("201")), field(4, station("202")))
WHEN = field(6, TIMES)


@given(dialled=DIGITS, account=DIGITS, dialled_more=st.integers(0, 1), account_more=st.integers(0, 1))
def test_a_length_that_is_one_too_large_or_right(
    dialled: str, account: str, dialled_more: int, account_more: int
) -> None:
    """Account code and dialled number: read as they are, or refused if two readings come out."""
    text = tagged(*PARTIES, WHEN, field(7, account, more=account_more), field(10, dialled, more=dialled_more))
    call = read_fields(text)
    assert call is None or call.dialled in {dialled, dialled[:-1], dialled[1:]}
    if call is not None and account_more == dialled_more == 1:
        assert call.dialled == dialled


@given(number=st.text("0123456789", min_size=1, max_size=16), less=st.sampled_from([0, -3]))
def test_a_length_without_the_fusion_point_code(number: str, less: int) -> None:
    """The telephone number's field begins with it."""
    text = tagged(field(2, station("201")), field(3, "001002" + number, more=less), PARTIES[1], WHEN)
    call = read_fields(text)
    assert call is None or call.calling == number


@pytest.mark.parametrize(
    "text",
    [
        tagged(*PARTIES),
        tagged(*PARTIES, WHEN, WHEN),
        tagged(WHEN, *PARTIES),
        tagged(*PARTIES, WHEN, "10"),
        tagged(*PARTIES, WHEN, "1005"),
        tagged(*PARTIES, WHEN, "0004abcd"),
        tagged(*PARTIES, WHEN, "3004abcd"),
        tagged(*PARTIES, WHEN, "1a04abcd"),
        tagged(*PARTIES, WHEN, "10-1"),
        tagged(*PARTIES, field(6, TIMES[:-1])),
        tagged(field(2, "0001201"), WHEN),
        tagged(field(1, "00100101"), *PARTIES, WHEN),
    ],
)
def test_a_record_without_a_reading_is_none(text: str) -> None:
    """No times, a tag twice or out of order, torn, unknown, of another length."""
    assert read_fields(text) is None


def test_fields_of_later_releases_are_stepped_over() -> None:
    """Behind the known ones, by their length."""
    call = read_fields(tagged(*PARTIES, WHEN, field(20, "abc"), field(29, "")))
    assert call is not None
    assert (call.calling, call.called) == ("201", "202")


def test_a_received_time_with_a_doubled_length() -> None:
    """As in public test data: 34 for 17 characters."""
    received = "20261020085948000"
    for text in (
        incoming(received=received),
        incoming(received=received).replace("1917" + received, "1934" + received),
    ):
        call = read_fields(text[2:])
        assert call is not None
        assert call.received == received


@given(text=st.text(st.characters(codec="latin-1"), max_size=300), kind=st.sampled_from(KINDS))
def test_nothing_raises(text: str, kind: str) -> None:
    """Whatever follows the type."""
    call = read_fields(kind + text)
    assert call is None or call.kind == kind
