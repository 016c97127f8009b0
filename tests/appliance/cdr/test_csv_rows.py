"""Lines to rows: one row a line, whatever the quotes do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.csv_rows import csv_rows
from appliance.cdr.framing import MAX_LINE_BYTES
from appliance.cdr.record import Line, QuarantineReason


def rows(*contents: bytes) -> list[object]:
    """Rows of lines that stand anywhere."""
    return list(csv_rows()([Line(offset, content) for offset, content in enumerate(contents)]))


def test_no_lines_give_no_rows() -> None:
    """An empty batch is no error."""
    assert rows() == []


def test_an_empty_line_has_no_columns() -> None:
    """It keeps its place among the rows."""
    assert rows(b"a,b", b"", b"c") == [["a", "b"], [], ["c"]]


def test_quotes_and_commas_are_read_as_rfc_4180_has_them() -> None:
    """A doubled quote is a quote, a comma in quotes is text."""
    assert rows(b'"a ""b"", c",,1') == [['a "b", c', "", "1"]]


def test_an_open_quote_does_not_swallow_the_next_line() -> None:
    """The torn line is refused, its neighbours are read."""
    assert rows(b'"a","b"', b'"a","b', b'"c","d"') == [["a", "b"], QuarantineReason.LINE_TORN, ["c", "d"]]


def test_an_open_quote_in_the_last_line_is_seen() -> None:
    """Nothing follows that it could swallow, and it is refused all the same."""
    assert rows(b'"a","b"', b'"a","b') == [["a", "b"], QuarantineReason.LINE_TORN]


def test_two_open_quotes_do_not_cancel_out() -> None:
    """Each of them is refused."""
    assert rows(b'"a', b'b","c', b"d") == [QuarantineReason.LINE_TORN] * 2 + [["d"]]


@pytest.mark.parametrize("byte", [0, 7, 10, 13, 27, 127])
def test_control_bytes_refuse_their_line_alone(byte: int) -> None:
    """An escape sequence in a caller's name is not text; the lines around it are read."""
    assert rows(b"a", b"b" + bytes([byte]), b"c") == [["a"], QuarantineReason.BINARY, ["c"]]


def test_a_tab_is_text() -> None:
    """It occurs in names."""
    assert rows(b"a\tb,c") == [["a\tb", "c"]]


def test_names_may_be_of_any_encoding() -> None:
    """UTF-8, latin-1 and what is neither: each byte is one character, none an error."""
    assert rows("José".encode(), "José".encode("latin-1"), b"\xff\x80") == [["JosÃ©"], ["José"], ["ÿ\x80"]]


def test_a_line_too_long_is_refused_by_its_length() -> None:
    """The framer's cut line is over the bound by one byte."""
    assert rows(b"a", b"x" * (MAX_LINE_BYTES + 1)) == [["a"], QuarantineReason.LINE_TOO_LONG]


def test_a_field_beyond_the_csv_limit_is_no_error() -> None:
    """An open quote may swallow more lines than csv allows in one field; each is then read by itself."""
    filler = b"x" * 60_000
    assert rows(b'"a', filler, filler, filler)[0] is QuarantineReason.LINE_TORN


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_lines_give_one_row_each_as_if_alone(contents: list[bytes]) -> None:
    """No line changes how another is read."""
    assert rows(*contents) == [rows(content)[0] for content in contents]
