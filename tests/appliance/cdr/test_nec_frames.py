"""Frames of NEC records: what ends where, whatever the chunks, and what a document holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.nec_frames import nec_framer, payload
from appliance.cdr.record import Line, QuarantineReason
from tests.support.feeds.nec_sv import ETX, STX, block, framed

ONE, TWO = "0!KA1", "0!KB22"
PAYLOADS = [b"KA1", b"KB22"]


def cut(data: bytes, *, size: int | None = None) -> list[Line]:
    """All documents of a finished feed, fed in chunks."""
    framer, step = nec_framer(0), size or max(1, len(data))
    lines = [line for place in range(0, len(data), step) for line in framer.feed(data[place : place + step])]
    last = framer.finish()
    return [*lines, last] if last else lines


def payloads(data: bytes, *, size: int | None = None) -> list[bytes]:
    """The records that the documents hold."""
    return [item for item in (payload(line.content) for line in cut(data, size=size)) if isinstance(item, bytes)]


FRAMES = [
    framed(ONE) + framed(TWO),
    ONE.encode() + b"\n" + TWO.encode(),
    ONE.encode() + b"\r\n\r\n" + TWO.encode() + b"\r\n",
    STX + ONE.encode() + b"\n" + STX + TWO.encode() + b"\n",
    STX + ONE.encode() + STX + TWO.encode() + ETX,
    block(ONE) + block(TWO),
    block(ONE, TWO),
    block(ONE, parity=None) + block(TWO, parity=None),
    block(ONE, parity=0xFF) + framed(TWO),
    block(kind="3") + block(ONE) + block(kind="5") + TWO.encode(),
]


@pytest.mark.parametrize("data", FRAMES)
@pytest.mark.parametrize("size", [None, 1, 2, 3, 7, 11])
def test_both_records_come_out(data: bytes, size: int | None) -> None:
    """Of every frame, in every chunk size."""
    assert payloads(data, size=size) == PAYLOADS


@pytest.mark.parametrize("data", FRAMES)
def test_a_framer_goes_on_where_another_stopped(data: bytes) -> None:
    """Fed from ``offset``, a new one gives the same documents at the same places."""
    whole = cut(data)
    for stop in range(len(data)):
        first = nec_framer(0)
        early = first.feed(data[:stop])
        second = nec_framer(first.offset)
        late = second.feed(data[first.offset :])
        last = second.finish()
        found = [*early, *late, *([last] if last else [])]
        assert [item for item in (payload(line.content) for line in found) if isinstance(item, bytes)] == PAYLOADS
        assert {line.offset for line in early} <= {line.offset for line in whole}


def test_pending_and_offset_say_what_is_held() -> None:
    """So that the source knows what it would have to read again."""
    framer = nec_framer(100)
    [line] = framer.feed(framed(ONE) + STX + b"0!K")
    assert (line.offset, framer.offset, framer.pending) == (100, 107, 4)
    assert framer.finish() == Line(107, STX + b"0!K")
    assert framer.pending == 0


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        *((document, None) for document in (b"\x16300003001", b"\x16200047003", b"\x16200047", b"\x06", ETX, b"P")),
        *((document, b"KA1") for document in (ONE.encode(), framed(ONE), STX + ONE.encode(), framed(ONE) + b"P")),
        *(
            (document, QuarantineReason.TYPE_SIGNATURE)
            for document in (b"Ann", b"0!", b"1!KA1", STX + ETX, b"\x16")[:4]
        ),
        (block(ONE)[:-3], QuarantineReason.LINE_TORN),
        (block(ONE, parity=1), QuarantineReason.TYPE_SIGNATURE),
        (block(ONE, parity=0x7F), b"KA1"),
        (block("1!KA1"), QuarantineReason.TYPE_SIGNATURE),
    ],
)
def test_what_a_document_holds(document: bytes, expected: bytes | QuarantineReason | None) -> None:
    """A record, nothing, or a reason why it is none."""
    assert payload(document) == expected


def test_every_flipped_bit_of_a_block_is_noticed() -> None:
    """By the parity, the length, or the frame: never another record."""
    good = block(ONE)
    for place in range(len(good)):
        for bit in range(8):
            spoiled = good[:place] + bytes([good[place] ^ (1 << bit)]) + good[place + 1 :]
            for line in cut(spoiled):
                found = payload(line.content)
                assert not isinstance(found, bytes) or found == b"KA1"


@given(
    data=st.lists(
        st.sampled_from([STX, ETX, b"\x16", b"2", b"00011", b"0!KA1", b"\n", b"\r", b"x", b"\0", b"\x16200009003"]),
        max_size=30,
    )
)
def test_documents_do_not_depend_on_the_chunks(data: list[bytes]) -> None:
    """Not even where frames are torn and mixed."""
    feed = b"".join(data)
    assert cut(feed, size=1) == cut(feed, size=4) == cut(feed)


@given(data=st.binary(max_size=200))
def test_no_byte_is_given_twice_or_out_of_order(data: bytes) -> None:
    """Documents ascend and do not overlap; what is left out are blanks."""
    end = 0
    for line in cut(data):
        assert line.offset >= end
        end = line.offset + len(line.content)
    assert end <= len(data)
