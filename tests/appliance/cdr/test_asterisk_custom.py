"""The dialect ``asterisk_custom``: the sample's mapping, declared ones, raw values, JSON, and forgotten quotes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.asterisk_custom import DIALECT, VOCABULARY
from appliance.cdr.asterisk_custom import SAMPLE as SAMPLE_COLUMNS
from appliance.cdr.dialect import FeedContext, Layout, LineParser
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import CallRecord
from appliance.errors import SettingsError
from appliance.wire.call import Disposition
from tests.support.cdr_rows import NOW, frame, reason
from tests.support.export_rows import VALUES, bare, calls, doubled, enclosed, export
from tests.support.feeds.asterisk_custom import SAMPLE, feed

STARTED = datetime(2026, 10, 20, 7, tzinfo=UTC)


def parser(**layout: Any) -> LineParser:
    """A parser at the beginning of a file."""
    return DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=msgspec.convert(layout, Layout)))


def read(data: bytes, **layout: Any) -> list[CallRecord]:
    """The records of a file of which nothing is refused."""
    parsed = parser(**layout).parse(frame(data), now=NOW)
    assert parsed.refused == []
    return parsed.records


def refused(data: bytes, **layout: Any) -> list[str]:
    """The reasons of a file without records."""
    parsed = parser(**layout).parse(frame(data), now=NOW)
    assert parsed.records == []
    return [reason(item.reason) for item in parsed.refused]


def row(columns: list[str] = SAMPLE, **values: str) -> bytes:
    """One row as CSV_QUOTE writes it."""
    return export(columns, quoting=doubled, null='""', **values)


def test_the_sample_mapping_needs_no_layout() -> None:
    """19 columns, the caller id first."""
    assert list(SAMPLE_COLUMNS) == SAMPLE
    made = calls(rows=300, seed=5)
    records = read(feed(rows=300, seed=5))
    assert [(r.calling, r.called, str(r.talk_seconds)) for r in records] == [
        (call["src"], call["dst"], call["billsec"]) for call in made
    ]
    assert records[0].natural_key == f"us\0{made[0]['uniqueid']}\0{made[0]['sequence']}".encode()


@pytest.mark.parametrize(
    "times",
    [
        ("1792479600", "1792479605", "1792479665"),
        ("1792479600.000000", "1792479605.000000", "1792479665.000000"),
        ("1792479600.0", "1792479605.0", "1792479665.0"),
        ("2026-10-20T09:00:00+0200", "2026-10-20T09:00:05+0200", "2026-10-20T09:01:05+0200"),
        ("2026-10-20 07:00:00 UTC", "2026-10-20 07:00:05 UTC", "2026-10-20 07:01:05 UTC"),
        ("2026-10-20 09:00:00", "2026-10-20 09:00:05", "2026-10-20 09:01:05"),
    ],
)
def test_times_of_every_format(times: tuple[str, str, str]) -> None:
    """Local, with an offset, or epochs: the same call."""
    start, answer, end = times
    [record] = read(row(start=start, answer=answer, end=end))
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert (record.answered_at, record.ring_seconds) == (STARTED + timedelta(seconds=5), 5)


def test_what_is_finer_than_a_second_is_cut_off() -> None:
    """As in the text that Asterisk makes of the same times."""
    [record] = read(row(start="1792479600.123456", answer="1792479605.500000", end="1792479665.900000"))
    assert record.started_at == STARTED
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)


@pytest.mark.parametrize("answer", ["", "0", "0.0", "0.000000"])
def test_an_answer_of_zero_is_none(answer: str) -> None:
    """How ``answer,u`` spells that nobody did."""
    [record] = read(row(answer=answer, billsec="0", disposition="0"))
    assert (record.answered_at, record.disposition) == (None, Disposition.NO_ANSWER)


@pytest.mark.parametrize(
    ("number", "disposition"),
    [
        *(("0", Disposition.NO_ANSWER), ("1", Disposition.NO_ANSWER), ("2", Disposition.FAILED)),
        *(("4", Disposition.BUSY), ("8", Disposition.ANSWERED), ("16", Disposition.CONGESTION)),
    ],
)
def test_dispositions_may_be_numbers(number: str, disposition: Disposition) -> None:
    """Those of ``enum ast_cdr_disposition``."""
    assert read(row(disposition=number))[0].disposition is disposition


def test_fractions_of_durations_are_cut_off() -> None:
    """``duration,f`` has six digits, ``duration(double)`` one."""
    [record] = read(row(duration="65.999999", billsec="60.5"))
    assert (record.talk_seconds, record.total_seconds) == (60, 65)


def test_without_an_answer_column_the_talk_tells() -> None:
    """It was answered so long before its end; where nobody talked, nobody answered."""
    columns = ["start", "src", "dst", "end", "duration", "billsec", "disposition"]
    answered, busy = read(row(columns) + row(columns, billsec="0", disposition="BUSY"), columns=columns)
    assert (answered.answered_at, answered.ring_seconds) == (STARTED + timedelta(seconds=5), 5)
    assert (busy.answered_at, busy.ring_seconds) == (None, 65)


@pytest.mark.parametrize("separator", [";", "\t", "|", "~"])
def test_declared_columns_and_separator(separator: str) -> None:
    """In any order, with columns that are not read, and empty ones behind."""
    columns = ["dst", "-", "src", "start", "duration", "billsec", "disposition", "did"]
    data = export([*columns, "-", "-"], quoting=bare, separator=separator, dst="s", did="024445566")
    [record] = read(data, columns=columns, separator=separator)
    assert (record.calling, record.called) == ("0470112233", "024445566")


@pytest.mark.parametrize(
    ("columns", "mistake"),
    [
        (["src", "dst"], "are needed"),
        (["start", "src", "dst", "duration", "billsec", "dispo"], "dispo is none of"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(columns: list[str], mistake: str) -> None:
    """At the installation, not at the first row."""
    with pytest.raises(SettingsError, match=mistake):
        parser(columns=columns)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (export(SAMPLE, quoting=bare, clid="Maes, Ro <0470112233>", lastdata=""), "column_count"),
        (export(SAMPLE, quoting=enclosed, clid='"Maes, Ro" <0470112233>', lastdata=""), "column_count"),
        (export(SAMPLE, quoting=bare, clid='"x" <0470112233>,0470112233,024445566'), "column_count"),
        (export(SAMPLE, quoting=bare, clid='",""', lastdata=""), "line_torn"),
        (row(src='"Ann'), "type_signature"),
        (row(dst='Ann"'), "type_signature"),
        (row(duration="65,1"), "type_signature"),
        (row(duration="65.x"), "type_signature"),
        (row(duration="1e3"), "type_signature"),
        (row(billsec="-1"), "type_signature"),
        (row(disposition="32"), "type_signature"),
        (row(start="soon"), "type_signature"),
        (row(start="2026-13-20 09:00:00"), "date_invalid"),
        (row(end="2026-10-20 08:59:59"), "time_order"),
        (row(SAMPLE[:18]), "column_count"),
        (row([*SAMPLE, "userfield"], userfield="x"), "column_count"),
        (b'{"src": "0470112233"', "type_signature"),
        (b'{"src": "0470112233"}', "type_signature"),
        (b'{"duration":' + b"9" * 5000 + b"}", "type_signature"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "type_signature"),
        (b'{"a":"\x01"}', "binary"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(data: bytes, code: str) -> None:
    """Forgotten quotes most of all: what the caller writes must not become the called party."""
    assert refused(data) == [code]


def members(**values: object) -> dict[str, object]:
    """The members of one JSON record."""
    return {name: VALUES.get(name, "") for name in SAMPLE} | values


def test_json_records_read_as_rows_do() -> None:
    """Numbers may be numbers, names of members of any case, and literals among them."""
    one = members(duration=65, billsec=60.5, sequence=7, My="Literal")
    two = {name.upper(): value for name, value in members(start=1792479600, disposition=8).items()}
    records = read(b"\n".join(json.dumps(item).encode() for item in (one, two)) + b"\n" + row())
    assert records[0].natural_key == records[2].natural_key
    for record in records:
        assert (record.calling, record.called, record.talk_seconds) == ("0470112233", "201", 60)


def test_names_in_json_may_be_of_any_encoding() -> None:
    """And other values hold no characters that a key could not be made of."""
    text = json.dumps(members(clid="NAME", uniqueid="1792479600.1\u20ac"), ensure_ascii=True).encode()
    [record] = read(text.replace(b"NAME", b"Zo\xeb"))
    assert record.natural_key.startswith(b"us\x001792479600.1?")


@pytest.mark.parametrize("missing", ["src", "dst", "duration", "billsec", "disposition", "start"])
def test_a_json_record_without_what_is_needed_is_refused(missing: str) -> None:
    """A party that is missing is not one that was withheld."""
    made = members()
    del made[missing]
    assert refused(json.dumps(made).encode()) == ["type_signature"]


@given(
    st.dictionaries(st.sampled_from(sorted(VOCABULARY)), st.recursive(st.text() | st.integers() | st.none(), st.lists))
)
def test_any_json_gives_one_outcome(content: dict[str, Any]) -> None:
    """Never an exception; what is a record can be encoded."""
    data = json.dumps(members() | content).encode()
    parsed = parser().parse(frame(data), now=NOW)
    assert len(parsed.records) + len(parsed.refused) == 1


def test_epochs_tell_nothing_of_the_zone() -> None:
    """They are right in every zone; only local times are compared with the ids."""
    one = parser()
    assert isinstance(one, ReaderParser)
    assert one.zone_check is not None
    one.parse(frame(row(start="1792479600") * 9 + row(start="2026-10-20T09:00:00+0200") * 9), now=NOW)
    assert one.zone_check.samples == ()
    one.parse(frame(row() * 9), now=NOW)
    assert one.zone_check.finding().fits is True
