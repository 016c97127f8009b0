"""The only import of ssl: how the appliance speaks TLS.

Rules: TLS 1.2 or newer, 1.2 with ECDHE and AEAD alone (BSI TR-02102-2, Mozilla "intermediate"); the peer verifies
strictly (RFC 5280) against the identity's own trust anchors, never the system's, and by its name; the client key goes
to OpenSSL through memory, never through a file on a disk. There is no option to weaken any of it.
"""

import os
import ssl
from typing import Final

from appliance.errors import IdentityMismatchError
from appliance.ports import MachineIdentity

TLS12_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def client_context(identity: MachineIdentity) -> ssl.SSLContext:
    """Give the context of a client that is ``identity`` and trusts its anchors alone.

    Raises:
        IdentityMismatchError: certificate, key or trust anchors are damaged or do not belong together.
    """
    context = newcomer_context(identity.trust_anchors)
    try:
        _load_key(context, identity)
    except (ssl.SSLError, ValueError):
        raise IdentityMismatchError("certificate and key do not load") from None
    return context


def newcomer_context(trust_anchors: bytes) -> ssl.SSLContext:
    """Give the context of a client that has no certificate yet, and trusts ``trust_anchors``, PEM, alone.

    Raises:
        IdentityMismatchError: the trust anchors are damaged.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(cadata=trust_anchors.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise IdentityMismatchError("the trust anchors do not load") from None
    return context


def _load_key(context: ssl.SSLContext, identity: MachineIdentity) -> None:
    """OpenSSL reads a key from a file alone; this one is anonymous memory, gone with its descriptor."""
    number = os.memfd_create("tls-identity", os.MFD_CLOEXEC)
    with os.fdopen(number, "wb", buffering=0) as memory:
        memory.write(identity.private_key.reveal() + b"\n" + identity.certificate_chain)
        context.load_cert_chain(f"/proc/self/fd/{number}", password=_refuse_password)


def _refuse_password() -> bytes:
    """Without this OpenSSL would ask at the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted")
