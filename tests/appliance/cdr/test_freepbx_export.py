"""The dialect ``freepbx_export``: separators, quoting of every kind, declared columns, names that imitate columns."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, Layout
from appliance.cdr.framing import HEAD_BYTES
from appliance.cdr.freepbx_export import DIALECT
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import CallRecord
from appliance.errors import SettingsError
from tests.support.cdr_rows import NOW, frame, reason
from tests.support.export_rows import (
    BILLING,
    COLUMNS,
    QUOTINGS,
    Quoting,
    bare,
    calls,
    doubled,
    enclosed,
    export,
    header,
)

SEPARATORS = [",", ";", "\t", "|"]


def parser(**layout: Any) -> ReaderParser[list[str]]:
    """A parser at the beginning of a file."""
    made = DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=msgspec.convert(layout, Layout)))
    assert isinstance(made, ReaderParser)
    return made


def read(data: bytes, **layout: Any) -> list[CallRecord]:
    """The records of a file of which nothing is refused."""
    parsed = parser(**layout).parse(frame(data), now=NOW)
    assert parsed.refused == []
    return parsed.records


def refused(data: bytes, **layout: Any) -> list[str]:
    """The reasons of a file."""
    return [reason(item.reason) for item in parser(**layout).parse(frame(data), now=NOW).refused]


@pytest.mark.parametrize("null", ["", "NULL", "\\N"])
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("quoting", QUOTINGS.values(), ids=QUOTINGS)
@pytest.mark.parametrize("columns", [COLUMNS, BILLING], ids=["freepbx", "billing"])
def test_a_thousand_calls_however_they_are_written(
    columns: list[str], quoting: Quoting, separator: str, null: str
) -> None:
    """Names with commas and quotes, enclosed but not doubled, escaped or bare: each call with its own parties."""
    made = calls(rows=1000, seed=26)
    rows = b"".join(export(columns, quoting=quoting, separator=separator, null=null, **call) for call in made)
    records = read(header(columns, separator) + rows)
    assert [(record.calling, record.called, str(record.total_seconds)) for record in records] == [
        (call["src"], call["dst"], call["duration"]) for call in made
    ]
    assert len({record.natural_key for record in records}) == 1000


@pytest.mark.parametrize("width", range(16, 29))
def test_tables_of_every_release(width: int) -> None:
    """16 to 28 columns without a header, and up to three empty ones more."""
    names = [*COLUMNS, "-", "--"][:width]
    for spare in range(4):
        [record] = read(export([*names, *["---"] * spare]))
        assert (record.calling, record.called, record.total_seconds) == ("0470112233", "201", 65)


def test_line_ends_of_old_macs() -> None:
    """A lone CR ends a line as well."""
    assert len(read((header(COLUMNS) + export(COLUMNS) + export(COLUMNS, sequence="8")).replace(b"\n", b"\r"))) == 2


@pytest.mark.parametrize(
    "calldate",
    ["20/10/2026 9:00", "2026-10-20 09:00", "20.10.2026 09:00:00", "10/20/2026 9:00:00 AM", "2026/10/20 9:00"],
)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_the_separator_follows_the_date(calldate: str, separator: str) -> None:
    """However the date is written, and without a header."""
    for quoting in (doubled, bare):
        [record] = read(export(COLUMNS, quoting=quoting, separator=separator, calldate=calldate, lastdata=""))
        assert record.started_at.isoformat() == "2026-10-20T07:00:00+00:00"


def test_files_of_two_tools_one_after_the_other() -> None:
    """Each line shows its own separator."""
    data = export(COLUMNS) + export(COLUMNS, separator=";", sequence="8") + export(COLUMNS, sequence="9")
    assert len(read(data)) == 3


def test_a_header_counts_in_the_head_of_the_file_only() -> None:
    """What a restart would not see must not change how rows are read."""
    row = export(COLUMNS)
    late = row * (HEAD_BYTES // len(row) + 1) + header(BILLING, ";") + export(BILLING, separator=";")
    assert refused(late) == ["column_count"]


def test_headers_of_other_tools() -> None:
    """Names with blanks, capitals and other words for the same."""
    names = b'"Start Time";"Caller ID";Source;Destination;Duration;"Billable Seconds";Disposition;UniqueID\n'
    [record] = read(names + b"2026-10-20 09:00:00;x;0470112233;201;65;60;ANSWERED;1792479600.1\n")
    assert (record.calling, record.called, record.ring_seconds) == ("0470112233", "201", 5)


def test_blank_lines_of_any_separator_are_ignored() -> None:
    """A spreadsheet keeps the separators."""
    data = b'\n,,,,\n;;;;\n\t\t\n"";""\n'
    parsed = parser().parse(frame(data), now=NOW)
    assert (parsed.records, parsed.refused, parsed.ignored) == ([], [], 5)


def test_a_sequence_without_a_linkedid_counts_where_columns_have_names() -> None:
    """In a table of unknown release it may be another column."""
    row = export(COLUMNS, linkedid="")
    assert read(header(COLUMNS) + row)[0].natural_key == b"us\x001792479600.1\x007"
    assert read(row)[0].natural_key.startswith(b"line\0")


def test_declared_columns_and_separator() -> None:
    """A table of its own, without a header."""
    layout = {"columns": ["dst", "-", "src", "calldate", "billsec", "duration", "disposition"], "separator": "#"}
    data = b"201#Ann#0470112233#2026-10-20 09:00:00#60#65#ANSWERED\n"
    [record] = read(data, **layout)
    assert (record.calling, record.called, record.talk_seconds) == ("0470112233", "201", 60)
    assert refused(data.replace(b"#Ann", b"#Maes#Ann"), **layout) == ["column_count"]
    assert refused(data.replace(b"#60", b"#sixty"), **layout) == ["type_signature"]


def test_declared_columns_must_suffice() -> None:
    """A record needs a time, parties, durations and how it ended."""
    with pytest.raises(SettingsError, match="calldate"):
        parser(columns=["src", "dst"])


@pytest.mark.parametrize(
    ("quoting", "clid"),
    [
        (bare, '"x" <0470112233>,0470112233,024445566,"y" <0470112233>'),
        (bare, '"x" <0470112233>,0470112233,024445566," <0470112233>'),
        (enclosed, '"x" <0470112233>",0470112233,024445566," <0470112233>'),
        (enclosed, '"x" <0470112233>",0470112233,"," <0470112233>'),
    ],
)
def test_a_name_that_imitates_columns_is_refused_or_seen_through(quoting: Quoting, clid: str) -> None:
    """The caller chooses the name; the called party must not be one that he wrote."""
    parsed = parser().parse(frame(export(COLUMNS, quoting=quoting, clid=clid)), now=NOW)
    assert [record.called for record in parsed.records] in ([], ["201"])


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (export(COLUMNS, quoting=enclosed, clid='"Maes, Ro" <0470112299>'), "type_signature"),
        (export(COLUMNS, quoting=enclosed, clid='"Maes, Ro" 0470112233'), "type_signature"),
        (export(COLUMNS, quoting=bare, src="Maes, Ro"), "column_count"),
        (export(COLUMNS, quoting=bare, lastdata="a" + "," * 13), "column_count"),
        (export(COLUMNS[:15]), "column_count"),
        (export(COLUMNS, duration="1:05"), "type_signature"),
        (export(COLUMNS, disposition="maybe"), "type_signature"),
        (export(COLUMNS, calldate="soon"), "type_signature"),
        (export(COLUMNS, calldate="soon", quoting=bare, clid='"Maes, Ro" <0470112233>'), "type_signature"),
        (export(COLUMNS, calldate="1/9/2026 09:00:00", uniqueid="", linkedid=""), "date_ambiguous"),
        (b'"2026-10-20 09:00:00","Ann <0470112233>,0470112233,201\n', "line_torn"),
        (b"\x01\n", "binary"),
        (b"Date;Source\n", "column_count"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(row: bytes, code: str) -> None:
    """Never shifted."""
    assert refused(row) == [code]


def test_a_surplus_needs_a_column_that_may_hold_it() -> None:
    """A table without caller id and application has none."""
    names = header(["src", "dst", "calldate", "billsec", "duration", "disposition"])
    assert refused(names + b"0470112233,201,202,2026-10-20 09:00:00,60,65,ANSWERED\n") == ["column_count"]


def test_a_name_before_and_after_the_disposition() -> None:
    """Where texts stand on both sides of it, both may hold the comma."""
    names = ["calldate", "lastdata", "disposition", "clid", "src", "dst", "duration", "billsec"]
    row = export(names, quoting=bare, clid='"Maes, Ro" <0470112233>', lastdata="PJSIP/201,30")
    assert [record.called for record in read(header(names) + row)] == ["201"]


TEXT = st.text(st.sampled_from('aB ,;"<>\\\t|0'), max_size=14)


@settings(max_examples=300)
@given(TEXT, TEXT, st.sampled_from(sorted(QUOTINGS)), st.sampled_from(SEPARATORS), st.sampled_from([COLUMNS, BILLING]))
def test_no_text_moves_a_column(name: str, data: str, quoting: str, separator: str, columns: list[str]) -> None:
    """Whatever a caller is called and an application is given: the right parties, or a refusal."""
    row = export(columns, quoting=QUOTINGS[quoting], separator=separator, clid=f'"{name}" <0470112233>', lastdata=data)
    for record in parser().parse(frame(header(columns, separator) + row), now=NOW).records:
        assert (record.calling, record.called, record.total_seconds) == ("0470112233", "201", 65)
        assert record.natural_key == b"us\x001792479600.1\x007"


def test_the_ids_tell_that_the_zone_is_wrong() -> None:
    """The parser shows the check that the preview asks."""
    made = calls(rows=100, seed=1)
    one = parser()
    one.parse(
        frame(b"".join(export(COLUMNS, quoting=doubled, separator=",", null="", **call) for call in made)), now=NOW
    )
    assert one.zone_check is not None
    assert one.zone_check.finding().fits is True
    assert len(one.zone_check.samples) == 64
