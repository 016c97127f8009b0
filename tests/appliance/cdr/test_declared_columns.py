"""Declared columns, and headers that name them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.declared_columns import (
    UNREAD,
    VOCABULARY,
    Fields,
    compile_columns,
    declared_columns,
    header_columns,
    names_columns,
    plain_words,
)
from appliance.errors import SettingsError


def mistakes(names: str) -> list[str]:
    """What is wrong with a layout."""
    with pytest.raises(SettingsError) as caught:
        declared_columns(names.split())
    return caught.value.mistakes


def named(header: str) -> str:
    """The columns that a header names."""
    columns = header_columns(header.split(","))
    return " ".join(columns.names) if columns else ""


def test_the_vocabulary_is_what_can_be_read() -> None:
    """Each word has a field, and the documentation says what becomes of it."""
    assert tuple(VOCABULARY) == Fields._fields
    assert all(VOCABULARY.values())


def test_columns_are_picked_by_name_and_the_rest_is_empty() -> None:
    """In any order; what is not read is not there."""
    columns = declared_columns(("called", UNREAD, "start", "calling"))
    fields = Fields._make(columns.pick(["201", "Ann", "now", "202", ""]))
    assert (fields.called, fields.start, fields.calling, fields.duration) == ("201", "now", "202", "")
    assert "Ann" not in fields


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("calling duration", ["layout.columns: no column is `start` or `date`"]),
        ("start duration", ["layout.columns: no column is `calling` or `called`"]),
        (
            "- -",
            ["layout.columns: no column is `start` or `date`", "layout.columns: no column is `calling` or `called`"],
        ),
        ("start calling calling", ["layout.columns: column 3 is declared a second time"]),
        ("start date time calling", ["layout.columns: the start is either `start`, or `date` and `time`"]),
        ("start time calling", ["layout.columns: `time` needs `date`"]),
        ("start end_date calling", ["layout.columns: `end_date` needs `end_time`"]),
        (
            "start end end_time calling",
            ["layout.columns: the end is either `end`, or `end_time` with or without `end_date`"],
        ),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(names: str, expected: list[str]) -> None:
    """With every mistake at once, each with the option's path."""
    assert mistakes(names) == expected


def test_an_unknown_name_is_refused_without_showing_it() -> None:
    """It may be a number or a person's name that was pasted; the place says enough, and what may stand there."""
    [first, second] = mistakes("start ann-of-sales calling x0470112233")
    assert first.startswith("layout.columns: column 2 is none of -, start, date,")
    assert second.startswith("layout.columns: column 4 ")
    assert "ann" not in first.replace("transfer", "")
    assert "0470112233" not in second


@pytest.mark.parametrize(
    ("names", "settled"),
    [
        ("date calling", "start calling"),
        ("date time end_time called", "date time end called"),
        ("start end_time called", "start end called"),
        ("date time end_date end_time called", "date time end_date end_time called"),
    ],
)
def test_a_date_alone_is_the_start_and_a_time_alone_the_end(names: str, settled: str) -> None:
    """Nothing else could be meant."""
    assert " ".join(declared_columns(names.split()).names) == settled


def test_what_a_layout_can_tell() -> None:
    """A file without answer, talk and ring does not say that nobody answered."""
    assert not compile_columns(["start", "duration", "calling"]).says_unanswered
    assert compile_columns(["start", "talk", "calling"]).says_unanswered
    assert compile_columns(["start", "answer", "calling"]).has_answer


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Call Date,Caller,Destination,Billsec,Duration (s)", "start calling called talk duration"),
        ("Start Date,Start Time,From,To,Duration in seconds,Notes", "date time calling called duration -"),
        ("Date,Time,End Date,End Time,Source,Destination", "date time end_date end_time calling called"),
        ("Date,Start Time,End Time,Source,Destination", "date time end calling called"),
        ("start,end_time,calling,called,forwarded_to", "start end calling called forwarded_to"),
        ("StartTime,EndTime,CallerNumber,CalleeNumber,TalkTime", "start end calling called talk"),
        ("Timestamp (UTC),Source,Source,Destination", "start calling - called"),
        ("Datum,Uhrzeit,Anrufer,Zielrufnummer,Gesprächsdauer,Richtung", "date time calling called talk direction"),
        ("Datum,Endzeit,Enddatum,Startzeit,Von,An", "date end_time end_date time calling called"),
        ("Date d'appel,Heure,Appelant,Appelé,Durée,Statut", "date time calling called duration disposition"),
        ("Fecha,Hora,Número origen,Número destino,Duración", "date time calling called duration"),
        ("Datum,Tijd,Van,Naar,Duur,Richting", "date time calling called duration direction"),
        ("Enddatum,Datum,Von", "end start calling"),
        ("Caller,Destination", ""),
        ("Date,Duration", ""),
        ("2026-10-19 08:00:00,0470112233,201", ""),
    ],
)
def test_a_header_names_the_columns(header: str, columns: str) -> None:
    """In five languages; a name that is not known is not read, nor is the second of two."""
    assert named(header) == columns
    assert named(header.encode().decode("latin-1")) == columns


def test_a_header_as_long_as_a_text_is_none() -> None:
    """No name of a column has more than forty letters."""
    assert plain_words("date " * 20) == ""
    assert named(f"date{' ' * 60},caller") == ""


def test_column_titles_are_told_from_text() -> None:
    """Two names that are known, whatever else the line says."""
    assert names_columns(["No.", "Date", "Caller"])
    assert not names_columns(["Date", "of", "birth"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *(("NoAnswer", "no answer"), ("NO_ANSWER", "no answer"), ("Durée (s)", "duree s"), ("s", "s")),
        *(("Duration in sec", "duration in sec"), ("UUID", "uuid"), ("", ""), ("in", "in")),
    ],
)
def test_spellings_become_plain_words(text: str, words: str) -> None:
    """Small letters, no accents, no signs."""
    assert plain_words(text) == words


@given(st.permutations(list(VOCABULARY)), st.integers(1, 17))
def test_each_layout_is_refused_or_reads_each_column_once(order: list[str], width: int) -> None:
    """Whatever is declared: what is compiled has distinct names and as many columns."""
    names = order[:width]
    try:
        columns = declared_columns(names)
    except SettingsError:
        return
    read = sorted(name for name in columns.names if name != UNREAD)
    assert all(first != second for first, second in pairwise(read))
    assert columns.width == width


@given(st.lists(st.text(max_size=50), max_size=8))
def test_no_header_raises(cells: list[str]) -> None:
    """Any text may stand in the first line."""
    header_columns(cells)
