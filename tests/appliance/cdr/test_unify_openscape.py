"""The dialect ``unify_openscape``: forms, the clock, who called whom, and what it refuses."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import Layout
from appliance.cdr.written_number import UNNUMBERED, WITHHELD
from appliance.wire.call import Direction, Disposition
from tests.support.feeds.unify_openscape import FIELDS, row
from tests.support.reading import labels, only, read, records

NAME = "unify_openscape"
ENDED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
CLOSE = (8, 8, 3, 6, 5, 8, 25, 11, 2, 11, 11, 5, 2)
"""Widths of HiPath's compressed serial output; the trunk, the station, the charge and the type stand at the right."""
SPACED = (8, 8, 3, 6, 5, 8, 20, 11, 2)
RIGHT = (2, 3, 7, 8)


def line(**fields: str) -> bytes:
    """One line of a download, the fields named replaced."""
    return row(**fields).encode() + b"\r\n"


def serial(widths: tuple[int, ...], separator: str, **fields: str) -> bytes:
    """One line of the serial port, with the fields at their places."""
    values = (FIELDS | fields).values()
    cells = [
        value.rjust(width) if place in RIGHT else value.ljust(width)
        for place, (value, width) in enumerate(zip(values, widths, strict=False))
    ]
    return separator.join(cells).encode() + b"\r\n"


def test_the_clock_shows_when_the_call_ended() -> None:
    """It began as long before as it rang and lasted."""
    record = only(NAME, line(ring="00:07", type="1"))
    assert record.ended_at == ENDED
    assert record.answered_at == ENDED - timedelta(seconds=65)
    assert record.started_at == ENDED - timedelta(seconds=72)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (7, 65, 72)
    assert (record.disposition, record.leg, record.call_key) == (Disposition.ANSWERED, 1, record.natural_key)


@pytest.mark.parametrize(
    ("ring", "duration", "seconds"),
    [("00:22", "", 22), ("00:22", "00:00:00", 22), ("", "", 0), ("59:59", "", 3599)],
)
def test_a_call_that_nobody_answered(ring: str, duration: str, seconds: int) -> None:
    """It has no duration; all of it was ringing."""
    record = only(NAME, line(ring=ring, duration=duration, type="1"))
    assert (record.answered_at, record.disposition) == (None, Disposition.NO_ANSWER)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (seconds, 0, seconds)


@pytest.mark.parametrize("element", ["1", "3", "5", "7", "51", "57"])
def test_incoming_calls(element: str) -> None:
    """Voice and other services, transferred, in a conference, by way of DISA."""
    record = only(NAME, line(type=element, ring="00:05"))
    assert (record.direction, record.calling, record.called) == (Direction.INBOUND, "0470112233", "201")
    assert record.forwarded_to == ""


@pytest.mark.parametrize("element", ["2", "4", "6", "8", "9", "52", "59"])
def test_outgoing_calls(element: str) -> None:
    """Of these, 9 was not dialled but forwarded to an outside number."""
    record = only(NAME, line(type=element))
    assert (record.direction, record.calling, record.called) == (Direction.OUTBOUND, "201", "0470112233")
    assert record.forwarded_to == ("0470112233" if element in {"9", "59"} else "")


@pytest.mark.parametrize(
    "fields", [{"type": "0"}, {"type": "*"}, {"type": "0", "duration": "00:00:00"}, {"type": "50"}]
)
def test_what_announces_a_call_is_no_record(fields: dict[str, str]) -> None:
    """One line for each telephone that rings; the call's own record follows."""
    assert labels(NAME, line(**({"duration": ""} | fields))) == ["ignored"]
    assert labels(NAME, line(type="0", duration="00:01:05")) == ["type_signature"]


@pytest.mark.parametrize(
    ("number", "calling", "called"), [("", "anonymous", ""), (" ", "anonymous", ""), ("04701????", UNNUMBERED, "")]
)
def test_numbers_that_are_none(number: str, calling: str, called: str) -> None:
    """Withheld, or with hidden digits, which would make one pseudonym of many people."""
    assert only(NAME, line(number=number, type="1")).calling == calling
    assert only(NAME, line(number=number)).called == called


@pytest.mark.parametrize(
    ("station", "msn", "called"),
    [("201", "024445566", "201"), ("", "024445566", "024445566"), ("", "", ""), ("", "Ann", "")],
)
def test_the_number_called_from_outside_stands_in_for_a_station(station: str, msn: str, called: str) -> None:
    """Where no telephone took the call."""
    assert only(NAME, line(station=station, msn=msn, type="1")).called == called


@pytest.mark.parametrize("trailing", [b"", b"|", b"||||||", b"|1|2|3|4|5"])
def test_any_number_of_fields_may_follow(trailing: bytes) -> None:
    """How many depends on the country and on settings; the last one may have its separator or not."""
    text = row().encode().rstrip(b"|").removesuffix(b"||||0") + trailing
    assert only(NAME, text).called == "0470112233"


@pytest.mark.parametrize(
    "heading",
    [
        b"Datum|Uhrzeit|Lt|Tln|Ruf|Dauer|Rufnummer|Betrag|I|",
        b"\xef\xbb\xbfDate|Time|Trk|Stn|Call|Duration|Number|Amount|I",
        b"Fecha|Hora|Lin|Ext|Timbre|Duraci\xf3n|N\xfamero|Importe",
        b"Datum    Uhrzeit  Lt  Tln    Ruf   Dauer    Rufnummer     Betrag  I",
        *(b"", b"   ", b"\f", b"|" * 13),
    ],
)
def test_headings_and_empty_lines(heading: bytes) -> None:
    """A heading has words in the system's language, and no digit."""
    assert labels(NAME, heading + b"\r\n" + line()) == ["ignored", "record"]


@pytest.mark.parametrize(("widths", "separator"), [(CLOSE, ""), (SPACED, " ")])
def test_the_serial_port_writes_the_same_calls(widths: tuple[int, ...], separator: str) -> None:
    """At fixed places, with or without blanks between them."""
    for fields in ({}, {"ring": "00:07", "type": "1", "charge": "12"}, {"number": "", "type": "51", "ring": "00:01"}):
        at_places, parted = only(NAME, serial(widths, separator, **fields)), only(NAME, line(**fields))
        assert (at_places.started_at, at_places.ended_at) == (parted.started_at, parted.ended_at)
        assert (at_places.calling, at_places.called) == (parted.calling, parted.called)
        assert at_places.direction is parted.direction


def test_the_close_layout_has_an_msn() -> None:
    """Behind the account code."""
    assert only(NAME, serial(CLOSE, "", station="", msn="024445566", type="1")).called == "024445566"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        *(
            ({name: "Ann"}, "type_signature")
            for name in FIELDS
            if name not in {"acct", "msn", "seizure_code", "lcr_route"}
        ),
        *(({"type": text}, "type_signature") for text in ("", "123", "1a")),
        *(({"ring": text}, "type_signature") for text in ("99", "1:60", ":")),
        *(({"duration": text}, "type_signature") for text in ("1:5", "999:00:00", "00:00:60")),
        *(({"time": text}, "type_signature") for text in ("9:00", "09:00", "0900:00")),
        *(({"date": text}, "type_signature") for text in ("2026.10.20", "20.10.6", "20102026")),
        *(({"date": text}, "date_invalid") for text in ("32.10.26", "00.10.26", "29.02.26", "32/10/26")),
        *(({"time": text}, "date_invalid") for text in ("24:00:00", "09:60:00")),
        *(({"date": text}, "date_out_of_range") for text in ("20.10.99", "04.11.26")),
    ],
)
def test_a_field_of_another_type_is_refused(fields: dict[str, str], code: str) -> None:
    """A row that shifted by a column never becomes a record."""
    assert labels(NAME, line(**fields)) == [code]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, "column_count") for text in (b"20.10.26|09:00:00|7|201|", b"Ann Peeters", b"0470112233")),
        (row().encode() + b"|" * 30, "column_count"),
        (serial(CLOSE, "")[:70], "type_signature"),
        (b"\x1b[2J", "binary"),
    ],
)
def test_a_torn_line_is_refused(text: bytes, code: str) -> None:
    """Whatever is left of it."""
    assert labels(NAME, text + b"\r\n") == [code]


@pytest.mark.parametrize(
    ("date", "order", "expected"),
    [
        *(("20.10.2026", None, (10, 20)), ("05.10.26", "mdy", (10, 5)), ("05/10/26", None, (10, 5))),
        *(("05/10/26", "mdy", (5, 10)), ("10/20/26", None, (10, 20)), ("2026-10-20", None, (10, 20))),
    ],
)
def test_dates(date: str, order: str | None, expected: tuple[int, int]) -> None:
    """With dots the day stands first; with slashes it is the country's order, the declared one, or what was seen."""
    record = only(NAME, line(date=date), layout=msgspec.convert({"date_order": order}, Layout))
    assert (record.ended_at.month, record.ended_at.day) == expected


def test_equal_lines_stay_two_and_overlapping_downloads_agree() -> None:
    """Two calls of no seconds in one second are two."""
    first, second = records(NAME, line() * 2)
    assert first.natural_key != second.natural_key
    assert [record.natural_key for record in records(NAME, line() * 2)] == [first.natural_key, second.natural_key]


def test_the_hour_that_the_clock_skips() -> None:
    """Nothing in the record says what was meant."""
    assert labels(NAME, line(date="29.03.26", time="02:30:00")) == ["local_time_nonexistent"]


@given(ring=st.integers(0, 3599), talk=st.integers(1, 359_999), element=st.sampled_from("123456789"))
def test_start_ring_and_talk_make_the_end(ring: int, talk: int, element: str) -> None:
    """Whatever the durations: they add up."""
    duration = f"{talk // 3600:02}:{talk // 60 % 60:02}:{talk % 60:02}"
    record = only(NAME, line(ring=f"{ring // 60:02}:{ring % 60:02}", duration=duration, type=element))
    assert record.ended_at - record.started_at == timedelta(seconds=ring + talk)
    assert record.total_seconds == record.ring_seconds + record.talk_seconds == ring + talk


@given(text=st.text(st.characters(codec="latin-1", exclude_characters="|\r\n"), max_size=40), place=st.integers(0, 8))
def test_text_in_any_field_is_refused_or_left_out(text: str, place: int) -> None:
    """A name never becomes a number."""
    cells = [*FIELDS.values()]
    cells[place] = text
    [outcome] = read(NAME, "|".join(cells).encode("latin-1") + b"\r\n")
    parties = "" if isinstance(outcome, str) else outcome.calling + outcome.called
    assert not any(character.isalpha() for character in parties.replace(UNNUMBERED, "").replace(WITHHELD, ""))
