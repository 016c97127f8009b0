"""The dialect ``nec_sv``: framing, fixed and tagged records, identity, times, and what it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.nec_frames import nec_framer, payload
from appliance.cdr.record import QuarantineReason
from appliance.cdr.written_number import UNNUMBERED
from appliance.wire.call import Direction, Disposition
from tests.support.feeds.nec_sv import block, fixed, framed, incoming, internal, outgoing, station
from tests.support.reading import labels, only, records

NAME = "nec_sv"
STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
ENDED = STARTED + timedelta(seconds=65)


def times(start: str, end: str) -> str:
    """The data of tag 6, without milliseconds."""
    return start.ljust(17, "0") + end.ljust(17, "0")


def test_an_outgoing_call() -> None:
    """The dialled number is called; account and authorization codes are stepped over."""
    record = only(NAME, framed(outgoing()))
    assert (record.direction, record.calling, record.called) == (Direction.OUTBOUND, "201", "0470112233")
    assert (record.started_at, record.answered_at, record.ended_at) == (STARTED, STARTED, ENDED)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (0, 65, 65)
    assert (record.disposition, record.forwarded_to, record.leg) == (Disposition.ANSWERED, "", 1)


def test_an_incoming_call_rang_since_the_trunk_call_came_in() -> None:
    """Tag 19, where the release writes it."""
    record = only(NAME, framed(incoming(received="20261020085948000")))
    assert (record.direction, record.calling, record.called) == (Direction.INBOUND, "0470112233", "201")
    assert (record.started_at, record.answered_at) == (STARTED - timedelta(seconds=12), STARTED)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (12, 65, 77)


@pytest.mark.parametrize(
    "received", ["", "20170101000000001", "20261020090001000", "2026102008594800x", "20261320085948000"]
)
def test_a_time_received_that_cannot_be_is_left_out(received: str) -> None:
    """Later than the answer, years before it, or no time."""
    assert only(NAME, framed(incoming(received=received))).started_at == STARTED


def test_an_internal_call() -> None:
    """From station to station."""
    record = only(NAME, framed(internal()))
    assert (record.direction, record.calling, record.called) == (Direction.INTERNAL, "201", "202")


def test_a_call_without_duration_was_not_answered() -> None:
    """It only rang."""
    moment = "20261020090000"
    record = only(NAME, framed(incoming(times=times(moment, moment), received="20261020085930000")))
    assert (record.answered_at, record.disposition) == (None, Disposition.NO_ANSWER)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (30, 0, 30)


@pytest.mark.parametrize(
    ("caller", "calling"),
    [
        *(("0", "anonymous"), ("20470112233", "anonymous"), ("3", "anonymous"), ("1", "anonymous")),
        *(("10470112233", "0470112233"), ("40470112233", "0470112233")),
    ],
)
def test_only_a_presented_number_is_taken(caller: str, calling: str) -> None:
    """Not one that the network sent along although the caller withheld it."""
    assert only(NAME, framed(incoming(caller=caller))).calling == calling


@pytest.mark.parametrize(
    ("party", "direction", "calling"),
    [
        *(("0", Direction.OUTBOUND, "201"), ("3", Direction.OUTBOUND, "201"), ("1", Direction.OUTBOUND, UNNUMBERED)),
        ("2", Direction.TRANSIT, UNNUMBERED),
    ],
)
def test_who_calls_out(party: str, direction: Direction, calling: str) -> None:
    """A console has no number; a trunk is passed through."""
    record = only(NAME, framed(outgoing(party=party)))
    assert (record.direction, record.calling, record.called) == (direction, calling, "0470112233")


@pytest.mark.parametrize("condition", ["040", "060", "140"])
def test_a_forward_to_outside_names_its_target(condition: str) -> None:
    """Condition B, second code."""
    assert only(NAME, framed(outgoing(condition=condition))).forwarded_to == "0470112233"
    assert only(NAME, framed(fixed("KA", dialled="0470112233", condition=condition))).forwarded_to == "0470112233"
    assert only(NAME, framed(outgoing(condition="120"))).forwarded_to == ""


@pytest.mark.parametrize(
    ("record", "direction", "calling", "called"),
    [
        (fixed("KA", dialled="0470112233", account="4711"), Direction.OUTBOUND, "201", "0470112233"),
        (fixed("KH", length=162, dialled="0470112233"), Direction.OUTBOUND, "201", "0470112233"),
        (fixed("KA", party="2", dialled="0470112233"), Direction.TRANSIT, UNNUMBERED, "0470112233"),
        (fixed("KE", dialled="024445566", caller="0470112233"), Direction.INBOUND, "0470112233", "201"),
        (fixed("KE", party="1", dialled="024445566"), Direction.INBOUND, "anonymous", "024445566"),
        (fixed("KI", length=162, presentation="1", presented="0470112233"), Direction.INBOUND, "0470112233", "201"),
        (fixed("KI", length=162, presentation="2", presented="0470112233"), Direction.INBOUND, "anonymous", "201"),
        (fixed("KB", called="202"), Direction.INTERNAL, "201", "202"),
        (fixed("KJ", length=162, called="202"), Direction.INTERNAL, "201", "202"),
    ],
)
def test_records_of_fixed_places(record: str, direction: Direction, calling: str, called: str) -> None:
    """With and without the blanks at their ends."""
    for text in (record, record.rstrip()):
        found = only(NAME, framed(text))
        assert (found.direction, found.calling, found.called) == (direction, calling, called)
        assert (found.started_at, found.talk_seconds) == (STARTED, 65)


@pytest.mark.parametrize(
    ("years", "start", "end", "year"),
    [
        *(("2626", "1020090000", "1020090105", 2026), ("26  ", "1020090000", "1020090105", 2026)),
        *(("    ", "1020090000", "1020090105", 2026), ("    ", "1231235900", "0101000005", 2025)),
        *(("2526", "1231235900", "0101000005", 2025), ("25  ", "1231235900", "0101000005", 2025)),
    ],
)
def test_the_years_of_fixed_records(years: str, start: str, end: str, year: int) -> None:
    """Two, one or none: older systems leave them out."""
    record = only(NAME, framed(fixed("KA", dialled="0470112233", years=years, start=start, end=end)))
    assert (record.started_at.year, record.talk_seconds) == (year, 65)


@pytest.mark.parametrize(
    "feed",
    [
        framed(outgoing()) + framed(incoming()),
        (outgoing() + "\r\n" + incoming() + "\n").encode(),
        b"\x02" + outgoing().encode() + b"\n\x02" + incoming().encode() + b"\n",
        block(outgoing()) + block(incoming()),
        block(outgoing(), parity=0xFF) + block(incoming(), parity=0x7F),
        block(outgoing(), parity=None) + block(incoming(), parity=None),
        block(outgoing(), incoming()),
        block(kind="3") + framed(outgoing()) + b"\x06\n" + incoming().encode(),
    ],
)
def test_the_same_records_in_every_frame(feed: bytes) -> None:
    """STX and ETX, lines, LAN blocks of one or of several, and mixtures; whatever the chunks."""
    found = [label for label in labels(NAME, feed) if label != "ignored"]
    assert found == ["record", "record"]
    for size in (1, 7, 100):
        framer = nec_framer(0)
        lines = [line for place in range(0, len(feed), size) for line in framer.feed(feed[place : place + size])]
        last = framer.finish()
        payloads = [payload(line.content) for line in [*lines, *([last] if last else [])]]
        assert [item for item in payloads if item is not None] == [outgoing()[2:].encode(), incoming()[2:].encode()]


def test_identity_is_what_the_pbx_sent() -> None:
    """A record that was not acknowledged comes again, perhaps in another frame; another call is another record."""
    first, again, line, other = records(
        NAME,
        framed(outgoing()) + block(outgoing()) + outgoing().encode() + b"\n" + framed(outgoing(dialled="0470112244")),
    )
    assert first.natural_key == again.natural_key == line.natural_key != other.natural_key


def test_a_wrong_parity_is_refused() -> None:
    """Its neighbours are not."""
    feed = block(outgoing(), parity=0x21) + block(incoming())
    assert labels(NAME, feed) == ["type_signature", "record"]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        (block(outgoing())[:50], ["line_torn"]),
        (block(outgoing())[:50] + block(incoming()), ["ignored", "type_signature", "record"]),
        (block(outgoing(), more=9) + block(incoming()), ["ignored", "record", "ignored", "record"]),
        (framed(outgoing())[:50] + framed(incoming()), ["type_signature", "record"]),
        (framed(outgoing())[:50], ["type_signature"]),
        (b"\x16299999" + b"x" * 5000 + b"\n" + framed(incoming()), ["line_torn", "record"]),
    ],
)
def test_a_torn_frame_takes_no_neighbour_with_it(feed: bytes, expected: list[str]) -> None:
    """It ends where the next begins."""
    assert labels(NAME, feed) == expected


def test_a_parity_that_looks_like_a_blank() -> None:
    """The framer takes blanks off documents."""
    feeds = [block(outgoing(dialled=f"047011{number:04}")) for number in range(400)]
    blanks = [feed for feed in feeds if feed[-1:] in {b" ", b"\t", b"\r", b"\n", b"\0"}]
    assert len(blanks) > 1
    assert set(labels(NAME, b"".join(blanks))) == {"record"}


GOOD = outgoing()


@pytest.mark.parametrize(
    ("record", "code"),
    [
        *((text, "type_signature") for text in (GOOD + "1", GOOD[:-1], GOOD.replace("0634", "0633"), GOOD + "9901x")),
        *((text, "type_signature") for text in ("0!KZ" + GOOD[4:], GOOD[2:], "Ann Peeters", "0!", "0!KK", "")),
        (GOOD.replace("0112", "0912", 1), "type_signature"),
        ("0!KK" + "0110" * 3, "type_signature"),
        (outgoing(dialled="Ann Peeters"), "type_signature"),
        (incoming(caller="1Ann"), "type_signature"),
        (outgoing(times="2026102009000a000".ljust(34, "0")), "type_signature"),
        (outgoing(times=times("20261320090000", "20261320090105")), "date_invalid"),
        (outgoing(times=times("20261020090000", "20261020250105")), "date_invalid"),
        (outgoing(times=times("20261020090105", "20261020090000")), "time_order"),
        (outgoing(times=times("20991020090000", "20991020090105")), "date_out_of_range"),
        (fixed("KA", dialled="0470112233") + "1", "type_signature"),
        (fixed("KA", dialled="0470112233", start="Ann Peeter"), "type_signature"),
        (fixed("KA", dialled="0470112233", years="AnnB"), "type_signature"),
        (fixed("KA", dialled="0470112233", years="A   ", end="0101000000"), "type_signature"),
        (fixed("KA", dialled="0470112233", years="99  ", end="0101000000"), "type_signature"),
        (fixed("KA")[:50], "type_signature"),
        ("0!KK" + "9" * 1100, "line_too_long"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(record: str, code: str) -> None:
    """Length, tag, type and time: nothing is shifted until it fits."""
    assert labels(NAME, framed(record)) == [code]


def test_two_readings_of_the_lengths_are_none() -> None:
    """``07 02`` followed by ``1``: an account code of two digits, or one digit before the tag that it began."""
    ambiguous = "0!KM" + "0634" + times("20261020090000", "20261020090105") + "0705" + "12308021" + "0"
    assert labels(NAME, framed(ambiguous)) == ["type_signature"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("20261025023000", "20261025023100", ("00:30", "00:31")),
        ("20261025025000", "20261025021000", ("00:50", "01:10")),
        ("20261025015900", "20261025023000", ("23:59", "00:30")),
        ("20261025023000", "20261025031000", ("01:30", "02:10")),
    ],
)
def test_the_hour_that_comes_twice(start: str, end: str, expected: tuple[str, str]) -> None:
    """Start and end decide each other."""
    record = only(NAME, framed(outgoing(times=times(start, end))))
    assert (f"{record.started_at:%H:%M}", f"{record.ended_at:%H:%M}") == expected


def test_the_hour_that_the_clock_skips() -> None:
    """Neither start nor end can lie in it, whichever offset is taken."""
    skipped = "20260329023000"
    assert labels(NAME, framed(outgoing(times=times(skipped, skipped)))) == ["local_time_nonexistent"]
    assert labels(NAME, framed(outgoing(times=times("20260329015500", skipped)))) == ["time_order"]


def test_a_monitored_number_is_a_station() -> None:
    """Kind 3; a console's (1) and a trunk's (2) are not."""
    for party, called in (("0", "201"), ("3", "201"), ("1", "024445566")):
        text = incoming().replace("0509001001201", "").replace(station("201"), station("201", party=party))
        assert only(NAME, framed(text)).called == called


def test_a_refusal_is_typed() -> None:
    """Whatever the bytes of a document, the frame gives a record, nothing, or a reason."""
    assert payload(b"\x16200004003x") is QuarantineReason.TYPE_SIGNATURE
    assert payload(b"\x16200100003") is None


@given(start=st.integers(0, 86_399), talk=st.integers(1, 100_000), ring=st.integers(0, 3_600))
def test_ring_and_talk_make_the_call(start: int, talk: int, ring: int) -> None:
    """They add up, and the end is the start and both."""
    began = datetime(2026, 10, 20) + timedelta(seconds=start)  # noqa: DTZ001 - a wall clock
    texts = [
        f"{moment:%Y%m%d%H%M%S}" for moment in (began, began + timedelta(seconds=talk), began - timedelta(seconds=ring))
    ]
    record = only(NAME, framed(incoming(times=times(*texts[:2]), received=texts[2] + "000")))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (ring, talk, ring + talk)
    assert record.ended_at - record.started_at == timedelta(seconds=ring + talk)


@given(data=st.binary(max_size=60), place=st.integers(0, 200))
def test_damage_is_refused_or_is_another_record(data: bytes, place: int) -> None:
    """Never an exception; a name is never a number."""
    good = block(outgoing())
    for label in labels(NAME, good[:place] + data + good[place:]):
        assert label in {"record", "ignored", *QuarantineReason}
