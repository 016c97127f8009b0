"""The lines of an accounting proxy: which transactions make a call, who its parties are, and what is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr import kamailio_acc
from appliance.cdr.dialect import FeedContext, LineParser
from appliance.cdr.record import CallRecord, Line, Parsed
from appliance.cdr.sip_responses import disposition_of, is_challenge, is_final
from appliance.wire.call import Disposition
from tests.support.cdr_rows import NOW, frame

ANSWERED_AT = datetime(2026, 10, 20, 7, 0, 5, tzinfo=UTC)
ANSWERED = int(ANSWERED_AT.timestamp())


def line(**changes: str) -> str:
    """One transaction of the shipped ``log_extra``."""
    values = {
        "timestamp": str(ANSWERED),
        "method": "INVITE",
        "from_tag": "f",
        "to_tag": "t",
        "call_id": "c",
        "code": "200",
        "reason": "OK",
        "src_user": "201",
        "src_domain": "pbx.example",
        "src_ip": "192.0.2.7",
        "dst_ouser": "0024445566",
        "dst_user": "0024445566",
        "dst_domain": "192.0.2.9",
    }
    pairs = values | changes
    return "ACC: transaction answered: " + ";".join(f"{name}={value}" for name, value in pairs.items())


def bye(seconds: int = 60, **changes: str) -> str:
    """The end of the call, so many seconds after the answer."""
    return line(timestamp=str(ANSWERED + seconds), method="BYE", **changes)


def parser() -> LineParser:
    """One at the beginning of a file."""
    return kamailio_acc.DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels")))


def parse(*texts: str) -> Parsed:
    """All lines of a file whose calls are over or still going on."""
    return parser().parse(frame("".join(text + "\n" for text in texts).encode("latin-1")), now=NOW)


def only(*texts: str) -> CallRecord:
    """The record of lines that make one."""
    parsed = parse(*texts)
    [record] = parsed.records
    assert (parsed.refused, parsed.ignored) == ([], len(texts) - 1)
    return record


def reasons(*texts: str) -> list[str]:
    """Why lines were refused."""
    return [str(item.reason) for item in parse(*texts).refused]


def test_an_invite_and_its_bye_are_one_record() -> None:
    """The INVITE is stamped when it is answered, so that the call starts there and its ringing is not known."""
    record = only(line(), bye())
    assert (record.started_at, record.answered_at) == (ANSWERED_AT, ANSWERED_AT)
    assert record.ended_at == ANSWERED_AT + timedelta(seconds=60)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (0, 60, 60)
    assert (record.calling, record.called, record.forwarded_to) == ("201", "0024445566", "")
    assert record.disposition is Disposition.ANSWERED


def test_whoever_hangs_up_ends_the_call() -> None:
    """The BYE of the called party has the tags in the other order, and parties of its own that do not count."""
    assert only(line(), bye(from_tag="t", to_tag="f", src_user="x", dst_ouser="y")) == only(line(), bye())


def test_the_call_waits_for_its_bye() -> None:
    """The INVITE is held, and given back after a restart; the BYE of another call does not end it."""
    one = parser()
    lines = frame(f"{line()}\n{bye(call_id='other')}\n{bye()}\n".encode())
    first = one.parse(lines[:2], now=NOW)
    assert [str(item.reason) for item in first.refused] == ["unpaired"]
    assert one.held() == lines[:1]
    assert [str(item.reason) for item in one.finish().refused] == ["unpaired"]


def test_a_second_bye_of_a_call_is_no_record_and_no_loss() -> None:
    """Both sides can hang up at once; the second is answered with 481."""
    parsed = parse(line(), bye(), bye(code="481"))
    assert (len(parsed.records), parsed.refused, parsed.ignored) == (1, [], 2)


def test_a_hold_within_a_call_is_part_of_it() -> None:
    """Whether the other side took it or not: an INVITE with the tags of a call that is going on is no call."""
    assert only(line(), line(from_tag="t", to_tag="f"), bye()) == only(line(), bye())
    assert only(line(), line(code="488", reason="Not Acceptable Here"), bye()) == only(line(), bye())


@pytest.mark.parametrize(
    ("code", "disposition"),
    [
        ("486", Disposition.BUSY),
        ("600", Disposition.BUSY),
        ("408", Disposition.NO_ANSWER),
        ("480", Disposition.NO_ANSWER),
        ("487", Disposition.NO_ANSWER),
        ("503", Disposition.CONGESTION),
        ("302", Disposition.FAILED),
        ("404", Disposition.FAILED),
        ("603", Disposition.FAILED),
    ],
)
def test_a_failed_invite_is_an_unanswered_call(code: str, disposition: Disposition) -> None:
    """It has no length, and the response says why."""
    record = only(line(code=code))
    assert (record.started_at, record.answered_at, record.ended_at) == (ANSWERED_AT, None, ANSWERED_AT)
    assert (record.talk_seconds, record.disposition) == (0, disposition)


@pytest.mark.parametrize("code", ["", "2", "99", "200x", "\xb200", "700", "199"])
def test_what_is_no_final_response_is_none(code: str) -> None:
    """An outcome is said by 2xx to 6xx only."""
    assert not is_final(code)
    assert disposition_of(code[:0]) is Disposition.UNKNOWN
    assert reasons(line(code=code)) == ["type_signature"]


@pytest.mark.parametrize("code", ["401", "407"])
def test_a_challenge_is_no_outcome(code: str) -> None:
    """The same INVITE comes again with credentials, and so does a BYE."""
    assert is_challenge(code)
    parsed = parse(line(code=code), line(), bye(code=code), bye())
    assert (len(parsed.records), parsed.ignored) == (1, 3)


def test_a_missed_call_that_is_accounted_twice_is_one() -> None:
    """With the flags for missed calls and for failed transactions the module writes the same transaction twice."""
    missed = line(code="486").replace("transaction answered", "call missed")
    parsed = parse(missed, line(code="486"))
    assert (len(parsed.records), parsed.ignored) == (1, 1)


def test_each_branch_of_a_forked_call_is_a_leg() -> None:
    """They share the call id; each has a tag of its own."""
    parsed = parse(line(code="486", to_tag="x"), line(), line(to_tag="u"), bye(), bye(to_tag="u"))
    assert [record.leg for record in parsed.records] == [1, 2, 3]
    assert len({record.call_key for record in parsed.records}) == 1
    assert len({record.natural_key for record in parsed.records}) == 3


@pytest.mark.parametrize("method", ["ACK", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE"])
def test_other_methods_are_no_record(method: str) -> None:
    """They say nothing that the INVITE and the BYE do not."""
    parsed = parse(line(method=method))
    assert (parsed.records, parsed.refused, parsed.ignored) == ([], [], 1)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "ACC: request acknowledged: ",
        "Oct  5 09:00:00 sbc /usr/sbin/kamailio[82]: NOTICE: acc [acc.c:279]: acc_log_request(): ACC: call missed: ",
        "<29>1 2026-10-20T09:00:00.123+02:00 sbc kamailio 82 - - NOTICE: <acc> ACC: a comment of the script: ",
    ],
)
def test_any_syslog_prefix_will_do(prefix: str) -> None:
    """What stands before the pairs is the logger's business."""
    body = line(code="486").partition(": ")[2].partition(": ")[2]
    assert only(prefix + body) == only(body)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Oct 20 09:00:00 sbc kernel: eth0 up",
        "<30>Oct 20 09:00:00 sbc cron[1]: run",
        "2026-10-20T09:00:00+02:00 sbc kamailio[82]: WARNING: tm: no route",
    ],
)
def test_other_syslog_lines_are_no_records(text: str) -> None:
    """The proxy's own log holds much else."""
    parsed = parse(text)
    assert (parsed.refused, parsed.ignored) == ([], 1)


@pytest.mark.parametrize(
    "text",
    [
        "Ann Peeters;0470112233",
        "ACC: transaction answered: method=INVITE;code=200",
        "Oct 20 09:00:00 sbc kamailio[82]: ACC: transaction answered: meth",
        "ACC: transaction answered: timestamp=;method=INVITE",
        line(method=""),
        line(call_id=""),
        line(timestamp="1792479605.1234567"),
        line(timestamp="20261020"),
    ],
)
def test_what_is_cut_or_no_accounting_is_refused(text: str) -> None:
    """A line of another format is not passed over in silence, and a cut one is not guessed."""
    assert reasons(text) == ["type_signature"]


def test_a_value_cannot_take_the_place_of_a_core_attribute() -> None:
    """The core attributes come first; a display name with a semicolon in it comes later."""
    record = only(line(code="486", display="Ann;code=200;method=BYE;timestamp=1;src_user=0470112233"))
    assert (record.calling, record.disposition) == ("201", Disposition.BUSY)


@pytest.mark.parametrize("name", kamailio_acc.CALLING)
def test_each_known_name_of_the_caller_is_read(name: str) -> None:
    """Administrators choose the names; these are the ones of shipped configurations and manuals."""
    core = line(code="486").partition(";src_user")[0]
    assert only(f"{core};{name}=0470112233").calling == "0470112233"


@pytest.mark.parametrize("name", kamailio_acc.CALLED)
def test_each_known_name_of_the_called_party_is_read(name: str) -> None:
    """As those of the caller."""
    core = line(code="486").partition(";src_user")[0]
    assert only(f"{core};{name}=0470112233").called == "0470112233"


def test_a_party_that_no_attribute_names_is_unknown_and_not_withheld() -> None:
    """Without ``log_extra`` the module names nobody; an empty name is a caller without a number."""
    core = line(code="486").partition(";src_user")[0]
    assert (only(core).calling, only(core).called) == ("?", "?")
    assert only(core + ";src_user=").calling == ""


def test_where_the_proxy_sent_the_call_is_a_party_of_its_own() -> None:
    """The number in the To header was dialled, the one in the request URI was reached."""
    record = only(line(dst_ouser="201", dst_user="0470112233"), bye())
    assert (record.called, record.forwarded_to) == ("201", "0470112233")


def test_a_call_that_opensips_joined_is_a_record_at_once() -> None:
    """Its line has the INVITE's time, the answer and the length, so that the ringing is known."""
    text = (
        f"ACC: call ended: created={ANSWERED - 16};call_start_time={ANSWERED};duration=5;ms_duration=4250;"
        "setuptime=16;method=INVITE;from_tag=f;to_tag=t;call_id=c;code=200;reason=OK;caller=201;callee=202"
    )
    record = only(text)
    assert (record.started_at, record.answered_at) == (ANSWERED_AT - timedelta(seconds=16), ANSWERED_AT)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (16, 5, 21)
    assert only(text.replace(f"created={ANSWERED - 16};", "")) == record
    assert record.natural_key == only(line(), bye()).natural_key


def test_a_call_that_kamailio_joined_is_a_record_at_once() -> None:
    """Its line has start, end and duration with fractions, and a call id only if the administrator added it."""
    text = f"start_time={ANSWERED}.250000; end_time={ANSWERED + 60}.750000; duration=60.500000; src_user=201"
    record = only(text)
    assert (record.started_at, record.ended_at) == (ANSWERED_AT, ANSWERED_AT + timedelta(seconds=60))
    assert (record.talk_seconds, record.leg, record.calling) == (60, 1, "201")
    assert only(text + "; call_id=c; from_tag=f; to_tag=t").natural_key == only(line(), bye()).natural_key
    first, second = parse(text, text).records
    assert first.natural_key != second.natural_key


@pytest.mark.parametrize(
    "text",
    [
        "start_time=; end_time=1792479605.0; duration=1",
        "start_time=1792479605.0; duration=1",
        "created=1792479605;call_start_time=1792479606;duration=long",
        "created=1792479605;call_start_time=2026-03-29 02:30:00;duration=5",
    ],
)
def test_a_joined_call_with_a_broken_time_is_refused(text: str) -> None:
    """Nothing is worked out from half of it."""
    assert reasons(text) == ["type_signature"]


def test_the_end_decides_which_of_two_equal_hours_the_answer_was_in() -> None:
    """Where local times are written, 02:50 occurs twice when the clocks go back."""
    record = only(line(timestamp="2026-10-25 02:50:00"), _bye_at("03:05"))
    assert record.started_at == datetime(2026, 10, 25, 1, 50, tzinfo=UTC)
    both = only(line(timestamp="2026-10-25 02:50:00"), _bye_at("02:10"))
    assert both.talk_seconds == 1200


def _bye_at(clock: str) -> str:
    return line(method="BYE", timestamp=f"2026-10-25 {clock}:00")


def test_a_time_that_does_not_exist_is_refused_for_both_lines() -> None:
    """Unless the other line decides, and where it cannot be meant at all."""
    gap = "2026-03-29 02:30:00"
    assert reasons(line(timestamp=gap, code="486")) == ["local_time_nonexistent"]
    assert reasons(line(timestamp=gap), line(timestamp=gap, method="BYE")) == ["local_time_nonexistent"] * 2
    assert reasons(line(), line(timestamp=gap, method="BYE")) == ["local_time_nonexistent"] * 2
    [record] = parse(line(timestamp=gap), line(timestamp="2026-03-29 03:40:00", method="BYE")).records
    assert record.talk_seconds == 600


def test_an_end_before_the_answer_is_refused() -> None:
    """A clock that jumped gives no length."""
    assert reasons(line(), bye(-1)) == ["time_order"] * 2


def test_overlapping_exports_give_equal_keys() -> None:
    """Whatever else stands in the file."""
    alone = only(line(), bye())
    [record] = parse(line(), line(call_id="z", code="404"), bye()).records[1:]
    assert (record.natural_key, record.call_key) == (alone.natural_key, alone.call_key)


LINES = st.lists(
    st.builds(
        lambda method, call, tags, code: line(method=method, call_id=call, from_tag=tags[0], to_tag=tags[1], code=code),
        st.sampled_from(["INVITE", "BYE", "ACK"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["xy", "yx", "xz"]),
        st.sampled_from(["200", "486", "407"]),
    ),
    max_size=12,
)


@given(texts=LINES)
def test_no_line_is_lost_or_counted_twice(texts: list[str]) -> None:
    """Read = records + refused + ignored + held, whatever comes in whatever order."""
    one = parser()
    lines = [Line(100 * place, text.encode()) for place, text in enumerate(texts)]
    parts = [one.parse([item], now=NOW) for item in lines]
    counted = sum(len(part.records) + len(part.refused) + part.ignored for part in parts)
    assert counted + len(one.held()) == len(lines)
    keys = [record.natural_key for part in parts for record in part.records if record.answered_at is None]
    assert len(set(keys)) == len(keys)
