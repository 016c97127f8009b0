"""Flat accounting rows: their columns, declared or known by shape, the time that the ACK has, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr import kamailio_acc, opensips_flatstore
from appliance.cdr.dialect import FeedContext, Layout, LineParser
from appliance.cdr.record import CallRecord, Parsed
from appliance.errors import SettingsError
from appliance.wire.call import Disposition
from tests.support.cdr_rows import NOW, frame

AT = datetime(2026, 10, 20, 7, 0, 5, tzinfo=UTC)
STAMP = str(int(AT.timestamp()))
CGRATES = ("*prepaid", "201", "0024445566", "", "3401:20")
SHIPPED = ("201", "pbx.example", "192.0.2.7", "0024445566", "0024445566", "192.0.2.9")


def row(*extra: str, separator: str = "|", **changes: str) -> str:
    """One row, the columns named replaced."""
    core = {"method": "INVITE", "from_tag": "f", "to_tag": "t", "callid": "c", "code": "200", "reason": "OK"}
    return separator.join([*({**core, "time": STAMP} | changes).values(), *extra])


def bye(*extra: str, seconds: int = 60, separator: str = "|") -> str:
    """The end of the call, so many seconds after the answer."""
    return row(*extra, method="BYE", time=str(int(STAMP) + seconds), separator=separator)


def parser(**layout: Any) -> LineParser:
    """One at the beginning of a file."""
    declared = Layout(**layout)
    return opensips_flatstore.DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=declared))


def parse(*rows: str, **layout: Any) -> Parsed:
    """All rows of a file."""
    return parser(**layout).parse(frame("".join(text + "\n" for text in rows).encode()), now=NOW)


def only(*rows: str, **layout: Any) -> CallRecord:
    """The record of rows that make one."""
    parsed = parse(*rows, **layout)
    [record] = parsed.records
    assert (parsed.refused, parsed.ignored) == ([], len(rows) - 1)
    return record


def reasons(*rows: str, **layout: Any) -> list[str]:
    """Why rows were refused."""
    return [str(item.reason) for item in parse(*rows, **layout).refused]


def test_an_invite_and_its_bye_are_one_record() -> None:
    """As in syslog: the INVITE's time is the answer's, whoever hangs up."""
    record = only(row(*CGRATES), bye())
    assert (record.started_at, record.answered_at, record.talk_seconds) == (AT, AT, 60)
    assert (record.calling, record.called) == ("201", "0024445566")


def test_the_same_call_in_syslog_has_the_same_keys() -> None:
    """Both dialects name a dialog alike; which feed it came from is hashed in elsewhere."""
    pairs = "method=INVITE;from_tag=f;to_tag=t;call_id=c;code=200;reason=OK"
    lines = f"timestamp={STAMP};{pairs}\ntimestamp={int(STAMP) + 60};{pairs.replace('INVITE', 'BYE')}\n"
    syslog = kamailio_acc.DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels")))
    [record] = syslog.parse(frame(lines.encode()), now=NOW).records
    assert record.natural_key == only(row(*CGRATES), bye()).natural_key


def test_an_invite_without_a_time_takes_it_from_its_ack() -> None:
    """One variant of the flat files is written so; the rows may end in a column of the writer's name."""
    rows = [row(*CGRATES, 'flatstore"1.0', time=""), row(*CGRATES, method="ACK"), bye("", "", "", "")]
    assert only(*rows) == only(row(*CGRATES), bye())


def test_an_answered_call_without_any_time_is_refused() -> None:
    """All its rows, because none of them can be used again."""
    assert reasons(row(*CGRATES, time=""), bye()) == ["type_signature"] * 2
    assert reasons(row(*CGRATES), row(method="BYE", time="")) == ["type_signature"] * 2
    assert reasons(row(*CGRATES, time="", code="486")) == ["type_signature"]


def test_an_ack_alone_is_no_record() -> None:
    """That of a failed INVITE, for one."""
    parsed = parse(row(*CGRATES, method="ACK"), row(*CGRATES, method="ACK", time=""))
    assert (parsed.records, parsed.refused, parsed.ignored) == ([], [], 2)


def test_a_failed_invite_is_an_unanswered_call() -> None:
    """The response says why."""
    record = only(row(*CGRATES, code="486", reason="Busy here"))
    assert (record.answered_at, record.disposition, record.total_seconds) == (None, Disposition.BUSY, 0)


def test_the_shipped_columns_are_known_by_the_address_among_them() -> None:
    """Kamailio's ``db_extra``: user, domain, address of the source; dialled user, user and domain of the target."""
    record = only(row(*SHIPPED), bye(*SHIPPED))
    assert (record.calling, record.called, record.forwarded_to) == ("201", "0024445566", "")
    sent_on = (*SHIPPED[:4], "0470112233", "192.0.2.9")
    assert only(row(*sent_on), bye()).forwarded_to == "0470112233"


@pytest.mark.parametrize("address", ["2001:db8::7", "[2001:db8::7]", "::1", "192.0.2.200"])
def test_any_address_will_do(address: str) -> None:
    """A proxy may speak either version of IP."""
    assert only(row("201", "pbx", address, "202", "202", "pbx"), bye()).called == "202"


@pytest.mark.parametrize(
    "extra",
    [
        ("Ann Peeters", "0470112233", "201"),
        ("201", "0470112233"),
        ("201", "pbx.example", "Ann", "0470112233", "0470112233", "192.0.2.9"),
        ("201", "pbx.example", "192.0.2.7", "0470112233", "0470112233"),
        ("*prepaid", "201"),
    ],
)
def test_an_invite_of_unknown_shape_is_refused(extra: tuple[str, ...]) -> None:
    """What its columns are must be declared; a name could stand where a number is looked for."""
    assert reasons(row(*extra, code="486")) == ["type_signature"]


def test_without_extra_columns_the_parties_are_unknown() -> None:
    """Not withheld: the proxy was not told to write them."""
    record = only(row("", ""), bye())
    assert (record.calling, record.called) == ("?", "?")


def test_declared_columns_are_read_in_their_places() -> None:
    """Those after the time, ``-`` for one that is not read; empty ones may follow."""
    columns = ("called", "-", "calling", "forwarded_to")
    record = only(row("202", "Ann", "201", "0470112233", "", ""), bye(), columns=columns)
    assert (record.calling, record.called, record.forwarded_to) == ("201", "202", "0470112233")


@pytest.mark.parametrize("extra", [("202",), ("202", "Ann", "201"), ("202", "201", "Ann")])
def test_another_count_than_declared_is_refused(extra: tuple[str, ...]) -> None:
    """An upgrade that adds a column must not shift a name into a number's place."""
    assert reasons(row(*extra), columns=("called", "calling")) == ["column_count"]


def test_a_row_with_a_declared_duration_is_a_whole_call() -> None:
    """OpenSIPS can join the transactions itself: ``time`` is the answer, ``created`` or ``setuptime`` the start."""
    columns = ("calling", "called", "duration", "setuptime", "created")
    record = only(row("201", "202", "5", "16", str(int(STAMP) - 16)), columns=columns)
    assert (record.started_at, record.answered_at) == (AT - timedelta(seconds=16), AT)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (16, 5, 21)
    assert only(row("201", "202", "5", "16", ""), columns=columns) == record
    assert only(row("201", "202", "", "", ""), bye(), columns=columns).talk_seconds == 60
    assert only(row("201", "202", "0", "", "", code="486"), columns=columns).disposition is Disposition.BUSY


@pytest.mark.parametrize(
    ("changes", "extra", "why"),
    [
        ({}, ("201", "long", ""), "type_signature"),
        ({}, ("201", "5", "-3"), "type_signature"),
        ({"time": ""}, ("201", "5", ""), "type_signature"),
        ({"time": "2026-03-29 02:30:00"}, ("201", "5", ""), "local_time_nonexistent"),
    ],
)
def test_a_whole_call_with_a_broken_time_is_refused(changes: dict[str, str], extra: tuple[str, ...], why: str) -> None:
    """Nothing is worked out from half of it."""
    assert reasons(row(*extra, **changes), columns=("calling", "duration", "setuptime")) == [why]


@pytest.mark.parametrize("columns", [("caller",), ("calling", "called", "calling"), ("-", "date")])
def test_a_layout_that_makes_no_sense_is_refused(columns: tuple[str, ...]) -> None:
    """At once, with the place of the mistake."""
    with pytest.raises(SettingsError):
        parser(columns=columns)


def test_a_separator_in_a_value_is_escaped() -> None:
    """A backslash before it, and before a backslash."""
    assert only(row(*CGRATES, code="486", reason="Busy \\| Here\\\\")).called == "0024445566"
    assert only(row(*CGRATES, code="486", callid="a\\|b")).call_key.endswith(b"a|b")
    assert reasons(row(*CGRATES, code="486", reason="Busy | Here")) == ["type_signature"]


def test_another_separator_can_be_declared() -> None:
    """``flat_delimiter`` is an option of the module."""
    assert only(row(*CGRATES, separator=","), bye(separator=","), separator=",").talk_seconds == 60


@pytest.mark.parametrize("text", ["", "|||||||", "method|from_tag|to_tag|callid|sip_code|sip_reason|time"])
def test_known_non_records_are_ignored(text: str) -> None:
    """Empty rows, and a header that somebody put there."""
    parsed = parse(text)
    assert (parsed.refused, parsed.ignored) == ([], 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("INVITE|f|t|c|486|Busy", "column_count"),
        ("Ann Peeters", "column_count"),
        (row(*CGRATES, method="invite"), "type_signature"),
        (row(*CGRATES, method="Ann Peeters"), "type_signature"),
        (row(*CGRATES, time="yesterday"), "type_signature"),
        (row(*CGRATES, code="20"), "type_signature"),
        (row(*CGRATES, callid=""), "type_signature"),
        (row(*CGRATES, code="486", time="2026-02-30 09:00:00"), "date_invalid"),
    ],
)
def test_rows_whose_columns_do_not_fit_are_refused(text: str, why: str) -> None:
    """Never shifted, never guessed."""
    assert reasons(text) == [why]


def test_local_times_are_decided_by_each_other() -> None:
    """02:50 occurs twice when the clocks go back; the end tells which."""
    ends_later = row(*CGRATES, method="BYE", time="2026-10-25 03:05:00")
    assert only(row(*CGRATES, time="2026-10-25 02:50:00"), ends_later).talk_seconds == 900


@given(cells=st.lists(st.text(alphabet="INVTEBYack|\\20468*: .", max_size=8), max_size=12))
def test_any_row_is_counted_once(cells: list[str]) -> None:
    """A record, refused, ignored or held, and never an exception."""
    one = parser()
    parsed = one.parse(frame("|".join(cells).encode()), now=NOW)
    counted = len(parsed.records) + len(parsed.refused) + parsed.ignored + len(one.held())
    assert counted == len(frame("|".join(cells).encode()))
