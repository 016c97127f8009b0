r"""The OpenAPI 3.1 document: the framework's routes, the wire contract's own schemas.

Two dialects of regular expression meet here: Python's ``\Z`` ends a string, in JSON Schema (ECMA-262) it is the
letter Z, where ``$`` ends the string.
"""

from typing import Any, Final

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from appliance.wire.batch import Batch, HighWater, Verdict
from appliance.wire.completeness import Completeness, Receipt
from appliance.wire.enrollment import EnrollmentAnswer, EnrollmentRequest
from appliance.wire.problem import Problem
from receiver.domain.appliance_view import ApplianceList
from receiver.domain.call_page import CallPage
from receiver.domain.completeness_page import CompletenessPage
from receiver.handlers.answers import json_answer
from receiver.handlers.health import Health

router = APIRouter()

_SCHEMES: Final = {
    "machineCertificate": {
        "type": "mutualTLS",
        "description": "A certificate issued by this receiver to a registered appliance",
    },
    "enrollmentProof": {
        "type": "http",
        "scheme": "basic",
        "description": "The enrollment's id, and the proof that its challenge was opened",
    },
}


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi_document(request: Request) -> Response:
    """Give the document, made once at the start."""
    return json_answer(request.app.state.openapi)


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Build the document from the application's routes."""
    document: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes, openapi_version="3.1.0"
    )
    _, schemas = msgspec.json.schema_components(
        [
            *(Batch, Verdict, HighWater, Completeness, Receipt, EnrollmentRequest, EnrollmentAnswer),
            *(CallPage, CompletenessPage, ApplianceList, Problem, Health),
        ],
        ref_template="#/components/schemas/{name}",
    )
    components = document.setdefault("components", {})
    components["schemas"] = _to_ecma(schemas)
    components.setdefault("securitySchemes", {}).update(_SCHEMES)
    # Invalid parameters are answered with a problem document of status 400; the framework's 422 never occurs there.
    for path in document["paths"].values():
        for operation in path.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    return document


def _to_ecma(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: value.replace(r"\Z", "$") if key == "pattern" and isinstance(value, str) else _to_ecma(value)
            for key, value in schema.items()
        }
    return [_to_ecma(item) for item in schema] if isinstance(schema, list) else schema
