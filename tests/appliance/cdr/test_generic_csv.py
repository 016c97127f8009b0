"""The dialect ``generic_csv``: declared columns, headers, separators, and what is worked out of few columns."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import Layout
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.record import CallRecord
from appliance.errors import SettingsError
from appliance.wire.call import Direction, Disposition
from tests.support import reading

STARTED = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
START = "2026-10-19 08:00:00"


def layout(columns: str, *, separator: str | None = None) -> Layout:
    """A declared layout."""
    return Layout(columns=tuple(columns.split()), separator=separator)


def only(columns: str, row: str) -> CallRecord:
    """The record of one row of declared columns."""
    return reading.only("generic_csv", row.encode() + b"\n", layout=layout(columns))


def labels(data: str, columns: str = "") -> list[str]:
    """What became of each line."""
    return reading.labels("generic_csv", data.encode(), layout=layout(columns) if columns else None)


def seconds(record: CallRecord) -> tuple[int | None, int, int, int]:
    """When it was answered (seconds after the start), and the three durations."""
    answered = record.answered_at
    after = int((answered - record.started_at).total_seconds()) if answered else None
    return after, record.ring_seconds, record.talk_seconds, record.total_seconds


@pytest.mark.parametrize(
    ("columns", "values", "expected", "disposition"),
    [
        ("answer end", "08:00:05,08:01:05", (5, 5, 60, 65), Disposition.ANSWERED),
        ("answer end", ",08:01:05", (None, 65, 0, 65), Disposition.NO_ANSWER),
        ("answer talk", "08:00:05,60", (5, 5, 60, 60), Disposition.ANSWERED),
        ("answer", "08:00:05", (5, 5, 0, 5), Disposition.ANSWERED),
        ("answer duration", "08:00:05,65", (5, 5, 60, 65), Disposition.ANSWERED),
        ("answer duration", ",65", (None, 65, 0, 65), Disposition.NO_ANSWER),
        ("duration talk", "65,60", (5, 5, 60, 65), Disposition.ANSWERED),
        ("duration talk", "65,0", (None, 65, 0, 65), Disposition.NO_ANSWER),
        ("duration ring", "65,5", (5, 5, 60, 65), Disposition.ANSWERED),
        ("duration ring", "5,5", (None, 5, 0, 5), Disposition.NO_ANSWER),
        ("ring talk", "5,60", (5, 5, 60, 65), Disposition.ANSWERED),
        ("talk", "60", (0, 0, 60, 60), Disposition.ANSWERED),
        ("duration", "60", (0, 0, 60, 60), Disposition.ANSWERED),
        ("duration", "0", (None, 0, 0, 0), Disposition.UNKNOWN),
        ("end", "08:01:00", (0, 0, 60, 60), Disposition.ANSWERED),
        ("end", "", (None, 0, 0, 0), Disposition.UNKNOWN),
        ("duration disposition", "60,BUSY", (None, 60, 0, 60), Disposition.BUSY),
        ("duration disposition", "60,answered", (0, 0, 60, 60), Disposition.ANSWERED),
        ("duration disposition ring", "60,ok,5", (5, 5, 55, 60), Disposition.ANSWERED),
        ("duration disposition", "0,ok", (0, 0, 0, 0), Disposition.ANSWERED),
        ("duration disposition", "60,parked", (0, 0, 60, 60), Disposition.UNKNOWN),
        ("duration talk disposition", "5,7,ok", (0, 0, 7, 5), Disposition.ANSWERED),
        ("end_date end_time", "2026-10-19,08:01:00", (0, 0, 60, 60), Disposition.ANSWERED),
        ("end_date end_time", ",", (None, 0, 0, 0), Disposition.UNKNOWN),
    ],
)
def test_what_a_file_does_not_give_is_worked_out(
    columns: str, values: str, expected: tuple[int | None, int, int, int], disposition: Disposition
) -> None:
    """From whatever times and durations there are."""
    record = only(f"start calling called {columns}", f"{START},0470112233,201,{values}")
    assert seconds(record) == expected
    assert record.disposition is disposition
    assert record.started_at == STARTED


def test_a_date_beside_a_full_time_is_no_hindrance() -> None:
    """Exports that show the date twice."""
    record = only("date time calling", f"19.10.2026,{START},0470112233")
    assert record.started_at == STARTED


@pytest.mark.parametrize(
    ("word", "direction"),
    [
        *(("in", Direction.INBOUND), ("Incoming", Direction.INBOUND), ("O", Direction.OUTBOUND)),
        *(("OUTBOUND", Direction.OUTBOUND), ("Ausgehend", Direction.OUTBOUND), ("sortant", Direction.OUTBOUND)),
        *(("Internal", Direction.INTERNAL), ("transit", Direction.TRANSIT), ("sideways", Direction.UNKNOWN)),
        *(("", Direction.UNKNOWN), ("7", Direction.UNKNOWN)),
    ],
)
def test_directions_in_their_usual_words(word: str, direction: Direction) -> None:
    """Anything else says nothing, and is no refusal."""
    assert only("start calling direction", f"{START},0470112233,{word}").direction is direction


@pytest.mark.parametrize(
    ("word", "disposition"),
    [
        *(("NoAnswer", Disposition.NO_ANSWER), ("NO_ANSWER", Disposition.NO_ANSWER), ("Missed", Disposition.NO_ANSWER)),
        *(("487", Disposition.NO_ANSWER), ("besetzt", Disposition.BUSY), ("Répondu", Disposition.ANSWERED)),
        *(("CHANUNAVAIL", Disposition.FAILED), ("503", Disposition.CONGESTION), ("x", Disposition.UNKNOWN)),
    ],
)
def test_dispositions_in_their_usual_words(word: str, disposition: Disposition) -> None:
    """Codes of SIP, words of five languages."""
    assert only("start calling disposition", f"{START},0470112233,{word}").disposition is disposition


@pytest.mark.parametrize("text", ["0470112233", "2026-10-19 08:00:00 and a remark that is too long", "1234"])
@pytest.mark.parametrize("column", ["direction", "disposition"])
def test_what_is_no_word_slid_into_the_column(column: str, text: str) -> None:
    """A number or a text in a column of words refuses the row."""
    assert labels(f"{START},0470112233,{text}\n", f"start calling {column}") == ["type_signature"]


@pytest.mark.parametrize("column", ["duration", "talk", "ring", "answer", "end"])
@pytest.mark.parametrize("text", ["Ann", "0470112233x", "a b"])
def test_what_is_no_time_or_duration_refuses_the_row(column: str, text: str) -> None:
    """Whatever the other columns hold."""
    assert labels(f"{START},0470112233,{text}\n", f"start calling {column}") == ["type_signature"]


@pytest.mark.parametrize("text", ["", "-", "NULL", "\\N", "n/a", "0", "0000-00-00 00:00:00"])
def test_an_empty_answer_has_many_spellings(text: str) -> None:
    """None of them is a time."""
    record = only("start calling answer duration", f"{START},0470112233,{text},20")
    assert seconds(record) == (None, 20, 0, 20)


@pytest.mark.parametrize(
    ("written", "calling"),
    [
        *(("0470112233", "0470112233"), ("Ann (202)", "202"), ("Ann (sales)", "Ann (sales)"), ("(02) 444", "(02) 444")),
        *(
            ("", ""),
            ("-", ""),
            ("Anonyme", "anonymous"),
            ("Unbekannt", "anonymous"),
            ("Ann", "Ann"),
            ("12 (3)", "12 (3)"),
        ),
    ],
)
def test_a_number_is_taken_from_beside_a_name(written: str, calling: str) -> None:
    """A withheld number becomes the word that numbering knows; a name alone is left for it to refuse."""
    assert only("start calling", f"{START},{written}").calling == calling


def test_a_record_id_is_the_key_and_a_call_id_joins_legs() -> None:
    """Legs are numbered in the file's order."""
    rows = f"{START},201,r1,c1\n{START},201,r2,c1\n{START},201,r3,c2\n{START},201,r4,\n"
    found = reading.records("generic_csv", rows.encode(), layout=layout("start calling record_id call_id"))
    assert [record.natural_key for record in found] == [b"id\0r1", b"id\0r2", b"id\0r3", b"id\0r4"]
    assert [(record.call_key, record.leg) for record in found] == [
        (b"call\0c1", 1),
        (b"call\0c1", 2),
        (b"call\0c2", 1),
        (b"id\0r4", 1),
    ]


def test_two_equal_rows_stay_two_and_an_overlapping_export_gives_the_same() -> None:
    """Without an id, a row is its bytes and which of the equal ones it is."""
    rows = [f"{START},0470112233,{number}\n" for number in (201, 201, 202)]
    whole = reading.records("generic_csv", "".join(rows).encode(), layout=layout("start calling called"))
    later = reading.records("generic_csv", "".join(rows[1:]).encode(), layout=layout("start calling called"))
    assert len({record.natural_key for record in whole}) == 3
    assert {record.natural_key for record in later} < {record.natural_key for record in whole}


def test_an_occurrence_is_counted_before_a_date_can_refuse() -> None:
    """What is refused for a while (dates ahead of the clock) must not renumber its equals."""
    row = b"2031-10-19 08:00:00,0470112233\n"
    assert reading.labels("generic_csv", row * 2, layout=layout("start calling")) == ["date_out_of_range"] * 2
    assert labels("2026-02-30 08:00:00,0470112233,,\n", "start calling answer end") == ["date_invalid"]
    assert labels("2026-02-30 08:00:00,0470112233,08:00:05\n", "start calling answer") == ["date_invalid"]


def test_other_times_decide_an_ambiguous_date() -> None:
    """Day and month swapped are weeks apart: the end says which is meant."""
    record = only("start end calling", "03/04/2026 08:00:00,2026-04-03 08:01:00,0470112233")
    assert record.started_at == datetime(2026, 4, 3, 6, 0, tzinfo=UTC)
    assert labels("03/04/2026 08:00:00,03/04/2026 08:01:00,201\n", "start end calling") == ["date_ambiguous"]
    answered = only("start answer duration calling", "2026-04-03 08:00:00,03/04/2026 08:00:05,65,0470112233")
    assert seconds(answered) == (5, 5, 60, 65)
    assert labels("03/04/2026 08:00:00,08:00:05,201\n", "start answer calling") == ["date_ambiguous"]


def test_a_fold_is_decided_by_the_duration() -> None:
    """02:50 to 02:10 is twenty minutes over the change of clocks; the answer follows."""
    record = only(
        "start answer end duration talk calling",
        "2026-10-25 02:50:00,2026-10-25 02:00:00,2026-10-25 03:10:00,4800,4200,0470112233",
    )
    assert record.ended_at - record.started_at == timedelta(seconds=4800)
    assert seconds(record)[0] == 600


def test_columns_must_be_as_many_as_declared() -> None:
    """Empty ones may follow; a comma more in a name refuses the row instead of shifting it."""
    good = f"{START},201,Ann"
    rows = f"{good}\n{good},\n{good},,\n{START},201,Maes, Ann\n{START},201\n{good},x\n"
    expected = ["record", "record", "record", "column_count", "column_count", "column_count"]
    assert labels(rows, "start calling -") == expected


def test_known_non_records_are_ignored() -> None:
    """Comments, blank lines, titles of columns at the top, headers anywhere, totals."""
    rows = f"What;ever\n# a comment\n\n;;\nsep=;\nStart;Caller\n{START};201\nTotal;1\n# {START};201\nStart;Caller\n"
    found = reading.labels("generic_csv", rows.encode(), layout=layout("start calling", separator=";"))
    assert found == [*["ignored"] * 6, "record", *["ignored"] * 3]


def test_a_title_of_the_page_is_not_a_row_of_the_file() -> None:
    """It has a digit, or stands elsewhere: refused, and counted."""
    assert labels(f"Calls of 2026\n{START},201\nWhat,ever\n", "start calling") == [
        *("column_count", "record", "type_signature")
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_first_line_that_shows_it(separator: str) -> None:
    """By the header, or by the number of declared columns."""
    header = separator.join(["Start", "Caller", "Called"])
    row = separator.join([START, "0470112233", "201"])
    assert labels(f"# comment, with; all| signs\n{header}\n{row}\n") == ["ignored", "ignored", "record"]
    assert labels(f"{row}\n{row}\n", "start calling called") == ["record", "record"]


def test_excel_names_the_separator() -> None:
    """Its line is no record; one that names none that is known changes nothing."""
    assert labels(f"SEP=|\nStart|Caller\n{START}|201\n") == ["ignored", "ignored", "record"]
    assert labels(f"sep=\nsep=x\nStart,Caller\n{START},201\n") == ["ignored", "ignored", "ignored", "record"]


def test_a_file_without_header_and_layout_is_refused_row_by_row() -> None:
    """Nothing is guessed from the rows; and a header far into the file is not what the rows before had."""
    row = f"{START},0470112233,201\n"
    assert labels(row * 3) == ["column_count"] * 3
    rows = row * (HEAD_BYTES // len(row) + 1)
    assert set(labels(f"{rows}Start,Caller,Called\n{row}")) == {"column_count", "ignored"}


def test_a_header_marked_as_a_comment_names_the_columns() -> None:
    """As CGRateS and some scripts write it."""
    assert labels(f"#Start,Caller\n{START},201\n") == ["ignored", "record"]
    assert labels(f":Start,Caller\n{START},201\n") == ["ignored", "record"]


def test_more_columns_than_any_table_has_are_no_header() -> None:
    """A row of a thousand cells is looked at once."""
    assert labels("Start,Caller" + ",x" * 600 + "\n") == ["column_count"]


def test_a_declared_layout_is_checked_when_the_feed_is_opened() -> None:
    """Not at the first row."""
    with pytest.raises(SettingsError):
        labels(f"{START},201\n", "start start")


def test_an_open_quote_tears_its_own_line_only() -> None:
    """The next row is read."""
    assert labels(f'{START},"201\n{START},201\n', "start calling") == ["line_torn", "record"]


@given(
    st.integers(0, 7000),
    st.integers(0, 7000),
    st.sampled_from(["duration talk", "duration ring", "ring talk", "answer end", "answer duration"]),
)
def test_all_layouts_say_the_same_of_one_call(ring: int, talk: int, columns: str) -> None:
    """However it is written: ring and talk make the total, and the end is the start and the total."""
    answer, end = STARTED + timedelta(seconds=ring), STARTED + timedelta(seconds=ring + talk)
    values = {
        "duration": str(ring + talk),
        "talk": str(talk),
        "ring": f"{ring}s",
        "answer": f"{answer:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{end.timestamp():.0f}",
    }
    row = ",".join(values[name] for name in columns.split())
    record = only(f"start calling {columns}", f"{START},0470112233,{row}")
    assert record.ended_at == end
    assert record.total_seconds == ring + talk
    if talk:
        assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (answer, ring, talk)
