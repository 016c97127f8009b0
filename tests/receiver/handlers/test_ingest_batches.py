"""Deliveries: verdicts, idempotency and the high-water mark, over real TLS into the real database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest

from appliance.wire.batch import HighWater, RefusalCode, Verdict
from appliance.wire.call import Category, Party
from appliance.wire.codec import decode_high_water, decode_problem, decode_verdict, encode_call
from appliance.wire.problem import ProblemCode
from tests.receiver.deliveries import NOON, Machine, make_batch, make_call, pseudonym, token
from tests.support.receiver_process import ReceiverProcess


def _verdict(response: httpx.Response) -> Verdict:
    assert response.status_code == 200, response.text
    return decode_verdict(response.content)


def _mark(line: httpx.Client) -> HighWater:
    return decode_high_water(line.get("/v1/ingest/high-water").content)


def test_new_records_are_accepted(line: httpx.Client, machine: Machine) -> None:
    """A first batch of sound records is accepted whole and moves the mark."""
    verdict = _verdict(machine.deliver(line, [make_call(), make_call()]))
    assert verdict == Verdict(1, 1, accepted=2, duplicate=0, refused=[], high_water=HighWater(1, 1))


def test_nothing_delivered_is_the_mark_zero(line: httpx.Client) -> None:
    """Before its first batch an appliance's mark is (0, 0)."""
    assert _mark(line) == HighWater(0, 0)


def test_known_records_are_duplicates(line: httpx.Client, machine: Machine) -> None:
    """A record that came before, in another batch or the same one, is counted as a duplicate and stored once."""
    call = make_call()
    _verdict(machine.deliver(line, [call]))
    verdict = _verdict(machine.deliver(line, [call, make_call(), call], sequence=2))
    assert (verdict.accepted, verdict.duplicate) == (1, 2)


def test_refused_records_are_named(line: httpx.Client, machine: Machine) -> None:
    """Each refused record is named by index and code, and the sound ones beside it are stored."""
    ahead = NOON.replace(year=2099)
    verdict = _verdict(
        machine.deliver(
            line,
            [
                make_call(ended_at=NOON - timedelta(seconds=1)),
                make_call(),
                make_call(ahead),
                make_call(calling=Party(Category.WITHHELD, pseudonym(), None)),
                make_call(datetime(1999, 12, 31, 23, 59, tzinfo=UTC)),
            ],
        )
    )
    assert verdict.accepted == 1
    assert [(refusal.index, refusal.code) for refusal in verdict.refused] == [
        (0, RefusalCode.TIME_ORDER),
        (2, RefusalCode.TIME_OUT_OF_RANGE),
        (3, RefusalCode.PARTY_INCONSISTENT),
        (4, RefusalCode.TIME_OUT_OF_RANGE),
    ]


def test_a_batch_of_refused_records_only_is_answered(line: httpx.Client, machine: Machine) -> None:
    """A batch without one sound record is a batch all the same: it moves the mark and is not sent again."""
    verdict = _verdict(machine.deliver(line, [make_call(ended_at=NOON - timedelta(days=1))]))
    assert (verdict.accepted, len(verdict.refused), verdict.high_water) == (0, 1, HighWater(1, 1))


@pytest.mark.parametrize("year", [2000, 2009, 2017])
def test_backfilled_months_open_by_themselves(line: httpx.Client, machine: Machine, year: int) -> None:
    """Records of years ago find their month open."""
    verdict = _verdict(machine.deliver(line, [make_call(NOON.replace(year=year))]))
    assert verdict.accepted == 1


@pytest.mark.parametrize(
    "started_at", [NOON.astimezone(timezone(timedelta(hours=23, minutes=59))), NOON.replace(microsecond=475123)]
)
def test_a_time_that_is_not_utc_to_the_millisecond_is_refused(
    line: httpx.Client, machine: Machine, reader: httpx.Client, started_at: datetime
) -> None:
    """Offsets and microseconds could carry digits that the contract does not allow to leave."""
    response = machine.deliver(line, [make_call(started_at)])
    assert (response.status_code, decode_problem(response.content).code) == (422, ProblemCode.BATCH_INVALID)
    assert reader.get("/v1/calls").json()["calls"] == []


def test_a_retry_is_given_the_same_bytes(line: httpx.Client, machine: Machine) -> None:
    """The same key with the same bytes replays the stored answer, although the mark has moved since."""
    body, headers = make_batch([make_call()]), machine.headers()
    first = line.post("/v1/ingest/batches", content=body, headers=headers)
    machine.deliver(line, [make_call()], sequence=2)
    again = line.post("/v1/ingest/batches", content=body, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)


def test_a_key_is_not_reused(line: httpx.Client, machine: Machine, reader: httpx.Client) -> None:
    """The same key with other bytes is refused, and nothing of them is stored."""
    machine.deliver(line, [make_call()])
    response = machine.deliver(line, [make_call()])
    assert (response.status_code, decode_problem(response.content).code) == (422, ProblemCode.IDEMPOTENCY_KEY_REUSED)
    assert len(reader.get("/v1/calls").json()["calls"]) == 1


def test_concurrent_retries_are_answered_once(
    receiver: ReceiverProcess, machine: Machine, reader: httpx.Client
) -> None:
    """Retries of one batch that arrive at the same time all get one answer, and its records are stored once."""
    body, headers = make_batch([make_call() for _ in range(200)]), machine.headers()

    def send(_: int) -> bytes:
        with machine.connect(receiver) as client:
            response = client.post("/v1/ingest/batches", content=body, headers=headers)
            assert response.status_code == 200, response.text
            return response.content

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = set(pool.map(send, range(8)))
    assert len(answers) == 1
    assert decode_verdict(answers.pop()).accepted == 200
    assert len(reader.get("/v1/calls", params={"limit": 1000}).json()["calls"]) == 200


def test_a_gap_holds_the_mark(line: httpx.Client, machine: Machine) -> None:
    """The mark waits before a gap and jumps over all that is there once the gap is filled."""
    marks = []
    for sequence in (1, 3, 4, 6, 2, 5):
        verdict = _verdict(machine.deliver(line, [make_call()], sequence=sequence))
        marks.append(verdict.high_water.sequence)
    assert marks == [1, 1, 1, 1, 4, 6]
    assert _mark(line) == HighWater(1, 6)


def test_a_later_epoch_supersedes_with_its_first_batch(line: httpx.Client, machine: Machine) -> None:
    """A later epoch takes the mark over when its sequence 1 is in, not before, and an earlier one never again."""
    marks = []
    for epoch, sequence in ((3, 1), (7, 2), (7, 1), (3, 2), (5, 1)):
        verdict = _verdict(machine.deliver(line, [make_call()], epoch=epoch, sequence=sequence))
        marks.append((verdict.high_water.epoch, verdict.high_water.sequence))
    assert marks == [(3, 1), (3, 1), (7, 2), (7, 2), (7, 2)]


def test_two_appliances_of_a_tenant_share_no_mark_but_duplicates(
    receiver: ReceiverProcess, machine: Machine, line: httpx.Client, sibling: Machine
) -> None:
    """Marks belong to an appliance; a record of the tenant is stored once, whichever appliance brings it."""
    call = make_call()
    _verdict(machine.deliver(line, [call]))
    with sibling.connect(receiver) as other:
        assert _mark(other) == HighWater(0, 0)
        assert _verdict(sibling.deliver(other, [call], epoch=4)).duplicate == 1


def test_what_was_delivered_is_what_is_listed(line: httpx.Client, machine: Machine, reader: httpx.Client) -> None:
    """Every field of a call comes back as it went in, null or not."""
    full = make_call(
        NOON + timedelta(milliseconds=123),
        forwarded_to=Party(Category.EXTERNAL, pseudonym(), "42"),
        leg=7,
        key_version=12,
        ended_at=NOON + timedelta(seconds=61, milliseconds=5),
    )
    bare = make_call(
        answered_at=None,
        calling=Party(Category.WITHHELD, None, None),
        called=Party(Category.UNKNOWN, None, None),
        call_id=token(),
    )
    machine.deliver(line, [bare, full])
    page = reader.get("/v1/calls")
    body = b'{"calls":[' + b",".join(encode_call(call) for call in (full, bare)) + b'],"next":null}'
    assert page.content == body
