"""The dialect ``asterisk_cel``: channels to legs, parties, how they ended, what is held, digits nobody reads."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr.asterisk_cel import ChannelJoiner
from appliance.cdr.asterisk_cel_layout import SAMPLE as SAMPLE_COLUMNS
from appliance.cdr.asterisk_cel_layout import Event
from appliance.cdr.dialect import FeedContext
from appliance.cdr.joined_lines import MAX_HELD_LINES
from appliance.cdr.record import CallRecord, Line
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, reason
from tests.support.channel_log import channel, parse, parser, read, refused
from tests.support.export_rows import calls
from tests.support.feeds.asterisk_cel import EPOCH, SAMPLE, event, feed, hangup

STARTED = datetime(2026, 10, 20, 7, tzinfo=UTC)
BLANK = Event._make([""] * len(Event._fields))
OTHER = {"uniqueid": f"{EPOCH}.2", "exten": ""}
"""A channel that was dialled for the call."""


def test_a_channel_is_a_leg() -> None:
    """From its start to the hangup, which comes before the channel's own end."""
    [record] = read(channel(event("ANSWER", 5), event("HANGUP", 65, eventextra=hangup(16)), end=66))
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert (record.answered_at, record.disposition) == (STARTED + timedelta(seconds=5), Disposition.ANSWERED)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.calling, record.called, record.forwarded_to) == ("0470112233", "201", "")
    assert (record.natural_key, record.call_key) == (b"channel\x001792479600.1", b"call\x001792479600.1")
    assert (record.leg, record.direction) == (1, Direction.UNKNOWN)


def test_the_sample_mapping_needs_no_layout() -> None:
    """Each call of a busy site gives the channel that called and the one that was dialled."""
    assert list(SAMPLE_COLUMNS) == SAMPLE
    made = calls(rows=50, seed=9)
    records = read(feed(rows=100, seed=9))
    assert len(records) == 100
    for dialled, calling, call in zip(records[::2], records[1::2], made, strict=True):
        assert (dialled.call_key, dialled.leg, calling.leg) == (calling.call_key, 1, 2)
        assert {(leg.calling, leg.called) for leg in (dialled, calling)} == {(call["src"], call["dst"])}
        assert (str(calling.talk_seconds), str(calling.total_seconds)) == (call["billsec"], call["duration"])


def test_only_the_first_answer_and_the_first_hangup_count() -> None:
    """Applications answer again; a channel that is masqueraded hangs up again."""
    events = [event("ANSWER", 5), event("ANSWER", 9), event("HANGUP", 20), event("HANGUP", 30)]
    [record] = read(channel(*events))
    assert (record.ring_seconds, record.talk_seconds) == (5, 15)


def test_the_end_of_the_channel_stands_for_a_hangup_that_is_not_logged() -> None:
    """And LINKEDID_END for an end that is not."""
    assert read(channel(end=65))[0].total_seconds == 65
    start = event("CHAN_START", 0, cidnum="201", exten="202")
    assert read(start + event("LINKEDID_END", 30))[0].total_seconds == 30


DIGITS = event("DTMF", 7, eventextra=json.dumps({"digit": "5", "duration_ms": "90"}))


@pytest.mark.parametrize("kind", ["APP_START", "BRIDGE_ENTER", "PARK_START", "PICKUP", "STREAM_BEGIN", "MY_EVENT", ""])
def test_other_events_are_part_of_no_leg(kind: str) -> None:
    """User-defined ones may have any name."""
    parsed = parse(channel(event(kind, 7), DIGITS, event("ANSWER", 5)))
    assert (len(parsed.records), parsed.refused, parsed.ignored) == (1, [], 4)


def test_digits_that_people_type_are_not_read() -> None:
    """Not even where nothing else of the line is as it should be; they wait for nothing, and are not held."""
    one = parser()
    parsed = one.parse(frame(DIGITS + event("DTMF", 8, eventtime="soon", amaflags="x")), now=NOW)
    assert (parsed.records, parsed.refused, parsed.ignored) == ([], [], 2)
    assert list(one.held()) == []


def test_a_name_cannot_hide_a_call() -> None:
    """Only the column of the event says that it is DTMF."""
    assert len(read(channel(cidname="DTMF"))) == 1


@pytest.mark.parametrize(
    ("extra", "disposition"),
    [
        (hangup(16, "CANCEL"), Disposition.NO_ANSWER),
        (hangup(16, "NOANSWER"), Disposition.NO_ANSWER),
        (hangup(16, "BUSY"), Disposition.BUSY),
        (hangup(16, "CONGESTION"), Disposition.CONGESTION),
        (hangup(16, "CHANUNAVAIL"), Disposition.FAILED),
        (hangup(17, "ANSWER"), Disposition.BUSY),
        (hangup(17), Disposition.BUSY),
        (hangup(21, "", "PJSIP/201-00000002"), Disposition.FAILED),
        ('{"hangupcause": "34", "dialstatus": ""}', Disposition.CONGESTION),
        ("17,SIP/201-00000002,", Disposition.BUSY),
        ("16,,NOANSWER", Disposition.NO_ANSWER),
        ("16,dialplan/builtin,CONGESTION", Disposition.CONGESTION),
        ("0,,", Disposition.UNKNOWN),
        ("", Disposition.UNKNOWN),
        ("x" * 60_000, Disposition.UNKNOWN),
    ],
)
def test_the_hangup_says_why_nobody_answered(extra: str, disposition: Disposition) -> None:
    """By the dial's state or by the cause, as Asterisk writes them before and since release 12."""
    [record] = read(channel(event("HANGUP", 20, eventextra=extra)))
    assert (record.disposition, record.answered_at, record.ring_seconds) == (disposition, None, 20)


@pytest.mark.parametrize(
    ("start", "later", "calling", "called"),
    [
        ({"cidnum": "201", "exten": "202"}, {}, "201", "202"),
        ({"cidnum": "", "exten": "202"}, {"cidnum": "201"}, "201", "202"),
        ({"cidnum": "201", "exten": "s", "dnid": "024445566"}, {}, "201", "024445566"),
        ({"cidnum": "201", "exten": "s"}, {"exten": "202"}, "201", "202"),
        ({"cidnum": "201", "exten": "s"}, {}, "201", "s"),
        ({"cidnum": "", "cidname": "Anonymous", "exten": "202"}, {}, "anonymous", "202"),
        ({"cidnum": "", "cidname": "Ann", "exten": "202"}, {}, "", "202"),
        ({"cidnum": "201", "exten": "202", "linkedid": ""}, {}, "201", "202"),
    ],
)
def test_parties_of_a_channel_that_called(
    start: dict[str, str], later: dict[str, str], calling: str, called: str
) -> None:
    """Its own number, and what it dialled."""
    [record] = read(channel(event("ANSWER", 5, **later), start=start))
    assert (record.calling, record.called) == (calling, called)


@pytest.mark.parametrize(
    ("start", "later", "calling", "called"),
    [
        ({}, {"cidnum": "202"}, "0470112233", "202"),
        ({"cidnum": "202"}, {}, "0470112233", "202"),
        ({"cidnum": "s"}, {}, "0470112233", "201"),
        ({}, {}, "0470112233", "201"),
        ({"channame": "Local/0475998877@from-internal-00000001;1"}, {}, "0470112233", "0475998877"),
        ({"exten": "203", "channame": "Local/203@from-internal-00000001;2"}, {"cidnum": "203"}, "0470112233", "203"),
        ({"exten": "203", "cidnum": "205"}, {}, "205", "203"),
    ],
)
def test_parties_of_a_channel_that_was_dialled(
    start: dict[str, str], later: dict[str, str], calling: str, called: str
) -> None:
    """The caller is whoever called, its own number is that of the called party."""
    dialled = (
        event("CHAN_START", 1, **OTHER | start) + event("ANSWER", 5, **OTHER | later) + event("CHAN_END", 9, **OTHER)
    )
    leg, _ = read(channel(dialled))
    assert (leg.calling, leg.called) == (calling, called)


def test_a_caller_that_is_gone_is_unknown_and_not_withheld() -> None:
    """After an attended transfer the channel that called may end first."""
    data = channel() + event("CHAN_START", 70, **OTHER) + event("CHAN_END", 80, **OTHER)
    assert [(record.calling, record.called) for record in read(data)] == [("0470112233", "201"), ("?", "?")]


def test_a_caller_who_withheld_the_number_is_so_for_the_dialled_channel() -> None:
    """Told by the name, as for the channel itself."""
    dialled = event("CHAN_START", 1, **OTHER) + event("CHAN_END", 9, **OTHER)
    legs = read(channel(dialled, start={"cidnum": "", "cidname": "Anonymous"}))
    assert [leg.calling for leg in legs] == ["anonymous", "anonymous"]


@pytest.mark.parametrize(
    ("kind", "extra", "forwarded_to"),
    [
        ("BLINDTRANSFER", '{"extension":"0475998877","context":"from-internal","bridge_id":"x"}', "0475998877"),
        ("BLINDTRANSFER", "203", "203"),
        ("FORWARD", '{"forward":"Local/0475998877@from-internal"}', "0475998877"),
        ("FORWARD", '{"forward":"0475998877"}', "0475998877"),
        ("FORWARD", '{"forward":"PJSIP/ann"}', ""),
        ("BLINDTRANSFER", "Ann", ""),
        ("ATTENDEDTRANSFER", '{"extension":"203"}', ""),
    ],
)
def test_where_a_call_was_sent_on_to(kind: str, extra: str, forwarded_to: str) -> None:
    """The number of a blind transfer or a forward; an attended transfer names channels alone."""
    [record] = read(channel(event(kind, 20, eventextra=extra)))
    assert record.forwarded_to == forwarded_to


def test_a_trunk_context_says_that_the_call_comes_in() -> None:
    """For the channel that called, not for those that it dialled."""
    dialled = event("CHAN_START", 1, **OTHER | {"context": "from-trunk"}) + event("CHAN_END", 9, **OTHER)
    legs = read(channel(dialled, start={"context": "from-trunk"}))
    assert [leg.direction for leg in legs] == [Direction.UNKNOWN, Direction.INBOUND]


def test_an_open_channel_is_held_and_then_refused() -> None:
    """It was never ended: all its lines, once."""
    data = event("CHAN_START", 0) + event("ANSWER", 5)
    one = parser()
    parsed = one.parse(frame(data), now=NOW)
    assert (parsed.records, parsed.refused, parsed.ignored) == ([], [], 0)
    assert len(one.held()) == 2
    assert [reason(item.reason) for item in one.finish().refused] == ["unpaired", "unpaired"]


def test_the_rest_of_a_channel_from_before_the_file_is_refused_once() -> None:
    """Its end stands for it; what lies between, and the end of the call, is no record."""
    parsed = parse(event("ANSWER", 5) + event("HANGUP", 9) + event("CHAN_END", 9) + event("LINKEDID_END", 9))
    assert [reason(item.reason) for item in parsed.refused] == ["unpaired"]
    assert parsed.ignored == 3


def restarted(lines: Sequence[Line]) -> list[CallRecord]:
    """The records with a new parser before each line, which is shown what was held and what came before."""
    records, one = list[CallRecord](), parser()
    for place, line in enumerate(lines):
        held = one.held()
        one = parser()
        one.rewind(lines[:place], held=held)
        records += one.parse([line], now=NOW).records
    return records


EVENTS = st.builds(
    lambda kind, at, number, linked: event(
        kind, at, uniqueid=f"{EPOCH}.{number}", linkedid=f"{EPOCH}.{linked}", cidnum=f"20{number}", exten=f"21{number}"
    ),
    st.sampled_from(["CHAN_START", "ANSWER", "HANGUP", "CHAN_END", "LINKEDID_END", "DTMF"]),
    st.integers(0, 99),
    st.integers(1, 3),
    st.integers(1, 3),
)


@given(st.lists(EVENTS, max_size=14))
def test_a_restart_at_any_line_gives_the_same_records(events: list[bytes]) -> None:
    """Whatever the order of events, and each line is counted once."""
    lines = frame(b"".join(events))
    parsed = parse(b"".join(events))
    assert restarted(lines) == parsed.records
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(lines)


def test_callers_that_never_end_are_forgotten_in_their_order() -> None:
    """Memory is bounded; the latest are kept."""
    joiner = ChannelJoiner(FeedContext(zone=ZoneInfo("UTC")), ())
    for number in range(MAX_HELD_LINES + 10):
        joiner._note("CHAN_START", BLANK._replace(uniqueid=str(number)))
    assert list(joiner._callers) == [str(number) for number in range(10, MAX_HELD_LINES + 10)]


@pytest.mark.parametrize(
    ("times", "code"),
    [
        (("2026-10-32 09:00:00", "2026-10-20 09:00:09"), "date_invalid"),
        (("2026-03-29 02:30:00", "2026-03-29 03:30:00"), "local_time_nonexistent"),
        (("2026-10-20 09:00:09", "2026-10-20 09:00:00"), "time_order"),
    ],
)
def test_a_channel_with_such_times_is_refused_whole(times: tuple[str, str], code: str) -> None:
    """Each of its lines."""
    ids = {"uniqueid": "channel-1", "linkedid": "channel-1"}
    lines = [event(kind, 0, eventtime=at, **ids) for kind, at in zip(("CHAN_START", "CHAN_END"), times, strict=True)]
    assert refused(b"".join(lines)) == [code, code]


def test_local_times_are_decided_by_the_id_and_compared_with_it() -> None:
    """With ``dateformat`` times are local: the epoch in the id tells which hour is meant, and whether the zone fits."""
    rows = [
        event(kind, 0, eventtime="2026-10-25 02:30:00", uniqueid="1792891800.2") for kind in ("CHAN_START", "CHAN_END")
    ]
    assert read(b"".join(rows))[0].started_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    one = parser()
    text = "2026-10-20 09:00:00.123"
    for number in range(9):
        one.parse(frame(channel(eventtime=text, uniqueid=f"{EPOCH}.{number}")), now=NOW)
    assert one.zone_check is not None
    assert one.zone_check.finding().fits is True
    assert len(one.zone_check.samples) == 9


def test_epochs_tell_nothing_of_the_zone() -> None:
    """They are right in every zone."""
    one = parser()
    one.parse(frame(feed(rows=40, seed=1)), now=NOW)
    assert one.zone_check is not None
    assert one.zone_check.samples == ()
