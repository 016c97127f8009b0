"""Laws of the dialect: any bytes, any cut, any restart; and every row of the real samples."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.cdr.framing import HEAD_BYTES, REWIND_BYTES, LineFramer
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord, Line, QuarantineReason
from tests.support.cdr_generator import BROKEN_LINES, generate
from tests.support.cdr_rows import NOW, encoder, frame, freepbx, master, outcomes, parse, parser, reason

SAMPLES = Path(__file__).parents[4] / "shared" / "cdr-samples"
HEADER = b"calldate,clid,src,dst,dcontext,duration,billsec,disposition,uniqueid\n"
ROWS = (
    master(),
    master(sequence="7"),
    master(sequence="8"),
    master(uniqueid=""),
    master(start="2026-10-25 02:30:00", answer="", end="2026-10-25 02:30:09"),
    freepbx(calldate="1/9/2017 16:33:01", uniqueid="1504276381.774"),
    freepbx(linkedid="0"),
    b'2026-10-20 09:00:00,"x" <115>,115,116,from-internal,9,8,ANSWERED,1792479600.1\n',
    HEADER,
    b"\n",
    b"\r\n",
    *(line + b"\n" for line in BROKEN_LINES),
)
FILES = st.lists(st.sampled_from(ROWS), max_size=30).map(b"".join)


def window(lines: Sequence[Line], start: int) -> list[Line]:
    """What a source shows a parser that starts at ``start``: the head of the file and the window before."""
    return [line for line in lines if line.offset < HEAD_BYTES or line.offset >= start - REWIND_BYTES]


def resumed(lines: Sequence[Line], cut: int) -> list[Outcome]:
    """Parse up to ``cut``, then with a new parser from there."""
    before, after = lines[:cut], lines[cut:]
    found = outcomes(parser(), before)
    second = parser()
    if after:
        second.rewind(window(before, after[0].offset))
    return found + outcomes(second, after)


@given(FILES, st.integers(0, 30))
def test_a_restart_at_any_line_gives_the_same_outcomes(data: bytes, cut: int) -> None:
    """A header, occurrence and leg numbers come out as if the file had been read in one go."""
    lines = frame(data)
    assert resumed(lines, cut) == outcomes(parser(), lines)


@pytest.mark.parametrize("cut", [1, 150, 333, 600, 1000])
def test_a_restart_in_a_file_longer_than_the_window(cut: int) -> None:
    """Only the head and the last 64 KiB are shown, and suffice."""
    lines = frame(HEADER + (master() + master(sequence="9")) * 600)
    assert lines[-1].offset > 3 * REWIND_BYTES
    assert resumed(lines, cut) == outcomes(parser(), lines)


@given(FILES, st.lists(st.integers(0, 4000), max_size=5))
def test_chunks_change_nothing(data: bytes, cuts: list[int]) -> None:
    """However the bytes and the lines arrive, the outcomes are the same."""
    framer, one = LineFramer(), parser()
    records, refused, ignored = list[CallRecord](), list[str](), 0
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in zip(edges, edges[1:], strict=False):  # noqa: RUF007 - overlapping pairs read best so
        parsed = one.parse(framer.feed(data[start:end]), now=NOW)
        records += parsed.records
        refused += [item.reason for item in parsed.refused]
        ignored += parsed.ignored
    alone = parse(data)
    assert records == [outcome for outcome in alone if isinstance(outcome, CallRecord)]
    assert refused == [outcome for outcome in alone if isinstance(outcome, QuarantineReason)]
    assert ignored == alone.count(None)


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(ROWS), st.just(b'"'), st.just(b",")), max_size=12))
def test_any_bytes_give_one_typed_outcome_a_line(pieces: list[bytes]) -> None:
    """Never an exception; and what is a record can be encoded."""
    data = b"".join(pieces)
    encode = encoder()
    for outcome in parse(data):
        assert isinstance(outcome, CallRecord | QuarantineReason | None)
        if isinstance(outcome, CallRecord):
            encode.to_calls([outcome])[0]


@settings(max_examples=200)
@given(st.sampled_from(ROWS), st.integers(0, 300), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_row_is_a_record_or_refused(line: bytes, place: int, replacement: bytes, removed: int) -> None:
    """Bytes put in, taken out or changed in a good row: an outcome a line, never an exception."""
    damaged = line[:place] + replacement + line[place + removed :]
    assert len(parse(damaged)) == len(frame(damaged))


def test_the_demo_file_gives_what_its_generator_promises() -> None:
    """All rows are records but the broken lines, each with its own reason."""
    data = generate()
    outcomes = parse(data)
    counts = Counter(reason(outcome) for outcome in outcomes)
    assert counts == {
        "record": len(frame(data)) - len(BROKEN_LINES),
        "column_count": 2,
        "line_torn": 1,
        "date_invalid": 1,
        "binary": 1,
    }
    keys = [outcome.natural_key for outcome in outcomes if isinstance(outcome, CallRecord)]
    assert len(set(keys)) == len(keys)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real samples are not part of the project")
def test_real_times_agree_with_the_epoch_in_the_id() -> None:
    """Of a real site in western Europe's summer: each start is within a minute of its channel's creation."""
    outcomes = parse((SAMPLES / "freepbx_asteriskcdrdb_export_25col.csv").read_bytes(), zone="Europe/Lisbon")
    for outcome in outcomes:
        assert isinstance(outcome, CallRecord)
        epoch = int(outcome.call_key.partition(b"\0")[2].partition(b".")[0])
        assert abs(outcome.started_at.timestamp() - epoch) < 60
