"""The dialect ``freeswitch_csv``: when a leg was, by epochs, stamps and durations."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.cdr.record import QuarantineReason as Reason
from tests.support.freeswitch_rows import STARTED, declared, example, only, parse, record_of


def test_the_first_second_of_the_epoch_is_no_answer() -> None:
    """Releases before 1.2 write it for what never came."""
    assert only(example(answer_stamp="1970-01-01 01:00:00", billsec="0")).answered_at is None


@pytest.mark.parametrize(
    ("columns", "changes", "started_at"),
    [
        ("start_epoch", {"start_epoch": "1792891800"}, "2026-10-25T01:30:00"),
        ("start_epoch start_stamp", {"start_epoch": "1792891800"}, "2026-10-25T01:30:00"),
        ("start_uepoch", {"start_uepoch": "1792891800123456"}, "2026-10-25T01:30:00"),
        ("start_stamp", {}, "2026-10-25T00:30:00"),
        ("start_stamp end_epoch", {"end_epoch": "1792891865"}, "2026-10-25T01:30:00"),
    ],
)
def test_an_epoch_decides_the_hour_that_occurs_twice(columns: str, changes: dict[str, str], started_at: str) -> None:
    """And goes before a stamp anywhere."""
    changes = {"start_stamp": "2026-10-25 02:30:00"} | changes
    outcome = declared(f"caller_id_number destination_number duration billsec {columns}", **changes)
    assert record_of(outcome).started_at == datetime.fromisoformat(started_at).replace(tzinfo=UTC)


@pytest.mark.parametrize("epoch", ["x", "12", "1792891800000", "17928918001"])
def test_what_is_no_epoch_refuses_the_row(epoch: str) -> None:
    """Neither the stamp nor a guess takes its place."""
    columns = "caller_id_number destination_number start_stamp start_epoch duration"
    assert declared(columns, start_epoch=epoch) is Reason.TYPE_SIGNATURE


def test_an_epoch_of_zero_never_came() -> None:
    """An unanswered leg, and one that has neither start nor end."""
    columns = "caller_id_number destination_number start_epoch answer_epoch end_epoch duration hangup_cause"
    outcome = declared(columns, start_epoch="1792479600", answer_epoch="0", end_epoch="", hangup_cause="NO_ANSWER")
    assert record_of(outcome).answered_at is None
    assert record_of(outcome).ended_at == STARTED + timedelta(seconds=65)
    assert declared(columns, start_epoch="0", answer_epoch="0", end_epoch="0") is Reason.TYPE_SIGNATURE


@pytest.mark.parametrize(
    ("columns", "spans"),
    [
        ("start_stamp duration billsec", (5, 60, 65)),
        ("end_stamp duration billsec", (5, 60, 65)),
        ("start_stamp end_stamp billsec", (5, 60, 65)),
        ("start_stamp answer_stamp end_stamp", (5, 60, 65)),
        ("answer_stamp end_stamp billsec", (0, 60, 60)),
        ("start_stamp end_stamp", (65, 0, 65)),
    ],
)
def test_what_the_template_leaves_out_is_worked_out(columns: str, spans: tuple[int, int, int]) -> None:
    """From the times and durations that it has."""
    record = record_of(declared(f"caller_id_number destination_number {columns}"))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == spans
    assert record.ended_at == STARTED + timedelta(seconds=65)
    assert record.ended_at - record.started_at == timedelta(seconds=spans[2])


@pytest.mark.parametrize(
    ("start", "answer", "end", "durations", "started_at", "answered_at"),
    [
        ("2026/10/20 9:00", "2026/10/20 9:00", "2026/10/20 9:01", ("65", "60"), "07:00:00", "07:00:05"),
        ("2026/10/20 9:00", "2026/10/20 9:00", "2026/10/20 9:01", ("20", "10"), "07:00:40", "07:00:50"),
        ("2026/10/20 9:00", "", "2026/10/20 9:00", ("12", "0"), "07:00:00", ""),
        ("2026/10/20 9:00", "", "2026/10/20 9:30", ("12", "0"), "07:00:00", ""),
    ],
)
def test_minutes_that_a_spreadsheet_left_are_made_whole_by_the_durations(
    start: str, answer: str, end: str, durations: tuple[str, str], started_at: str, answered_at: str
) -> None:
    """The earliest start that agrees with all of the row."""
    times = {"start_stamp": start, "answer_stamp": answer, "end_stamp": end}
    record = only(example(**times, duration=durations[0], billsec=durations[1]))
    assert f"{record.started_at:%H:%M:%S}" == started_at
    assert (f"{record.answered_at:%H:%M:%S}" if record.answered_at else "") == answered_at


def test_minutes_without_a_duration_stay_as_they_are() -> None:
    """There is nothing to make them whole by."""
    columns = "caller_id_number destination_number start_stamp end_stamp"
    outcome = declared(columns, start_stamp="2026/10/20 9:00", end_stamp="2026/10/20 9:01")
    assert record_of(outcome).total_seconds == 60


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start_stamp": "2026-03-29 02:30:00", "end_stamp": "2026-03-29 02:31:00"}, Reason.LOCAL_TIME_NONEXISTENT),
        ({"end_stamp": "2026-03-29 02:31:00"}, Reason.LOCAL_TIME_NONEXISTENT),
        ({"answer_stamp": "2026-03-29 02:31:00"}, Reason.LOCAL_TIME_NONEXISTENT),
        ({"start_stamp": "2026-02-30 09:00:00"}, Reason.DATE_INVALID),
        ({"end_stamp": "2026-10-20 08:00:00"}, Reason.TIME_ORDER),
        ({"start_stamp": "2026-12-20 09:00:00", "end_stamp": "2026-12-20 09:00:00"}, Reason.DATE_OUT_OF_RANGE),
    ],
)
def test_times_that_cannot_be_are_refused(changes: dict[str, str], expected: Reason) -> None:
    """Each with its reason."""
    assert parse(example(**changes)) == [expected]


def test_an_hour_that_does_not_exist_is_decided_by_the_end() -> None:
    """A switch whose own clock was not put forward."""
    times = {"start_stamp": "2026-03-29 02:59:00", "answer_stamp": "", "end_stamp": "2026-03-29 03:00:05"}
    assert only(example(**times, billsec="0")).started_at == datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
