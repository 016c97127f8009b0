"""Feeds of JSON documents, pages of many records, or rows: where a piece ends, and what each is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.documents import MAX_DOCUMENT_BYTES
from appliance.cdr.json_or_rows import decoded, json_or_row_framer, json_or_rows, text_of
from appliance.cdr.record import Line, QuarantineReason


def cut(*chunks: bytes) -> list[Line]:
    """All pieces of a finished feed."""
    framer = json_or_row_framer(0)
    found = [line for chunk in chunks for line in framer.feed(chunk)]
    last = framer.finish()
    return [*found, last] if last else found


def contents(data: bytes) -> list[Any]:
    """What each piece of a feed holds."""
    return list(json_or_rows()(cut(data)))


def test_rows_and_documents_can_stand_in_one_feed() -> None:
    """What begins with a bracket is JSON, whatever stands before and behind it."""
    data = b'a,"b c"\r\n\n{"x": 1,\n "y": "}"}\n1,2\n{"x":2}{"x":3}'
    assert contents(data) == [["a", "b c"], {"x": 1, "y": "}"}, ["1", "2"], {"x": 2}, {"x": 3}]


def test_a_bracket_in_a_row_does_not_swallow_the_next() -> None:
    """A trunk may be called anything; only the first sign of a line says what it is."""
    assert contents(b'201,Trunk {a [1,"x\n202,y\n') == [QuarantineReason.LINE_TORN, ["202", "y"]]
    assert contents(b"201,{[\n202,y\n") == [["201", "{["], ["202", "y"]]


@pytest.mark.parametrize("name", ["cdr_root", "cdr", "data"])
@pytest.mark.parametrize("gap", ["", " ", "\n  "])
def test_a_page_is_cut_into_its_records(name: str, gap: str) -> None:
    """Its frame gives pieces of its own, which are no records."""
    page = f'{{"status":0,{gap}"{name}":{gap}[{gap}{{"a":1}},{gap}{{"a":{{"b":2}}}}{gap}],{gap}"total":2}}'
    found = contents(page.encode() + b"\n" + page.encode())
    assert [item for item in found if item is not None] == [{"a": 1}, {"a": {"b": 2}}] * 2


def test_a_page_within_an_answer_and_a_bare_list_are_cut_as_well() -> None:
    """Newer interfaces wrap the page once more."""
    for data in (b'{"response":{"cdr_root":[{"a":1},{"a":2}]},"status":0}\n', b'[{"a":1},{"a":2}]'):
        assert [item for item in contents(data) if item is not None] == [{"a": 1}, {"a": 2}]


def test_other_lists_stay_whole() -> None:
    """An event with a list of members is one document."""
    assert contents(b'{"call":[{"ext":1},{"ext":2}],"database":[1]}') == [
        {"call": [{"ext": 1}, {"ext": 2}], "database": [1]}
    ]


def test_a_group_of_legs_gives_each_leg_and_not_their_sum() -> None:
    """``main_cdr`` sums the legs up that follow it."""
    data = b'{"cdr_root":[{"cdr":"2","main_cdr":{"a":0},"sub_cdr_1":{"a":1}, "sub_cdr_2":{"a":2}},{"a":3}]}'
    assert [item for item in contents(data) if item is not None] == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_a_member_of_that_name_in_a_string_is_text() -> None:
    """A frame is one only outside of quotes."""
    data = b'{"a": "\\"cdr_root\\": [", "b": "\\"sub_cdr_1\\": {"}'
    assert contents(data) == [{"a": '"cdr_root": [', "b": '"sub_cdr_1": {'}]


@pytest.mark.parametrize(
    "data",
    [b'{"a":', b'{"a":}', b'{"a":"\\ud800"}', b'{"cdr":"1","other":', b'"total":[1]', b'{"a":' + b"[" * 5000],
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    """Torn, nested beyond reason, or not the frame of a page."""
    assert QuarantineReason.TYPE_SIGNATURE in contents(data)


def test_what_is_too_long_is_refused() -> None:
    """A document over the limit says so by its length."""
    data = b'{"a":"' + b"x" * (MAX_DOCUMENT_BYTES + 1)
    assert contents(data)[0] is QuarantineReason.LINE_TOO_LONG
    assert contents(b"y" * 70_000 + b"\n1,2\n") == [QuarantineReason.LINE_TOO_LONG, ["1", "2"]]


def test_names_in_another_encoding_do_not_spoil_a_document() -> None:
    """Some writers put Latin-1 into JSON; numbers are ASCII."""
    assert decoded(b'{"a":"Fran\xe7ois","b":"201"}') == {"a": "François", "b": "201"}
    assert decoded(b'{"a":"\xff') is None
    assert decoded('{"a":1}') == {"a": 1}
    assert decoded("[1]") is None


@pytest.mark.parametrize(
    ("value", "text"), [(" 7 ", "7"), (7, "7"), (None, ""), (True, ""), (1.5, ""), ([1], ""), ({"a": 1}, "")]
)
def test_values_become_text(value: object, text: str) -> None:
    """Numbers may come as strings or as numbers; nothing else is a value that is read."""
    assert text_of(value) == text


@pytest.mark.parametrize(
    "filler", [b"\n", b",", b",\n", b"{", b'"', b'"a":', b"\\", b'"data":[', b'{"sub_cdr_1":{', b"x"]
)
def test_a_quarter_megabyte_of_anything_costs_no_more_than_its_length(filler: bytes) -> None:
    """No input is looked at again and again: the test would time out."""
    lines = cut(filler * (250_000 // len(filler)))
    assert len(list(json_or_rows()(lines))) == len(lines)


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(b'{"a":1}', b'{"cdr_root":[', b"]}", b",", b"\n", b" ", b'"', b"\\", b"[", b"{", b"}", b"\xef\xbb\xbf"),
            *(b'"main_cdr":{', b'"sub_cdr_1":{"a":1}', b"1,2\n", b'"total":3}', b"\0", b"x" * 200),
        ]
    ),
    max_size=14,
)


@given(fragments=FRAGMENTS)
def test_chunks_change_nothing(fragments: list[bytes]) -> None:
    """The pieces depend on the bytes alone, and each gives one content."""
    whole = cut(b"".join(fragments))
    assert cut(*fragments) == whole
    assert cut(*(bytes([byte]) for byte in b"".join(fragments))) == whole
    assert len(list(json_or_rows()(whole))) == len(whole)


@given(fragments=FRAGMENTS)
def test_a_framer_can_go_on_from_where_another_stopped(fragments: list[bytes]) -> None:
    """``offset`` is where the first piece not yet given out starts."""
    data = b"".join(fragments)
    framer = json_or_row_framer(0)
    given_out = framer.feed(data)
    following = json_or_row_framer(framer.offset)
    rest = [*following.feed(data[framer.offset :]), following.finish()]
    assert [*given_out, *(line for line in rest if line)] == cut(data)
