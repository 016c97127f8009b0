"""Completeness over real TLS into the real database: reports in their order, and what an API client reads of them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import zstandard

from appliance.wire.codec import (
    CONTENT_ENCODING,
    CONTENT_TYPE,
    decode_problem,
    decode_receipt,
    encode_completeness,
)
from appliance.wire.completeness import Account, Completeness, Gap, GapCause, ReasonCount, Receipt
from appliance.wire.limits import MAX_COMPRESSED_BYTES
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, ProblemCode
from receiver.domain.authz import Role
from tests.receiver.deliveries import Machine, make_batch, make_call
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess
from tests.support.records import START, account

URL = "/v1/ingest/completeness"
HEADERS = {"Content-Type": CONTENT_TYPE, "Content-Encoding": CONTENT_ENCODING}
NUMBER = "32470123456"
FULL = account(
    reasons=[ReasonCount("batch", "http_422", 7), ReasonCount("line", "column_count", 1)],
    gaps=[
        Gap(START, START + timedelta(milliseconds=1500), 12, GapCause.BUFFER_FULL),
        Gap(START, START, None, GapCause.DISCONNECTED),
    ],
)


def report(line: httpx.Client, number: int, *accounts: Account) -> Receipt:
    """Send a report that must be answered."""
    response = line.post(URL, content=encode_completeness(Completeness(number, list(accounts))), headers=HEADERS)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return decode_receipt(response.content)


def listed(reader: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    """One page of what the reader's tenant sees."""
    response = reader.get("/v1/completeness", params=params)
    assert response.status_code == 200, response.text
    accounts: list[dict[str, Any]] = response.json()["accounts"]
    return accounts


def places(reader: httpx.Client, **params: Any) -> list[tuple[str, str]]:
    """Day and feed of each account listed."""
    return [(item["account"]["day"], item["account"]["feed"]) for item in listed(reader, **params)]


def refused(response: httpx.Response, code: ProblemCode) -> None:
    """A problem document of ``code`` that repeats nothing."""
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert decode_problem(response.content).code is code
    assert NUMBER not in response.text


def test_what_was_reported_is_what_is_listed(line: httpx.Client, machine: Machine, reader: httpx.Client) -> None:
    """Every field comes back as it went in, with the appliance's name and whether it balances."""
    odd = account(day="2026-10-21", read=13)
    assert report(line, 1, FULL, odd) == Receipt(1, stored=True, newest=1)
    second, first = listed(reader)
    assert msgspec.convert(first["account"], Account) == FULL
    assert msgspec.convert(second["account"], Account) == odd
    assert (first["appliance"], first["balanced"], second["balanced"]) == (machine.name, True, False)
    assert first["reported_at"].endswith("Z")
    assert list(first["account"]) == list(msgspec.to_builtins(FULL))


def test_a_newer_report_replaces_the_accounts_that_it_holds(line: httpx.Client, reader: httpx.Client) -> None:
    """The others stay as they were."""
    report(line, 1, account(), account(day="2026-10-21"))
    report(line, 7, account(read=13, ignored=2))
    assert [item["account"]["read"] for item in listed(reader)] == [12, 13]


@pytest.mark.parametrize("number", [1, 6, 7])
def test_a_late_or_repeated_report_changes_nothing(line: httpx.Client, reader: httpx.Client, number: int) -> None:
    """Not even where it holds accounts that no other did; the answer names the newest."""
    report(line, 7, account(read=13, ignored=2))
    assert report(line, number, account(), account(feed="other")) == Receipt(number, stored=False, newest=7)
    assert [item["account"]["read"] for item in listed(reader)] == [13]


def test_reports_at_once_leave_the_newest(
    receiver: ReceiverProcess, machine: Machine, line: httpx.Client, reader: httpx.Client
) -> None:
    """Whatever order they arrive in, and twice; each answer tells whether that one was stored."""

    def send(number: int) -> Receipt:
        with machine.connect(receiver) as client:
            return report(client, number, account(read=number))

    numbers = [*range(1, 9)] * 2
    with ThreadPoolExecutor(max_workers=8) as pool:
        receipts = list(pool.map(send, numbers))
    assert [item["account"]["read"] for item in listed(reader)] == [8]
    stored = [receipt.number for receipt in receipts if receipt.stored]
    assert len(stored) == len(set(stored))
    assert 8 in stored
    assert report(line, 8, account()).newest == 8


def test_numbers_and_accounts_belong_to_an_appliance(
    receiver: ReceiverProcess, machine: Machine, line: httpx.Client, sibling: Machine, reader: httpx.Client
) -> None:
    """Two appliances of a tenant do not stand in each other's way, and can be told apart."""
    report(line, 5, account())
    with sibling.connect(receiver) as other:
        assert report(other, 1, account(read=13)).stored
    assert {item["appliance"]: item["account"]["read"] for item in listed(reader)} == {
        machine.name: 12,
        sibling.name: 13,
    }
    assert [item["account"]["read"] for item in listed(reader, appliance=sibling.name)] == [13]


def test_reports_and_batches_have_numbers_of_their_own(line: httpx.Client, machine: Machine) -> None:
    """A report moves no high-water mark, and a batch none of the reports' numbers."""
    assert machine.deliver(line, [make_call()]).json()["high_water"] == {"epoch": 1, "sequence": 1}
    report(line, 9, account())
    assert line.get("/v1/ingest/high-water").json() == {"epoch": 1, "sequence": 1}
    machine.deliver(line, [make_call()], sequence=2)
    assert report(line, 9, account()) == Receipt(9, stored=False, newest=9)


def _altered(**changes: object) -> bytes:
    document = msgspec.to_builtins(Completeness(1, [account()]))
    document["accounts"][0].update(changes)
    return zstandard.compress(msgspec.json.encode(document))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (_altered(note=NUMBER), ProblemCode.BATCH_INVALID),
        (_altered(**{NUMBER: 1}), ProblemCode.BATCH_INVALID),
        (_altered(feed=NUMBER), ProblemCode.BATCH_INVALID),
        (_altered(read=int(NUMBER)), ProblemCode.BATCH_INVALID),
        (_altered(day="2026-02-30"), ProblemCode.BATCH_INVALID),
        (_altered(reasons=[{"kind": "line", "reason": NUMBER, "records": 1}]), ProblemCode.BATCH_INVALID),
        (encode_completeness(Completeness(1, [account(), account()])), ProblemCode.BATCH_INVALID),
        (encode_completeness(Completeness(1, [])), ProblemCode.BATCH_INVALID),
        (make_batch([make_call()]), ProblemCode.BATCH_INVALID),
        (b"{}", ProblemCode.ENCODING_UNSUPPORTED),
        (bytes(MAX_COMPRESSED_BYTES + 1), ProblemCode.BATCH_TOO_LARGE),
    ],
    ids=[
        *(
            "a note",
            "an unknown field",
            "a number for a feed",
            "a number for a count",
            "no day",
            "a number for a reason",
        ),
        *("one account twice", "no account", "a batch", "not compressed", "too long"),
    ],
)
def test_a_report_outside_the_contract_is_refused_whole(
    line: httpx.Client, reader: httpx.Client, body: bytes, code: ProblemCode
) -> None:
    """Without a word of it in the answer, and without a trace."""
    refused(line.post(URL, content=body, headers=HEADERS), code)
    assert listed(reader) == []


def test_another_media_type_is_unsupported(line: httpx.Client) -> None:
    """As for batches."""
    body = encode_completeness(Completeness(1, [account()]))
    response = line.post(URL, content=body, headers=HEADERS | {"Content-Encoding": "gzip"})
    refused(response, ProblemCode.ENCODING_UNSUPPORTED)


def test_who_is_no_appliance_reports_nothing(
    anonymous: httpx.Client, reader: httpx.Client, line: httpx.Client, office: Office, machine: Machine
) -> None:
    """401 without a certificate, an API key or not; 403 for one that was revoked."""
    body = encode_completeness(Completeness(1, [account()]))
    for client in (anonymous, reader):
        response = client.post(URL, content=body, headers=HEADERS)
        assert response.status_code == 401
        refused(response, ProblemCode.UNAUTHENTICATED)
    office.execute(UUID(machine.tenant_id), "UPDATE natalia.machine_certificate SET revoked_at = now()")
    response = line.post(URL, content=body, headers=HEADERS)
    assert response.status_code == 403
    refused(response, ProblemCode.FORBIDDEN)
    assert listed(reader) == []


@pytest.mark.parametrize("role", list(Role))
def test_every_role_reads_completeness_of_its_own_tenant(
    anonymous: httpx.Client, office: Office, machine: Machine, line: httpx.Client, role: Role
) -> None:
    """Who may read calls may read how complete they are; another tenant's key shows nothing."""
    report(line, 1, account())
    _, stranger = office.tenant()
    seen = [
        len(anonymous.get("/v1/completeness", headers={"Authorization": f"Bearer {key}"}).json()["accounts"])
        for key in (office.key(UUID(machine.tenant_id), role), office.key(stranger, role))
    ]
    assert seen == [1, 0]


def test_without_a_key_nothing_is_shown(anonymous: httpx.Client, line: httpx.Client) -> None:
    """A machine's certificate is none either."""
    for client in (anonymous, line):
        response = client.get("/v1/completeness")
        assert response.status_code == 401
        refused(response, ProblemCode.UNAUTHENTICATED)


def test_filters_narrow_the_list(line: httpx.Client, reader: httpx.Client) -> None:
    """By feed and by days, both included; newest day first, then by feed."""
    days = ("2026-10-19", "2026-10-20", "2026-10-21")
    report(line, 1, *(account(day=day, feed=feed) for day in days for feed in ("main", "branch")))
    assert places(reader) == [(day, feed) for day in reversed(days) for feed in ("branch", "main")]
    expectations: Sequence[tuple[dict[str, str], int]] = (
        ({"feed": "main"}, 3),
        ({"from": "2026-10-20"}, 4),
        ({"to": "2026-10-20"}, 4),
        ({"from": "2026-10-20", "to": "2026-10-20"}, 2),
        ({"from": "2026-10-20", "to": "2026-10-20", "feed": "branch"}, 1),
        ({"appliance": "nowhere"}, 0),
    )
    for params, count in expectations:
        assert len(places(reader, **params)) == count, params


def _pages(reader: httpx.Client, limit: int) -> Iterator[list[tuple[str, str]]]:
    cursor: str | None = ""
    while cursor is not None:
        page = reader.get("/v1/completeness", params={"limit": limit} | ({"cursor": cursor} if cursor else {})).json()
        yield [(item["account"]["day"], f"{item['appliance']} {item['account']['feed']}") for item in page["accounts"]]
        cursor = page["next"]


@pytest.mark.parametrize("limit", [1, 4, 12, 1000])
def test_pages_join_without_gap_or_repetition(
    receiver: ReceiverProcess, line: httpx.Client, sibling: Machine, reader: httpx.Client, limit: int
) -> None:
    """Over days, appliances and feeds."""
    accounts = [account(day=day, feed=feed) for day in ("2026-10-20", "2026-10-21") for feed in ("a", "b", "c")]
    report(line, 1, *accounts)
    with sibling.connect(receiver) as other:
        report(other, 1, *accounts)
    seen = [place for page in _pages(reader, limit) for place in page]
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(sorted(seen, key=lambda place: place[1]), key=lambda place: place[0], reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "unknown=1",
        "limit=0",
        "limit=1001",
        "from=2026-02-30",
        "from=20261020",
        "from=1700000000",
        "to=2026-10-20T00:00:00Z",
        f"feed={NUMBER}",
        "appliance=%00",
        "cursor=%00",
        "cursor=MTIz",
        "cursor=MjAyNi0wMi0zMCBocSBtYWlu",
        "cursor=" + "A" * 201,
    ],
)
def test_a_query_that_is_not_described_is_refused(reader: httpx.Client, query: str) -> None:
    """Unknown parameters and values out of bounds, without repeating them."""
    response = reader.get(f"/v1/completeness?{query}")
    assert response.status_code == 400
    refused(response, ProblemCode.MALFORMED_REQUEST)
