"""The dialect ``alcatel_oxe``: framing, editions, parties by call type, times, identity, and what it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.alcatel_ticket import ED_5_2, header_edition, oxe_framer, ticket_text
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.record import QuarantineReason
from appliance.cdr.written_number import UNNUMBERED, WITHHELD
from appliance.wire.call import Direction, Disposition
from tests.support.feeds.alcatel_oxe import FIELDS, INCOMING, header, message, tabbed, ticket
from tests.support.reading import labels, only, read, records

NAME = "alcatel_oxe"
ANSWERED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
ENDED = ANSWERED + timedelta(seconds=65)


def line(text: str) -> bytes:
    """One line of a file."""
    return text.encode("latin-1") + b"\n"


def outgoing(**fields: str) -> bytes:
    """A line with a call to outside."""
    return line(ticket(**fields))


def incoming(**fields: str) -> bytes:
    """A line with a call from outside."""
    return line(ticket(**(INCOMING | fields)))


def test_the_map_is_the_published_one() -> None:
    """Places from 1, without a gap, 525 in all."""
    assert len(ticket()) == sum(width for _, width in FIELDS) == 525
    edition = header_edition(header())
    assert edition is not None
    assert edition.places == ED_5_2.places


def test_an_outgoing_call() -> None:
    """The charged extension called; names and cost centers are not looked at."""
    record = only(NAME, outgoing())
    assert (record.direction, record.calling, record.called) == (Direction.OUTBOUND, "201", "00470112233")
    assert (record.started_at, record.answered_at, record.ended_at) == (ANSWERED, ANSWERED, ENDED)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (0, 65, 65)
    assert (record.disposition, record.forwarded_to, record.leg) == (Disposition.ANSWERED, "", 1)


@pytest.mark.parametrize("start", ["20261020 08:59:48", "20261020 09:00:00", ""])
def test_an_incoming_call_rang_before(start: str) -> None:
    """Whether the edition writes when it began to ring, when it was answered, or neither."""
    record = only(NAME, incoming(WaitingDuration="12", StartDateTime=start))
    assert (record.direction, record.calling, record.called) == (Direction.INBOUND, "0470112233", "201")
    assert (record.started_at, record.answered_at) == (ANSWERED - timedelta(seconds=12), ANSWERED)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (12, 65, 77)


def test_a_start_before_all_seconds_is_when_it_began() -> None:
    """What was neither talked nor waited was before the answer."""
    record = only(NAME, incoming(StartDateTime="20261020 08:59:00"))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (60, 65, 125)


def test_a_call_that_nobody_answered() -> None:
    """It only waited."""
    record = only(NAME, incoming(Duration="0", WaitingDuration="22", EndDateTime="20261020 09:00:22"))
    assert (record.answered_at, record.disposition) == (None, Disposition.NO_ANSWER)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (22, 0, 22)


@pytest.mark.parametrize(
    ("kinds", "direction", "calling", "called"),
    [
        (("0", "1", "7", "11", "00"), Direction.OUTBOUND, "201", "202"),
        (("4", "5", "9", "12", "04"), Direction.INBOUND, "203", "201"),
        (("3", "14"), Direction.INTERNAL, "203", "202"),
        (("8",), Direction.UNKNOWN, "201", "202"),
        (("10", "13"), Direction.UNKNOWN, "203", "201"),
        (("2", "6", "15", "99"), Direction.UNKNOWN, "203", "202"),
    ],
)
def test_the_call_type_says_who_called(kinds: tuple[str, ...], direction: Direction, calling: str, called: str) -> None:
    """Charged is the site's own party; a type that is not known leaves the direction to the parties."""
    for kind in kinds:
        record = only(NAME, outgoing(CallType=kind, ChargedNumber="201", CalledNumber="202", CallingNumber="203"))
        assert (record.direction, record.calling, record.called) == (direction, calling, called)


@pytest.mark.parametrize(
    ("fields", "calling", "called"),
    [
        (INCOMING | {"CallingNumber": ""}, "anonymous", "201"),
        (INCOMING | {"CallingNumber": "047011????"}, UNNUMBERED, "201"),
        (INCOMING | {"ChargedNumber": ""}, "0470112233", "201"),
        ({"CalledNumber": "0047011XXXX"}, "201", ""),
        ({"CalledNumber": "", "InitialDialledNumber": "00470112233"}, "201", "00470112233"),
        ({"ChargedNumber": "", "CallingNumber": "202"}, "202", "00470112233"),
        ({"ChargedNumber": ""}, UNNUMBERED, "00470112233"),
        ({"CallType": "3", "ChargedNumber": "201"}, "201", "00470112233"),
    ],
)
def test_numbers_that_are_missing_or_masked(fields: dict[str, str], calling: str, called: str) -> None:
    """A masked number would make one pseudonym of many people."""
    record = only(NAME, outgoing(**fields))
    assert (record.calling, record.called) == (calling, called)


@pytest.mark.parametrize(
    ("fields", "called", "forwarded_to"),
    [
        (INCOMING | {"ChargedNumber": "202", "InitialDialledNumber": "201"}, "201", "202"),
        ({"InitialDialledNumber": "202"}, "202", "00470112233"),
        ({"InitialDialledNumber": "00470112233"}, "00470112233", ""),
        ({"InitialDialledNumber": ""}, "00470112233", ""),
    ],
)
def test_a_redirected_call(fields: dict[str, str], called: str, forwarded_to: str) -> None:
    """It was dialled to the initial number; without the indicator, that is only how it was dialled."""
    record = only(NAME, outgoing(**fields, RedirectedCallIndicator="1"))
    assert (record.called, record.forwarded_to) == (called, forwarded_to)
    assert only(NAME, outgoing(**fields)).forwarded_to == ""


@pytest.mark.parametrize(
    "feed",
    [
        outgoing() + incoming(),
        line(header()) + outgoing() + incoming() + b"\r\n",
        (ticket() + "\r\n" + ticket(**INCOMING).rstrip()).encode(),
        line(tabbed()) + line(tabbed(**INCOMING)),
        message(ticket()) + message(ticket(**INCOMING)),
        b"\x00\x01\x50" + message(ticket()) + b"\x00\x08TEST_REQ" + message(ticket(**INCOMING)),
        message("", kind=1)
        + message(ticket())
        + message("a=1;b\n", kind=6)
        + message(ticket(**INCOMING))
        + b"\x03\x04",
        b"".join(text.encode().ljust(772, b"\0") for text in (ticket(), ticket(**INCOMING))),
        (ticket() + ticket(**INCOMING)).encode(),
    ],
)
def test_the_same_tickets_in_every_frame(feed: bytes) -> None:
    """Lines with or without a header, tabs, the Ethernet stream, documents of a fixed length; whatever the chunks."""
    assert [label for label in labels(NAME, feed) if label != "ignored"] == ["record", "record"]
    found = [item for item in read(NAME, feed) if not isinstance(item, str)]
    assert [item.called for item in found] == ["00470112233", "201"]
    whole = [line.content for line in oxe_framer(0).feed(feed)]
    for size in (1, 5, 300):
        framer = oxe_framer(0)
        chunks = [feed[place : place + size] for place in range(0, len(feed), size)]
        assert [line.content for chunk in chunks for line in framer.feed(chunk)] == whole


def test_an_edition_is_read_by_its_header() -> None:
    """Fields in other places, and fewer of them."""
    moved = "#TicketVersion,1,5,5,CallType,6,7,2,EndDateTime,8,24,17,Duration,25,34,10,"
    moved += "CalledNumber,35,64,30,ChargedNumber,65,94,30,CallingNumber,95,124,30"
    text = "ED4.9 020261020 09:01:05" + "65".rjust(10) + "00470112233".ljust(30) + "201"
    found = read(NAME, line(moved) + line(text) + line(text[:30]))
    assert [item if isinstance(item, str) else item.called for item in found] == [
        "ignored",
        "00470112233",
        "column_count",
    ]


def test_a_header_that_says_nothing_or_stands_far_in_is_ignored() -> None:
    """What a restart would not see must not change how tickets are read."""
    moved = line("#" + header()[1:].replace("CalledNumber,6,35", "CalledNumber,66,85"))
    for head in (line("#tickets"), line("#CallType,0,0,0"), line("#CallType,9,1,1")):
        assert labels(NAME, head + outgoing()) == ["ignored", "record"]
    filler = outgoing() * (HEAD_BYTES // 500 + 1)
    assert labels(NAME, filler + moved + outgoing())[-2:] == ["ignored", "record"]


def test_equal_tickets_stay_two_and_overlapping_files_agree() -> None:
    """Also where one file is the stream's and the other the PBX' own."""
    first, second = records(NAME, outgoing() * 2)
    assert first.natural_key != second.natural_key
    stream = [item for item in read(NAME, message(ticket()) * 2) if not isinstance(item, str)]
    assert [item.natural_key for item in stream] == [first.natural_key, second.natural_key]


def test_tickets_of_one_call_share_its_reference() -> None:
    """Within a node and a day; a reference of zero is none."""
    one = outgoing(Duration="30", EndDateTime="20261020 09:00:30")
    feed = (
        one + outgoing() + outgoing(ChargedPartyNode="2") + outgoing(CallReference="19") + outgoing(CallReference="0")
    )
    first, second, node, other, none = records(NAME, feed)
    assert (first.leg, second.leg, node.leg, other.leg, none.leg) == (1, 2, 1, 1, 1)
    assert first.call_key == second.call_key
    assert len({record.call_key for record in (second, node, other, none)}) == 4
    assert none.call_key == none.natural_key


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        *(({name: "Ann"}, "type_signature") for name in ("CalledNumber", "ChargedNumber", "CallingNumber")),
        *(({name: "Ann"}, "type_signature") for name in ("InitialDialledNumber", "EndDateTime", "StartDateTime")),
        *(({name: "An"}, "type_signature") for name in ("Duration", "WaitingDuration", "CallType")),
        *(({"Duration": text}, "type_signature") for text in ("", "-1", "1.5", "9999999999")),
        *(({"EndDateTime": text}, "type_signature") for text in ("", "2026102a 09:01:05", "20261020 9:01:05")),
        ({"CallType": ""}, "type_signature"),
        ({"EndDateTime": "20261320 09:01:05"}, "date_invalid"),
        ({"EndDateTime": "20261020 24:01:05"}, "date_invalid"),
        ({"StartDateTime": "20261320 09:00:00"}, "date_invalid"),
        ({"StartDateTime": "20261020 09:30:00"}, "time_order"),
        ({"EndDateTime": "20991020 09:01:05", "StartDateTime": ""}, "date_out_of_range"),
    ],
)
def test_a_field_of_another_type_is_refused(fields: dict[str, str], code: str) -> None:
    """A ticket that shifted never becomes a record."""
    assert labels(NAME, outgoing(**fields)) == [code]


@pytest.mark.parametrize(
    ("feed", "codes"),
    [
        (outgoing()[:300], ["column_count"]),
        (outgoing()[:457] + b"\n" + outgoing(), ["column_count", "record"]),
        (message(ticket())[:400] + message(ticket()), ["ignored", "column_count", "ignored", "record"]),
        (line(tabbed() + "\tAnn") + line(tabbed().rpartition("\t")[0]), ["column_count"] * 2),
        (b"x" * 5000 + b"\n", ["line_too_long"]),
        (outgoing().replace(b"Ann", b"\x1b[2"), ["binary"]),
        (outgoing().replace(b"Ann", b"\x82\xe7\xff"), ["record"]),
        (b"\x03\x04\x01\x00\x02\x00", ["ignored", "ignored"]),
        (outgoing(ChargedUserName="ED5.2") * 2, ["record", "record"]),
    ],
)
def test_a_torn_ticket_takes_no_neighbour_with_it(feed: bytes, codes: list[str]) -> None:
    """It ends where the next one begins; the bytes of names are nobody's business."""
    assert labels(NAME, feed) == codes


@pytest.mark.parametrize(
    ("start", "end", "seconds", "expected"),
    [
        ("20261025 02:30:00", "20261025 02:31:00", 60, ("00:30", "00:31")),
        ("20261025 02:50:00", "20261025 02:10:00", 1200, ("00:50", "01:10")),
        ("20261025 01:59:00", "20261025 02:30:00", 1860, ("23:59", "00:30")),
        ("20261025 02:30:00", "20261025 03:10:00", 2400, ("01:30", "02:10")),
        ("", "20261025 02:10:00", 60, ("00:09", "00:10")),
    ],
)
def test_the_hour_that_comes_twice(start: str, end: str, seconds: int, expected: tuple[str, str]) -> None:
    """Start, end and seconds decide each other."""
    record = only(NAME, outgoing(StartDateTime=start, EndDateTime=end, Duration=str(seconds)))
    assert (f"{record.started_at:%H:%M}", f"{record.ended_at:%H:%M}") == expected


def test_the_hour_that_the_clock_skips() -> None:
    """A start in it is decided by the end; two times in it are refused."""
    skipped = "20260329 02:30:00"
    assert labels(NAME, outgoing(StartDateTime=skipped, EndDateTime=skipped)) == ["local_time_nonexistent"]
    assert labels(NAME, outgoing(StartDateTime=skipped, EndDateTime="20260329 03:31:00", Duration="60")) == ["record"]


def test_what_is_no_ticket() -> None:
    """Handshake, announcement, keep-alive, and the messages of other kinds."""
    for control in (b"\x01P", b"\x03\x04", b"\x08TEST_REQ", b"\x01P\x03\x04", message("x", kind=7)[2:]):
        assert ticket_text(control) is None
    assert ticket_text(b"P" * 5) == "PPPPP"
    assert ticket_text(b"\x01\x02") is None
    assert ticket_text(b"\x0e") is QuarantineReason.BINARY


@given(talk=st.integers(1, 100_000), ring=st.integers(0, 3_600), known=st.booleans())
def test_ring_and_talk_make_the_call(talk: int, ring: int, known: bool) -> None:  # noqa: FBT001  drawn, not passed
    """They add up, with and without a start."""
    start = ENDED - timedelta(seconds=talk) + timedelta(hours=2)
    stamp = f"{start:%Y%m%d %H:%M:%S}" if known and start.month == 10 else ""
    record = only(NAME, incoming(Duration=str(talk), WaitingDuration=str(ring), StartDateTime=stamp))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (ring, talk, ring + talk)
    assert record.ended_at - record.started_at == timedelta(seconds=ring + talk)


@given(text=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20), place=st.integers(0, 47))
def test_text_in_any_field_is_refused_or_left_out(text: str, place: int) -> None:
    """A name never becomes a number."""
    name, width = FIELDS[place]
    for outcome in read(NAME, outgoing(**{name: text[:width]})):
        parties = "" if isinstance(outcome, str) else outcome.calling + outcome.called + outcome.forwarded_to
        assert not any(character.isalpha() for character in parties.replace(UNNUMBERED, "").replace(WITHHELD, ""))
