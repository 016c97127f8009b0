"""Laws of every dialect, over its vectors, its generated feed, and damage done to them.

Each line is a record, refused, ignored, or held until the end; no bytes raise; the receiver's strict decoder takes
every record; nothing of the input leaves but what policy allows.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.cdr.dialects import DIALECTS
from appliance.intake import Translation
from appliance.wire import codec
from appliance.wire.batch import Batch, KeyProtection
from appliance.wire.call import Call, Category, Direction, Disposition, Party
from tests.support import leaks, samples, vectors
from tests.support.feeds import feed_of, setup_of

NAMES = sorted(DIALECTS)
VOCABULARY = leaks.words(
    " ".join(
        [
            *Call.__struct_fields__,
            *Category,
            *Direction,
            *Disposition,
            *NAMES,
            *Party.__struct_fields__,
            "type null main",
        ]
    ).encode()
)
"""The words that the wire itself is made of."""


def translated(dialect: str, data: bytes, setup: dict[str, Any]) -> list[Translation]:
    """A whole feed, and what was held to its end; every line must be accounted for."""
    lines = vectors.frames(dialect, data)
    parts = vectors.translations(vectors.translator(dialect, setup), lines, setup)
    assert sum(len(part.calls) + len(part.quarantined) + part.ignored for part in parts) == len(lines)
    return parts


def checked(dialect: str, data: bytes, setup: dict[str, Any]) -> list[Call]:
    """The records of a feed, which the receiver would take, and which hold nothing of the feed."""
    calls = [call for part in translated(dialect, data, setup) for call in part.calls]
    if calls:
        batch = Batch(1, 1, KeyProtection.FILE, calls[:10_000])
        assert codec.decode_batch(codec.encode_batch(batch)) == batch
    shown = codec.encode_lines(calls)
    assert not leaks.digit_runs(shown) & leaks.digit_runs(data)
    assert not leaks.words(_without_tokens(calls)) - VOCABULARY
    return calls


def _without_tokens(calls: list[Call]) -> bytes:
    """What leaves, without the pseudonyms and ids, which are letters by chance."""
    shown = json.loads(b"[" + b",".join(codec.encode_call(call) for call in calls) + b"]")
    for record in shown:
        record["event_id"] = record["call_id"] = ""
        for party in (record["calling"], record["called"], record["forwarded_to"] or {}):
            party["pseudonym"] = ""
    return json.dumps(shown).encode()


@pytest.mark.parametrize("dialect", NAMES)
def test_all_rows_of_the_generated_feed_are_records(dialect: str) -> None:
    """The feed that benchmarks and fuzzing start from is a real one: no refusal, and an id for each record."""
    parts = translated(dialect, feed_of(dialect, rows=200, seed=3), setup_of(dialect))
    refused = [item.reason for part in parts for item in part.quarantined]
    calls = [call for part in parts for call in part.calls]
    if dialect != "asterisk_csv":  # whose feed holds broken lines on purpose
        assert refused == []
    assert len({call.event_id for call in calls}) == len(calls) >= 40


@pytest.mark.parametrize("dialect", NAMES)
def test_the_generated_feed_leaks_nothing(dialect: str) -> None:
    """No five digits, no word that is not the wire's own."""
    assert checked(dialect, feed_of(dialect, rows=100, seed=4), setup_of(dialect))


@pytest.mark.parametrize("vector", vectors.vectors(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_vector_leaks_nothing(vector: Path) -> None:
    """The hard cases least of all."""
    checked(vector.parent.name, vector.read_bytes(), json.loads(vector.with_suffix(".json").read_text("utf-8")))


@pytest.mark.skipif(not samples.SAMPLES.is_dir(), reason="the real samples are not part of the project")
@pytest.mark.parametrize(("dialect", "name", "table"), samples.expected(), ids=lambda item: str(item)[:50])
def test_a_real_sample_leaks_nothing(dialect: str, name: str, table: dict[str, Any]) -> None:
    """Nor do the calls of real people."""
    checked(dialect, (samples.SAMPLES / name).read_bytes(), table)


@pytest.mark.parametrize("dialect", NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_damage_gives_records_or_typed_refusals(dialect: str, data: st.DataObject) -> None:
    """Bytes put in, taken out, doubled or cut in a good feed: no exception, every line counted, nothing leaked."""
    feed = data.draw(st.sampled_from(_bases(dialect)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(feed)))
        piece = data.draw(st.one_of(st.binary(max_size=4), st.sampled_from(SPOILERS)))
        feed = feed[:place] + piece + feed[place + data.draw(st.integers(0, 12)) :]
    checked(dialect, feed, setup_of(dialect))


SPOILERS = [
    b",",
    b";",
    b"|",
    b'"',
    b"'",
    b"\n",
    b"\r",
    b"\0",
    b"\x1b[2J",
    b"\\",
    b"<",
    b">",
    b"{",
    b"}",
    b"=HYPERLINK(1)",
]
_KNOWN: dict[str, list[bytes]] = {}


def _bases(dialect: str) -> list[bytes]:
    if dialect not in _KNOWN:
        texts = [path.read_bytes() for path in vectors.vectors() if path.parent.name == dialect]
        _KNOWN[dialect] = [text[:3000] for text in texts] + [feed_of(dialect, rows=3, seed=5)]
    return _KNOWN[dialect]


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize(
    "flood",
    [
        b"x" * 2_000_000,
        b'"' * 300_000,
        b"," * 300_000,
        b"|" * 300_000,
        b"\0" * 300_000,
        b"{" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><cdr>" + b"&b;" * 50_000 + b"</cdr>",
        b"<cdr>" * 30_000,
        b"9" * 200_000,
        b" " * 200_000,
        b'"a,' * 60_000,
        b"\x02" * 100_000,
        b"key=value;" * 20_000,
        b"a: b\r\n" * 30_000,
    ],
    ids=lambda flood: repr(flood[:12]),
)
def test_a_flood_costs_no_more_than_its_length(dialect: str, flood: bytes) -> None:
    """Megabytes without a line end, brackets and entities without an end: refused, and the test does not time out."""
    assert checked(dialect, flood, setup_of(dialect)) == []
