"""Where API clients read calls."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from appliance.wire.call import Direction, Disposition
from appliance.wire.problem import ProblemCode
from receiver.dependencies.bearer import OfferedKey
from receiver.dependencies.context import Context
from receiver.domain.call_page import DEFAULT_LIMIT, MAX_LIMIT, CallFilter, parse_cursor
from receiver.handlers.answers import described, json_answer

router = APIRouter(prefix="/v1", tags=["calls"])

_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def _parse_instant(value: Any) -> Any:
    """Take RFC 3339 and nothing else: the framework would take a bare number for seconds since 1970."""
    if not isinstance(value, str) or _RFC_3339.fullmatch(value) is None:
        raise ValueError("not an RFC 3339 date-time")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


_Instant = Annotated[datetime, BeforeValidator(_parse_instant)]


class CallsQuery(BaseModel):
    """The parameters of the list; any other is refused."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[_Instant | None, Field(alias="from", description="Started at or after")] = None
    until: Annotated[_Instant | None, Field(alias="to", description="Started before")] = None
    direction: Direction | None = None
    disposition: Disposition | None = None
    pseudonym: Annotated[
        str | None,
        Field(pattern=r"^k[1-9][0-9]{0,3}_[a-p]{32}$", description="Of the calling, called or forwarded-to party"),
    ] = None
    feed: Annotated[str | None, Field(pattern=r"^[a-z](?:[a-z-]{0,30}[a-z])?[0-9]{0,4}$")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(max_length=100, description="`next` of the page before")] = None

    def to_filter(self) -> CallFilter:
        """Give the domain's form.

        Raises:
            ProblemError: ``malformed_request`` for a cursor that is not ours.
        """
        return CallFilter(
            since=self.since,
            until=self.until,
            direction=self.direction,
            disposition=self.disposition,
            pseudonym=self.pseudonym,
            feed=self.feed,
            after=None if self.cursor is None else parse_cursor(self.cursor),
            limit=self.limit,
        )


@router.get(
    "/calls",
    operation_id="listCalls",
    summary="Calls, newest first",
    responses=described(
        "CallPage",
        problems=[ProblemCode.MALFORMED_REQUEST, ProblemCode.UNAUTHENTICATED, ProblemCode.FORBIDDEN],
    ),
)
async def list_calls(context: Context, key: OfferedKey, query: Annotated[CallsQuery, Query()]) -> Response:
    """Give one page of the tenant's calls in wire form; pass `next` as `cursor` for the one after."""
    wanted = query.to_filter()
    async with context.calls(key) as listing:
        page = await listing.page(wanted)
    return json_answer(msgspec.json.encode(page))
