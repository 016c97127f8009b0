"""How a machine opens what an enrollment brings it: ``EnrollmentAnswer.sealed`` under the transport secret."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.wire.codec import WireError, decode_tenant_secrets
from appliance.wire.enrollment import TenantSecrets, seal_key
from appliance.wire.problem import ProblemCode

_NONCE_BYTES: Final = 12


def open_tenant_secrets(sealed: bytes, *, transport_secret: bytes, enrollment: str) -> TenantSecrets:
    """Open the tenant secret.

    Args:
        sealed: nonce and ciphertext, as the answer holds them.
        transport_secret: what the challenge gave.
        enrollment: the answer's enrollment.

    Raises:
        WireError: ``malformed_request``: altered, of another enrollment, or not of the contract.
    """
    cipher = AESGCM(seal_key(transport_secret))
    try:
        text = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], enrollment.encode("ascii"))
    except InvalidTag:
        raise WireError(ProblemCode.MALFORMED_REQUEST, "the sealed secrets do not open") from None
    return decode_tenant_secrets(text)
