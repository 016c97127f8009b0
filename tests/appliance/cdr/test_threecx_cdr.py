"""The dialect ``threecx_cdr``: column sets, names with commas, inference, identity, parties, and what it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import Layout
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.record import CallRecord
from appliance.cdr.threecx_layout import COLUMNS, chain_of, line_text
from appliance.errors import SettingsError
from appliance.wire.call import Direction, Disposition
from tests.support import reading
from tests.support.threecx_lines import DURATION_FIRST, START_FIRST, line

STARTED = datetime(2026, 10, 19, 6, 1, tzinfo=UTC)


def only(text: str, columns: str = "") -> CallRecord:
    """The record of a file of one line."""
    layout = Layout(columns=tuple(columns.split())) if columns else None
    return reading.only("threecx_cdr", text.encode(), layout=layout)


def labels(text: str, columns: str = "") -> list[str]:
    """What became of each line."""
    layout = Layout(columns=tuple(columns.split())) if columns else None
    return reading.labels("threecx_cdr", text.encode(), layout=layout)


def parties(record: CallRecord) -> tuple[str, str, str]:
    """Calling, called and forwarded-to."""
    return record.calling, record.called, record.forwarded_to


@pytest.mark.parametrize("columns", [*(COLUMNS[:width] for width in range(12, 28)), DURATION_FIRST, START_FIRST])
@pytest.mark.parametrize("end", ["\n", "\r\n", ",\n", ",,  ,\n"])
def test_known_column_sets_give_the_same_call(columns: list[str], end: str) -> None:
    """3CX' own order, whole or shortened, and two that are in use; empty columns may follow."""
    record = only(line(columns).replace("\n", end))
    assert parties(record) == ("0470112233", "Ext.201", "")
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.direction, record.disposition) == (Direction.INBOUND, Disposition.ANSWERED)


@pytest.mark.parametrize("prefix", ["Call ", "", "  Call "])
def test_the_word_before_the_line_is_optional(prefix: str) -> None:
    """And blanks around columns, which a fixed length leaves, are not part of them."""
    text = line().removeprefix("Call ").replace(",0470112233,", ",0470112233          ,")
    assert only(prefix + text).calling == "0470112233"


def test_times_are_utc_whatever_the_site() -> None:
    """The console shows local time; the file does not."""
    found = reading.read("threecx_cdr", line().encode(), zone="America/New_York")
    assert isinstance(found[0], CallRecord)
    assert found[0].started_at == STARTED


@pytest.mark.parametrize("spelling", ["2026-10-19 06:01:00", "2026/10/19 06:01:00.000", "2026-10-19T06:01:00Z"])
def test_times_in_other_spellings(spelling: str) -> None:
    """Dashes and fractions occur in later versions."""
    assert only(line(time_start=spelling)).started_at == STARTED


def test_history_and_call_id_are_the_key() -> None:
    """Two lines of one history are legs of a call; a line without both is known by its bytes."""
    text = line() + line(callid="b_2") + line(historyid="") + line(callid="") + line(historyid="", callid="")
    first, second, third, fourth, fifth = reading.records("threecx_cdr", text.encode())
    assert first.natural_key == b"3cx\x00101\x0000000192A0B1C001_4001"
    assert [first.call_key, second.call_key, fourth.call_key] == [b"call\x00101"] * 3
    assert (first.leg, second.leg, fourth.leg) == (1, 2, 3)
    assert third.call_key == b"call\x0000000192A0B1C001_4001"
    assert all(record.natural_key.startswith(b"line\0") for record in (third, fourth, fifth))
    assert fifth.call_key == fifth.natural_key


def test_equal_lines_without_ids_stay_two() -> None:
    """Two calls of one second."""
    text = line(historyid="", callid="") * 2
    first, second = reading.records("threecx_cdr", text.encode())
    assert first.natural_key != second.natural_key


@pytest.mark.parametrize(
    ("from_type", "to_type", "direction"),
    [
        *(("Line", "Extension", Direction.INBOUND), ("external_line", "extension", Direction.INBOUND)),
        *(("Line", "Queue", Direction.INBOUND), ("Line", "Ivr", Direction.INBOUND), ("Line", "ivr", Direction.INBOUND)),
        *(("Extension", "Line", Direction.OUTBOUND), ("extension", "outbound_rule", Direction.OUTBOUND)),
        *(("Extension", "VoiceMail", Direction.INTERNAL), ("Line", "ExternalLine", Direction.TRANSIT)),
        *(("Robot", "Extension", Direction.INBOUND), ("", "", Direction.INBOUND)),
    ],
)
def test_the_types_tell_the_direction(from_type: str, to_type: str, direction: Direction) -> None:
    """In both spellings; where they do not, ``Ext.`` before a number does."""
    assert only(line(from_type=from_type, to_type=to_type)).direction is direction


@pytest.mark.parametrize(
    ("calling", "called", "direction"),
    [
        *(("Ext.201", "Ext.202", Direction.INTERNAL), ("Ext.201", "024445566", Direction.OUTBOUND)),
        *(("0470112233", "024445566", Direction.UNKNOWN), ("Anonymous", "Ext.201", Direction.UNKNOWN)),
    ],
)
def test_without_types_the_numbers_tell_the_direction(calling: str, called: str, direction: Direction) -> None:
    """Or leave it to numbering."""
    values = {"from_no": calling, "to_no": called, "chain": ""}
    assert only(line(COLUMNS[:20], **values)).direction is direction


@pytest.mark.parametrize(
    ("reason", "disposition"),
    [
        *(("Failed_Cancelled", Disposition.NO_ANSWER), ("TerminatedBySrc", Disposition.NO_ANSWER)),
        *(("src_participant_terminated", Disposition.NO_ANSWER), ("Failed_Busy", Disposition.BUSY)),
        *(("busy", Disposition.BUSY), ("Failed", Disposition.FAILED), ("no_route", Disposition.FAILED)),
        *(("Whatever", Disposition.UNKNOWN), ("", Disposition.UNKNOWN)),
    ],
)
def test_a_call_that_nobody_answered(reason: str, disposition: Disposition) -> None:
    """It has no answer and no duration, and rang all the time."""
    record = only(line(time_answered="", duration="", chain="", reason_terminated=reason))
    assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (None, 65, 0)
    assert record.disposition is disposition


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"final_number": "Ext.202", "reason_changed": "ReplacedDst"}, ("0470112233", "Ext.201", "Ext.202")),
        ({"final_number": "+32470445566"}, ("0470112233", "Ext.201", "+32470445566")),
        ({"final_number": "Ext.201"}, ("0470112233", "Ext.201", "")),
        ({"final_number": "EndCall"}, ("0470112233", "Ext.201", "")),
        ({"chain": "Chain: 0470112233;Ext.201;Ext.203;Ext.202;"}, ("0470112233", "Ext.201", "Ext.202")),
        ({"chain": "Chain: 0470112233'Ext.201;Ext.202;"}, ("0470112233", "Ext.201", "Ext.202")),
        ({"chain": "Chain: ;;;;"}, ("0470112233", "Ext.201", "")),
        ({"chain": "Chain: 0470112233;;EndCall;"}, ("0470112233", "Ext.201", "")),
        ({"to_no": "EndCall", "dial_no": "3400", "chain": ""}, ("0470112233", "3400", "")),
        ({"to_no": "PickupExt.202", "dial_no": "203", "chain": ""}, ("0470112233", "203", "")),
        ({"to_no": "EndCall", "dial_no": "", "chain": ""}, ("0470112233", "EndCall", "")),
        ({"from_no": "Anonymous", "chain": ""}, ("Anonymous", "Ext.201", "")),
        ({"from_no": "", "chain": ""}, ("", "Ext.201", "")),
    ],
)
def test_the_parties_of_a_call(values: dict[str, str], expected: tuple[str, str, str]) -> None:
    """Where it ended is a party of its own; a line of the PBX (``from-dn``) is not who called."""
    assert parties(only(line(**values))) == expected


def test_a_comma_in_a_name_moves_nothing() -> None:
    """Names stand behind all that is read; where they do not, there must be one way to put the comma back."""
    assert parties(only(line(from_dispname="Claes, Bart", to_dispname="Maes, Ann, Dr."))) == (
        "0470112233",
        "Ext.201",
        "",
    )
    assert parties(only(line(to_dispname='"Maes, Ann"'))) == ("0470112233", "Ext.201", "")
    assert parties(only(line(bill_name="a, b"))) == ("0470112233", "Ext.201", "")
    assert labels(line() + line(to_dispname="a, b, c, d, e, f, g, h, i"))[1] == "type_signature"


def test_a_comma_that_could_stand_in_two_places_refuses_the_line() -> None:
    """Two texts around a number: nobody can tell whose the comma is."""
    columns = "time-start from-no to-dispname to-no from-dispname"
    row = "2026/10/19 06:01:00,0470112233,{},{}\n"
    assert labels(row.format("Maes", "201,Ann"), columns) == ["record"]
    assert labels(row.format("Maes,Ann", "201,Bart"), columns) == ["column_count"]
    assert labels(row.format("Maes,An Na", "201,Bart"), columns) == ["record"]


@pytest.mark.parametrize(
    "values",
    [
        *({"from_no": "Ann of sales"}, {"to_no": "a b"}, {"duration": "Ann"}, {"reason_terminated": "0470112233"}),
        *({"from_type": "Ext.201"}, {"chain": "0470112233;"}, {"time_start": "Ann"}, {"time_start": ""}),
        *({"time_end": ""}, {"historyid": "a b"}, {"callid": "é"}, {"from_no": "Chain:1"}, {"time_answered": "0"}),
    ],
)
def test_a_column_of_another_type_refuses_the_line(values: dict[str, str]) -> None:
    """A name in a number's place least of all."""
    assert labels(line() + line(**values)) == ["record", "type_signature"]


def test_a_line_that_contradicts_the_layout_is_refused() -> None:
    """The chain says who called; an administrator may have put ``to-no`` before ``from-no``."""
    assert labels(line(from_no="Ext.201", to_no="0470112233")) == ["type_signature"]
    assert labels(line(from_no="Ext.201", to_no="0470112233", chain="")) == ["record"]
    assert labels(line(from_no="0470112244")) == ["record"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"time_start": "2026/02/30 06:01:00"}, "date_invalid"),
        ({"time_answered": "2026/02/30 06:01:00"}, "date_invalid"),
        ({"time_end": "2026/02/30 06:01:00"}, "date_invalid"),
        ({"time_end": "2026/10/19 06:00:00"}, "time_order"),
        ({"time_answered": "2026/10/19 07:00:00"}, "time_order"),
        ({"time_end": "2031/10/19 06:00:00"}, "date_out_of_range"),
    ],
)
def test_times_that_no_call_has(values: dict[str, str], reason: str) -> None:
    """Each has its own reason."""
    assert labels(line(**values)) == [reason]


def test_a_declared_layout_goes_before_any_other() -> None:
    """In any order, with or without ids; ``-`` is not read, and underscores are dashes."""
    columns = "- to-no from_no time-start time-answered time-end -"
    row = "Ann,Ext.201,0470112233,2026/10/19 06:01:00,2026/10/19 06:01:05,2026/10/19 06:02:05,Bart"
    record = only(f"Call {row}\n", columns)
    assert parties(record) == ("0470112233", "Ext.201", "")
    assert (record.talk_seconds, record.call_key) == (60, record.natural_key)
    assert labels(f"{row[4:]}\n{row.replace('Ext.201', 'a b')}\n", columns) == ["column_count", "type_signature"]
    assert labels(row.replace("Ann,", "Maes,Ann,") + "\n", columns) == ["record"]


def test_the_number_of_a_line_stands_in_where_there_is_no_other() -> None:
    """``from-dn`` and ``to-dn`` are read only then."""
    record = only("2026/10/19 06:01:00,201,202\n", "time-start from-dn to-dn")
    assert parties(record) == ("201", "202", "")
    record = only("2026/10/19 06:01:00,201,202,203\n", "time-start from-dn to-dn dial-no")
    assert parties(record) == ("201", "203", "")


def test_a_layout_without_answer_tells_it_by_the_duration() -> None:
    """The duration is that of the answered part, and ends with the call."""
    columns = "time-start time-end duration from-no"
    row = "2026/10/19 06:01:00,2026/10/19 06:02:05,{},0470112233\n"
    answered, unanswered = only(row.format("00:01:00"), columns), only(row.format("00:00:00"), columns)
    assert (answered.ring_seconds, answered.talk_seconds) == (5, 60)
    assert (unanswered.answered_at, unanswered.talk_seconds) == (None, 0)
    record = only("2026/10/19 06:01:00,00:01:00,201\n", "time-start duration from-no")
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (0, 60, 60)
    record = only("2026/10/19 06:01:00,2026/10/19 06:02:00,201\n", "time-start time-end from-no")
    assert record.answered_at is None


@pytest.mark.parametrize(
    ("columns", "mistake"),
    [
        ("from-no to-no", "layout.columns: no column is `time-start`"),
        ("time-start duration", "layout.columns: no column is `from-no` or `to-no`"),
        ("time-start from-no from-no", "layout.columns: column 3 is declared a second time"),
        ("time-start from-no from_no", "layout.columns: column 3 is declared a second time"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(columns: str, mistake: str) -> None:
    """When the feed is opened."""
    with pytest.raises(SettingsError) as caught:
        labels("", columns)
    assert caught.value.mistakes == [mistake]


def test_an_unknown_column_is_named_by_its_place() -> None:
    """Never by what it says."""
    with pytest.raises(SettingsError) as caught:
        labels("", "time-start ann from-no")
    [mistake] = caught.value.mistakes
    assert mistake.startswith("layout.columns: column 2 is none of -, historyid, ")


def test_a_header_names_the_columns() -> None:
    """Some collectors write one; it is no record, and changes nothing where columns are declared."""
    header = "historyid,time_start,time_end,to_no,from_no\n"
    row = "7,2026/10/19 06:01:00,2026/10/19 06:02:05,Ext.201,0470112233\n"
    assert labels(header + row) == ["ignored", "record"]
    columns = "historyid time-start time-end from-no to-no"
    assert labels(header + row, columns) == ["ignored", "record"]
    assert labels("historyid,callid\nfrom_no,from_no,time_start,time_end\n") == ["column_count", "type_signature"]
    far = line() * (HEAD_BYTES // len(line()) + 1)
    assert labels(far + header + row)[-2:] == ["ignored", "type_signature"]


INFERABLE = (
    "Call {end},{start},{answered},Ext.202,0470112233,Bart,Chain: 0470112233;Ext.202;,00:00:25,00000192A0B1C001_4001\n"
)
ANSWERED = INFERABLE.format(start="2026/10/19 06:01:00", answered="2026/10/19 06:01:05", end="2026/10/19 06:01:30")


def test_a_layout_is_inferred_from_a_line_without_doubt() -> None:
    """Lines after it are read by it, those before are refused; the columns must still have their types."""
    unanswered = "Call 2026/10/19 06:01:30,2026/10/19 06:01:00,,Ext.202,0470112233,Bart,,,00000192A0B1C001_4002\n"
    wrong = unanswered.replace("0470112233", "Ann of sales")
    assert labels(unanswered + ANSWERED + unanswered + wrong) == [
        *("type_signature", "record", "record", "type_signature")
    ]
    record = only(ANSWERED)
    assert parties(record) == ("0470112233", "Ext.202", "")
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 25, 30)
    assert record.call_key == b"call\x0000000192A0B1C001_4001"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (",2026/10/19 06:01:05", ",2026/10/19 06:01:00"),
        (",2026/10/19 06:01:05", ","),
        (",2026/10/19 06:01:05", ",2026/02/30 06:01:05"),
        ("Bart", "0470112233"),
        ("Bart", "Ext.202"),
        ("Bart", "Chain: 1;"),
        ("Chain: 0470112233;Ext.202;", ""),
        ("Chain: 0470112233;Ext.202;", "Chain: ;"),
        (",0470112233,Bart", ",Ann,Bart"),
    ],
)
def test_a_doubt_refuses_the_line(old: str, new: str) -> None:
    """Equal times, a number in two places, two chains or none: nothing is guessed."""
    assert labels(ANSWERED.replace(old, new)) == ["type_signature"]


def test_a_forward_is_inferred_with_the_rest() -> None:
    """The chain's end has a column of its own, or the chain says it."""
    forwarded = ANSWERED.replace("Ext.202;", "Ext.202;Ext.203;")
    assert parties(only(forwarded)) == ("0470112233", "Ext.202", "Ext.203")
    assert parties(only(forwarded.replace("Bart", "Ext.203"))) == ("0470112233", "Ext.202", "Ext.203")


def test_nothing_is_learnt_where_a_layout_is_known() -> None:
    """Nor far into a file, where a restart would not see it."""
    assert labels(line() + ANSWERED) == ["record", "type_signature"]
    noise = "x" * 100 + "\n"
    assert labels(noise * (HEAD_BYTES // len(noise) + 1) + ANSWERED)[-1] == "type_signature"
    assert labels(ANSWERED, "time-start from-no") == ["column_count"]


@pytest.mark.parametrize("text", ["GET /index.htm HTTP/1.1", "Call", "Host: a", "a,b,c", "9," * 60, '"'])
def test_what_strangers_send_to_an_open_port_is_refused(text: str) -> None:
    """And counted."""
    assert labels(f"{text}\n") == ["column_count"]


@pytest.mark.parametrize("text", ["", "   ", ",,,,", " , , "])
def test_empty_lines_are_ignored(text: str) -> None:
    """One file for each call ends with one."""
    assert labels(f"{text}\n") == ["ignored"]


def test_quotes_are_taken_off() -> None:
    """Tools that store lines as CSV quote the names."""
    assert line_text('Call 1,"Maes, Ann",2') == "1,Maes  Ann,2"
    assert line_text('Call 1,Ann "Maes",2') == '1,Ann "Maes",2'
    assert line_text('"a"') == "a"
    assert line_text('1,"a') == '1,"a'


def test_a_chain_is_its_parties() -> None:
    """Empty places are none."""
    assert chain_of("Chain: Ext.201;;EndCall;") == ["Ext.201", "EndCall"]
    assert chain_of("") == []


@given(st.permutations(COLUMNS), st.integers(6, 27))
def test_a_permutation_is_read_as_declared(order: list[str], width: int) -> None:
    """Whatever the administrator chose: the columns that are there give what they say."""
    names = order[:width]
    if "time-start" not in names or not {"from-no", "to-no"} <= set(names):
        return
    record = only(line(names), " ".join(names))
    assert parties(record) == ("0470112233", "Ext.201", "")
    assert record.started_at == STARTED


@given(st.integers(0, 26), st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30))
def test_no_text_in_a_column_makes_another_call(place: int, text: str) -> None:
    """A record has the parties of the line, or those of the text in their own columns."""
    name = COLUMNS[place]
    [outcome] = reading.read("threecx_cdr", line(**{name.replace("-", "_"): text}).encode("latin-1"))
    if isinstance(outcome, CallRecord) and name not in {"from-no", "to-no", "dial-no", "final-number", "chain"}:
        assert parties(outcome) == ("0470112233", "Ext.201", "")
