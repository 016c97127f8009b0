"""Tickets of an OmniPCX Enterprise: what ends where, editions, and the fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.alcatel_ticket import ED_5_2, header_edition, oxe_framer, read_ticket, ticket_text
from appliance.cdr.record import Line, QuarantineReason
from tests.support.feeds.alcatel_oxe import FIELDS, VALUES, header, message, tabbed, ticket

NAMES = (
    *("CalledNumber", "ChargedNumber", "ChargedPartyNode", "CallingNumber", "CallType", "EndDateTime", "Duration"),
    *("CallReference", "InitialDialledNumber", "WaitingDuration", "RedirectedCallIndicator", "StartDateTime"),
)


def cut(data: bytes, *, size: int | None = None) -> list[Line]:
    """All documents of a finished feed, fed in chunks."""
    framer, step = oxe_framer(0), size or max(1, len(data))
    lines = [line for place in range(0, len(data), step) for line in framer.feed(data[place : place + step])]
    last = framer.finish()
    return [*lines, last] if last else lines


@pytest.mark.parametrize("name", [name for name, _ in FIELDS])
def test_each_field_stands_in_its_place(name: str) -> None:
    """Filled to its width, it is read whole, and reaches no neighbour."""
    width = dict(FIELDS)[name]
    filled = read_ticket(ticket(**{name: "7" * width}), ED_5_2)
    plain = read_ticket(ticket(), ED_5_2)
    assert filled is not None
    assert plain is not None
    for place, known in enumerate(NAMES):
        assert filled[place] == ("7" * width if known == name else plain[place])


@pytest.mark.parametrize("name", NAMES)
def test_tabs_part_the_same_fields(name: str) -> None:
    """The edition is left out in front."""
    value = "12"[: dict(FIELDS)[name]]
    assert read_ticket(tabbed(**{name: value}), ED_5_2) == read_ticket(ticket(**{name: value}), ED_5_2)


@pytest.mark.parametrize("more", ["\t", "\tAnn", "\t\t\t"])
def test_tabs_of_another_number_are_none(more: str) -> None:
    """A name with a tab in it would shift what follows."""
    assert read_ticket(tabbed() + more, ED_5_2) is None
    assert read_ticket(tabbed(ChargedUserName="Ann\tPeeters"), ED_5_2) is None


@given(length=st.integers(0, 525))
def test_a_torn_ticket_is_none(length: int) -> None:
    """Unless all that is read of it is there."""
    assert (read_ticket(ticket()[:length], ED_5_2) is None) == (length < 458)


def test_the_header_of_edition_5_2_is_its_map() -> None:
    """Whatever parts its items."""
    for separator in ",;\t ":
        edition = header_edition(header().replace(",", separator))
        assert edition is not None
        assert edition.places == ED_5_2.places


@pytest.mark.parametrize(
    "missing", ["CalledNumber", "ChargedNumber", "CallingNumber", "CallType", "EndDateTime", "Duration"]
)
def test_a_header_must_name_what_is_needed(missing: str) -> None:
    """Or it says nothing."""
    assert header_edition(header().replace(missing, "Other")) is None


@pytest.mark.parametrize("places", ["0,35", "35,6", "6,99999", "x,35", "6,"])
def test_a_header_must_give_places(places: str) -> None:
    """From 1, in order, within reason."""
    assert header_edition(header().replace("CalledNumber,6,35", f"CalledNumber,{places}")) is None


def test_optional_fields_may_be_missing() -> None:
    """Older editions have no start and no initial number."""
    short = header().partition(",InitialDialledNumber")[0]
    edition = header_edition(short)
    assert edition is not None
    found = read_ticket(ticket()[:395], edition)
    assert found is not None
    assert (found.called, found.initial, found.start, found.waiting) == ("00470112233", "", "", "")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        *((document, None) for document in (b"\x03\x04", b"\x01P", b"\x01S\x03\x04", b"\x08TEST_REQ", b"TEST_RSP")),
        *((message("x", kind=kind)[2:], None) for kind in (0, 1, 6, 7)),
        (message("ED5.2 Ann")[2:], "ED5.2 Ann"),
        (b"ED5.2 Ann\0\0", "ED5.2 Ann"),
        (b"#a,1,2", "#a,1,2"),
        (b"a\tb", "a\tb"),
        (b"F\xe7\x82", "F\xe7\x82"),
        *((document, QuarantineReason.BINARY) for document in (b"a\x1b[2J", b"a\x7f", b"a\0b", b"\x0e")),
        (b"x" * 4097, QuarantineReason.LINE_TOO_LONG),
    ],
)
def test_what_a_document_holds(document: bytes, expected: object) -> None:
    """A ticket or a header, nothing, or a reason why it is none."""
    assert ticket_text(document) == expected


FRAMES = [
    message("ED5.2 one") + message("ED5.2 two"),
    b"\x00\x01\x50" + message("ED5.2 one") + b"\x00\x08TEST_REQ" + message("ED5.2 two") + b"\x03\x04",
    b"ED5.2 one\nED5.2 two\n",
    b"ED5.2 one\r\nED5.2 two",
    message("ED5.2 one") + b"ED5.2 two\n",
    b"ED5.2 one" + message("ED5.2 two"),
    message("", kind=1) + b"ED5.2 one\r\n" + message("a\nb", kind=6) + message("ED5.2 two") + b"\0\0",
]


@pytest.mark.parametrize("data", FRAMES)
@pytest.mark.parametrize("size", [None, 1, 2, 5, 13, 771])
def test_both_tickets_come_out(data: bytes, size: int | None) -> None:
    """Of every frame, in every chunk size."""
    found = [ticket_text(line.content) for line in cut(data, size=size)]
    assert [text for text in found if isinstance(text, str)] == ["ED5.2 one", "ED5.2 two"]


def test_tickets_of_a_fixed_length_end_where_the_next_begins() -> None:
    """Without a line end; an edition's name within a ticket begins none."""
    one = ticket(ChargedUserName="ED5.2", Subaddress="ED5.2")
    for data in ((one * 3).encode(), b"".join(text.encode().ljust(772, b"\0") for text in (one, one, one))):
        found = [ticket_text(line.content) for line in cut(data)]
        assert [text.ljust(525) for text in found if isinstance(text, str)] == [one] * 3


@given(
    pieces=st.lists(
        st.sampled_from(
            [
                b"\x03\x04",
                b"\x01\x00\x02\x00",
                b"\x01\x00",
                b"ED5.2",
                b"\n",
                b"\0" * 50,
                b"x" * 300,
                b"\x00\x08TEST_REQ",
            ]
        ),
        max_size=14,
    )
)
def test_documents_do_not_depend_on_the_chunks(pieces: list[bytes]) -> None:
    """Not even where messages are torn and mixed."""
    data = b"".join(pieces)
    assert cut(data, size=3) == cut(data, size=50) == cut(data)


def test_the_values_of_the_builder_fit_their_columns() -> None:
    """Or these tests would prove nothing."""
    assert all(len(VALUES[name]) <= width for name, width in FIELDS)
