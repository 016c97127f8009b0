"""Enrollment over Secure Transport (RFC 7030), for the machines that this receiver certifies."""

from fastapi import APIRouter, Response

from appliance.wire.enrollment import CA_CERTIFICATES_PATH
from receiver.dependencies.context import Context
from receiver.handlers.answers import certificates_answer, described_certificates

router = APIRouter(tags=["est"])


@router.get(
    CA_CERTIFICATES_PATH,
    operation_id="listCaCertificates",
    summary="The certificates of the machine authority (RFC 7030 4.1)",
    response_class=Response,
    responses=described_certificates(problems=[]),
)
async def list_ca_certificates(context: Context) -> Response:
    """Give every root that is trusted or announced, the issuing certificates, and the cross-certificates between."""
    return certificates_answer(context.authority.published)
