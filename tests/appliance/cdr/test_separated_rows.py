"""Rows whose separator the file shows."""

import pytest

from appliance.cdr.csv_rows import Row
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.record import Line, QuarantineReason
from appliance.cdr.separated_rows import SeparatedRows, names_separator


def lines(*texts: str, offset: int = 0) -> list[Line]:
    """Lines one behind the other."""
    framed = []
    for text in texts:
        framed.append(Line(offset, text.encode()))
        offset += len(text) + 1
    return framed


def is_pair(row: Row) -> bool:
    """What the tests look for."""
    return len(row) == 2


def split(*texts: str, separator: str | None = None, offset: int = 0) -> list[Row | QuarantineReason]:
    """The rows of a file."""
    return list(SeparatedRows(separator, is_pair).split(lines(*texts, offset=offset)))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_first_line_that_fits_decides(separator: str) -> None:
    """All lines after it are split so, and those before by commas."""
    assert split("a,b,c", f"a{separator}b", f"c{separator}d{separator}e") == [
        ["a", "b", "c"],
        ["a", "b"],
        ["c", "d", "e"],
    ]


def test_the_order_of_separators_decides_where_two_fit() -> None:
    """A comma before a semicolon."""
    assert split("a,b;c", "d;e") == [["a", "b;c"], ["d;e"]]


def test_a_declared_separator_is_not_put_in_question() -> None:
    """Whatever the lines look like."""
    assert split("a,b", "c:d", separator=":") == [["a,b"], ["c", "d"]]


@pytest.mark.parametrize(("text", "row"), [("sep=;", ["c", "d,e,f"]), ("SEP=|", ["c;d,e,f"]), ("sep=\t", ["c;d,e,f"])])
def test_excel_s_line_decides(text: str, row: Row) -> None:
    """Before any row."""
    assert split(text, "c;d,e,f")[1] == row


@pytest.mark.parametrize("text", ["sep=", "sep=x", 'sep="'])
def test_an_unknown_separator_decides_nothing(text: str) -> None:
    """The next line does."""
    assert split(text, "c;d")[1] == ["c", "d"]


def test_a_torn_or_binary_line_decides_nothing() -> None:
    """Nor does an empty one."""
    assert split('"a;b', "\x01;b", "", "c;d") == [
        QuarantineReason.LINE_TORN,
        QuarantineReason.BINARY,
        [],
        ["c", "d"],
    ]


def test_behind_the_head_it_is_the_comma() -> None:
    """What a restart would not see must not decide."""
    assert split("c;d", "e;f", offset=HEAD_BYTES) == [["c;d"], ["e;f"]]


def test_the_decision_is_kept_from_one_read_to_the_next() -> None:
    """Lines come in portions."""
    rows = SeparatedRows(None, is_pair)
    assert list(rows.split([])) == []
    assert list(rows.split(lines("a b"))) == [["a b"]]
    assert list(rows.split(lines("a;b", offset=4))) == [["a", "b"]]
    assert list(rows.split(lines("c;d,e", offset=8))) == [["c", "d,e"]]


def test_the_line_of_excel_is_known() -> None:
    """In capitals too."""
    assert [names_separator(line) for line in lines("sep=;", "Sep=,", "separator", "")] == [True, True, False, False]
