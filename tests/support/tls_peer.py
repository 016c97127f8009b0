"""A real TLS peer on a loopback port, with switches for what a receiver or an attacker in its place may do.

``Authority`` is a test CA after the receiver's own profile; ``TlsPeer`` speaks just enough HTTP/1.1 to be lied with.
Keys are made anew in each run.
"""

import asyncio
import ssl
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.ports import MachineIdentity, SecretBytes

TENANT = "7f1f2b0e-6c1d-4f0a-9a55-0d7c3b7a1e11"
APPLIANCE = "edge-a"
DAY = timedelta(days=1)


def machine_urn(appliance: str = APPLIANCE, tenant: str = TENANT) -> str:
    """The URI that names an appliance."""
    return f"urn:natalia:tenant:{tenant}:appliance:{appliance}"


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Authority:
    """A CA of P-256; a root by itself, or signed by ``issuer``."""

    def __init__(
        self,
        *,
        now: datetime | None = None,
        issuer: "Authority | None" = None,
        strict: bool = True,
        life: timedelta = DAY,
    ) -> None:
        """Make it valid for ``life`` around ``now``; not ``strict``: without what RFC 5280 demands of a CA."""
        self.now = now or datetime.now(UTC)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(f"Test CA {x509.random_serial_number():x}")
        self.issuer = issuer
        builder = self._builder(self.key.public_key(), self.name, issuer or self, self.now - life, self.now + life)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if strict:
            builder = builder.add_extension(_usage(ca=True), critical=True)
        self.certificate = builder.sign((issuer or self).key, SHA256())

    @property
    def pem(self) -> bytes:
        """The CA's own certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        key: ec.EllipticCurvePublicKey,
        *,
        names: Sequence[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        valid: tuple[timedelta, timedelta] = (-DAY, DAY),
    ) -> bytes:
        """A leaf's certificate, valid between two offsets from the authority's time, as PEM."""
        start, end = self.now + valid[0], self.now + valid[1]
        builder = self._builder(key, _name("leaf"), self, start, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(ca=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM)

    def issue_machine(
        self,
        key: ec.EllipticCurvePublicKey,
        *,
        uris: Sequence[str] = (machine_urn(),),
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        valid: tuple[timedelta, timedelta] = (-DAY, DAY),
    ) -> bytes:
        """An appliance's certificate."""
        return self.issue(key, names=[x509.UniformResourceIdentifier(uri) for uri in uris], usage=usage, valid=valid)

    def issue_server(
        self, *, host: str = "127.0.0.1", valid: tuple[timedelta, timedelta] = (-DAY, DAY)
    ) -> tuple[bytes, bytes]:
        """A server's certificate and key; ``host`` is an address or a DNS name."""
        key = ec.generate_private_key(ec.SECP256R1())
        name: x509.GeneralName
        try:
            name = x509.IPAddress(ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        leaf = self.issue(key.public_key(), names=[name], usage=ExtendedKeyUsageOID.SERVER_AUTH, valid=valid)
        return leaf, key_pem(key)

    def identity(self, *, anchors: bytes | None = None) -> MachineIdentity:
        """A machine with a certificate of this authority, which trusts ``anchors`` (else the authority)."""
        key = ec.generate_private_key(ec.SECP256R1())
        return MachineIdentity(
            tenant=TENANT,
            appliance=APPLIANCE,
            certificate_chain=self.issue_machine(key.public_key()),
            private_key=SecretBytes(key_pem(key)),
            trust_anchors=self.pem if anchors is None else anchors,
            valid_from=self.now - DAY,
            expires_at=self.now + DAY,
            renewed_at=self.now,
        )

    def _builder(
        self, key: ec.EllipticCurvePublicKey, name: x509.Name, issuer: "Authority", start: datetime, end: datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer.name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        return builder.add_extension(authority, critical=False)


def server_context(
    authority: Authority,
    *,
    certificate: tuple[bytes, bytes] | None = None,
    ask_client: bool = True,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = "ALL:@SECLEVEL=0",
) -> ssl.SSLContext:
    """A server's side; weak on purpose where a switch says so, so that only the client can refuse."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    context.set_ciphers(ciphers)
    leaf, key = certificate or authority.issue_server()
    with tempfile.NamedTemporaryFile() as file:
        file.write(key + leaf)
        file.flush()
        context.load_cert_chain(file.name)
    if ask_client:
        context.load_verify_locations(cadata=authority.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = bytes | None
"""Raw bytes after which the connection is kept; None keeps it open and says nothing."""


def reply(
    status: int, body: bytes = b"", *, headers: Sequence[str] = (), media_type: str = "application/json"
) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Type: {media_type}"]
    lines += [f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(slots=True)
class TlsPeer:
    """A TLS server of one answer; ``half`` closes the connection after it. It remembers what it was asked.

    Without a context it is plain TCP that speaks first: it says ``greeting``.
    """

    context: ssl.SSLContext | None
    answer: Callable[[Request], Reply]
    half: bool = False
    greeting: bytes = b""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.gather(*self._tasks)
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.write(self.greeting)
            while True:
                answer = self.answer(await self._read(reader))
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
                if self.half:
                    break
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        pairs = [line.partition(":") for line in head[1:] if line]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body)
        self.requests.append(request)
        return request


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
