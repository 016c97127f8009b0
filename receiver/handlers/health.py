"""Is the process alive, and could it serve?"""

from typing import Final, Literal

import msgspec
from fastapi import APIRouter, Response

from receiver.dependencies.context import Context
from receiver.handlers.answers import described, json_answer

router = APIRouter(tags=["health"])


class Health(msgspec.Struct, frozen=True):
    """A good answer; a bad one is a problem document."""

    status: Literal["ok"] = "ok"


_OK: Final = msgspec.json.encode(Health())


@router.get("/healthz", operation_id="getHealth", summary="Alive", responses=described("Health", problems=[]))
async def get_health() -> Response:
    """Say that the process answers."""
    return json_answer(_OK)


@router.get("/readyz", operation_id="getReadiness", summary="Ready", responses=described("Health", problems=[]))
async def get_readiness(context: Context) -> Response:
    """Say whether the database answers too."""
    await context.require_ready()
    return json_answer(_OK)
