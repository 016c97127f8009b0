"""The dialect ``freeswitch_json``, and what JSON and XML documents have in common."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.dialect import FeedContext
from appliance.cdr.freeswitch_json import DIALECT
from appliance.cdr.line_parser import Outcome
from appliance.cdr.record import CallRecord, Line
from appliance.cdr.record import QuarantineReason as Reason
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, outcomes, reason
from tests.support.freeswitch_documents import (
    A_LEG,
    B_LEG,
    TIMES,
    encoded,
    json_document,
    leg,
    profile,
    unanswered,
)

STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)


def parse(data: bytes) -> list[Outcome]:
    """The outcomes of a whole feed."""
    framer = DIALECT.framer(0)
    lines: list[Line] = framer.feed(data)
    last = framer.finish()
    lines = [*lines, last] if last else lines
    return outcomes(DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels"))), lines, now=NOW)


def record_of(outcome: Outcome) -> CallRecord:
    """The record that it must be."""
    assert isinstance(outcome, CallRecord), reason(outcome)
    return outcome


def only(data: bytes) -> CallRecord:
    """The record of a feed of one document."""
    [outcome] = parse(data)
    return record_of(outcome)


def test_a_document_is_a_leg() -> None:
    """Times of its microseconds, in whole seconds; parties of its callflow."""
    record = only(json_document())
    assert (record.calling, record.called, record.forwarded_to) == ("0470112233", "201", "")
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert record.answered_at == STARTED + timedelta(seconds=5)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.disposition, record.direction) == (Disposition.ANSWERED, Direction.UNKNOWN)
    assert record.natural_key == b"uuid\0" + A_LEG.encode()


def test_values_may_be_percent_encoded() -> None:
    """As ``encode-values`` says, which is on where nothing is said."""
    plain, coded = only(json_document()), only(json_document(encoded(leg())))
    assert plain == coded
    record = only(json_document(profiles=[profile("%2B32470112233", "201")]))
    assert record.calling == "+32470112233"


@pytest.mark.parametrize(
    "changes",
    [
        {"call_uuid": A_LEG},
        {"call_uuid": B_LEG, "originating_leg_uuid": A_LEG},
        {"call_uuid": None, "originating_leg_uuid": A_LEG},
        {"call_uuid": None, "originator": A_LEG},
    ],
)
def test_the_legs_of_a_call_share_its_key(changes: dict[str, str | None]) -> None:
    """The called leg carries the calling one's call, or names the leg that originated it."""
    called, calling = parse(json_document(leg(uuid=B_LEG, direction="outbound", **changes)) + json_document())
    assert record_of(called).call_key == record_of(calling).call_key == b"call\0" + A_LEG.encode()
    assert (record_of(called).leg, record_of(calling).leg) == (1, 2)
    assert record_of(called).natural_key != record_of(calling).natural_key


def test_a_document_that_is_sent_again_is_the_same_record() -> None:
    """From the err-log-dir, which keeps it encoded as it was sent."""
    first = json_document(encoded(leg()))
    again = quote(first.decode().strip()).encode()
    keys = {record_of(outcome).natural_key for outcome in parse(first + again + b"\n" + b"cdr=" + again + b"\n")}
    assert keys == {b"uuid\0" + A_LEG.encode()}


@pytest.mark.parametrize(
    ("destinations", "called", "forwarded_to"),
    [
        ([("201", "default")], "201", ""),
        ([("202", "default"), ("201", "default")], "201", "202"),
        ([("0470998877", "default"), ("201", "default"), ("024445566", "public")], "201", "0470998877"),
        ([("201", "default"), ("024445566", "public")], "201", ""),
        ([("201", "default"), ("201", "default")], "201", ""),
        ([("201", "public"), ("024445566", "public")], "024445566", "201"),
        ([("", "default"), ("201", "default")], "201", ""),
        ([("", "default")], "0299", ""),
    ],
)
def test_the_first_destination_is_called_and_the_last_is_forwarded_to(
    destinations: list[tuple[str, str]], called: str, forwarded_to: str
) -> None:
    """The latest stands first; what only routed an incoming call is passed over."""
    profiles = [profile("0470112233", number, context) for number, context in destinations]
    record = only(json_document(leg(destination_number="0299"), profiles))
    assert (record.called, record.forwarded_to) == (called, forwarded_to)


@pytest.mark.parametrize(
    ("variables", "calling"),
    [
        ({"caller_id_number": "0470998877"}, "0470998877"),
        ({}, "ann"),
        ({"sip_from_user": None}, ""),
        ({"sip_Privacy": "id"}, "anonymous"),
        ({"sip_Privacy": "user; id"}, "anonymous"),
        ({"sip_Privacy": "none"}, "ann"),
        ({"privacy_hide_number": "true"}, "anonymous"),
    ],
)
def test_the_caller_where_the_callflow_has_none(variables: dict[str, str | None], calling: str) -> None:
    """The variables say it, or that the number was withheld."""
    document = json.loads(json_document(leg(**variables)))
    del document["callflow"]
    assert only(json.dumps(document).encode()).calling == calling


@pytest.mark.parametrize(
    ("variables", "context", "direction"),
    [
        ({"call_direction": "inbound"}, "default", Direction.INBOUND),
        ({"call_direction": "outbound"}, "default", Direction.OUTBOUND),
        ({"call_direction": "local"}, "public", Direction.INTERNAL),
        ({}, "public", Direction.INBOUND),
        ({"direction": "outbound"}, "public", Direction.UNKNOWN),
        ({}, "default", Direction.UNKNOWN),
    ],
)
def test_the_calls_direction(variables: dict[str, str | None], context: str, direction: Direction) -> None:
    """FusionPBX says it; the context ``public`` is entered from outside; the leg's own says nothing."""
    assert only(json_document(leg(**variables), [profile(context=context)])).direction is direction


@pytest.mark.parametrize(
    ("cause", "disposition"),
    [("NO_ANSWER", Disposition.NO_ANSWER), ("USER_BUSY", Disposition.BUSY), ("X", Disposition.UNKNOWN)],
)
def test_an_unanswered_leg(cause: str, disposition: Disposition) -> None:
    """All of it is ringing."""
    record = only(json_document(unanswered(hangup_cause=cause)))
    assert (record.disposition, record.answered_at) == (disposition, None)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (65, 0, 65)


NEVER = dict.fromkeys(
    [f"{name}_{unit}" for name in ("start", "answer", "end") for unit in ("stamp", "epoch", "uepoch")]
)


@pytest.mark.parametrize(
    ("variables", "times", "started_at"),
    [
        (NEVER, TIMES, STARTED),
        (NEVER | {"start_epoch": "1792479601"}, TIMES, STARTED.replace(second=1)),
        ({name: None for name in NEVER if "epoch" in name}, {"other": ""}, STARTED),
        (NEVER | {"end_epoch": "1792479665"}, {"other": ""}, STARTED),
    ],
)
def test_times_come_from_the_best_that_is_there(
    variables: dict[str, str | None], times: dict[str, str], started_at: datetime
) -> None:
    """Microseconds, seconds, the callflow's times, and the stamps last."""
    assert only(json_document(leg(**variables), times=times)).started_at == started_at


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"uuid": "two words"}, Reason.TYPE_SIGNATURE),
        ({"uuid": "\ud800"}, Reason.TYPE_SIGNATURE),
        ({"call_uuid": "é"}, Reason.TYPE_SIGNATURE),
        ({"start_uepoch": "soon"}, Reason.TYPE_SIGNATURE),
        ({"start_uepoch": "-1"}, Reason.TYPE_SIGNATURE),
        ({"duration": "-1"}, Reason.TYPE_SIGNATURE),
        ({"billsec": "9" * 5000}, Reason.TYPE_SIGNATURE),
        ({"end_uepoch": "1792479500000000"}, Reason.TIME_ORDER),
        ({"end_uepoch": "1892479500000000"}, Reason.DATE_OUT_OF_RANGE),
        ({"start_uepoch": "0", "end_uepoch": "0"}, Reason.TYPE_SIGNATURE),
        ({**NEVER, "start_stamp": "2026-02-30 09:00:00"}, Reason.DATE_INVALID),
        ({**NEVER, "start_stamp": "2026-10-20 09:00:00", "end_stamp": "2026-02-30 09:00:00"}, Reason.DATE_INVALID),
        ({**NEVER, "start_epoch": "1792479600", "answer_stamp": "2026-02-30 09:00:00"}, Reason.DATE_INVALID),
        ({**NEVER, "end_stamp": "2026-02-30 09:00:00"}, Reason.DATE_INVALID),
    ],
)
def test_what_cannot_be_is_refused(variables: dict[str, str | None], expected: Reason) -> None:
    """Each with its reason."""
    assert parse(json_document(leg(**variables), times={"other": ""})) == [expected]


@pytest.mark.parametrize(
    "document",
    [
        b"[]",
        b"{}",
        b'{"variables": 1}',
        b"not a document",
        b'{"variables": {}}',
        json_document().replace(b'"65"', b"NaN"),
        json_document().replace(b'"65"', b"-Infinity"),
        json_document().replace(b'"65"', b"9" * 10_000),
        json_document().replace(b'"65"', b"1e999"),
        json_document().replace(b'"uuid":', b'"uuid":"other","uuid":', 1),
        json_document().replace(b'"variables":', b'"variables":{},"variables":', 1),
        json_document().replace(b'{"core-uuid"', b'{"deep":' + b"[" * 10_000 + b"]" * 10_000 + b',"core-uuid"'),
        json_document().replace(b'{"core-uuid"', b'{"deep":' * 10_000 + b"1" + b"}" * 10_000),
    ],
)
def test_documents_that_are_none_are_refused(document: bytes) -> None:
    """Depth, doubled keys, numbers without bounds: a reason, and never an exception."""
    assert set(parse(document)) == {Reason.TYPE_SIGNATURE}


def test_a_torn_document_does_not_take_the_next_with_it() -> None:
    """Within a string, or between two."""
    whole = json_document()
    for cut in (300, whole.index(b'","hangup_cause"') + 1, len(whole) - 2):
        assert parse(whole[:cut] + b"\n" + whole) == [Reason.LINE_TORN, *parse(whole)]
    assert parse(whole[:300]) == [Reason.LINE_TORN]


def test_old_releases_repeat_the_callflow() -> None:
    """A key for each destination, the latest first; variables that are not read may repeat as well."""
    document = json.loads(json_document(leg(), [profile(called="202"), profile(called="201")]))
    first, second = (json.dumps(flow) for flow in document.pop("callflow"))
    text = json.dumps(document)[:-1].replace('"last_app":', '"last_app": "set", "last_app":')
    record = only(f'{text}, "callflow": {first}, "callflow": {second}}}'.encode())
    assert (record.called, record.forwarded_to) == ("201", "202")
    assert only(f'{text}, "callflow": {first}}}'.encode()).called == "202"


def test_numbers_and_other_values_that_are_no_text() -> None:
    """Other writers leave the quotes out; what is neither is not there."""
    variables: dict[str, object] = {**leg(), "start_epoch": 1792479600, "duration": 65, "hangup_cause": None}
    document = json.loads(json_document(variables))
    document["callflow"] = [1, {"caller_profile": 3}, *document["callflow"]]
    assert only(json.dumps(document).encode()).total_seconds == 65


def test_pretty_documents_and_names_of_any_encoding() -> None:
    """One over many lines after a byte order mark, and one with a name that is no UTF-8."""
    pretty = b"\xef\xbb\xbf" + json.dumps(json.loads(json_document()), indent=2).encode()
    named = json_document().replace(b'"Ann"', b'"Zo\xeb"')
    assert [reason(outcome) for outcome in parse(pretty + b"\n" + named)] == ["record", "record"]


@given(st.text(max_size=30))
def test_no_name_changes_the_record(name: str) -> None:
    """Whatever the caller calls himself."""
    assert only(json_document(leg(sip_from_display=name, sip_full_from=name))) == only(json_document())
