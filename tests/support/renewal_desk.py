"""A receiver's desk that renews and takes machines back, over real TLS, with switches for what goes wrong.

Beside what ``enrollment_desk`` keeps, it knows which certificates it takes, and sees with which one each request came.
It is no receiver's code: what the contract says of a return and of a renewal is checked here anew.
"""

import base64
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.uplink.https_uplink import HIGH_WATER_PATH
from appliance.wire.batch import HighWater
from appliance.wire.codec import encode_answer
from appliance.wire.enrollment import (
    CA_CERTIFICATES_PATH,
    ENROLLMENTS_PATH,
    EVIDENCE_ATTRIBUTE,
    SIMPLE_ENROLL_PATH,
    SIMPLE_REENROLL_PATH,
    EnrollmentAnswer,
    EnrollmentRequest,
    EnrollmentState,
    RenewalEvidence,
    binding,
    proof,
)
from appliance.wire.problem import ProblemCode
from tests.support.enrollment_desk import ENROLLMENT, Desk, certify, certs_only, challenge_to, key_of, refusal
from tests.support.tls_peer import APPLIANCE, DAY, TENANT, Authority, Reply, Request, machine_urn, reply, server_context
from tests.support.watching_peer import WatchingPeer

ANCHORS, APPLY, ENROLL = CA_CERTIFICATES_PATH, ENROLLMENTS_PATH, SIMPLE_ENROLL_PATH
RENEW, USE = SIMPLE_REENROLL_PATH, HIGH_WATER_PATH


@dataclass
class RenewalDesk(Desk):
    """The desk of a receiver with one appliance; ``answers`` go out first, a path each, in order."""

    answers: dict[str, list[Reply]] = field(default_factory=dict)
    refused: set[bytes] = field(default_factory=set)
    """Certificates that it does not take, DER."""
    refuse_new: bool = False
    """Whether it takes no certificate that it issues."""
    announced: list[Authority] = field(default_factory=list)
    """Roots beside its own; ``hides_root``: instead of it."""
    hides_root: bool = False
    log: list[tuple[str, bytes]] = field(default_factory=list)
    """The path of each request, and the certificate that it came with."""
    evidence: list[RenewalEvidence] = field(default_factory=list)
    last_used: Callable[[], bytes] = lambda: b""

    def __post_init__(self) -> None:
        """Make CAs that live for months."""
        self.root = Authority(now=self.now, life=100 * DAY)
        self.issuing = Authority(now=self.now, issuer=self.root, life=100 * DAY)

    def watching_peer(self) -> WatchingPeer:
        """The desk as a TLS server that takes a certificate where one is shown."""
        context = server_context(self.root, certificate=self.root.issue_server())
        context.verify_mode = ssl.CERT_OPTIONAL
        peer = WatchingPeer(context, self)
        self.last_used = lambda: peer.asked_by[-1]
        return peer

    @property
    def paths(self) -> list[str]:
        """What was asked, in order."""
        return [path for path, _ in self.log]

    def asked_for(self, path: str) -> int:
        """How many times a path was asked."""
        return self.paths.count(path)

    def __call__(self, request: Request) -> Reply:
        """Answer as told, else as the contract says."""
        self.log.append((request.path, self.last_used()))
        if self.answers.get(request.path):
            return self.answers[request.path].pop(0)
        return Desk.__call__(self, request)

    def _answer(self, step: str, request: Request) -> Reply:
        shown = self.last_used()
        if step == RENEW:
            return self._renew(request, shown)
        if step == USE:
            return self._use(shown)
        if step == ANCHORS:
            roots = [authority.certificate for authority in self.announced]
            own = [] if self.hides_root else [self.root.certificate, self.issuing.certificate]
            return certs_only(*own, *roots)
        return Desk._answer(self, step, request)

    def _use(self, shown: bytes) -> Reply:
        if not shown:
            return refusal(ProblemCode.UNAUTHENTICATED)
        return refusal(ProblemCode.FORBIDDEN) if shown in self.refused else reply(200, encode_answer(HighWater(0, 0)))

    def _renew(self, request: Request, shown: bytes) -> Reply:
        if not shown or shown in self.refused:
            return refusal(ProblemCode.UNAUTHENTICATED if not shown else ProblemCode.FORBIDDEN)
        der = base64.b64decode(request.body)
        (attribute,) = x509.load_der_x509_csr(der).attributes
        assert attribute.oid.dotted_string == EVIDENCE_ATTRIBUTE
        self.evidence.append(msgspec.json.decode(attribute.value, type=RenewalEvidence))
        return self._issue(der)

    def _issue(self, der: bytes) -> Reply:
        leaf = certify(der, authority=self.issuing, uris=[machine_urn(**self.names)], valid=self.valid)
        self.issued.append(leaf)
        if self.refuse_new:
            self.refused.add(leaf.public_bytes(Encoding.DER))
        return certs_only(self.issuing.certificate, leaf)

    def _apply(self, asked: EnrollmentRequest) -> Reply:
        """A return: the old certificate is one of this desk's, and its key signed for the new one."""
        assert asked.returning is not None
        assert asked.token is None
        certificate = x509.load_der_x509_certificate(asked.returning.certificate)
        certificate.verify_directly_issued_by(self.issuing.certificate)
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        message = binding(key_of(asked.request), asked.returning.certificate)
        key.verify(asked.returning.signature, message, ec.ECDSA(SHA256()))
        self.asked.append(asked)
        if self.waiting:
            self.waiting -= 1
            return self._say(EnrollmentAnswer(ENROLLMENT, TENANT, APPLIANCE, EnrollmentState.WAITING))
        transport = os.urandom(32)
        self.proofs[proof(transport, asked.request)] = key_of(asked.request)
        challenge, sealed = challenge_to(asked, transport), self.seal(transport)
        return self._say(EnrollmentAnswer(ENROLLMENT, TENANT, APPLIANCE, EnrollmentState.READY, challenge, sealed))

    def _enroll(self, request: Request) -> Reply:
        answer = Desk._enroll(self, request)
        if self.refuse_new and answer is not None and self.issued:
            self.refused.add(self.issued[-1].public_bytes(Encoding.DER))
        return answer
