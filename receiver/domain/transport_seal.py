"""The challenge for a machine without a TPM: HPKE (RFC 9180) to the key that it named, tied to its enrollment.

It proves that who answers made the request, and nothing about a machine.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from appliance.wire.enrollment import HpkeChallenge, transport_info
from appliance.wire.problem import ProblemCode
from receiver.errors import ProblemError

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def seal_to_transport_key(transport_key: bytes, *, secret: bytes, enrollment: str) -> HpkeChallenge:
    """Seal ``secret`` to an X25519 key of 32 bytes.

    Raises:
        ProblemError: ``malformed_request``: a key of low order, to which nothing can be sealed (RFC 7748, 6.1).
    """
    try:
        key = X25519PublicKey.from_public_bytes(transport_key)
        return HpkeChallenge(ciphertext=_SUITE.encrypt(secret, key, transport_info(enrollment)))
    except ValueError:
        raise ProblemError(
            ProblemCode.MALFORMED_REQUEST,
            detail="nothing can be sealed to the transport key",
            hint="Make an X25519 key anew and send its public part.",
        ) from None
