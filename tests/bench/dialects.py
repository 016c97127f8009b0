"""Each dialect: frame, parse, normalise, pseudonymise, encode; against a bare reader over the same bytes."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from appliance.cdr.dialects import DIALECTS
from appliance.cdr.documents import json_framer, xml_framer
from appliance.wire.codec import encode_lines
from tests.bench.figure import Figure, rates
from tests.support import vectors
from tests.support.feeds import feed_of, setup_of

ROWS = 20_000
DOCUMENTS = 2_000
CHUNK_BYTES = 1024 * 1024
Job = Callable[[], object]


def bench_dialects(only: str | None = None) -> Iterator[Figure]:
    """``dialect.NAME``, for each or for the one asked for."""
    for name in DIALECTS:
        if only in (None, f"dialect.{name}"):
            yield _figure(name)


def _figure(name: str) -> Figure:
    is_document = DIALECTS[name].framer in (json_framer, xml_framer)
    data = feed_of(name, rows=DOCUMENTS if is_document else ROWS, seed=1)
    setup = setup_of(name)
    count = 0

    def whole() -> None:
        nonlocal count
        framer = DIALECTS[name].framer(0)
        one = vectors.translator(name, setup)
        calls = 0
        for start in range(0, len(data), CHUNK_BYTES):
            made = one.translate(framer.feed(data[start : start + CHUNK_BYTES]), now=datetime.now(UTC)).calls
            encode_lines(made)
            calls += len(made)
        count = calls + len(one.finish().calls)

    limit_name, bare = _bare(name, data)
    whole()
    value, limit = rates(count, whole, bare)
    return Figure(f"dialect.{name}", value, "records/s", limit_name, limit)


def _bare(name: str, data: bytes) -> tuple[str, Job]:
    """What any program must do that reads the format at all."""
    framer = DIALECTS[name].framer
    if framer in (json_framer, xml_framer):
        texts = [line.content for line in vectors.frames(name, data)]
        if framer is json_framer:
            return "json.loads alone", lambda: [json.loads(text) for text in texts]
        return "ElementTree alone", lambda: [ET.fromstring(text) for text in texts]  # noqa: S314 - own bytes
    separator = setup_of(name).get("layout", {}).get("separator", ",")

    def read() -> None:
        for _ in csv.reader(io.TextIOWrapper(io.BytesIO(data), "latin-1", newline=""), delimiter=separator):
            pass

    return "csv.reader alone", read
