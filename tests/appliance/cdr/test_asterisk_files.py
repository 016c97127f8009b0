"""What Asterisk's configuration does to ``Master.csv``: account files, cut fields, rounding, GMT, the zone check."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from appliance.cdr.dialect import FeedContext
from appliance.cdr.dialects import find_dialect
from appliance.cdr.line_parser import ReaderParser
from appliance.cdr.record import CallRecord
from appliance.cdr.zone_check import ZoneFinding, fitting_zones
from tests.support.cdr_rows import NOW, frame, master, only_record, parse, reason

ZONES = {name: ZoneInfo(name) for name in ("Europe/Brussels", "Europe/Lisbon", "UTC")}


def keys(data: bytes) -> list[bytes]:
    """The natural keys of a file's records."""
    return [outcome.natural_key for outcome in parse(data) if isinstance(outcome, CallRecord)]


def checked(data: bytes, zone: str = "Europe/Brussels") -> ReaderParser[list[str]]:
    """A parser that has read a file."""
    one = find_dialect("asterisk_csv").open(FeedContext(zone=ZONES[zone]))
    assert isinstance(one, ReaderParser)
    one.parse(frame(data), now=NOW)
    return one


def test_the_file_of_an_account_repeats_the_records_of_master() -> None:
    """Asterisk writes the same bytes twice: the same keys, with and without a sequence, equal calls included."""
    ours = [master(accountcode="sales", uniqueid=f"1792479600.{number}") for number in (1, 2, 2)]
    ours += [master(accountcode="sales", sequence=str(number)) for number in (7, 8)]
    others = [master(accountcode="stock", uniqueid="1792479600.5"), master(accountcode="stock", sequence="9")]
    everything = keys(b"".join([ours[0], others[0], *ours[1:], others[1]]))
    assert len(set(everything)) == 7
    assert set(keys(b"".join(ours))) <= set(everything)
    assert set(keys(b"".join(others))) <= set(everything)


@pytest.mark.parametrize("length", range(1, 40))
def test_a_caller_id_may_be_cut_anywhere(length: int) -> None:
    """Asterisk cuts a field at 79 characters, then quotes it: quotes within may stay open, the row is whole."""
    line = master(clid='"Ann, "An" Maes" <0470112233>'[:length], lastdata='PJSIP/201,30,b(x^"y")'[:length])
    record = only_record(line)
    assert (record.calling, record.called, record.total_seconds) == ("0470112233", "201", 65)


@pytest.mark.parametrize("place", range(4, len(master()) - 4))
def test_a_row_that_was_cut_gives_no_wrong_record(place: int) -> None:
    """As by a full disk: refused, or all that is read of it is there."""
    [outcome] = parse(master()[:place])
    assert not isinstance(outcome, CallRecord) or outcome.called == "201"
    if place < master().index(b'"DOCUMENTATION'):
        assert reason(outcome) in {"line_torn", "column_count", "type_signature"}


def test_a_comma_at_the_end_makes_no_other_columns() -> None:
    """19 columns are 18 and an empty one, unless the last is a sequence."""
    assert only_record(master().rstrip(b"\n") + b",\n").call_key == b"call\x001792479600.1"


def test_initiated_seconds_round_the_billed_ones_up() -> None:
    """A second more than lies between answer and end: carried as written."""
    record = only_record(master(duration="65", billsec="61"))
    assert (record.ring_seconds, record.talk_seconds, record.total_seconds) == (5, 61, 65)


@pytest.mark.parametrize("clid", ['"Private" <>', '"WITHHELD"', "Anonymous", '"Restricted" <restricted>'])
def test_a_name_says_that_the_number_was_withheld(clid: str) -> None:
    """In whatever form the caller id has."""
    assert only_record(master(src="", clid=clid)).calling == "anonymous"


def gmt(hour: int) -> bytes:
    """A call as ``usegmtime`` writes it."""
    epoch = int(datetime(2026, 10, 20, hour, tzinfo=UTC).timestamp())
    day = f"2026-10-20 {hour:02}"
    return master(start=f"{day}:00:00", answer=f"{day}:00:05", end=f"{day}:01:05", uniqueid=f"{epoch}.{hour}")


def test_a_file_in_gmt_is_found_by_its_ids() -> None:
    """Read as Brussels it is two hours off in summer; UTC fits."""
    one = checked(b"".join(map(gmt, range(9, 18))))
    assert one.zone_check is not None
    assert one.zone_check.finding() == ZoneFinding(fits=False, offsets_seconds=(-7200,), samples=9)
    assert fitting_zones(one.zone_check.samples, ZONES) == ["UTC"]
    right = checked(b"".join(map(gmt, range(9, 18))), "UTC").zone_check
    assert right is not None
    assert right.finding().fits is True


def test_ambiguous_dates_and_ids_without_an_epoch() -> None:
    """A date that the epoch decided still tells the hour; a fold that it decided tells nothing, nor does no epoch."""
    fold = master(start="2026-10-25 02:30:00", answer="", end="2026-10-25 02:31:05", uniqueid="1792891800.1")
    check = checked(fold + master(uniqueid="") + master(uniqueid="channel-1")).zone_check
    assert check is not None
    assert check.samples == ()
    row = master(start="1/9/2017 16:33:01", answer="", end="1/9/2017 16:34:06", uniqueid="1504276381.7")
    check = checked(row * 5).zone_check
    assert check is not None
    assert check.finding().fits is True


def test_one_record_in_so_many_is_compared() -> None:
    """All at the start of a file, few of a busy day."""
    check = checked(master() * 1000).zone_check
    assert check is not None
    assert len(check.samples) == 64 + 14
