"""Bytes to documents: where one ends, what a torn one costs, and that chunks change nothing."""

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import Framer
from appliance.cdr.documents import (
    MAX_DOCUMENT_BYTES,
    DocumentFramer,
    PatternScanner,
    documents,
    json_framer,
    paragraph_framer,
    xml_framer,
)
from appliance.cdr.record import Line, QuarantineReason

MakeFramer = Callable[[int], Framer]
FRAMERS = [json_framer, xml_framer, paragraph_framer]


def cut(make: MakeFramer, *chunks: bytes, offset: int = 0) -> list[Line]:
    """All documents of a finished feed."""
    framer = make(offset)
    found = [line for chunk in chunks for line in framer.feed(chunk)]
    last = framer.finish()
    return [*found, last] if last else found


def contents(make: MakeFramer, *chunks: bytes) -> list[bytes]:
    """What the documents hold."""
    return [line.content for line in cut(make, *chunks)]


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n\r\n", b" \t"])
def test_json_documents_end_where_their_brackets_close(between: bytes) -> None:
    """On lines of their own, over many lines, or one right behind the other as ``cat`` joins files."""
    first, second = b'{"a": {"b": [1, 2]}}', b'{\n  "c": "}"\n}'
    assert contents(json_framer, first + between + second) == [first, second]


def test_brackets_and_quotes_in_strings_are_text() -> None:
    """An escaped quote does not end a string, an escaped backslash does not escape."""
    document = rb'{"a": "{[\"", "b": "\\"}'
    assert contents(json_framer, document + b"\n{}") == [document, b"{}"]


def test_a_torn_json_document_does_not_take_the_next_one_with_it() -> None:
    """The next one begins at the beginning of a line."""
    assert contents(json_framer, b'{"a": "b\n{"c": 1}\n') == [b'{"a": "b', b'{"c": 1}']


def test_text_between_json_documents_is_a_document_of_its_own() -> None:
    """It is refused and counted, and costs nothing else; a closing bracket too many ends it as well."""
    assert contents(json_framer, b"oops\n\n}{}\n12") == [b"oops", b"}", b"{}", b"12"]


XML = b'<?xml version="1.0"?>\n<cdr core-uuid="x">\n<a>1</a>\n</cdr>'


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n"])
def test_xml_documents_end_with_their_end_tag(between: bytes) -> None:
    """With and without a prolog."""
    bare = XML.partition(b"\n")[2]
    assert contents(xml_framer, XML + between + bare + between + XML) == [XML, bare, XML]


def test_a_torn_xml_document_ends_where_another_begins() -> None:
    """By a prolog, or by a second root element."""
    torn = XML.removesuffix(b"</cdr>")
    assert contents(xml_framer, torn + XML) == [torn.strip(), XML]
    assert contents(xml_framer, b"<cdr><a>" + b"<cdr></cdr>") == [b"<cdr><a>", b"<cdr></cdr>"]


def test_text_before_an_xml_document_is_a_document_of_its_own() -> None:
    """It is refused and counted."""
    assert contents(xml_framer, b"noise" + XML) == [b"noise", XML]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_paragraphs_end_with_an_empty_line(end: bytes) -> None:
    """As the manager's events do."""
    one = b"Event: Cdr" + end + b"Source: 1"
    assert contents(paragraph_framer, one + end + end + one + end + end) == [one, one]


def test_a_byte_order_mark_is_no_content() -> None:
    """At the start of the feed alone."""
    assert cut(json_framer, b"\xef\xbb\xbf{}\n") == [Line(0, b"{}")]
    assert cut(json_framer, b"{}", offset=7) == [Line(7, b"{}")]


def test_a_document_that_never_ends_costs_no_more_than_the_bound() -> None:
    """It is given cut, its length says why, and reading goes on behind it."""
    lines = cut(json_framer, b"[" * (MAX_DOCUMENT_BYTES + 1) + b"\n{}")
    assert [len(line.content) for line in lines] == [MAX_DOCUMENT_BYTES + 1, 2]
    assert list(documents(lines)) == [QuarantineReason.LINE_TOO_LONG, b"{}"]


def test_pending_and_offset_say_where_a_new_framer_goes_on() -> None:
    """The same contract as for lines."""
    framer = json_framer(0)
    framer.feed(b'{}\n{"a":')
    assert (framer.offset, framer.pending) == (3, 5)
    assert cut(json_framer, b'{"a":1}', offset=framer.offset) == [Line(3, b'{"a":1}')]


PIECES = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b"\r", b"a", b"\0", b"<cdr>", b"</cdr>", b"<?xml ", XML]
    )
)


@pytest.mark.parametrize("filler", [b"\n", b"{}", b'"', b"\\", b"[]\n", b"<?xml ", b"<cdr>", b"</cdr>", b"a\n\n"])
@pytest.mark.parametrize("make", FRAMERS)
def test_a_megabyte_of_anything_costs_no_more_than_its_length(filler: bytes, make: MakeFramer) -> None:
    """No input is looked at again and again: the test would time out."""
    data = filler * (MAX_DOCUMENT_BYTES // len(filler))
    assert sum(len(content) for content in contents(make, data)) <= len(data)


@given(PIECES, st.lists(st.integers(0, 200), max_size=6), st.sampled_from(FRAMERS))
def test_chunks_change_nothing(pieces: Sequence[bytes], cuts: Sequence[int], make: MakeFramer) -> None:
    """However the bytes arrive, the documents are the same, and each has its place."""
    data = b"".join(pieces)
    edges = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    chunks = [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]  # noqa: RUF007 - pairs
    lines = cut(make, *chunks)
    assert lines == cut(make, data)
    assert all(data[line.offset :].lstrip(b" \t\r\n\0").startswith(line.content) for line in lines)


@given(st.binary(max_size=50))
def test_a_pattern_that_arrives_in_two_pieces_is_found(data: bytes) -> None:
    """The scanner looks back as far as its pattern is long."""

    def make(offset: int) -> Framer:
        return DocumentFramer(lambda: PatternScanner(re.compile(b"ab"), overlap=1), offset)

    text = data.replace(b"ab", b"") + b"ab" + data
    chunks = [text[place : place + 1] for place in range(len(text))]
    assert cut(make, *chunks) == cut(make, text)
