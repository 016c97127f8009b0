"""The columns of ``asterisk_cel``: the sample's, declared ones, a header's, JSON, and what fits none of them."""

import json

import pytest

from appliance.cdr.asterisk_cel_layout import COLUMNS, Event
from appliance.cdr.asterisk_cel_layout import SAMPLE as SAMPLE_COLUMNS
from appliance.cdr.framing import HEAD_BYTES
from appliance.errors import SettingsError
from appliance.wire.call import Disposition
from tests.support.channel_log import parse, parser, read, refused
from tests.support.feeds.asterisk_cel import EPOCH, SAMPLE, event, event_of


@pytest.mark.parametrize(
    "columns",
    [
        ["eventtype", "-", *SAMPLE[1:]],
        [*SAMPLE, "-"],
        [*SAMPLE, "-", "--", "---"],
    ],
)
def test_known_variants_of_the_sample(columns: list[str]) -> None:
    """A literal behind the event, as in newer samples, and empty columns at the end."""
    literal = {"-": "My Literal"} if columns[1] == "-" else {}
    rows = [event_of(columns, ",", kind, at, cidnum="201", exten="202", **literal) for kind, at in SPAN]
    assert [record.called for record in read(b"".join(rows))] == ["202"]


SPAN = [("CHAN_START", 0), ("HANGUP", 9), ("CHAN_END", 9)]


@pytest.mark.parametrize(
    "names",
    [
        ["id", "eventtype", "eventtime", "cid_name", "cid_num", "exten", "uniqueid", "linkedid", "peer", "extra"],
        ["EventTime", "EventEnum", "CIDNum", "Exten", "UniqueID", "Extra"],
    ],
)
def test_a_header_names_the_columns(names: list[str]) -> None:
    """As exports of the table ``cel`` have it, and in the spelling of advanced mappings."""
    fields = [{"cidnum": "num", "cid_num": "num", "eventenum": "eventtype"}.get(n.lower(), n.lower()) for n in names]
    rows = [event_of(fields, ",", kind, at, num="201", exten="202") for kind, at in SPAN]
    head = ",".join(names).encode() + b"\n"
    assert [record.calling for record in read(head + b"".join(rows) + head)] == ["201"]
    filler = event("APP_START", 0)
    late = filler * (HEAD_BYTES // len(filler) + 1) + head + rows[0]
    assert refused(late) == ["column_count"]


def test_declared_columns_and_separator() -> None:
    """By any of their names."""
    columns = ["eventenum", "eventtime", "uniqueid", "cidnum", "exten", "-"]
    values = {"cidnum": "201", "exten": "202", "-": "Ann"}
    rows = [event_of(columns, ";", kind, at, eventenum=kind, **values) for kind, at in SPAN]
    [record] = read(b"".join(rows), columns=columns, separator=";")
    assert (record.called, record.total_seconds) == ("202", 9)


@pytest.mark.parametrize(
    ("columns", "mistake"),
    [
        (["eventtype", "eventtime"], "are needed"),
        (["eventtime", "uniqueid"], "are needed"),
        (["event"], "event is none"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(columns: list[str], mistake: str) -> None:
    """At the installation, not at the first row."""
    with pytest.raises(SettingsError, match=mistake):
        parser(columns=columns)


def test_events_in_json() -> None:
    """Names of members in any spelling; the enum goes before a name that a user gave."""
    rows = [
        {"EventType": "x" if kind == "USER_DEFINED" else kind, "eventenum": kind, "EventTime": EPOCH + at}
        | {"CIDNum": "201", "Exten": "202", "UniqueID": "1.1", "LinkedID": "1.1", "Extra": "17,,", "AMAFlags": 3}
        for kind, at in [*SPAN[:1], ("USER_DEFINED", 3), *SPAN[1:]]
    ]
    parsed = parse(b"\n".join(json.dumps(row).encode() for row in rows))
    assert [record.disposition for record in parsed.records] == [Disposition.BUSY]
    assert parsed.ignored == 3


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (event("CHAN_START", 0, eventtime="soon"), "type_signature"),
        (event("CHAN_START", 0, amaflags="Ann"), "type_signature"),
        (event("CHAN_START", 0, uniqueid=""), "type_signature"),
        (event("CHAN_START", 0, uniqueid="a b"), "type_signature"),
        (event("CHAN_START", 0, cidnum='"Ann'), "type_signature"),
        (event("CHAN_START", 0, exten='201"'), "type_signature"),
        (event_of(SAMPLE[:19], ",", "CHAN_START", 0), "column_count"),
        (event_of([*SAMPLE, "userfield"], ",", "CHAN_START", 0, userfield="x"), "type_signature"),
        (b'{"EventType":"CHAN_START"}', "type_signature"),
        (b"{", "type_signature"),
        (b'"CHAN_START', "line_torn"),
        (b"\x01", "binary"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(line: bytes, code: str) -> None:
    """Never shifted, and nothing waits for it."""
    assert refused(line) == [code]


def test_every_column_is_accounted_for() -> None:
    """What is read, and only that, is said to be read; the columns are those of the sample and of the table."""
    unread = {column for column, treatment in COLUMNS.items() if treatment.endswith("is not read")}
    assert set(COLUMNS) - unread == set(Event._fields)
    assert set(SAMPLE_COLUMNS) <= set(COLUMNS)
