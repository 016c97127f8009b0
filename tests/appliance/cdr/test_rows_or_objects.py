"""Lines that are rows or JSON objects: one outcome each, of one byte a character."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.record import Line, QuarantineReason
from appliance.cdr.rows_or_objects import RowsOrObjects, named_row


def split(*lines: bytes) -> list[object]:
    """What each line holds."""
    return list(RowsOrObjects(";")([Line(place, content) for place, content in enumerate(lines)]))


def test_rows_and_objects_may_alternate() -> None:
    """Each line shows what it is."""
    assert split(b"a;b", b'{"c": 1}', b'{"d": null}', b'"e;f"', b"") == [["a", "b"], {"c": 1}, {"d": None}, ["e;f"], []]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", QuarantineReason.TYPE_SIGNATURE),
        (b'{"a": NaN}', QuarantineReason.TYPE_SIGNATURE),
        (b'{"a": 1} x', QuarantineReason.TYPE_SIGNATURE),
        (b'{"a": ' * 5000, QuarantineReason.TYPE_SIGNATURE),
        (b'{"a": "\x01"}', QuarantineReason.BINARY),
        (b"{" + b" " * 70_000, QuarantineReason.LINE_TOO_LONG),
        (b'"open', QuarantineReason.LINE_TORN),
    ],
)
def test_what_is_neither_is_refused(line: bytes, code: QuarantineReason) -> None:
    """And does not take its neighbours with it."""
    assert split(b"a", line, b'{"b": 2}') == [["a"], code, {"b": 2}]


def test_members_become_columns() -> None:
    """By names in small letters; numbers as text, anything else as nothing."""
    content = {"Src": "201", "DST": 202, "duration": 6.5, "flags": [1], "x": {"y": 1}, "z": None}
    assert named_row(content, ["src", "dst", "duration", "flags", "x", "z", "gone"]) == [
        *("201", "202", "6.5", "", "", "", ""),
    ]


@given(
    st.dictionaries(
        st.text(), st.text() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    )
)
def test_any_object_gives_text_of_one_byte_a_character(content: dict[str, object]) -> None:
    """So that a key can be made of any column."""
    [made] = split(json.dumps(content).encode()) if content else [{}]
    assert isinstance(made, dict)
    for column in named_row(made, sorted(name.lower() for name in made)):
        column.encode("latin-1")
