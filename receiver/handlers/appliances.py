"""Where API clients read how their appliances are."""

import msgspec
from fastapi import APIRouter, Response

from appliance.wire.problem import ProblemCode
from receiver.dependencies.bearer import OfferedKey
from receiver.dependencies.context import Context
from receiver.handlers.answers import described, json_answer

router = APIRouter(prefix="/v1", tags=["appliances"])


@router.get(
    "/appliances",
    operation_id="listAppliances",
    summary="State, key protection, certificate's end, last delivery and open alarms of each appliance, by name",
    response_class=Response,
    responses=described("ApplianceList", problems=[ProblemCode.UNAUTHENTICATED, ProblemCode.FORBIDDEN]),
)
async def list_appliances(context: Context, key: OfferedKey) -> Response:
    """Give all appliances of the tenant; the role must hold `audit.read`."""
    async with context.appliances(key) as listing:
        found = await listing.list_all()
    return json_answer(msgspec.json.encode(found))
