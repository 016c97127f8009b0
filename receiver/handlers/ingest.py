"""Where appliances deliver."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from appliance.wire.codec import CONTENT_ENCODING, CONTENT_TYPE, encode_answer
from appliance.wire.limits import MAX_COMPRESSED_BYTES
from appliance.wire.problem import ProblemCode
from receiver.dependencies.context import Context
from receiver.dependencies.machine import Machine
from receiver.domain.idempotency import parse_key
from receiver.errors import ProblemError
from receiver.handlers.answers import described, json_answer
from receiver.handlers.bodies import read_body

router = APIRouter(prefix="/v1/ingest", tags=["ingest"])

_MACHINE_ONLY: Final[dict[str, Any]] = {"security": [{"machineCertificate": []}]}


def _body_of(schema: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    encoding = {
        "name": "Content-Encoding",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "enum": [CONTENT_ENCODING]},
    }
    return {
        "parameters": [*parameters, encoding],
        "requestBody": {
            "required": True,
            "description": "One zstd frame that declares its content size; the JSON is in canonical form",
            "content": {CONTENT_TYPE: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
    }


_IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": 'Structured-field string "<appliance>/<epoch>/<sequence>"',
    "schema": {"type": "string"},
    "example": '"hq/7/42"',
}
_BODY_PROBLEMS: Final = [
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.UNAUTHENTICATED,
    ProblemCode.FORBIDDEN,
    ProblemCode.BATCH_TOO_LARGE,
    ProblemCode.BATCH_INVALID,
    ProblemCode.ENCODING_UNSUPPORTED,
]
_RECEIVE_PROBLEMS: Final = [
    *_BODY_PROBLEMS,
    ProblemCode.IDEMPOTENCY_KEY_MISSING,
    ProblemCode.IDEMPOTENCY_KEY_REUSED,
    ProblemCode.IDEMPOTENCY_KEY_MISMATCH,
]


@router.post(
    "/batches",
    operation_id="postBatch",
    summary="Deliver one batch, once",
    responses=described("Verdict", problems=_RECEIVE_PROBLEMS),
    openapi_extra=_MACHINE_ONLY | _body_of("Batch", _IDEMPOTENCY_KEY),
)
async def post_batch(request: Request, context: Context, machine: Machine) -> Response:
    """Store a batch and give a verdict on every record; a retry is given the same answer."""
    _require_media(request)
    keys = request.headers.getlist("idempotency-key")
    key = parse_key(keys[0] if len(keys) == 1 else None)
    body = await _body_of_batch(request)
    async with context.ingest(machine.name.tenant_id) as service:
        answer = await service.receive(machine, key=key, body=body)
    return json_answer(answer)


@router.post(
    "/completeness",
    operation_id="postCompleteness",
    summary="Say what became of every line, a feed and day; a report that is not newer than another changes nothing",
    responses=described("Receipt", problems=_BODY_PROBLEMS),
    openapi_extra=_MACHINE_ONLY | _body_of("Completeness"),
)
async def post_completeness(request: Request, context: Context, machine: Machine) -> Response:
    """Store the newest account of each feed and day, and say which report is the newest."""
    _require_media(request)
    body = await _body_of_batch(request)
    async with context.reports(machine.name.tenant_id) as service:
        receipt = await service.receive(machine, body=body)
    return json_answer(encode_answer(receipt))


@router.get(
    "/high-water",
    operation_id="getHighWater",
    summary="Up to which batch this appliance's deliveries are held without a gap",
    responses=described("HighWater", problems=[ProblemCode.UNAUTHENTICATED, ProblemCode.FORBIDDEN]),
    openapi_extra=_MACHINE_ONLY,
)
async def get_high_water(context: Context, machine: Machine) -> Response:
    """Tell the appliance its mark, so that it notices when it is an older copy of itself."""
    async with context.ingest(machine.name.tenant_id) as service:
        mark = await service.high_water(machine)
    return json_answer(encode_answer(mark))


def _require_media(request: Request) -> None:
    headers = request.headers
    if headers.get("content-type") != CONTENT_TYPE or headers.get("content-encoding") != CONTENT_ENCODING:
        raise ProblemError(
            ProblemCode.ENCODING_UNSUPPORTED,
            detail=f"the body must be {CONTENT_TYPE} with Content-Encoding {CONTENT_ENCODING}",
            hint="Send both headers, exactly so.",
        )


async def _body_of_batch(request: Request) -> bytes:
    body = await read_body(request, most=MAX_COMPRESSED_BYTES)
    if body is None:
        raise ProblemError(
            ProblemCode.BATCH_TOO_LARGE,
            detail=f"the body is longer than {MAX_COMPRESSED_BYTES} bytes",
            hint="Cut smaller batches.",
        )
    return body
