"""The single door to ``ssl``: the server's TLS context, and the client certificate's way to the application.

TLS 1.2 at least, with forward secrecy and AEAD only (RFC 9325). One port serves appliances, which prove a certificate
of the machine CA, and API clients, which have none: a certificate is optional here and required where it matters
(``dependencies.machine``), but one that is sent and does not verify ends the handshake.

The context for new connections is replaced as a whole when certificate or roots change; open ones keep theirs.

The groups of the key exchange are OpenSSL's own list: from 3.5 on it begins with X25519MLKEM768, and Python could only
put one group alone in its place (``set_groups`` comes with 3.15). Its X448 and secp521r1 are more than Mozilla's
profile "intermediate" names; all else holds to it.
"""

import ssl
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from appliance.wire.codec import encode_answer
from appliance.wire.problem import PROBLEM_MEDIA_TYPE, ProblemCode, problem
from receiver.errors import FileUnusableError
from receiver.settings import StateFolder

PEER_CERTIFICATE: Final = "peer_certificate"
"""Key of the request's state under which the client certificate's DER stands, or None."""
MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers; ours need less than 1 KiB."""
_TLS_1_2_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


class CurrentContext(ssl.SSLContext):
    """Makes each new connection with the newest context. Its own has no certificate and would serve nobody."""

    _made_of: tuple[bytes, bytes] | None = None
    _current: ssl.SSLContext | None = None

    def follow(self, state: StateFolder, *, client_roots: list[x509.Certificate]) -> None:
        """Take a changed server certificate, or changed roots for clients, into use.

        Raises:
            FileUnusableError: the server certificate cannot be read, or is none; the context in use stays.
        """
        try:
            made_of = (state.server_certificate.read_bytes(), _to_pem(client_roots))
            if made_of == self._made_of:
                return
            self._current = _build(state, client_roots=made_of[1])
        except OSError:
            raise FileUnusableError("the server certificate cannot be used") from None
        self._made_of = made_of

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 the signature of ssl
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection; the event loops call this for each that they accept."""
        if self._current is None:
            return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        return self._current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def current_context() -> CurrentContext:
    """Give a context that serves nobody yet; ``follow`` makes it serve."""
    return CurrentContext(ssl.PROTOCOL_TLS_SERVER)


def _build(state: StateFolder, *, client_roots: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(state.server_certificate)
    context.load_verify_locations(cadata=client_roots.decode("ascii"))
    context.verify_mode = ssl.CERT_OPTIONAL
    # What Python 3.13 does for clients, done for the certificates that clients send.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def _to_pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


class PeerCertificateProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, plus the client certificate, a bound on heads, and problem documents for broken HTTP."""

    _head_bytes: int | None = 0
    """How much has come of a head that is not complete; None within a body."""

    def data_received(self, data: bytes) -> None:
        """Take bytes; refuse a head that does not end, which the parser would collect without a bound."""
        within_head = self._head_bytes is not None
        super().data_received(data)
        if self._head_bytes is None or not within_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")

    def on_headers_complete(self) -> None:
        """Forget the head's length: what follows is the body, which the handlers bound."""
        super().on_headers_complete()
        self._head_bytes = None

    def on_message_begin(self) -> None:
        """Hand the certificate of the connection to every request on it."""
        super().on_message_begin()
        self._head_bytes = 0
        tls = self.transport.get_extra_info("ssl_object")
        self.scope["state"][PEER_CERTIFICATE] = None if tls is None else tls.getpeercert(True)  # noqa: FBT003 positional in ssl

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP with a problem document, and close."""
        document = encode_answer(
            problem(ProblemCode.MALFORMED_REQUEST, detail=msg, hint="Send HTTP/1.1 requests as RFC 9112 says.")
        )
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {PROBLEM_MEDIA_TYPE}\r\ncontent-length: {len(document)}\r\n"
        self.transport.write(head.encode("ascii") + b"connection: close\r\n\r\n" + document)
        self.transport.close()
