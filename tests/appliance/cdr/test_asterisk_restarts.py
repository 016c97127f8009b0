"""Laws of the dialects that share Asterisk's records: restarts, rotation, columns that come and go, one key a call."""

import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext, Layout, LineParser
from appliance.cdr.dialects import find_dialect
from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES, LineFramer
from appliance.cdr.record import CallRecord, Line, Parsed
from tests.support.cdr_rows import NOW, master
from tests.support.export_rows import BILLING, COLUMNS, VALUES, bare, doubled, enclosed, export, header
from tests.support.feeds.asterisk_ami import cdr, message
from tests.support.feeds.asterisk_cel import event
from tests.support.feeds.asterisk_custom import SAMPLE

CALL = {name: VALUES.get(name, "") for name in (*SAMPLE, "dcontext")}
ROWS = {
    "freepbx_export": [
        header(BILLING, ";"),
        header(COLUMNS),
        export(COLUMNS),
        export(COLUMNS, sequence="8", uniqueid=""),
        export(COLUMNS, linkedid="", sequence=""),
        export(BILLING, separator=";", quoting=enclosed, clid='"Maes; Ro" <0470112233>'),
        export(COLUMNS, quoting=bare, clid='"Maes, Ro" <0470112233>'),
        b'"open\n',
        b"\n",
    ],
    "asterisk_custom": [
        export(SAMPLE, null='""'),
        export(SAMPLE, null='""', sequence=""),
        export(SAMPLE, null='""', start="1792479600.5", sequence="9"),
        json.dumps(CALL).encode() + b"\n",
        b"{\n",
        b"a,b\n",
    ],
    "asterisk_ami": [
        b"Asterisk Call Manager/7.0.3\r\n",
        cdr(CALL),
        cdr(CALL | {"uniqueid": ""}),
        message("Event: Hangup"),
        message("Event: Cdr"),
        b"x\r\n\r\n",
    ],
}


def parser(dialect: str, **layout: Any) -> LineParser:
    """A parser at the beginning of a file."""
    return find_dialect(dialect).open(
        FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=msgspec.convert(layout, Layout))
    )


def frame(dialect: str, data: bytes) -> list[Line]:
    """All lines or documents of a finished feed."""
    framer = find_dialect(dialect).framer(0)
    lines = framer.feed(data)
    last = framer.finish()
    return [*lines, last] if last else lines


def shown(lines: Sequence[Line], start: int) -> list[Line]:
    """What a source shows a parser that starts at ``start``."""
    return [line for line in lines if line.offset < HEAD_BYTES or line.offset >= start - REWIND_BYTES]


def spelled(*parts: Parsed) -> tuple[list[CallRecord], list[tuple[int, str]], int]:
    """All that lines gave."""
    return (
        [record for part in parts for record in part.records],
        [(item.line.offset, item.reason.value) for part in parts for item in part.refused],
        sum(part.ignored for part in parts),
    )


@pytest.mark.parametrize("dialect", ROWS)
@given(data=st.data())
def test_a_restart_at_any_line_gives_the_same(dialect: str, data: st.DataObject) -> None:
    """Headers, separators, occurrences and legs come out as if the feed had been read in one go."""
    pieces = data.draw(st.lists(st.sampled_from(ROWS[dialect]), max_size=25))
    lines = frame(dialect, b"".join(pieces))
    cut = data.draw(st.integers(0, len(lines)))
    first, second = parser(dialect), parser(dialect)
    before = first.parse(lines[:cut], now=NOW)
    if lines[cut:]:
        second.rewind(shown(lines[:cut], lines[cut].offset))
    assert spelled(before, second.parse(lines[cut:], now=NOW)) == spelled(parser(dialect).parse(lines, now=NOW))


@pytest.mark.parametrize("cut", [1, 20, 150, 400])
def test_a_restart_in_an_export_longer_than_the_window(cut: int) -> None:
    """The header's separator and columns stand in the head, which is always shown."""
    row = export(BILLING, separator=";", quoting=enclosed, clid='"Maes; Ro" <0470112233>', sequence="")
    lines = frame("freepbx_export", header(BILLING, ";") + row * 700)
    assert lines[-1].offset > 2 * REWIND_BYTES
    first, second = parser("freepbx_export"), parser("freepbx_export")
    before = first.parse(lines[:cut], now=NOW)
    second.rewind(shown(lines[:cut], lines[cut].offset))
    assert spelled(before, second.parse(lines[cut:], now=NOW)) == spelled(
        parser("freepbx_export").parse(lines, now=NOW)
    )


@pytest.mark.parametrize("place", range(len(SAMPLE)))
def test_a_column_more_or_less_is_refused(place: int) -> None:
    """Wherever it came or went: a name must not slide into an allowed column."""
    for columns in ([*SAMPLE[:place], *SAMPLE[place + 1 :]], [*SAMPLE[:place], "new", *SAMPLE[place:]]):
        row = export(columns, quoting=doubled, null='""', new="Ann Maes")
        parsed = parser("asterisk_custom").parse(frame("asterisk_custom", row), now=NOW)
        assert (parsed.records, [item.reason.value for item in parsed.refused]) == ([], ["column_count"])


@given(st.permutations(SAMPLE))
def test_columns_in_another_order_are_refused_or_harmless(columns: list[str]) -> None:
    """A mapping that was changed without the layout: no text column can pass as a time, a duration or an outcome."""
    row = export(columns, quoting=doubled, null='""', clid="Ann Maes", answer="2026-10-20 09:00:05")
    for record in parser("asterisk_custom").parse(frame("asterisk_custom", row), now=NOW).records:
        typed = {"start", "duration", "billsec", "disposition"}
        assert all(columns[SAMPLE.index(name)] in typed | {"answer", "end", "amaflags", "sequence"} for name in typed)
        assert record.total_seconds in {65, 60, 3, 7}


def test_one_call_has_one_key_whatever_carries_it() -> None:
    """Asterisk's own: uniqueid and sequence, and the linked id for the call."""
    ids = {"linkedid": "1792479600.1", "sequence": "7"}
    columns = [*SAMPLE, "linkedid"]
    feeds = {
        "asterisk_csv": (master(**ids), {}),
        "freepbx_export": (export(COLUMNS, linkedid="1792479600.1", sequence="7"), {}),
        "asterisk_custom": (export(columns, null='""', linkedid="1792479600.1"), {"columns": columns}),
        "asterisk_ami": (cdr(CALL | ids), {}),
    }
    keys = set()
    for dialect, (data, layout) in feeds.items():
        [record] = parser(dialect, **layout).parse(frame(dialect, data), now=NOW).records
        keys.add((record.natural_key, record.call_key, record.calling, record.called, record.started_at))
    assert len(keys) == 1


def test_a_call_goes_on_in_the_next_file_of_events() -> None:
    """The log was rotated between the answer and the hangup: what was held goes to the new file's parser."""
    first, second = parser("asterisk_cel"), parser("asterisk_cel")
    opened = event("CHAN_START", 0, cidnum="0470112233", exten="201") + event("ANSWER", 5)
    assert first.parse(frame("asterisk_cel", opened), now=NOW).records == []
    second.rewind((), held=first.held())
    closed = event("HANGUP", 65) + event("CHAN_END", 65)
    parsed = second.parse(frame("asterisk_cel", closed), now=NOW)
    [record] = parsed.records
    assert (record.called, record.ring_seconds, record.talk_seconds) == ("201", 5, 60)
    assert (parsed.refused, list(second.held())) == ([], [])


@given(st.lists(st.integers(0, 3000), max_size=6))
def test_chunks_change_nothing(cuts: list[int]) -> None:
    """However the bytes of an export arrive."""
    data = b"".join(ROWS["freepbx_export"] * 2)
    framer, one = LineFramer(), parser("freepbx_export")
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    parts = [
        one.parse(framer.feed(data[start:end]), now=NOW)
        for start, end in zip(edges, edges[1:], strict=False)  # noqa: RUF007 - overlapping pairs read best so
    ]
    assert spelled(*parts) == spelled(parser("freepbx_export").parse(frame("freepbx_export", data), now=NOW))
