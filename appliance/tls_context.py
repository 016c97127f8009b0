"""The only import of ssl: how the appliance speaks TLS.

Rules: TLS 1.2 or newer, 1.2 with ECDHE and AEAD alone (BSI TR-02102-2, Mozilla "intermediate"); the peer verifies
strictly (RFC 5280) against the identity's own trust anchors, never the system's, and by its name; the client key goes
to OpenSSL through memory, never through a file on a disk. There is no option to weaken any of it.

A key that lives in a TPM comes as what the TPM finds it by, and signs there: OpenSSL needs a provider for it, which the
machine's own configuration of OpenSSL loads. ``signs_handshakes`` tells whether it does.
"""

import os
import ssl
from typing import Final
from weakref import WeakValueDictionary

from appliance.errors import IdentityMismatchError, TpmKeyUnusableError
from appliance.ports import MachineIdentity, SecretBytes

TLS12_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_FLIGHTS: Final = 4
"""More than a handshake has, from one side (RFC 8446, 2; RFC 5246, 7.3)."""


_SHARED: Final = WeakValueDictionary[tuple[bytes, bytes, bytes], ssl.SSLContext]()
"""Contexts in use whose key lives in the TPM. Each keeps its key in one of the TPM's three slots, and loading another
takes two: so there may be two of them, those of an identity and of the next one, and not one for each connection."""


def client_context(identity: MachineIdentity) -> ssl.SSLContext:
    """Give the context of a client that is ``identity`` and trusts its anchors alone; it must not be changed.

    Raises:
        IdentityMismatchError: certificate, key or trust anchors are damaged or do not belong together.
        TpmKeyUnusableError: the key lives in the TPM, and OpenSSL does not get at it.
    """
    if not identity.key_in_tpm:
        return _client_context(identity)
    parts = identity.private_key.reveal(), identity.certificate_chain, identity.trust_anchors
    context = _SHARED.get(parts)
    if context is None:
        context = _SHARED[parts] = _client_context(identity)
    return context


def _client_context(identity: MachineIdentity) -> ssl.SSLContext:
    context = newcomer_context(identity.trust_anchors)
    try:
        _load_key(context, identity.private_key, identity.certificate_chain)
    except (ssl.SSLError, ValueError):
        if identity.key_in_tpm:
            raise TpmKeyUnusableError("OpenSSL does not load the key that lives in the TPM") from None
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


def signs_handshakes(key: SecretBytes, certificate: bytes, *, host: str) -> bool:
    """Whether OpenSSL gets at a key, and signs with it: the key speaks for a server, in memory, to a client of ours.

    Args:
        key: PEM, as of ``ports.MachineIdentity``.
        certificate: a certificate of that key alone, PEM, valid now.
        host: the DNS name that it holds.
    """
    client, server = newcomer_context(certificate), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        _load_key(server, key, certificate)
        asking = client.wrap_bio(down, up, server_hostname=host)
        answering = server.wrap_bio(up, down, server_side=True)
        return any(_shake_hands(asking) & _shake_hands(answering) for _ in range(_FLIGHTS))
    except (ssl.SSLError, ValueError):
        return False


def _shake_hands(side: ssl.SSLObject) -> bool:
    """Go as far as what came allows; whether that is the end."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _load_key(context: ssl.SSLContext, key: SecretBytes, chain: bytes) -> None:
    """OpenSSL reads a key from a file alone; this one is anonymous memory, gone with its descriptor."""
    number = os.memfd_create("tls-identity", os.MFD_CLOEXEC)
    with os.fdopen(number, "wb", buffering=0) as memory:
        memory.write(key.reveal() + b"\n" + chain)
        context.load_cert_chain(f"/proc/self/fd/{number}", password=_refuse_password)


def _refuse_password() -> bytes:
    """Without this OpenSSL would ask at the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted")
