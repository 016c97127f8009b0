"""The dialect ``asterisk_ami``: events among others, keys in any order, twice or missing, and forged ones."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.asterisk_ami import DIALECT
from appliance.cdr.dialect import FeedContext
from appliance.cdr.documents import MAX_DOCUMENT_BYTES
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import CallRecord, Line, Parsed
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, reason
from tests.support.export_rows import VALUES, calls
from tests.support.feeds.asterisk_ami import KEYS, cdr, feed, message

STARTED = datetime(2026, 10, 20, 7, tzinfo=UTC)
CALL = {name: VALUES.get(name, "") for name in KEYS.values()}


def parser() -> ReaderParser[bytes]:
    """A parser at the beginning of a stream."""
    made = DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels")))
    assert isinstance(made, ReaderParser)
    return made


def frame(data: bytes) -> list[Line]:
    """All paragraphs of a stream that ended."""
    framer = DIALECT.framer(0)
    blocks = framer.feed(data)
    last = framer.finish()
    return [*blocks, last] if last else blocks


def parse(data: bytes) -> Parsed:
    """What a stream gives."""
    return parser().parse(frame(data), now=NOW)


def only_record(data: bytes) -> CallRecord:
    """The record of a stream with one CDR."""
    parsed = parse(data)
    assert parsed.refused == []
    [record] = parsed.records
    return record


def test_an_event_gives_the_call() -> None:
    """All times, durations and parties."""
    record = only_record(cdr(CALL))
    assert (record.calling, record.called, record.forwarded_to) == ("0470112233", "201", "")
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert record.answered_at == STARTED + timedelta(seconds=5)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.disposition, record.direction) == (Disposition.ANSWERED, Direction.UNKNOWN)
    assert record.call_key == b"call\x001792479600.1"


def test_everything_else_is_no_record() -> None:
    """The banner, alone or before a block, responses, actions and other events."""
    banner = b"Asterisk Call Manager/7.0.3\r\n"
    others = [
        *(
            message("Response: Success"),
            message("Event: Hangup", "Channel: x"),
            message("Event: CEL", "EventName: DTMF"),
        ),
        *(message("Event: CdrX"), message("ActionID: 1", "response: Goodbye"), message("Action: Ping")),
    ]
    parsed = parse(banner + message("Response: Success") + b"".join(others) + banner)
    assert (parsed.records, parsed.refused, parsed.ignored) == ([], [], 8)
    assert only_record(banner + cdr(CALL)).called == "201"


def test_a_busy_stream() -> None:
    """Each call with its own parties."""
    made = calls(rows=200, seed=7)
    parsed = parse(feed(rows=200, seed=7))
    assert parsed.refused == []
    assert [(record.calling, record.called) for record in parsed.records] == [(one["src"], one["dst"]) for one in made]
    assert parsed.ignored == 201


@given(st.permutations(cdr(CALL).strip().split(b"\r\n")), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_keys_come_in_any_order_and_case(lines: list[bytes], end: bytes, lower: bool) -> None:  # noqa: FBT001 - drawn
    """The event is the same; so is a CDR whose ``Event`` does not come first."""
    changed = [line.partition(b":")[0].lower() + b":" + line.partition(b":")[2] if lower else line for line in lines]
    record = only_record(end.join(changed) + end * 2)
    assert (record.calling, record.called, record.talk_seconds) == ("0470112233", "201", 60)


def test_mapped_variables_are_read() -> None:
    """cdr_manager.conf can add the linked id, the sequence, the DID and FreePBX' number."""
    record = only_record(cdr(CALL | {"linkedid": "1792479600.5", "sequence": "7", "did": "024445566", "dst": "s"}))
    assert (record.natural_key, record.call_key) == (b"us\x001792479600.1\x007", b"call\x001792479600.5")
    assert (record.called, record.direction) == ("024445566", Direction.INBOUND)
    assert only_record(cdr(CALL | {"cnum": "203", "src": ""})).calling == "203"


def test_equal_events_without_a_sequence_are_two_records() -> None:
    """The interface repeats nothing."""
    keys = [record.natural_key for record in parse(cdr(CALL) * 2).records]
    assert len(set(keys)) == 2


def test_a_withheld_caller_is_told_by_the_caller_id() -> None:
    """The only thing that is looked at in it."""
    assert only_record(cdr(CALL | {"src": "", "clid": '"Anonymous" <>'})).calling == "anonymous"


@pytest.mark.parametrize("again", ["Destination: 201", 'CallerID: "Bart" <0470112233>', "LastData: x"])
def test_a_key_may_come_twice(again: str) -> None:
    """With the same value, or where nothing depends on it: the mapping may repeat a key."""
    assert only_record(cdr(CALL, again)).called == "201"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (cdr(CALL, "Destination: 024445566"), "type_signature"),
        (cdr(CALL | {"clid": '"x\r\nDestination: 024445566\r\ny" <0470112233>'}), "type_signature"),
        (cdr(CALL, "destination:024445566"), "type_signature"),
        (cdr(CALL | {"duration": "1:05"}), "type_signature"),
        (cdr(CALL | {"disposition": "MAYBE"}), "type_signature"),
        (cdr(CALL | {"start": "soon"}), "type_signature"),
        (cdr(CALL | {"end": "soon"}), "type_signature"),
        (cdr(CALL | {"end": "2026-10-20 08:00:00"}), "time_order"),
        (cdr(CALL | {"start": "2026-10-20 25:00:00"}), "date_invalid"),
        (cdr(CALL | {"src": "0470\x1b[2J"}), "binary"),
        (message("Event: Cdr"), "type_signature"),
        (b"Event: Cdr\r\nSource: 0470112233\r\nDur", "type_signature"),
        (b"garbage\r\n\r\n", "type_signature"),
        (b": :\r\n\r\n", "type_signature"),
        (b"\x01\xff", "type_signature"),
        (b"Event: Cdr\r\n".ljust(MAX_DOCUMENT_BYTES + 1, b"x"), "line_too_long"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(data: bytes, code: str) -> None:
    """A caller whose name holds a line end cannot choose the called party."""
    assert [reason(item.reason) for item in parse(data).refused] == [code]


@pytest.mark.parametrize(
    "missing", ["Source", "Destination", "StartTime", "Duration", "BillableSeconds", "Disposition"]
)
def test_an_event_without_what_is_needed_is_refused(missing: str) -> None:
    """A party that is missing is not one that was withheld."""
    lines = [line for line in cdr(CALL).split(b"\r\n") if not line.startswith(missing.encode() + b":")]
    assert [reason(item.reason) for item in parse(b"\r\n".join(lines)).refused] == ["type_signature"]


def test_an_event_may_lack_the_rest() -> None:
    """End and answer are worked out, as in a table without them."""
    lines = ["Event: Cdr", "Source: 0470112233", "Destination: 201", "StartTime: 2026-10-20 09:00:00"]
    record = only_record(message(*lines, "Duration: 65", "BillableSeconds: 60", "Disposition: ANSWERED"))
    assert (record.answered_at, record.ring_seconds) == (STARTED + timedelta(seconds=5), 5)
    assert record.call_key == record.natural_key


def test_the_times_are_compared_with_the_ids() -> None:
    """They are local whatever the configuration says."""
    one = parser()
    one.parse(frame(cdr(CALL) * 9), now=NOW)
    assert one.zone_check is not None
    assert one.zone_check.finding().fits is True


@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.sampled_from([cdr(CALL), b"\r\n\r\n", b"Event: Cdr\r\n"])), max_size=9
    )
)
def test_any_bytes_give_one_outcome_a_paragraph(pieces: list[bytes]) -> None:
    """Never an exception."""
    blocks = frame(b"".join(pieces))
    parsed = parser().parse(blocks, now=NOW)
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(blocks)
