"""The dialect ``broadworks``: escapes, column drift, identity, times, directions, redirections and withheld callers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.broadworks import cells_of
from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord
from appliance.wire.call import Direction, Disposition
from tests.support.broadworks_rows import END, HEAD, START, broadworks, record_id
from tests.support.cdr_rows import NOW, frame, outcomes, reason
from tests.support.feeds.broadworks import stamp

SECRETS = ("99887766", "55443322", "192.0.2.14", "Maes", "ann@example.org", "Example")


def parser(zone: str = "Europe/Brussels") -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect("broadworks").open(FeedContext(zone=ZoneInfo(zone)))


def parse(data: bytes) -> list[Outcome]:
    """The outcomes of a whole file."""
    return outcomes(parser(), frame(data))


def only_record(data: bytes) -> CallRecord:
    """The one record of a file."""
    [record] = [outcome for outcome in parse(data) if isinstance(outcome, CallRecord)]
    return record


@pytest.mark.parametrize("width", [47, 150, 181, 300, 448])
def test_the_leading_columns_are_the_same_in_each_release(width: int) -> None:
    """What follows them differs by release and is not read."""
    record = only_record(HEAD + START + broadworks(width=width) + END)
    assert record.started_at == datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
    assert record.answered_at == datetime(2026, 10, 20, 7, 0, 5, tzinfo=UTC)
    assert record.ended_at == datetime(2026, 10, 20, 7, 1, 5, tzinfo=UTC)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.calling, record.called, record.forwarded_to) == ("+32470112233", "+3224445566", "")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (HEAD, "ignored"),
        (START, "ignored"),
        (END, "ignored"),
        (broadworks(type="Failover"), "ignored"),
        (broadworks(type="Long Duration", releaseTime=""), "ignored"),
        (b"\n", "ignored"),
        (b",,,,\n", "ignored"),
        (broadworks().replace(b"\n", b"\r\n"), "record"),
        (b'"' + broadworks(otherPartyName="").rstrip(b"\n").replace(b",", b'","') + b'"\n', "record"),
        (broadworks(width=46), "column_count"),
        (b"hello\n", "column_count"),
        (b'"hello\n', "column_count"),
        (b"a,b\n", "column_count"),
        (broadworks(type="Unheard of"), "type_signature"),
        (broadworks(type=""), "type_signature"),
    ],
)
def test_which_lines_are_records(line: bytes, found: str) -> None:
    """Markers and the version are passed over; a type that nobody has described is refused."""
    assert [reason(outcome) for outcome in parse(line)] == [found]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("a,b,c", ["a", "b", "c"]),
        ("a\\,b,c", ["a,b", "c"]),
        ("a\\\\,b", ["a\\\\", "b"]),
        ("a\\\\\\,b,c", ["a\\\\,b", "c"]),
        ("\\,,", [",", ""]),
        ("a,b\\", ["a"]),
        ('"a","b,c"', ["a", "b,c"]),
        ("", [""]),
    ],
)
def test_a_backslash_takes_the_comma_its_meaning(text: str, cells: list[str]) -> None:
    """An even number of backslashes leaves it the end of the column."""
    assert cells_of(text) == cells


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"recordId": "Ann"}, "type_signature"),
        ({"recordId": ""}, "type_signature"),
        ({"direction": ""}, "type_signature"),
        ({"direction": "Ann"}, "type_signature"),
        ({"callingPresentationIndicator": "+32470112233"}, "type_signature"),
        ({"startTime": ""}, "type_signature"),
        ({"startTime": "2026-10-20 07:00:00"}, "type_signature"),
        ({"startTime": "20261020070000.0000000"}, "type_signature"),
        ({"userTimeZone": "Brussels"}, "type_signature"),
        ({"answerIndicator": "Perhaps"}, "type_signature"),
        ({"answerTime": ""}, "type_signature"),
        ({"releaseTime": ""}, "type_signature"),
        ({"terminationCause": "Ann"}, "type_signature"),
        ({"terminationCause": "1016"}, "type_signature"),
        ({"chargeIndicator": "public"}, "type_signature"),
        ({"typeOfNetwork": "y"}, "type_signature"),
        ({"localCallId": "66330"}, "type_signature"),
        ({"localCallId": "Ann:0"}, "type_signature"),
        ({"originalCalledNumber": "+3224440000", "chargeIndicator": ""}, "type_signature"),
        ({"redirectingNumber": "+3224440000", "localCallId": ""}, "type_signature"),
        ({"startTime": "20261320070000.000"}, "date_invalid"),
        ({"releaseTime": "20261020256105.000"}, "date_invalid"),
        ({"startTime": "00001020070000.000"}, "date_invalid"),
        ({"startTime": "19990101000000.000"}, "date_out_of_range"),
        ({"releaseTime": "20261020070000.000"}, "time_order"),
        ({"answerTime": "20261020065959.999"}, "time_order"),
        ({"releaseTime": "20261020070105.1234567"}, "type_signature"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(columns: dict[str, Any], code: str) -> None:
    """Each column of a certain type is checked on each row."""
    assert [reason(outcome) for outcome in parse(broadworks(**columns))] == [code]


@pytest.mark.parametrize("place", [*range(14), *range(15, 45)])
def test_no_code_slides_into_a_number(place: int) -> None:
    """One column more anywhere: the row is refused, or none of what moved is read."""
    cells = broadworks(originalCalledNumber="+3224440000", redirectingNumber="+3224440000").rstrip(b"\n").split(b",")
    for keep in (300, 301):
        shifted = b",".join([*cells[:place], b"55443322", *cells[place:]][:keep]) + b"\n"
        assert [reason(outcome) for outcome in parse(shifted)] == ["type_signature"]


def test_an_authorization_code_never_becomes_a_party() -> None:
    """It stands right before the number that was called first."""
    cells = broadworks().rstrip(b"\n").split(b",")
    for place in range(47):
        for row in ([*cells[:place], b"x", *cells[place:]], [*cells[:place], *cells[place + 1 :]]):
            for outcome in parse(b",".join(row) + b"\n"):
                if isinstance(outcome, CallRecord):
                    assert (outcome.calling, outcome.called, outcome.forwarded_to) == (
                        "+32470112233",
                        "+3224445566",
                        "",
                    )


def test_the_record_id_is_the_identity() -> None:
    """In a second export, whatever else the row says."""
    one, again = only_record(broadworks()), only_record(broadworks(width=150, otherPartyName="Ann"))
    assert one.natural_key == again.natural_key == b"record\0" + record_id(2).encode()
    assert only_record(broadworks(recordId=record_id(3))).natural_key != one.natural_key


@pytest.mark.parametrize(
    ("ids", "joined"),
    [
        ([("100:0", ""), ("100:1", "")], True),
        ([("100:0", "101:0"), ("101:0", "100:0")], True),
        ([("101:0", "100:0"), ("100:1", "102:0"), ("102:0", "100:1")], True),
        ([("100:0", ""), ("101:0", "")], False),
        ([("9:0", "10:0"), ("10:0", "9:0")], True),
        ([("", ""), ("", "")], False),
    ],
)
def test_the_sides_of_a_call_share_its_key(ids: list[tuple[str, str]], joined: bool) -> None:  # noqa: FBT001 - table
    """The older call's number, compared as a number; without one, each record stands alone."""
    rows = [
        broadworks(recordId=record_id(number), localCallId=local, remoteCallId=remote)
        for number, (local, remote) in enumerate(ids)
    ]
    records = [outcome for outcome in parse(b"".join(rows)) if isinstance(outcome, CallRecord)]
    assert len(records) == len(ids)
    assert (len({record.call_key for record in records}) == 1) is joined
    assert [record.leg for record in records] == (list(range(1, len(ids) + 1)) if joined else [1] * len(ids))


def test_each_server_counts_its_own_calls() -> None:
    """The same local id on two servers is two calls; the counter before the server's id has any length."""
    ids = [
        record_id(1),
        record_id(77777),
        record_id(1, system="aabbcc01ddff"),
        "146158451ce6120261020070000.0001+020000",
    ]
    keys = [only_record(broadworks(recordId=identity)).call_key for identity in ids]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert keys[3] == b"broadworks\x008451ce61\x0066330"


@pytest.mark.parametrize("zone", ["Europe/Brussels", "America/Los_Angeles"])
def test_times_are_utc(zone: str) -> None:
    """In the night that the clock goes back, with either time zone of the user."""
    rows = [
        broadworks(
            startTime="20261025005950.000",
            answerTime="20261025005955.000",
            releaseTime="20261025010055.000",
            userTimeZone=user,
        )
        for user in ("1+020000", "0+010000", "")
    ]
    for outcome in outcomes(parser(zone), frame(b"".join(rows))):
        assert isinstance(outcome, CallRecord)
        assert outcome.started_at == datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC)
        assert outcome.total_seconds == 65


@pytest.mark.parametrize("answer", ["", "20261020070005.500"])
@pytest.mark.parametrize(
    ("cause", "disposition"),
    [
        ("016", Disposition.NO_ANSWER),
        ("17", Disposition.BUSY),
        ("001", Disposition.FAILED),
        ("034", Disposition.CONGESTION),
        ("", Disposition.UNKNOWN),
        ("999", Disposition.UNKNOWN),
    ],
)
def test_the_cause_says_why_nobody_answered(cause: str, answer: str, disposition: Disposition) -> None:
    """The indicator decides whether anyone did; an answer time beside a ``No`` is not read."""
    record = only_record(broadworks(answerIndicator="No", answerTime=answer, terminationCause=cause))
    assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (None, 65, 0)
    assert record.disposition is disposition


def test_an_answer_after_a_redirection_is_an_answer() -> None:
    """``Yes-PostRedirection``: someone else than the side that the row is about took the call."""
    record = only_record(broadworks(answerIndicator="Yes-PostRedirection"))
    assert (record.talk_seconds, record.disposition) == (60, Disposition.ANSWERED)


@pytest.mark.parametrize(
    ("columns", "direction"),
    [
        ({"direction": "Originating"}, Direction.OUTBOUND),
        ({"direction": "Terminating"}, Direction.INBOUND),
        ({"direction": "Terminating", "typeOfNetwork": ""}, Direction.INBOUND),
        ({"direction": "Originating", "typeOfNetwork": "private"}, Direction.INTERNAL),
        ({"direction": "Terminating", "typeOfNetwork": "private"}, Direction.INTERNAL),
    ],
)
def test_the_side_says_the_direction(columns: dict[str, Any], direction: Direction) -> None:
    """Within the group it is internal, seen from either side."""
    assert only_record(broadworks(**columns)).direction is direction


@pytest.mark.parametrize(
    ("columns", "parties"),
    [
        ({"originalCalledNumber": "+3224440000"}, ("+32470112233", "+3224440000", "+3224445566")),
        ({"redirectingNumber": "+3224440000"}, ("+32470112233", "+3224440000", "+3224445566")),
        (
            {"originalCalledNumber": "+3224440000", "redirectingNumber": "+3224440001"},
            ("+32470112233", "+3224440000", "+3224445566"),
        ),
        ({"originalCalledNumber": "+3224445566"}, ("+32470112233", "+3224445566", "")),
        ({"callingPresentationIndicator": "Private"}, ("anonymous", "+3224445566", "")),
        ({"callingPresentationIndicator": "Anonymous"}, ("anonymous", "+3224445566", "")),
        ({"callingPresentationIndicator": "Some-LaterWord"}, ("anonymous", "+3224445566", "")),
        ({"callingPresentationIndicator": "Unavailable", "callingNumber": ""}, ("", "+3224445566", "")),
        ({"callingPresentationIndicator": ""}, ("+32470112233", "+3224445566", "")),
        ({"dialedDigits": "*67024445566"}, ("+32470112233", "+3224445566", "")),
    ],
)
def test_parties_are_the_caller_the_wanted_and_the_reached(
    columns: dict[str, Any], parties: tuple[str, str, str]
) -> None:
    """The number of a withheld caller is not read, and neither is what the user dialled."""
    record = only_record(broadworks(**columns))
    assert (record.calling, record.called, record.forwarded_to) == parties


def test_nothing_but_keys_parties_and_times_is_in_a_record() -> None:
    """Names, codes, addresses and groups are not carried along."""
    record = only_record(broadworks())
    held = repr([getattr(record, field) for field in record.__struct_fields__])
    assert not [secret for secret in SECRETS if secret in held]


@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2026, 10, 30)),  # noqa: DTZ001 - the text has no zone
    st.integers(0, 90_000),
    st.integers(0, 9_000_000),
)
def test_times_are_read_to_the_second(start: datetime, rung: int, talked: int) -> None:
    """What was written comes back without its fraction, and the parts make the whole."""
    answer = start + timedelta(milliseconds=rung)
    release = answer + timedelta(milliseconds=talked)
    row = broadworks(startTime=stamp(start), answerTime=stamp(answer), releaseTime=stamp(release))
    record = only_record(row)
    assert stamp(record.started_at) == stamp(start.replace(microsecond=0))
    assert stamp(record.ended_at) == stamp(release.replace(microsecond=0))
    assert record.total_seconds == record.ring_seconds + record.talk_seconds


@given(st.binary(max_size=300), st.integers(0, 60))
def test_no_bytes_in_a_cell_raise(cell: bytes, place: int) -> None:
    """Whatever stands in a column: each line is a record, refused, or no record."""
    cells = broadworks().rstrip(b"\n").split(b",")
    lines = frame(HEAD + b",".join([*cells[:place], cell, *cells[place + 1 :]]) + b"\n" + broadworks())
    parsed = parser().parse(lines, now=NOW)
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(lines)
