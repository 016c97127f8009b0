"""The dialect ``freeswitch_csv``: templates, identity, times, parties, and what a broken name may not do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.freeswitch_csv import DIALECT
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.errors import SettingsError
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, outcomes, reason

STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
EXAMPLE = {
    "caller_id_name": "Ann",
    "caller_id_number": "0470112233",
    "destination_number": "201",
    "context": "default",
    "start_stamp": "2026-10-20 09:00:00",
    "answer_stamp": "2026-10-20 09:00:05",
    "end_stamp": "2026-10-20 09:01:05",
    "duration": "65",
    "billsec": "60",
    "hangup_cause": "NORMAL_CLEARING",
    "uuid": "99205d8f-5ec4-402e-b174-7a8bb8c23a61",
    "bleg_uuid": "02132a5c-b9b1-4dbf-b79c-bdf408854867",
    "accountcode": "201",
    "read_codec": "PCMA",
    "write_codec": "PCMA",
}


def written(columns: Sequence[str]) -> bytes:
    """A row as FreeSWITCH writes it: quotes around, and no escape for those within."""
    return ",".join(f'"{column}"' for column in columns).encode() + b"\n"


def example(**changes: str) -> bytes:
    """A row of the ``example`` template."""
    return written(list((EXAMPLE | changes).values()))


def declared(columns: str, **changes: str) -> Outcome:
    """The outcome of a row of the variables ``columns``, which the administrator declared."""
    names = columns.split()
    values = EXAMPLE | {"call_uuid": "", "originator": "", "originating_leg_uuid": "", "signal_bond": ""} | changes
    return parse(written([values.get(name, "") for name in names]), Layout(columns=tuple(names)))[0]


def parse(data: bytes, layout: Layout | None = None, zone: str = "Europe/Brussels") -> list[Outcome]:
    """The outcomes of a whole file."""
    context = FeedContext(zone=ZoneInfo(zone), layout=layout or Layout())
    return outcomes(DIALECT.open(context), frame(data), now=NOW)


def record_of(outcome: Outcome) -> CallRecord:
    """The record that it must be."""
    assert isinstance(outcome, CallRecord), reason(outcome)
    return outcome


def only(data: bytes) -> CallRecord:
    """The record of a file of one row."""
    [outcome] = parse(data)
    return record_of(outcome)


def test_a_leg_says_who_called_whom_and_when() -> None:
    """The shipped ``example`` template."""
    record = only(example())
    assert (record.calling, record.called, record.forwarded_to) == ("0470112233", "201", "")
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert record.answered_at == STARTED + timedelta(seconds=5)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.disposition, record.direction) == (Disposition.ANSWERED, Direction.UNKNOWN)
    assert record.natural_key == b"uuid\x0099205d8f-5ec4-402e-b174-7a8bb8c23a61"


def test_the_legs_of_a_call_share_its_key() -> None:
    """The caller's leg names the called one, which names no other."""
    called, calling = parse(example(uuid=EXAMPLE["bleg_uuid"], bleg_uuid="") + example())
    assert record_of(called).call_key == record_of(calling).call_key
    assert (record_of(called).leg, record_of(calling).leg) == (1, 2)


def test_a_row_that_was_torn_at_rotation_and_written_again_is_one_record() -> None:
    """A short write leaves a torn tail in the old file and puts the full line into the new one."""
    whole = example()
    cut = whole.index(b',"PCMA"')
    assert parse(whole[: cut - 3]) == [Reason.LINE_TORN]
    assert only(whole[:cut]).natural_key == only(whole).natural_key


@pytest.mark.parametrize(
    ("columns", "changes", "call"),
    [
        ("uuid call_uuid", {"call_uuid": "c"}, "c"),
        ("uuid call_uuid", {"call_uuid": EXAMPLE["uuid"]}, EXAMPLE["uuid"]),
        ("uuid call_uuid originating_leg_uuid", {"call_uuid": EXAMPLE["uuid"], "originating_leg_uuid": "a"}, "a"),
        ("uuid originator", {"originator": "a"}, "a"),
        ("uuid originator", {}, EXAMPLE["uuid"]),
        ("uuid bleg_uuid originator", {}, EXAMPLE["bleg_uuid"]),
        ("uuid signal_bond direction", {"signal_bond": "a", "direction": "outbound"}, "a"),
        ("uuid signal_bond direction", {"signal_bond": "a", "direction": "inbound"}, EXAMPLE["uuid"]),
    ],
)
def test_the_template_may_say_more_of_the_call(columns: str, changes: dict[str, str], call: str) -> None:
    """``call_uuid`` before whoever originated the leg, that before the bridge."""
    outcome = declared(f"caller_id_number destination_number start_stamp duration billsec {columns}", **changes)
    assert record_of(outcome).call_key == b"call\0" + call.encode()


def test_rows_without_a_uuid_are_told_apart_by_how_often_they_occur() -> None:
    """Two calls of the same second stay two; the same file gives the same keys again."""
    first = parse(example(uuid="", bleg_uuid="") * 2)
    keys = [record_of(outcome).natural_key for outcome in first]
    assert len(set(keys)) == 2
    assert keys == [record_of(outcome).natural_key for outcome in parse(example(uuid="", bleg_uuid="") * 2)]
    assert record_of(first[0]).call_key == keys[0]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("surplus", [1, 2, 3, 4, 5])
def test_a_broken_name_shifts_no_column(place: int, surplus: int) -> None:
    """Columns that a caller puts in front of the times, until the row is as wide as another template."""
    columns = list(EXAMPLE.values())
    columns[place] = '","'.join(["0470998877"] * (surplus + 1))
    assert parse(written(columns))[0] in {Reason.TYPE_SIGNATURE, Reason.COLUMN_COUNT}


TEXTS = st.text(st.sampled_from('",;x0 <>\\'), max_size=12)


@given(TEXTS, st.one_of(st.just("0470112233"), TEXTS))
def test_no_name_reaches_another_column(name: str, number: str) -> None:
    """Whatever quotes and commas a caller's name and number have: refused, or the other columns are right."""
    [outcome, *_] = parse(example(caller_id_name=name, caller_id_number=number))
    if isinstance(outcome, CallRecord):
        assert outcome.called == "201"
        assert outcome.started_at == STARTED
        assert outcome.calling in number


@pytest.mark.parametrize(
    ("name", "number", "called"),
    [
        ('","Xavier', '"', "201"),
        ('",', "0470112233", "201"),
        ('"', "0470112233", '201","0470998877'),
        ('"', '0470112233","x', "201"),
    ],
)
def test_columns_that_quotes_took_in_and_added_again_are_refused(name: str, number: str, called: str) -> None:
    """The row is as wide as it should be, and its times stand where they should."""
    row = example(caller_id_name=name, caller_id_number=number, destination_number=called)
    assert parse(row) == [Reason.TYPE_SIGNATURE]


@pytest.mark.parametrize(
    "changes",
    [
        {"duration": "-1"},
        {"billsec": "x"},
        {"duration": ""},
        {"start_stamp": "yesterday"},
        {"answer_stamp": "soon"},
        {"end_stamp": "never"},
        {"start_stamp": "", "end_stamp": ""},
        {"hangup_cause": "Normal Clearing"},
        {"uuid": "two words"},
        {"bleg_uuid": "two words"},
    ],
)
def test_a_column_of_the_wrong_type_refuses_the_row(changes: dict[str, str]) -> None:
    """Times, durations, cause and ids prove which column is which."""
    assert parse(example(**changes)) == [Reason.TYPE_SIGNATURE]


def test_other_columns_than_any_template_has_are_refused() -> None:
    """Until the administrator says what they are."""
    columns = list(EXAMPLE.values())
    assert parse(written(columns[:-3] + ["x"] * 20)) == [Reason.COLUMN_COUNT]
    assert parse(written(columns[:8])) == [Reason.COLUMN_COUNT]


def test_empty_columns_at_the_end_say_nothing() -> None:
    """As spreadsheets add them."""
    assert only(example().rstrip() + b',"",,\n').called == "201"
    assert parse(b",,,\n\n") == [None, None]


def test_a_comma_in_the_caller_id_is_mended_where_it_is_proven() -> None:
    """The ``asterisk`` template writes ``"Name" <number>`` between quotes, unescaped."""
    tail = ["sofia/x", "sofia/y", "bridge", "user/201", *list(EXAMPLE.values())[4:10], "", EXAMPLE["uuid"], ""]

    def row(caller_id: str, context: str = "default") -> list[Outcome]:
        return parse(written(["", "0470112233", "201", context, caller_id, *tail]))

    assert record_of(row('"Peeters, Ann, X" <0470112233>')[0]).called == "201"
    assert row('"Peeters, Ann" <0470998877>') == [Reason.COLUMN_COUNT]
    assert row('"Peeters, Ann" <0470112233> x') == [Reason.COLUMN_COUNT]
    assert row('"Ann" <0470112233>', context='a","b') == [Reason.COLUMN_COUNT]
    assert row('"A" <1>","B" <0470112233>') == [Reason.COLUMN_COUNT]


@pytest.mark.parametrize(
    ("cause", "disposition"),
    [
        ("NO_ANSWER", Disposition.NO_ANSWER),
        ("ORIGINATOR_CANCEL", Disposition.NO_ANSWER),
        ("NORMAL_CLEARING", Disposition.NO_ANSWER),
        ("USER_BUSY", Disposition.BUSY),
        ("NORMAL_CIRCUIT_CONGESTION", Disposition.CONGESTION),
        ("UNALLOCATED_NUMBER", Disposition.FAILED),
        ("USER_NOT_REGISTERED", Disposition.FAILED),
        ("A_CAUSE_TO_COME", Disposition.UNKNOWN),
        ("", Disposition.UNKNOWN),
    ],
)
def test_the_cause_says_why_nobody_answered(cause: str, disposition: Disposition) -> None:
    """By the names of Q.850 and FreeSWITCH's own."""
    record = only(example(answer_stamp="", billsec="0", hangup_cause=cause))
    assert (record.disposition, record.answered_at) == (disposition, None)
    assert (record.ring_seconds, record.talk_seconds) == (65, 0)


def test_the_first_second_of_the_epoch_is_no_answer() -> None:
    """Releases before 1.2 write it for what never came."""
    assert only(example(answer_stamp="1970-01-01 01:00:00", billsec="0")).answered_at is None


@pytest.mark.parametrize(
    ("columns", "changes", "started_at"),
    [
        ("start_epoch", {"start_epoch": "1792891800"}, "2026-10-25T01:30:00"),
        ("start_epoch start_stamp", {"start_epoch": "1792891800"}, "2026-10-25T01:30:00"),
        ("start_uepoch", {"start_uepoch": "1792891800123456"}, "2026-10-25T01:30:00"),
        ("start_stamp", {}, "2026-10-25T00:30:00"),
        ("start_stamp end_epoch", {"end_epoch": "1792891865"}, "2026-10-25T01:30:00"),
    ],
)
def test_an_epoch_decides_the_hour_that_occurs_twice(columns: str, changes: dict[str, str], started_at: str) -> None:
    """And goes before a stamp anywhere."""
    changes = {"start_stamp": "2026-10-25 02:30:00"} | changes
    outcome = declared(f"caller_id_number destination_number duration billsec {columns}", **changes)
    assert record_of(outcome).started_at == datetime.fromisoformat(started_at).replace(tzinfo=UTC)


@pytest.mark.parametrize("epoch", ["x", "12", "1792891800000", "17928918001"])
def test_what_is_no_epoch_refuses_the_row(epoch: str) -> None:
    """Neither the stamp nor a guess takes its place."""
    columns = "caller_id_number destination_number start_stamp start_epoch duration"
    assert declared(columns, start_epoch=epoch) is Reason.TYPE_SIGNATURE


def test_an_epoch_of_zero_never_came() -> None:
    """An unanswered leg, and one that has neither start nor end."""
    columns = "caller_id_number destination_number start_epoch answer_epoch end_epoch duration hangup_cause"
    outcome = declared(columns, start_epoch="1792479600", answer_epoch="0", end_epoch="", hangup_cause="NO_ANSWER")
    assert record_of(outcome).answered_at is None
    assert record_of(outcome).ended_at == STARTED + timedelta(seconds=65)
    assert declared(columns, start_epoch="0", answer_epoch="0", end_epoch="0") is Reason.TYPE_SIGNATURE


@pytest.mark.parametrize(
    ("columns", "spans"),
    [
        ("start_stamp duration billsec", (5, 60, 65)),
        ("end_stamp duration billsec", (5, 60, 65)),
        ("start_stamp end_stamp billsec", (5, 60, 65)),
        ("start_stamp answer_stamp end_stamp", (5, 60, 65)),
        ("answer_stamp end_stamp billsec", (0, 60, 60)),
        ("start_stamp end_stamp", (65, 0, 65)),
    ],
)
def test_what_the_template_leaves_out_is_worked_out(columns: str, spans: tuple[int, int, int]) -> None:
    """From the times and durations that it has."""
    record = record_of(declared(f"caller_id_number destination_number {columns}"))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == spans
    assert record.ended_at == STARTED + timedelta(seconds=65)
    assert record.ended_at - record.started_at == timedelta(seconds=spans[2])


@pytest.mark.parametrize(
    ("start", "answer", "end", "durations", "started_at", "answered_at"),
    [
        ("2026/10/20 9:00", "2026/10/20 9:00", "2026/10/20 9:01", ("65", "60"), "07:00:00", "07:00:05"),
        ("2026/10/20 9:00", "2026/10/20 9:00", "2026/10/20 9:01", ("20", "10"), "07:00:40", "07:00:50"),
        ("2026/10/20 9:00", "", "2026/10/20 9:00", ("12", "0"), "07:00:00", ""),
        ("2026/10/20 9:00", "", "2026/10/20 9:30", ("12", "0"), "07:00:00", ""),
    ],
)
def test_minutes_that_a_spreadsheet_left_are_made_whole_by_the_durations(
    start: str, answer: str, end: str, durations: tuple[str, str], started_at: str, answered_at: str
) -> None:
    """The earliest start that agrees with all of the row."""
    times = {"start_stamp": start, "answer_stamp": answer, "end_stamp": end}
    record = only(example(**times, duration=durations[0], billsec=durations[1]))
    assert f"{record.started_at:%H:%M:%S}" == started_at
    assert (f"{record.answered_at:%H:%M:%S}" if record.answered_at else "") == answered_at


def test_minutes_without_a_duration_stay_as_they_are() -> None:
    """There is nothing to make them whole by."""
    columns = "caller_id_number destination_number start_stamp end_stamp"
    outcome = declared(columns, start_stamp="2026/10/20 9:00", end_stamp="2026/10/20 9:01")
    assert record_of(outcome).total_seconds == 60


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start_stamp": "2026-03-29 02:30:00", "end_stamp": "2026-03-29 02:31:00"}, Reason.LOCAL_TIME_NONEXISTENT),
        ({"end_stamp": "2026-03-29 02:31:00"}, Reason.LOCAL_TIME_NONEXISTENT),
        ({"answer_stamp": "2026-03-29 02:31:00"}, Reason.LOCAL_TIME_NONEXISTENT),
        ({"start_stamp": "2026-02-30 09:00:00"}, Reason.DATE_INVALID),
        ({"end_stamp": "2026-10-20 08:00:00"}, Reason.TIME_ORDER),
        ({"start_stamp": "2026-12-20 09:00:00", "end_stamp": "2026-12-20 09:00:00"}, Reason.DATE_OUT_OF_RANGE),
    ],
)
def test_times_that_cannot_be_are_refused(changes: dict[str, str], expected: Reason) -> None:
    """Each with its reason."""
    assert parse(example(**changes)) == [expected]


def test_an_hour_that_does_not_exist_is_decided_by_the_end() -> None:
    """A switch whose own clock was not put forward."""
    times = {"start_stamp": "2026-03-29 02:59:00", "answer_stamp": "", "end_stamp": "2026-03-29 03:00:05"}
    assert only(example(**times, billsec="0")).started_at == datetime(2026, 3, 29, 0, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("columns", "changes", "direction"),
    [
        ("context", {"context": "public"}, Direction.INBOUND),
        ("context direction", {"context": "public", "direction": "outbound"}, Direction.UNKNOWN),
        ("context", {}, Direction.UNKNOWN),
        ("direction", {"direction": "inbound"}, Direction.UNKNOWN),
        ("call_direction", {"call_direction": "inbound"}, Direction.INBOUND),
        ("call_direction", {"call_direction": "outbound"}, Direction.OUTBOUND),
        ("call_direction context", {"call_direction": "local", "context": "public"}, Direction.INTERNAL),
    ],
)
def test_only_the_calls_own_direction_is_taken(columns: str, changes: dict[str, str], direction: Direction) -> None:
    """``direction`` is the leg's: an extension's own call comes into the switch."""
    outcome = declared(f"caller_id_number destination_number start_stamp duration {columns}", **changes)
    assert record_of(outcome).direction is direction


@pytest.mark.parametrize(
    ("privacy", "hide", "calling"),
    [
        ("id", "", "anonymous"),
        ("user;id", "", "anonymous"),
        ("none", "true", "0470112233"),
        ("", "true", "anonymous"),
        ("", "false", "0470112233"),
    ],
)
def test_a_caller_who_asks_for_privacy_is_withheld(privacy: str, hide: str, calling: str) -> None:
    """RFC 3323 and RFC 3325, or the switch's own flag."""
    columns = "caller_id_number destination_number start_stamp duration sip_privacy privacy_hide_number"
    assert record_of(declared(columns, sip_privacy=privacy, privacy_hide_number=hide)).calling == calling


def test_a_header_says_what_the_columns_are() -> None:
    """In the file's head; FusionPBX' own direction is that of the call."""
    header = b"xml_cdr_uuid,direction,caller_id_number,destination_number,start_epoch,duration\n"
    row = b"99205d8f,local,201,202,1792479600,5\n"
    assert [reason(outcome) for outcome in parse(header + row + header)] == ["ignored", "record", "ignored"]
    assert record_of(parse(header + row)[1]).direction is Direction.INTERNAL
    far = [Line(HEAD_BYTES, header.strip()), Line(HEAD_BYTES + 100, row.strip())]
    parser = DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels")))
    assert outcomes(parser, far, now=NOW) == [None, Reason.COLUMN_COUNT]


def test_a_caller_cannot_write_a_header() -> None:
    """The times of a row are no names, whatever name and number he has."""
    names = {"caller_id_name": "start_stamp", "caller_id_number": "caller_id_number"}
    outcomes_ = parse(example(**names, destination_number="destination_number") + example())
    assert record_of(outcomes_[1]).called == "201"


@pytest.mark.parametrize(
    "columns",
    [
        ("caller_id_number", "start_stamp"),
        ("destination_number", "start_stamp"),
        ("caller_id_number", "destination_number", "duration"),
    ],
)
def test_columns_that_say_too_little_are_a_mistake_in_the_settings(columns: tuple[str, ...]) -> None:
    """Caller, called and one time there must be."""
    with pytest.raises(SettingsError):
        parse(b"", Layout(columns=columns))


def test_the_separator_is_the_administrators() -> None:
    """As templates may have any."""
    layout = Layout(columns=("caller_id_number", "destination_number", "start_stamp", "duration"), separator="|")
    outcome = parse(b"0470112233|201|2026-10-20 09:00:00|65\n", layout)[0]
    assert record_of(outcome).called == "201"
    assert parse(b"0470112233|x|201|2026-10-20 09:00:00|65\n", layout) == [Reason.COLUMN_COUNT]
    assert record_of(parse(b"0470112233|201|2026-10-20 09:00:00|65||\n", layout)[0]).total_seconds == 65
