"""A receiver's desk over real TLS, written from RFC 7030 and ``wire.enrollment``, with switches for what goes wrong.

It keeps what a receiver would: which key an invitation belongs to, what it issued, and the one tenant secret. A fault
is *before* (nothing was done) or *after* (all was done, and the answer got lost on the way). It is no receiver's code.
"""

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from msgspec import structs

from appliance.wire.codec import decode_enrollment_request, encode_answer, encode_enrollment
from appliance.wire.enrollment import (
    CA_CERTIFICATES_PATH,
    ENROLLMENTS_PATH,
    SIMPLE_ENROLL_PATH,
    EnrollmentAnswer,
    EnrollmentRequest,
    EnrollmentState,
    HpkeChallenge,
    TenantSecrets,
    proof,
    seal_key,
    transport_info,
)
from appliance.wire.invitation import Invitation
from appliance.wire.problem import ProblemCode, problem
from tests.support.tls_peer import (
    APPLIANCE,
    DAY,
    TENANT,
    Authority,
    Reply,
    Request,
    TlsPeer,
    machine_urn,
    reply,
    server_context,
)

TOKEN = "nte_" + "a" * 32 + "_" + "b" * 32 + "_00000000"
ENROLLMENT = TENANT.replace("-", "") + "0" * 32
SECRETS = TenantSecrets(1, bytes(range(32)))
STEPS = ("apply", "enroll")
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def refusal(code: ProblemCode) -> Reply:
    """A problem document."""
    document = problem(code, detail="no", hint="See the code.")
    return reply(document.status, encode_answer(document), media_type="application/problem+json")


def certificates(*items: x509.Certificate) -> bytes:
    """PKCS #7 without content, in base64 with line ends (RFC 7030 4.1.3)."""
    return base64.encodebytes(pkcs7.serialize_certificates(list(items), Encoding.DER))


def certs_only(*items: x509.Certificate) -> bytes:
    """An answer that holds certificates."""
    return reply(200, certificates(*items), media_type="application/pkcs7-mime; smime-type=certs-only")


def key_of(request: bytes) -> bytes:
    """The key of a request in DER."""
    key = x509.load_der_x509_csr(request).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certify(
    request: bytes,
    *,
    authority: Authority,
    uris: Sequence[str] = (machine_urn(),),
    valid: tuple[timedelta, timedelta] = (-DAY, DAY),
) -> x509.Certificate:
    """A machine's certificate for a request in DER."""
    key = x509.load_der_x509_csr(request).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return x509.load_pem_x509_certificate(authority.issue_machine(key, uris=uris, valid=valid))


@dataclass
class Desk:
    """One tenant's desk with one invitation."""

    now: datetime
    fault: tuple[str, str] | None = None
    """When and where the next fault is: (``before`` or ``after``, a step); it happens once."""
    refuse: ProblemCode | None = None
    waiting: int = 0
    """How many times an administrator's approval is still missing."""
    secrets: TenantSecrets = SECRETS
    alter: Callable[[EnrollmentAnswer], EnrollmentAnswer] = lambda answer: answer
    valid: tuple[timedelta, timedelta] = (-DAY, DAY)
    names: dict[str, str] = field(default_factory=dict)
    """What the certificate says instead of the right ``tenant`` or ``appliance``."""
    owner: bytes | None = None
    """The key that the invitation belongs to."""
    issued: list[x509.Certificate] = field(default_factory=list)
    asked: list[EnrollmentRequest] = field(default_factory=list)
    proofs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the CAs."""
        self.root = Authority(now=self.now)
        self.issuing = Authority(now=self.now, issuer=self.root)

    def peer(self) -> TlsPeer:
        """The desk as a TLS server that asks for no certificate."""
        return TlsPeer(server_context(self.root, ask_client=False), self)

    def invitation(self, url: str, *, appliance: str = APPLIANCE) -> Invitation:
        """What the installer is handed."""
        anchors = [self.root.certificate.public_bytes(Encoding.DER)]
        return Invitation(1, url, appliance, TOKEN, self.now.replace(microsecond=0) + DAY, anchors)

    def __call__(self, request: Request) -> Reply:
        """Answer, or fail as told."""
        step = {ENROLLMENTS_PATH: "apply", SIMPLE_ENROLL_PATH: "enroll"}.get(request.path, request.path)
        if self.refuse is not None:
            return refusal(self.refuse)
        if self.fault == ("before", step):
            self.fault = None
            return reply(503)
        answer = self._answer(step, request)
        if self.fault == ("after", step):
            self.fault = None
            return reply(502, b"<html>Bad gateway</html>", media_type="text/html")
        return answer

    def _answer(self, step: str, request: Request) -> Reply:
        if step == "apply":
            return self._apply(decode_enrollment_request(request.body))
        if step == "enroll":
            return self._enroll(request)
        if step == CA_CERTIFICATES_PATH:
            return certs_only(self.root.certificate, self.issuing.certificate)
        return refusal(ProblemCode.NOT_FOUND)

    def _apply(self, asked: EnrollmentRequest) -> Reply:
        self.asked.append(asked)
        key = key_of(asked.request)
        if asked.token != TOKEN:
            return refusal(ProblemCode.INVITATION_UNKNOWN)
        if self.owner not in (None, key):
            return refusal(ProblemCode.INVITATION_USED)
        self.owner = key
        if self.waiting:
            self.waiting -= 1
            return self._say(EnrollmentAnswer(ENROLLMENT, TENANT, APPLIANCE, EnrollmentState.WAITING))
        transport = os.urandom(32)
        self.proofs[proof(transport, asked.request)] = key
        answer = EnrollmentAnswer(ENROLLMENT, TENANT, APPLIANCE, EnrollmentState.READY)
        return self._say(structs.replace(answer, challenge=challenge_to(asked, transport), sealed=self.seal(transport)))

    def seal(self, transport: bytes) -> bytes:
        """The tenant secret, sealed as the contract says."""
        nonce = os.urandom(12)
        return nonce + AESGCM(seal_key(transport)).encrypt(nonce, encode_enrollment(self.secrets), ENROLLMENT.encode())

    def _say(self, answer: EnrollmentAnswer) -> Reply:
        return reply(200, encode_enrollment(self.alter(answer)))

    def _enroll(self, request: Request) -> Reply:
        scheme, _, password = request.headers.get("authorization", "").partition(" ")
        name, _, given = base64.b64decode(password).decode().partition(":")
        der = base64.b64decode(request.body)
        if (scheme, name) != ("Basic", ENROLLMENT) or self.proofs.get(given) != key_of(der):
            return refusal(ProblemCode.UNAUTHENTICATED)
        urn = machine_urn(**self.names)
        self.issued.append(certify(der, authority=self.issuing, uris=[urn], valid=self.valid))
        return certs_only(self.issuing.certificate, self.issued[-1])

    @property
    def keys_certified(self) -> int:
        """How many different keys got a certificate."""
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return len({hashlib.sha256(item.public_key().public_bytes(*form)).digest() for item in self.issued})


def challenge_to(asked: EnrollmentRequest, transport: bytes) -> HpkeChallenge:
    """The challenge for a machine without a TPM."""
    assert asked.transport_key is not None
    key = X25519PublicKey.from_public_bytes(asked.transport_key)
    return HpkeChallenge(_SUITE.encrypt(transport, key, transport_info(ENROLLMENT)))
