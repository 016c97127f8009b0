"""What of Panasonic's columns is a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.panasonic_number import caller, dialled, did, station
from appliance.cdr.written_number import UNNUMBERED, WITHHELD

NUMBERS = st.from_regex(r"\+?[0-9]{4,14}", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z' -]{0,6}[A-Za-z]", fullmatch=True)


@given(number=NUMBERS)
def test_a_number_alone_is_taken_as_it_is(number: str) -> None:
    """Dialled, presented, or called from outside."""
    assert dialled(number) == caller(f"<I>{number}") == caller(f" {number} ") == did(f"<D>{number}<I>") == number


@given(number=NUMBERS, name=NAMES)
def test_a_name_beside_the_number_is_left_out(number: str, name: str) -> None:
    """On either side; what fills the column may be cut, and is not taken from its end."""
    for text in (f"{number} {name}", f"{number}{name}", f"{name} {number}", f"{name}{number}"):
        assert caller(f"<I>{text}") in {number, UNNUMBERED}
        assert dialled(f"{text}") in {number, number.partition("-")[0], UNNUMBERED, ""}
    first = f"<I>{number} {name}"
    assert caller(first) == number


@given(name=NAMES)
def test_a_name_alone_is_no_number(name: str) -> None:
    """Nor is it one that was withheld, but for the words that say so."""
    assert caller(f"<I>{name}") in {UNNUMBERED, WITHHELD}
    assert did(f"<D>{name}<I>0470112233") == UNNUMBERED


@pytest.mark.parametrize("text", ["", " ", "\\", "PRIVATE", "Private", "OUT OF AREA", "Unavailable", "anonymous"])
def test_who_withholds_the_number(text: str) -> None:
    """In capitals or not."""
    assert caller(f"<I>{text}") == WITHHELD


@pytest.mark.parametrize("width", [20, 25, 50])
def test_a_column_that_is_full_may_have_cut_the_number(width: int) -> None:
    """One character less, and it stands there whole."""
    name = "<I>" + "A" * (width - 13)
    assert len(name + "0470112233") == width
    assert caller(name + "0470112233") == UNNUMBERED
    assert caller(name[:-1] + "0470112233") == "0470112233"


@given(
    digits=st.text("0123456789", max_size=12), mark=st.sampled_from(".X\\"), more=st.text("0123456789.X", max_size=8)
)
def test_hidden_digits_hide_the_number(digits: str, mark: str, more: str) -> None:
    """What is shown of it would be the same for many people."""
    assert dialled(digits + mark + more) == ""


@given(number=NUMBERS, keyed=st.text("0123456789*#", max_size=10))
def test_what_was_keyed_after_a_transfer_is_left_out(number: str, keyed: str) -> None:
    """It may be a PIN."""
    assert dialled(f"{number}-{keyed}") == number


@pytest.mark.parametrize("marks", ["P", "F", "=", " ", "=9P"])
def test_marks_within_a_number(marks: str) -> None:
    """Pauses, flashes, and a host PBX's access code, which is dialled like a digit."""
    assert dialled(f"{marks}0470112233") == marks.strip("PF= ") + "0470112233"


@given(extension=st.text("0123456789", min_size=1, max_size=5))
def test_an_extension_is_digits(extension: str) -> None:
    """Anything else in its place is a code, a door or a trunk."""
    assert station(extension) == extension
    assert {station(mark + extension) for mark in "*DTB"} == {UNNUMBERED}


@pytest.mark.parametrize("text", ["", "²", "٣", "1 2", "-1", "+1"])
def test_what_only_looks_like_digits(text: str) -> None:
    """Is no extension."""
    assert station(text) == UNNUMBERED
