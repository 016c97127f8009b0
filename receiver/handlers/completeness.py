"""Where API clients read how complete a tenant's calls are."""

import re
from datetime import date
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from appliance.wire.problem import ProblemCode
from receiver.dependencies.bearer import OfferedKey
from receiver.dependencies.context import Context
from receiver.domain.completeness_page import DEFAULT_LIMIT, MAX_LIMIT, CompletenessFilter, parse_cursor
from receiver.handlers.answers import described, json_answer

router = APIRouter(prefix="/v1", tags=["completeness"])

_ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _parse_day(value: Any) -> Any:
    """Take ISO 8601 and nothing else: the framework would take a bare number for seconds since 1970."""
    if not isinstance(value, str) or _ISO_DAY.fullmatch(value) is None:
        raise ValueError("not an ISO 8601 date")
    return date.fromisoformat(value)


_Day = Annotated[date, BeforeValidator(_parse_day)]


class CompletenessQuery(BaseModel):
    """The parameters of the list; any other is refused."""

    model_config = ConfigDict(extra="forbid")

    appliance: Annotated[str | None, Field(pattern=r"^[a-z0-9-]{1,63}$")] = None
    feed: Annotated[str | None, Field(pattern=r"^[a-z](?:[a-z-]{0,30}[a-z])?[0-9]{0,4}$")] = None
    first: Annotated[_Day | None, Field(alias="from", description="The first day")] = None
    last: Annotated[_Day | None, Field(alias="to", description="The last day, included")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(max_length=200, description="`next` of the page before")] = None

    def to_filter(self) -> CompletenessFilter:
        """Give the domain's form.

        Raises:
            ProblemError: ``malformed_request`` for a cursor that is not ours.
        """
        return CompletenessFilter(
            appliance=self.appliance,
            feed=self.feed,
            first=self.first,
            last=self.last,
            after=None if self.cursor is None else parse_cursor(self.cursor),
            limit=self.limit,
        )


@router.get(
    "/completeness",
    operation_id="listCompleteness",
    summary="What became of every line, a feed and day, and which gaps are known; newest day first",
    responses=described(
        "CompletenessPage",
        problems=[ProblemCode.MALFORMED_REQUEST, ProblemCode.UNAUTHENTICATED, ProblemCode.FORBIDDEN],
    ),
)
async def list_completeness(
    context: Context, key: OfferedKey, query: Annotated[CompletenessQuery, Query()]
) -> Response:
    """Give one page of the tenant's accounts; pass `next` as `cursor` for the one after."""
    wanted = query.to_filter()
    async with context.completeness(key) as listing:
        page = await listing.page(wanted)
    return json_answer(msgspec.json.encode(page))
