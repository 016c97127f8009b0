"""CDRs of a session border controller in syslog: which line is a record, and which field is what."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cdr import audiocodes_sbc
from appliance.cdr.audiocodes_layout import NAMES, titled_layout
from appliance.cdr.dialect import FeedContext, Layout, LineParser
from appliance.cdr.framing import REWIND_BYTES
from appliance.cdr.record import CallRecord, Line, Parsed
from appliance.errors import SettingsError
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame

PREFIX = "10:36:14.064  192.0.2.11  local1.info[S = 129] "
TITLES = (
    *("SBCReportType", "EPTyp", "SIPCallId", "SessionId", "Orig", "SourceIp", "SourcePort", "DestIp", "DestPort"),
    *("TransportType", "SrcURI", "SrcURIBeforeMap", "DstURI", "DstURIBeforeMap", "Duration", "TrmSd", "TrmReason"),
    *("TrmReasonCategory", "SetupTime", "ConnectTime", "ReleaseTime", "RedirectReason", "RedirectURINum"),
    *("RedirectURINumBeforeMap", "TxSigIPDiffServ", "IPGroup (name)", "SrdId (name)", "SIPInterfaceId (name)"),
    *("ProxySetId (name)", "IpProfileId (name)", "MediaRealmId (name)", "DirectMedia", "SIPTrmReason", "SIPTermDesc"),
    *("Caller", "Callee", "Trigger", "LegId", "VoiceAIConnectorName"),
)
AT = datetime(2026, 10, 20, 7, tzinfo=UTC)


def time(after: int, zone: str = "UTC") -> str:
    """So many seconds after the setup, as the device writes it."""
    return f"{AT + timedelta(seconds=after):%H:%M:%S.320  {zone} %a %b %d %Y}"


def row(width: int = 39, titles: Sequence[str] = TITLES, /, **changes: str) -> str:
    """The end of one leg, the fields named replaced, cut or padded to ``width`` fields."""
    values = {
        "SBCReportType": "CALL_END",
        "EPTyp": "SBC",
        "SIPCallId": "4341@192.0.2.11",
        "SessionId": "c62532:22:625",
        "Orig": "RMT",
        "TransportType": "TCP",
        "SrcURI": "+32470112233@192.0.2.11",
        "SrcURIBeforeMap": "0470112233@192.0.2.1",
        "DstURI": "+3224445566@192.0.2.12",
        "DstURIBeforeMap": "024445566@192.0.2.11",
        "Duration": "60",
        "TrmSd": "RMT",
        "TrmReason": "GWAPP_NORMAL_CALL_CLEAR",
        "TrmReasonCategory": "NORMAL_CALL_CLEAR",
        "SetupTime": time(0),
        "ConnectTime": time(5),
        "ReleaseTime": time(65),
        "SIPTrmReason": "BYE",
        "Caller": "Bart",
        "LegId": "1",
    } | changes
    fields = [values.get(title, "") for title in titles]
    return PREFIX + "|" + "|".join(f"{field:<12}" for field in [*fields, *[""] * width][:width])


def titles_row(titles: Sequence[str] = TITLES) -> str:
    """The row of titles."""
    return PREFIX + "|" + "|".join(f"{title:<16}" for title in titles)


def parser(**layout: Any) -> LineParser:
    """One at the beginning of a file."""
    return audiocodes_sbc.DIALECT.open(FeedContext(zone=ZoneInfo("Europe/Brussels"), layout=Layout(**layout)))


def parse(*lines: str, **layout: Any) -> Parsed:
    """All lines of a file."""
    return parser(**layout).parse(frame("".join(line + "\n" for line in lines).encode()), now=NOW)


def only(*lines: str, **layout: Any) -> CallRecord:
    """The record of lines of which one is a record and none is refused."""
    parsed = parse(*lines, **layout)
    [record] = parsed.records
    assert (parsed.refused, parsed.ignored) == ([], len(lines) - 1)
    return record


def reasons(*lines: str, **layout: Any) -> list[str]:
    """Why lines were refused."""
    return [str(item.reason) for item in parse(*lines, **layout).refused]


def test_the_end_of_a_leg_is_a_record() -> None:
    """Talking is what lies between the times, whatever unit the duration has."""
    record = only(row())
    assert (record.started_at, record.answered_at) == (AT, AT + timedelta(seconds=5))
    assert record.ended_at == AT + timedelta(seconds=65)
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert only(row(Duration="60000")) == record
    assert (record.direction, record.disposition) == (Direction.UNKNOWN, Disposition.ANSWERED)


@pytest.mark.parametrize(
    "kind",
    ["CALL_START", "CALL_CONNECT", "MEDIA_START", "MEDIA_UPDATE", "MEDIA_END", "DIALOG_START", "DIALOG_END"],
)
def test_other_reports_are_no_records(kind: str) -> None:
    """The end of a leg says all that its beginning did."""
    assert only(row(SBCReportType=kind), row()) == only(row())


@pytest.mark.parametrize(
    "line",
    [
        "",
        titles_row(),
        PREFIX + "|MediaReportType|SIPCallId |SessionId |Cid",
        "10:36:14.064  192.0.2.11  local0.notice [S=130] ( sip_stack)(123) new call",
        "<142>[S=7] keep-alive",
        "Oct 20 09:00:00 sbc something else | with a stroke",
        "2026-10-20T09:00:00Z sbc message",
    ],
)
def test_titles_and_messages_of_the_device_are_no_records(line: str) -> None:
    """Its log holds much else."""
    assert only(line, row()) == only(row())


@pytest.mark.parametrize("line", ["Ann Peeters|0470112233", "Ann Peeters", PREFIX + "CALL_END without strokes"])
def test_lines_of_another_format_are_refused(line: str) -> None:
    """They are not passed over in silence."""
    assert reasons(line) == ["type_signature"]


@pytest.mark.parametrize(
    "changes",
    [
        {"Orig": "Ann"},
        {"TrmSd": "24"},
        {"Duration": "1.5"},
        {"Duration": "12345678901"},
        {"LegId": "Ann"},
        {"SetupTime": ""},
        {"SetupTime": "soon"},
        {"ConnectTime": "-"},
        {"ReleaseTime": "60"},
        {"SrcURI": "Ann|Peeters"},
        {"ReleaseTime": "", "Duration": ""},
        {"ReleaseTime": "", "Duration": "9999999999"},
    ],
)
def test_a_field_of_a_wrong_type_refuses_the_row(changes: dict[str, str]) -> None:
    """A name with a stroke in it must not shift a field into another's place."""
    assert reasons(row(**changes)) == ["type_signature"]
    assert reasons(titles_row(), row(**changes)) == ["type_signature"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ReleaseTime": time(-10)}, "time_order"),
        ({"SetupTime": time(0).replace("07:00", "07:70")}, "date_invalid"),
        ({"ConnectTime": time(0).replace("Oct 20", "Feb 30")}, "date_invalid"),
        ({"ReleaseTime": time(0, "UTC+2").replace("Oct 20", "Feb 30")}, "date_invalid"),
        ({"SetupTime": "02:30:00.000 XYZ Sun Mar 29 2026"}, "local_time_nonexistent"),
    ],
)
def test_impossible_times_are_refused(changes: dict[str, str], why: str) -> None:
    """No such day, no such hour, or an end before the start."""
    assert reasons(row(**changes)) == [why]


@pytest.mark.parametrize("width", [33, 34, 36, 38, 39, 41])
def test_the_order_of_each_release_is_known(width: int) -> None:
    """It grew at its end; a row may end in empty fields."""
    record = only(row(width))
    assert (record.calling, record.talk_seconds) == ("0470112233@192.0.2.1", 60)


def test_release_6_8_had_the_method_as_well() -> None:
    """As its third field, which the types tell."""
    with_method = (*TITLES[:2], "SIPMethod", *TITLES[2:33])
    assert only(row(34, with_method)).calling == "0470112233@192.0.2.1"


def test_titles_say_which_field_is_what() -> None:
    """The administrator chose fewer fields, in another order; the manuals' longer titles will do as well."""
    titles = ("Session ID", "Source URI", "Destination URI (x)", "SBCReportType", "Setup Time", "Release Time", "Durat")
    values = {"Session ID": "s", "Source URI": "201@x", "Destination URI (x)": "202@x", "Durat": "60"}
    values |= {"Setup Time": time(0), "Release Time": time(65)}
    record = only(titles_row(titles), row(7, titles, **values))
    assert (record.calling, record.called, record.answered_at) == ("201@x", "202@x", AT + timedelta(seconds=5))
    assert reasons(titles_row(titles), row()) == ["type_signature"]


def test_titles_that_lack_what_a_record_needs_declare_nothing() -> None:
    """The order of the manuals stays."""
    assert titled_layout(["SBCReportType", "SetupTime", "SrcURI"]) is None
    assert only(titles_row(["SBCReportType", "SetupTime", "SrcURI"]), row()) == only(row())


def test_titles_count_in_the_head_of_the_file_and_nearby() -> None:
    """A parser that starts in the middle is shown these lines and no others."""
    titles = (*TITLES[1:], TITLES[0])
    far = 10 * REWIND_BYTES
    near = [Line(far, titles_row(titles).encode()), Line(far + 600, row(39, titles).encode())]
    beyond = [Line(far + 2 * REWIND_BYTES, row().encode())]
    assert [len(parser().parse(lines, now=NOW).records) for lines in (near, [*near, *beyond])] == [1, 2]
    head = [Line(0, titles_row(titles).encode()), Line(far, row(39, titles).encode())]
    assert len(parser().parse(head, now=NOW).records) == 1


def test_declared_fields_go_before_titles() -> None:
    """What the administrator of the site says is not changed by a line of the log."""
    columns = ("report", "-", "call_id", "src_uri", "dst_uri", "setup_time", "connect_time", "duration")
    line = f"{PREFIX}|CALL_END|Ann|c|201@x|202@x|{time(0)}|{time(5)}|60|"
    record = only(titles_row(), line, columns=columns)
    assert (record.calling, record.total_seconds, record.leg) == ("201@x", 65, 1)
    assert reasons(f"{PREFIX}|CALL_END|c|201@x|202@x|{time(0)}|{time(5)}|60|", columns=columns) == ["type_signature"]


@pytest.mark.parametrize(
    "columns",
    [
        ("report", "setup_time", "release_time"),
        ("report", "setup_time", "src_uri"),
        ("setup_time", "release_time", "src_uri"),
        (*NAMES, "report"),
        (*NAMES, "caller"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(columns: tuple[str, ...]) -> None:
    """At once, with the place of the mistake."""
    parser(columns=tuple(NAMES))
    with pytest.raises(SettingsError):
        parser(columns=columns)


@pytest.mark.parametrize(
    ("sip", "category", "reason", "disposition"),
    [
        ("486", "GENERAL_FAILED", "X", Disposition.BUSY),
        ("480", "GENERAL_FAILED", "X", Disposition.NO_ANSWER),
        ("404", "GENERAL_FAILED", "X", Disposition.FAILED),
        ("503", "NO_RESOURCES", "X", Disposition.CONGESTION),
        ("CANCEL", "NO_ANSWER", "X", Disposition.NO_ANSWER),
        ("CANCEL", "", "X", Disposition.NO_ANSWER),
        ("", "BUSY", "X", Disposition.BUSY),
        ("", "FORWARDED", "X", Disposition.NO_ANSWER),
        ("200", "NO_MATCH", "X", Disposition.FAILED),
        ("", "", "GWAPP_USER_BUSY", Disposition.BUSY),
        ("", "", "SOMETHING_NEW", Disposition.UNKNOWN),
    ],
)
def test_the_device_says_why_nobody_answered(sip: str, category: str, reason: str, disposition: Disposition) -> None:
    """The SIP response says most; a word that is not known says nothing."""
    unanswered = {"ConnectTime": "", "Duration": "0", "ReleaseTime": time(20)}
    record = only(row(SIPTrmReason=sip, TrmReasonCategory=category, TrmReason=reason, **unanswered))
    assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (None, 20, 0)
    assert record.disposition is disposition


def test_parties_are_those_before_the_device_rewrote_them() -> None:
    """They are what was dialled; a row that has only the others is read all the same."""
    assert (only(row()).calling, only(row()).called) == ("0470112233@192.0.2.1", "024445566@192.0.2.11")
    record = only(row(SrcURIBeforeMap="", DstURIBeforeMap=""))
    assert (record.calling, record.called) == ("+32470112233@192.0.2.11", "+3224445566@192.0.2.12")


@pytest.mark.parametrize("field", ["RedirectURINum", "RedirectURINumBeforeMap"])
def test_who_redirected_a_call_was_called_first(field: str) -> None:
    """The destination of the leg is where the call was forwarded to."""
    record = only(row(**{field: "201@192.0.2.12"}))
    assert (record.called, record.forwarded_to) == ("201@192.0.2.12", "024445566@192.0.2.11")


def test_legs_share_the_session_and_keep_their_numbers() -> None:
    """Where the device gives none, the incoming leg is the first; overlapping exports give equal keys."""
    parsed = parse(
        row(LegId="2", SIPCallId="b"), row(), row(LegId="", SIPCallId="c"), row(LegId="0", SIPCallId="d", Orig="LCL")
    )
    assert [record.leg for record in parsed.records] == [2, 1, 1, 2]
    assert len({record.call_key for record in parsed.records}) == 1
    assert parsed.records[1].natural_key == only(row()).natural_key
    assert only(row(LegId="99999")).leg == 9999


def test_rows_without_ids_are_told_apart() -> None:
    """Two equal ones stay two."""
    parsed = parse(*[row(SIPCallId="", SessionId="")] * 2, row(SIPCallId=""), row(SessionId=""))
    assert len({record.natural_key for record in parsed.records}) == 4
    assert len({record.call_key for record in parsed.records}) == 4


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("UTC", 0), ("GMT", 0), ("CEST", 2), ("UTC+2", 2), ("GMT+05:30", 5.5), ("UTC-3", -3), ("XYZ", 2)],
)
def test_the_zone_of_a_time_is_believed(zone: str, hours: float) -> None:
    """In letters or as an offset; letters that nobody knows leave the site's zone."""
    record = only(row(SetupTime=time(0, zone), ConnectTime="", ReleaseTime=time(9, zone), Duration="0"))
    assert record.started_at == AT - timedelta(hours=hours)


def test_the_duration_decides_between_two_equal_hours() -> None:
    """02:10 after 02:30 is the second of that night, if the device writes local times."""
    night = "XYZ Sun Oct 25 2026"
    times = {"SetupTime": f"02:30:00 {night}", "ConnectTime": f"02:30:05 {night}", "ReleaseTime": f"02:10:05 {night}"}
    assert only(row(Duration="2400", **times)).talk_seconds == 2400


@given(text=st.text(alphabet="|CALL_END SBCReportType0:.", max_size=60))
def test_any_line_is_counted_once(text: str) -> None:
    """A record, refused or ignored, and never an exception."""
    lines = frame(f"x|CALL_END|{text}\n|{text}\n{text}".encode())
    parsed = parser().parse(lines, now=NOW)
    assert len(parsed.records) + len(parsed.refused) + parsed.ignored == len(lines)
