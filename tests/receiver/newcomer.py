"""A machine that is to be enrolled, by the wire contract alone: keys, requests, and what it makes of the answers."""

import base64
import hashlib
from typing import Any, Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7

from appliance.ports import MachineWitness, SecretBytes
from appliance.wire.batch import KeyProtection
from appliance.wire.codec import (
    CONTENT_TYPE,
    decode_enrollment_answer,
    decode_problem,
    decode_tenant_secrets,
    encode_enrollment,
)
from appliance.wire.enrollment import (
    ENROLLMENTS_PATH,
    REQUEST_MEDIA_TYPE,
    SIMPLE_ENROLL_PATH,
    EnrollmentAnswer,
    EnrollmentRequest,
    FileEvidence,
    HpkeChallenge,
    TenantSecrets,
    TpmChallenge,
    proof,
    seal_key,
    transport_info,
)
from appliance.wire.problem import ProblemCode

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

UNKNOWN: Final = (401, ProblemCode.INVITATION_UNKNOWN)
EXPIRED: Final = (401, ProblemCode.INVITATION_EXPIRED)
USED: Final = (409, ProblemCode.INVITATION_USED)
UNPROVEN: Final = (401, ProblemCode.UNAUTHENTICATED)
DISBELIEVED: Final = (422, ProblemCode.EVIDENCE_INVALID)
MALFORMED: Final = (400, ProblemCode.MALFORMED_REQUEST)
UNSUPPORTED: Final = (415, ProblemCode.ENCODING_UNSUPPORTED)


class PlainWitness:
    """A machine without a TPM; it keeps its transport key for the test's length."""

    key_protection = KeyProtection.FILE

    def __init__(self) -> None:
        self._key = X25519PrivateKey.generate()
        self.transport_key: bytes | None = self._key.public_key().public_bytes_raw()

    def evidence(self, *, public_key: bytes, occasion: bytes) -> FileEvidence:
        del public_key, occasion
        return FileEvidence()

    def open_challenge(self, challenge: TpmChallenge | HpkeChallenge, *, enrollment: str) -> SecretBytes:
        assert isinstance(challenge, HpkeChallenge)
        return SecretBytes(_SUITE.decrypt(challenge.ciphertext, self._key, transport_info(enrollment)))


class Newcomer:
    """One machine and the TLS key that it made."""

    def __init__(self, witness: MachineWitness | None = None) -> None:
        """Make a key; a machine without a TPM unless ``witness`` speaks for one."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.witness: MachineWitness = witness or PlainWitness()

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> bytes:
        """What the receiver knows it by."""
        return hashlib.sha256(self.public_key).digest()

    def csr(self) -> bytes:
        """A request, DER; each has another signature."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def request(self, token: str, **changes: Any) -> EnrollmentRequest:
        """The first step's message, with ``changes``."""
        fields: dict[str, Any] = {
            "request": self.csr(),
            "key_protection": self.witness.key_protection,
            "evidence": self.witness.evidence(public_key=self.public_key, occasion=token.encode()),
            "transport_key": self.witness.transport_key,
            "token": token,
        }
        return EnrollmentRequest(**(fields | changes))

    def open(self, answer: EnrollmentAnswer) -> tuple[bytes, TenantSecrets]:
        """Open the challenge, and with it the tenant secret; give both."""
        assert answer.challenge is not None
        assert answer.sealed is not None
        opened = self.witness.open_challenge(answer.challenge, enrollment=answer.enrollment).reveal()
        cipher = AESGCM(seal_key(opened))
        text = cipher.decrypt(answer.sealed[:12], answer.sealed[12:], answer.enrollment.encode())
        return opened, decode_tenant_secrets(text)

    def password(self, answer: EnrollmentAnswer, csr: bytes) -> str:
        """The second step's password for ``csr``."""
        return proof(self.open(answer)[0], csr)

    def apply(self, client: httpx.Client, token: str, **changes: Any) -> httpx.Response:
        """Take the first step."""
        return post_enrollment(client, encode_enrollment(self.request(token, **changes)))

    def enroll(self, client: httpx.Client, answer: EnrollmentAnswer) -> httpx.Response:
        """Take the second step."""
        csr = self.csr()
        return simple_enroll(client, answer.enrollment, self.password(answer, csr), csr)

    def certify(self, client: httpx.Client, token: str) -> list[x509.Certificate]:
        """Take both steps; give the chain, leaf first."""
        return self.chain_of(self.enroll(client, answer_of(self.apply(client, token))))

    def chain_of(self, response: httpx.Response) -> list[x509.Certificate]:
        """Read the second step's answer, leaf first: the message holds a set, in no order (RFC 5652 5.1)."""
        assert response.status_code == 200, response.text
        certificates = pkcs7.load_der_pkcs7_certificates(base64.b64decode(response.content))
        (leaf,) = [one for one in certificates if one.public_key() == self.key.public_key()]
        return [leaf, *(one for one in certificates if one is not leaf)]


def post_enrollment(client: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    """Send a first step's body."""
    return client.post(ENROLLMENTS_PATH, content=body, headers={"Content-Type": CONTENT_TYPE} | headers)


def simple_enroll(client: httpx.Client, user: str, password: str, csr: bytes) -> httpx.Response:
    """Send a second step."""
    headers = {"Content-Type": REQUEST_MEDIA_TYPE}
    return client.post(SIMPLE_ENROLL_PATH, content=base64.encodebytes(csr), headers=headers, auth=(user, password))


def answer_of(response: httpx.Response) -> EnrollmentAnswer:
    """Read the first step's answer."""
    assert response.status_code == 200, response.text
    return decode_enrollment_answer(response.content)


def refusal_of(response: httpx.Response) -> tuple[int, ProblemCode]:
    """Status and code of a refusal."""
    return response.status_code, decode_problem(response.content).code
