"""The dialect ``asterisk_csv``: column sets, identity, times, parties, and what it refuses."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.cdr.framing import HEAD_BYTES, MAX_LINE_BYTES
from appliance.cdr.record import CallRecord, Line
from appliance.wire.call import Direction, Disposition
from tests.support.cdr_rows import NOW, frame, freepbx, master, only_record, parse, parser, reason

STARTED = datetime(2026, 10, 20, 7, 0, tzinfo=UTC)
DATABASE_HEADER = (
    b"calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition,amaflags,"
    b"accountcode,uniqueid,userfield\n"
)


def columns(line: bytes, *, keep: int, more: bytes = b"") -> bytes:
    """The first columns of a row (which has no comma in a field), and others after them."""
    return b",".join([*line.rstrip(b"\n").split(b",")[:keep], *([more] if more else [])]) + b"\n"


PLAIN = master(lastdata="PJSIP/201")
PLAIN_DATABASE = freepbx(lastdata="PJSIP/201")


@pytest.mark.parametrize(
    ("line", "call_key"),
    [
        (columns(PLAIN, keep=16), None),
        (columns(PLAIN, keep=17), b"call\x001792479600.1"),
        (columns(PLAIN, keep=16, more=b'"my user field"'), None),
        (PLAIN, b"call\x001792479600.1"),
        (columns(PLAIN, keep=16, more=b'"","1792479600.9",5'), b"call\x001792479600.9"),
        (columns(PLAIN, keep=17, more=b'"","1792479600.9",5'), b"call\x001792479600.9"),
        (columns(PLAIN, keep=16, more=b'"mine","","1792479600.9",5'), b"call\x001792479600.9"),
        (columns(PLAIN, keep=18, more=b'"","1792479600.9",5'), b"call\x001792479600.9"),
        (columns(PLAIN_DATABASE, keep=16), b"call\x001792479600.1"),
        *((columns(PLAIN_DATABASE, keep=keep), b"call\x001792479600.1") for keep in (17, 23, 24, 25, 26)),
        (columns(PLAIN_DATABASE, keep=26, more=b'""'), b"call\x001792479600.1"),
        (columns(PLAIN_DATABASE, keep=26, more=b'"",""'), b"call\x001792479600.1"),
    ],
)
def test_every_column_set_gives_the_same_call(line: bytes, call_key: bytes | None) -> None:
    """16 to 21 columns of Master.csv, 16 to 28 of FreePBX' table; the id where there is one."""
    record = only_record(line)
    assert (record.calling, record.called) == ("0470112233", "201")
    assert (record.started_at, record.ended_at) == (STARTED, STARTED + timedelta(seconds=65))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 60, 65)
    assert (record.disposition, record.direction) == (Disposition.ANSWERED, Direction.UNKNOWN)
    assert record.call_key == (call_key or record.natural_key)


def test_unanswered_rows_have_an_empty_answer() -> None:
    """Asterisk writes nothing between the commas; the whole time is ringing."""
    line = master(answer="", billsec="0", disposition="NO ANSWER").replace(b',"",', b",,", 1)
    record = only_record(line)
    assert (record.answered_at, record.ring_seconds, record.talk_seconds) == (None, 65, 0)
    assert record.disposition is Disposition.NO_ANSWER


@pytest.mark.parametrize(
    ("text", "disposition"),
    [
        *(("BUSY", Disposition.BUSY), ("FAILED", Disposition.FAILED)),
        *(("CONGESTION", Disposition.CONGESTION), ("UNKNOWN", Disposition.UNKNOWN)),
    ],
)
def test_dispositions_are_those_of_asterisk(text: str, disposition: Disposition) -> None:
    """Each name that ``ast_cdr_disp2str`` writes."""
    assert only_record(master(disposition=text)).disposition is disposition


def test_more_billed_than_total_is_carried_as_written() -> None:
    """A fixture of Asterisk's own test suite has 5 and 7 seconds; nothing is corrected here."""
    record = only_record(master(duration="5", billsec="7"))
    assert (record.total_seconds, record.talk_seconds) == (5, 7)


def test_a_table_without_end_and_answer_gives_them_from_the_durations() -> None:
    """End is start and duration; it rang for what of the duration was not billed."""
    record = only_record(freepbx(duration="65", billsec="60"))
    assert record.answered_at == STARTED + timedelta(seconds=5)
    assert only_record(freepbx(billsec="0", disposition="BUSY")).answered_at is None
    assert only_record(freepbx(duration="5", billsec="7")).answered_at == STARTED


def test_null_literals_of_a_database_are_empty() -> None:
    """A caller called NULL would be a person."""
    record = only_record(freepbx(src="NULL", cnum="\\N", dcontext="NULL", did="NULL"))
    assert record.calling == ""


def test_a_header_names_the_columns_in_any_order() -> None:
    """It is no record, and the rows after it are read by it, a trailing empty column included."""
    data = (
        b"\xef\xbb\xbfdst,src,calldate,billsec,duration,disposition,uniqueid,clid\n"
        b"201,0470112233,2026-10-20 09:00:00,60,65,ANSWERED,1792479600.1,x\n"
        b"201,0470112233,2026-10-20 09:00:00,60,65,ANSWERED,1792479600.1,x,\n"
        b"201,0470112233,2026-10-20 09:00:00,60,65,ANSWERED,1792479600.1,x,y\n"
        b"201,0470112233,2026-10-20 09:00:00,sixty,65,ANSWERED,1792479600.1,x\n"
    )
    header, first, second, third, fourth = parse(data)
    assert isinstance(first, CallRecord)
    assert isinstance(second, CallRecord)
    assert (first.calling, first.called, first.leg, second.leg) == ("0470112233", "201", 1, 2)
    assert [reason(outcome) for outcome in (header, third, fourth)] == ["ignored", "column_count", "type_signature"]


def test_a_header_far_into_the_file_is_ignored() -> None:
    """Exports are pasted together; what a restart would not see must not change how rows are read."""
    filler = PLAIN * (HEAD_BYTES // len(PLAIN) + 1)
    outcomes = parse(filler + b"dst,src,start,billsec,duration,disposition\n" + PLAIN)
    assert reason(outcomes[-2]) == "ignored"
    assert isinstance(outcomes[-1], CallRecord)


def test_empty_lines_are_ignored() -> None:
    """Also those of which a spreadsheet kept the commas."""
    assert [reason(outcome) for outcome in parse(b"\n,,,,\r\n" + b",".join([b""] * 18) + b"\n")] == ["ignored"] * 3


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (columns(PLAIN, keep=15), "column_count"),
        (PLAIN.rstrip(b"\n") + b"," * 20 + b"\n", "column_count"),
        (b'"Ann","0470112233"\n', "column_count"),
        (b'"",' + columns(PLAIN, keep=17), "type_signature"),
        (columns(PLAIN, keep=15, more=b'"1"'), "record"),
        (master(duration="65.5"), "type_signature"),
        (master(duration="-1"), "type_signature"),
        (master(duration="²"), "type_signature"),
        (master(billsec="9" * 5000), "type_signature"),
        (master(duration=str(31 * 86_400 + 1)), "type_signature"),
        (master(disposition="MAYBE"), "type_signature"),
        (master(start="soon"), "type_signature"),
        (master(answer="soon"), "type_signature"),
        (master(end="soon"), "type_signature"),
        (master(start="2026-10-32 09:00:00"), "date_invalid"),
        (master(answer="2026-10-20 09:00:60"), "date_invalid"),
        (master(end="2026-10-20 25:00:00"), "date_invalid"),
        (master(start="1999-12-31 23:59:59", answer="", end="1999-12-31 23:59:59"), "date_out_of_range"),
        (master(start="2026-11-03 09:00:00", answer="", end="2026-11-03 09:00:00"), "date_out_of_range"),
        (master(start="2026-09-01 09:00:00"), "date_out_of_range"),
        (master(end="2026-10-20 08:59:59", answer=""), "time_order"),
        (master(answer="2026-10-20 08:59:59"), "time_order"),
        (master(answer="2026-10-20 09:01:06"), "time_order"),
        (freepbx(calldate="1/9/2026 09:00:00", uniqueid=""), "date_ambiguous"),
        (master(start="2026-03-29 02:30:00", end="soon"), "type_signature"),
        (master(start="2026-03-29 02:30:00", end="2026-04-09 03:00:00", uniqueid=""), "local_time_nonexistent"),
        (master(start="2026-03-29 01:30:00", end="2026-03-29 02:30:00", answer="2026-03-29 25:00:00"), "date_invalid"),
        (b"x" * (MAX_LINE_BYTES + 1) + b"\n", "line_too_long"),
        (b"\x01" + PLAIN, "binary"),
        (PLAIN.rstrip()[:-1] + b"\n", "line_torn"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(line: bytes, code: str) -> None:
    """Never shifted: a row of a wrong type or number of columns gives no record."""
    assert [reason(outcome) for outcome in parse(line)] == [code]


def test_the_last_two_days_before_the_bound_are_still_read() -> None:
    """A PBX clock may run ahead a little: up to exactly two days."""
    at_bound = (NOW + timedelta(days=2, hours=1)).strftime("%Y-%m-%d %H:%M:%S")
    assert only_record(master(start=at_bound, answer="", end=at_bound, uniqueid="")).started_at == NOW + timedelta(2)


@pytest.mark.parametrize(
    ("clid", "repaired"),
    [
        ('""Maes, Ro" <0470112233>"', True),
        ('""Maes, Ro, Dr., X" <0470112233>"', True),
        ('""Maes, Ro, Dr., X, Y" <0470112233>"', True),
        ('""Maes, <b> Ro" 0470112233"', False),
        ('""Maes, Ro" <0470112299>"', False),
        ('""Maes, Ro" <>"', False),
        ('"Maes" <0470112233>', True),
    ],
)
def test_a_comma_in_a_broken_name_is_mended_at_known_columns(clid: str, repaired: bool) -> None:  # noqa: FBT001 - table
    """Phones' names with quotes that FreePBX does not double: joined where the caller id must end, else refused."""
    line = PLAIN_DATABASE.replace(b'"""Ann"" <0470112233>"', clid.encode())
    [outcome] = parse(line)
    assert isinstance(outcome, CallRecord) is repaired
    if isinstance(outcome, CallRecord):
        assert (outcome.calling, outcome.called) == ("0470112233", "201")


def test_uniqueid_and_sequence_identify_a_record() -> None:
    """The same pair is the same record, whatever else the line says; another sequence is another record."""
    keys = [
        only_record(line).natural_key
        for line in (
            master(sequence="7"),
            master(sequence="7", userfield="x"),
            master(sequence="8"),
            master(uniqueid="17924796001.1", sequence="7"),
            freepbx(),
        )
    ]
    assert keys[0] == keys[1] == keys[4]
    assert len(set(keys)) == 3


def test_equal_lines_without_a_sequence_are_different_records() -> None:
    """Two calls of no length in one second are legitimate; each has its own key, the same at each reading."""
    outcomes = parse(PLAIN * 3)
    records = [outcome for outcome in outcomes if isinstance(outcome, CallRecord)]
    assert len({record.natural_key for record in records}) == 3
    assert [record.leg for record in records] == [1, 2, 3]
    assert len({record.call_key for record in records}) == 1
    assert parse(PLAIN * 3) == outcomes


def test_legs_of_one_call_are_numbered_by_linkedid() -> None:
    """A forward's second row has another uniqueid, and the same linkedid."""
    data = master(sequence="1") + master(uniqueid="1.2", sequence="2") + master(sequence="3", linkedid="1792479600.5")
    legs = [(o.leg, o.call_key) for o in parse(data) if isinstance(o, CallRecord)]
    assert legs == [
        (1, b"call\x001792479600.1"),
        (2, b"call\x001792479600.1"),
        (1, b"call\x001792479600.5"),
    ]


def test_a_linkedid_that_is_none_joins_no_calls() -> None:
    """Older tables have a counter where newer ones have the linkedid: 0 must not be one call for all rows."""
    record = only_record(freepbx(linkedid="0"))
    assert record.call_key == b"call\x001792479600.1"
    assert record.natural_key.startswith(b"line\0")


def test_an_id_may_carry_the_system_name() -> None:
    """``asterisk-1240499812.774``: the epoch in it still decides."""
    line = freepbx(calldate="1/9/2017 16:33:01", uniqueid="pbx-1504276381.774")
    assert only_record(line).started_at == datetime(2017, 9, 1, 14, 33, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("epoch", "started_at"),
    [("1792888200.1", "2026-10-25T00:30:00"), ("1792891800.1", "2026-10-25T01:30:00"), ("", "2026-10-25T00:30:00")],
)
def test_the_epoch_decides_the_hour_that_occurs_twice(epoch: str, started_at: str) -> None:
    """On the night that summer time ends; without an epoch the first of the two."""
    line = master(start="2026-10-25 02:30:00", answer="2026-10-25 02:30:05", end="2026-10-25 02:31:05", uniqueid=epoch)
    record = only_record(line)
    assert record.started_at == datetime.fromisoformat(started_at).replace(tzinfo=UTC)
    assert record.ended_at - record.started_at == timedelta(seconds=65)
    assert record.ring_seconds == 5


@pytest.mark.parametrize(
    ("start", "end", "duration", "started_at"),
    [
        ("02:30:00", "02:10:00", 2400, "00:30"),
        ("02:10:00", "02:20:00", 4200, "00:10"),
        ("02:30:00", "03:10:00", 2400, "01:30"),
        ("02:30:00", "03:10:00", 6000, "00:30"),
        ("01:50:00", "02:10:00", 4800, "23:50"),
    ],
)
def test_the_duration_decides_where_there_is_no_epoch(start: str, end: str, duration: int, started_at: str) -> None:
    """Calls across the fold: start and end lie as far apart as the duration says."""
    answer = f"2026-10-25 {end}"
    line = master(
        start=f"2026-10-25 {start}",
        answer=answer,
        end=f"2026-10-25 {end}",
        duration=str(duration),
        billsec="0",
        uniqueid="",
    )
    record = only_record(line)
    assert f"{record.started_at:%H:%M}" == started_at
    assert record.ended_at - record.started_at == timedelta(seconds=duration)
    assert record.answered_at == record.ended_at


def test_the_epoch_decides_the_hour_that_does_not_exist() -> None:
    """A PBX whose own clock was not put forward."""
    line = freepbx(calldate="2026-03-29 02:30:00", uniqueid="1774747800.1")
    assert only_record(line).started_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "calling", "called", "forwarded_to"),
    [
        ({"src": "", "cnum": "203"}, "203", "201", ""),
        ({"src": "", "clid": '"Anonymous" <anonymous>'}, "anonymous", "201", ""),
        ({"src": "", "clid": '"Anonymous" <>'}, "anonymous", "201", ""),
        ({"src": "", "clid": '"Anonymous Bosch" <>'}, "", "201", ""),
        ({"dst": "s", "did": "021234567"}, "0470112233", "021234567", ""),
        ({"dst": "", "did": "+3221234567"}, "0470112233", "+3221234567", ""),
        ({"dst": "s", "did": "rec-0470112233.wav"}, "0470112233", "s", ""),
        ({"dst": "201", "did": "021234567"}, "0470112233", "201", ""),
        ({"dstchannel": "Local/0470998877@from-internal-0001;1"}, "0470112233", "201", "0470998877"),
        ({"dstchannel": "Local/201@from-internal-0001;1"}, "0470112233", "201", ""),
        ({"dstchannel": "Local/FMPR-201@from-internal"}, "0470112233", "201", ""),
        ({"dstchannel": "Local/*72201@from-internal"}, "0470112233", "201", ""),
        ({"dst": "*72*201*0470998877"}, "0470112233", "*72*201*0470998877", ""),
    ],
)
def test_parties_are_taken_from_number_columns(
    changes: dict[str, str], calling: str, called: str, forwarded_to: str
) -> None:
    """Caller, called and forward target; a name only says that the number was withheld."""
    record = only_record(freepbx(**changes))
    assert (record.calling, record.called, record.forwarded_to) == (calling, called, forwarded_to)


@pytest.mark.parametrize(
    ("changes", "direction"),
    [
        ({"dcontext": "from-trunk"}, Direction.INBOUND),
        ({"dcontext": "from-pstn-toheader"}, Direction.INBOUND),
        ({"dcontext": "from-did-direct"}, Direction.INBOUND),
        ({"dcontext": "from-internal", "did": "021234567"}, Direction.INBOUND),
        ({"dcontext": "from-internal"}, Direction.UNKNOWN),
        ({"did": "Ann"}, Direction.UNKNOWN),
    ],
)
def test_the_trunk_says_that_a_call_comes_in(changes: dict[str, str], direction: Direction) -> None:
    """By FreePBX' contexts or a dialled-in number; otherwise the parties decide later."""
    assert only_record(freepbx(**changes)).direction is direction


def test_nothing_of_a_record_shows_in_its_repr() -> None:
    """It may stand in a traceback."""
    assert "0470" not in repr(parse(PLAIN))


def test_the_leg_stays_within_what_the_wire_carries() -> None:
    """However many rows one call has."""
    lines = [Line(0, PLAIN.strip())] * 10_001
    assert parser().parse(lines, now=NOW).records[-1].leg == 9999


def test_rewinding_reads_nothing_into_the_future() -> None:
    """Rows that were refused for their date still count, so that the day of reading changes no key."""
    ahead = master(start="2026-12-24 09:00:00", answer="", end="2026-12-24 09:00:00")
    early, late = parser(), parser()
    first = frame(ahead)
    second = [Line(len(ahead), line.content) for line in first]
    early.parse(first, now=NOW)
    late.rewind(first)
    later = NOW + timedelta(days=60)
    assert early.parse(second, now=later) == late.parse(second, now=later)
