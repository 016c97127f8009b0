"""Reading calls: API keys, filters, pages, and that one tenant never sees another's."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from appliance.wire.call import Call, Category, Direction, Disposition, Party
from appliance.wire.codec import decode_problem
from appliance.wire.problem import ProblemCode
from receiver.domain.api_key import compose
from receiver.domain.authz import Role
from tests.receiver.deliveries import NOON, Machine, make_call, pseudonym
from tests.receiver.office import Office

_SECOND = timedelta(seconds=1)


def _ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [call["event_id"] for call in response.json()["calls"]]


def _refused(response: httpx.Response) -> tuple[int, ProblemCode]:
    return response.status_code, decode_problem(response.content).code


def _pages(reader: httpx.Client, **params: Any) -> Iterator[list[str]]:
    cursor: str | None = ""
    while cursor is not None:
        response = reader.get("/v1/calls", params=params | ({"cursor": cursor} if cursor else {}))
        yield _ids(response)
        cursor = response.json()["next"]


@pytest.mark.parametrize("role", list(Role))
def test_every_role_reads_calls(anonymous: httpx.Client, office: Office, machine: Machine, role: Role) -> None:
    """Viewer, analyst and admin may read."""
    key = office.key(UUID(machine.tenant_id), role)
    response = anonymous.get("/v1/calls", headers={"Authorization": f"Bearer {key}"})
    assert response.json() == {"calls": [], "next": None}
    assert response.headers["cache-control"] == "no-store"


def test_a_tenant_sees_its_own_calls_only(
    reader: httpx.Client, anonymous: httpx.Client, office: Office, machine: Machine, line: httpx.Client
) -> None:
    """What one tenant's appliance delivered, another tenant's key does not list."""
    machine.deliver(line, [make_call()])
    _, other = office.tenant()
    stranger = {"Authorization": f"Bearer {office.key(other)}"}
    assert len(_ids(reader.get("/v1/calls"))) == 1
    assert _ids(anonymous.get("/v1/calls", headers=stranger)) == []


def _forgeries(key: str) -> dict[str, str]:
    """Keys that are none, from a true one."""
    tenant = UUID(int=0)
    return {
        "one character": key.replace(key[-20], "a" if key[-20] != "a" else "b"),
        "no checksum": key.rpartition("_")[0],
        "upper case": key.upper(),
        "trailing newline is trimmed away, a letter is not": f"{key}a",
        "never made": compose(tenant_id=tenant, id_bytes=bytes(4), secret_bytes=bytes(20))[1],
        "a made key's id with another secret": _other_secret(key),
    }


def _other_secret(key: str) -> str:
    identifier = base64.b32decode(key.split("_")[2].upper())
    return compose(tenant_id=UUID(bytes=identifier[:16]), id_bytes=identifier[16:], secret_bytes=bytes(20))[1]


def test_a_key_that_is_none_is_refused(anonymous: httpx.Client, api_key: str) -> None:
    """Mistyped, cut, forged or unknown: all are refused alike, without saying why."""
    answers = {
        name: anonymous.get("/v1/calls", headers={"Authorization": f"Bearer {forged}"})
        for name, forged in _forgeries(api_key).items()
    }
    assert {name: _refused(answer) for name, answer in answers.items()} == dict.fromkeys(
        answers, (401, ProblemCode.UNAUTHENTICATED)
    )
    assert len({answer.content for answer in answers.values()}) == 1
    assert all(answer.headers["www-authenticate"] == "Bearer" for answer in answers.values())


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}])
def test_without_a_bearer_key_nothing_is_shown(anonymous: httpx.Client, header: dict[str, str]) -> None:
    """No header, another scheme or no key: refused."""
    assert _refused(anonymous.get("/v1/calls", headers=header)) == (401, ProblemCode.UNAUTHENTICATED)


def test_a_revoked_key_is_refused(reader: httpx.Client, office: Office, machine: Machine) -> None:
    """A revoked key stops at once."""
    assert reader.get("/v1/calls").status_code == 200
    office.execute(UUID(machine.tenant_id), "UPDATE natalia.api_key SET revoked_at = now()")
    assert _refused(reader.get("/v1/calls")) == (401, ProblemCode.UNAUTHENTICATED)


def test_filters_narrow_the_list(line: httpx.Client, machine: Machine, reader: httpx.Client) -> None:
    """Each filter finds the calls it names; together they narrow."""
    person, other = pseudonym(), pseudonym()
    calling = make_call(NOON, calling=Party(Category.EXTERNAL, person, None), feed="branch")
    called = make_call(NOON - _SECOND, called=Party(Category.EXTERNAL, person, None), direction=Direction.OUTBOUND)
    forwarded = make_call(
        NOON - 2 * _SECOND, forwarded_to=Party(Category.EXTERNAL, person, None), disposition=Disposition.BUSY
    )
    stranger = make_call(NOON - 3 * _SECOND, calling=Party(Category.EXTERNAL, other, None))
    machine.deliver(line, [calling, called, forwarded, stranger])
    expectations: list[tuple[dict[str, str], list[Call]]] = [
        ({"pseudonym": person}, [calling, called, forwarded]),
        ({"feed": "branch"}, [calling]),
        ({"direction": "outbound"}, [called]),
        ({"disposition": "busy"}, [forwarded]),
        ({"pseudonym": person, "direction": "inbound"}, [calling, forwarded]),
        ({"from": "2026-03-10T11:59:59Z"}, [calling, called]),
        ({"to": "2026-03-10T12:00:00Z"}, [called, forwarded, stranger]),
        ({"from": "2026-03-10T12:59:58+01:00", "to": "2026-03-10T11:59:59.5Z"}, [called, forwarded]),
        ({"pseudonym": pseudonym()}, []),
    ]
    for params, calls in expectations:
        assert _ids(reader.get("/v1/calls", params=params)) == [call.event_id for call in calls], params


@pytest.mark.parametrize(
    "query",
    [
        "unknown=1",
        "limit=0",
        "limit=1001",
        "limit=ten",
        "from=2026-03-10",
        "from=1700000000",
        "to=2026-13-01T00:00:00Z",
        "from=0001-01-01T00:00:00%2B14:00",
        "direction=sideways",
        "disposition=",
        "pseudonym=32470123456",
        "feed=32470123456",
        "cursor=%00",
        "cursor=MTIz",
        "cursor=" + "A" * 101,
        "cursor=OTk5OTk5OTk5OTk5OTk5OTk5LmFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
    ],
)
def test_a_query_that_is_not_described_is_refused(reader: httpx.Client, query: str) -> None:
    """Unknown parameters and values out of bounds are refused, and their values are not repeated."""
    response = reader.get(f"/v1/calls?{query}")
    assert _refused(response) == (400, ProblemCode.MALFORMED_REQUEST)
    assert "32470123456" not in response.text
    assert "unknown" not in response.text


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
def test_pages_join_without_gap_or_repetition(
    line: httpx.Client, machine: Machine, reader: httpx.Client, limit: int
) -> None:
    """While calls are inserted before, within and after the list, what was there is paged exactly once, in order."""
    calls = [make_call(NOON - _SECOND * (index // 4)) for index in range(20)]
    machine.deliver(line, calls)
    seen: list[str] = []
    for sequence, page in enumerate(_pages(reader, limit=limit), start=2):
        assert len(page) <= limit
        seen += page
        fresh = [make_call(NOON + _SECOND), make_call(NOON - _SECOND), make_call(NOON - 60 * _SECOND)]
        if sequence < 6:
            machine.deliver(line, fresh, sequence=sequence)
    expected = [call.event_id for call in sorted(calls, key=lambda call: (call.started_at, call.event_id))][::-1]
    assert [event for event in seen if event in set(expected)] == expected
    assert len(seen) == len(set(seen))


def test_a_full_last_page_has_no_next(line: httpx.Client, machine: Machine, reader: httpx.Client) -> None:
    """The cursor is null exactly where nothing follows, also where the page is full."""
    machine.deliver(line, [make_call(), make_call()])
    assert [len(page) for page in _pages(reader, limit=1)] == [1, 1]
    assert reader.get("/v1/calls", params={"limit": 2}).json()["next"] is None


def test_pages_cross_months(line: httpx.Client, machine: Machine, reader: httpx.Client) -> None:
    """The order holds over the partitions of many months."""
    calls = [make_call(NOON - timedelta(days=31 * index)) for index in range(14)]
    machine.deliver(line, calls)
    assert [event for page in _pages(reader, limit=4) for event in page] == [call.event_id for call in calls]


def test_a_key_for_no_tenant_finds_none(anonymous: httpx.Client) -> None:
    """A well-formed key that names a tenant that does not exist is refused like any other."""
    _, key = compose(tenant_id=uuid4(), id_bytes=bytes(4), secret_bytes=bytes(20))
    response = anonymous.get("/v1/calls", headers={"Authorization": f"Bearer {key}"})
    assert _refused(response) == (401, ProblemCode.UNAUTHENTICATED)
