"""The dialect ``freeswitch_csv``: templates, identity, parties, and what a broken name may not do."""

from datetime import timedelta
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
from tests.support.cdr_rows import NOW, outcomes, reason
from tests.support.freeswitch_rows import EXAMPLE, STARTED, declared, example, only, parse, record_of, written


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
