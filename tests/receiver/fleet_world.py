"""A receiver's services with a clock that moves, and machines that renew, come back and are copied."""

import copy
import hashlib
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.wire.batch import HighWater, KeyProtection
from appliance.wire.codec import encode_enrollment
from appliance.wire.enrollment import (
    EVIDENCE_ATTRIBUTE,
    EnrollmentAnswer,
    EnrollmentRequest,
    Evidence,
    FileEvidence,
    RenewalEvidence,
    Return,
    binding,
)
from appliance.wire.problem import ProblemCode
from receiver.domain.appliance_view import ApplianceView
from receiver.domain.security_event import EventKind, SecurityEvent
from receiver.errors import ProblemError
from receiver.factory import ProcessContext, open_operator, open_service
from receiver.services.fleet import Fleet
from receiver.services.machine_certificates import MachineClaim, read_claim
from tests.support.software_tpm import Counter, SoftwareTpm

_NAMES: Final = count(1)
ATTRIBUTE: Final = x509.ObjectIdentifier(EVIDENCE_ATTRIBUTE)


class MovableClock:
    """The receiver's clock; starts at the real time, so that real certificates are valid."""

    def __init__(self) -> None:
        self.at = datetime.now(tz=UTC)

    def now(self) -> datetime:
        return self.at

    def advance(self, **span: float) -> None:
        """Let time pass."""
        self.at += timedelta(**span)


class Tpm:
    """What a machine's TPM says: its keys, and counts that it moves by itself."""

    def __init__(self) -> None:
        self.keys = SoftwareTpm()
        self.counter, self.clock, self.reset_count = 0, 100_000, 3

    def evidence(self, key: ec.EllipticCurvePrivateKey, occasion: bytes) -> Evidence:
        """Count up and speak for ``key``."""
        self.counter, self.clock = self.counter + 1, self.clock + 1000
        tpm = replace(self.keys, request=key)
        moment = {"clock": self.clock, "reset_count": self.reset_count}
        counter = tpm.counter(Counter(content=struct.pack(">Q", self.counter))).but(**moment)
        return tpm.evidence(occasion, quote=tpm.quote().but(**moment), counter=counter)


@dataclass
class FleetMachine:
    """One machine: its key and certificate, and the key that waits for the next one."""

    world: "World"
    tenant_id: UUID
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    tpm: Tpm | None = None
    key_protection: KeyProtection = KeyProtection.FILE
    pending: ec.EllipticCurvePrivateKey | None = None
    transport: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def der(self) -> bytes:
        """The certificate in use."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def claim(self) -> MachineClaim:
        """What the certificate in use says."""
        return read_claim(self.der)

    def copy(self) -> Self:
        """What a copy of the disk is, and of the TPM, if there is one."""
        return replace(self, tpm=copy.copy(self.tpm))

    def request(self, key: ec.EllipticCurvePrivateKey, **changes: Any) -> bytes:
        """A renewal's request for ``key``, DER."""
        return renewal_csr(key, [encode_enrollment(self.evidence(key, **changes))])

    def evidence(self, key: ec.EllipticCurvePrivateKey, **changes: Any) -> RenewalEvidence:
        """What the machine shows for ``key`` at a renewal."""
        shown = FileEvidence() if self.tpm is None else self.tpm.evidence(key, self.der)
        return RenewalEvidence(**{"key_protection": self.key_protection, "evidence": shown} | changes)

    async def ask(self, key: ec.EllipticCurvePrivateKey, **changes: Any) -> x509.Certificate:
        """Ask for a certificate for ``key``, and do not take it into use."""
        return await self.send(self.request(key, **changes))

    async def send(self, request: bytes) -> x509.Certificate:
        """Send a renewal's request as it is."""
        async with self.world.service.renewals(self.tenant_id) as desk:
            return await desk.renew(self.claim, request=request, authority=self.world.service.authority)

    async def renew(self, **changes: Any) -> None:
        """Renew, and take the certificate into use."""
        self.pending = self.pending or fresh_key()
        certificate = await self.ask(self.pending, **changes)
        self.key, self.certificate, self.pending = self.pending, certificate, None

    async def deliver(self) -> HighWater:
        """Send a request of the daily work."""
        async with self.world.service.ingest(self.tenant_id) as ingest:
            return await ingest.high_water(self.claim)

    async def come_back(self, **changes: Any) -> EnrollmentAnswer:
        """Ask to return with the certificate that ended."""
        self.pending = self.pending or fresh_key()
        request = self.returning(self.pending, **changes)
        async with self.world.service.returns(self.tenant_id) as desk:
            assert request.returning is not None
            return await desk.apply(request, returning=request.returning)

    def returning(self, key: ec.EllipticCurvePrivateKey, **changes: Any) -> EnrollmentRequest:
        """The message of a return."""
        signature = self.key.sign(binding(spki(key), self.der), ec.ECDSA(hashes.SHA256()))
        fields: dict[str, Any] = {
            "request": renewal_csr(key, []),
            "key_protection": self.key_protection,
            "evidence": FileEvidence() if self.tpm is None else self.tpm.evidence(key, self.der),
            "transport_key": None if self.tpm else self.transport.public_key().public_bytes_raw(),
            "returning": Return(certificate=self.der, signature=signature),
        }
        return EnrollmentRequest(**fields | changes)


@dataclass
class World:
    """The services and the operator, on one clock."""

    service: ProcessContext
    operator: ProcessContext
    clock: MovableClock

    async def tenant(self) -> UUID:
        """Make a tenant."""
        async with self.operator.tenants() as tenants:
            return await tenants.create(f"fleet {next(_NAMES)}")

    async def machine(self, tenant_id: UUID, name: str = "hq", *, tpm: Tpm | None = None) -> FleetMachine:
        """Certify a machine by the operator's hand."""
        key = fresh_key()
        async with self.operator.machine_certificates(tenant_id) as certificates:
            leaf = await certificates.issue(name, key=key.public_key(), authority=self.service.authority)
        protection = KeyProtection.FILE if tpm is None else KeyProtection.TPM
        return FleetMachine(self, tenant_id, name, key, leaf, tpm, protection)

    @asynccontextmanager
    async def fleet(self, tenant_id: UUID) -> AsyncIterator[Fleet]:
        """The administrator's desk."""
        async with self.operator.fleet(tenant_id) as fleet:
            yield fleet

    async def alarms(self, tenant_id: UUID) -> list[EventKind]:
        """The kinds of the open alarms, newest first."""
        return [event.kind for event in await self.events(tenant_id) if event.open]

    async def events(self, tenant_id: UUID) -> list[SecurityEvent]:
        """All events, newest first."""
        async with self.fleet(tenant_id) as fleet:
            return await fleet.events()

    async def view(self, tenant_id: UUID, name: str = "hq") -> ApplianceView:
        """What the administrators see of an appliance."""
        async with self.fleet(tenant_id) as fleet:
            return next(view for view in await fleet.list_all() if view.name == name)


@asynccontextmanager
async def open_world(state_dir: Path) -> AsyncIterator[World]:
    """Open the services and the operator's door on one state folder."""
    clock = MovableClock()
    async with open_service(state_dir) as service, open_operator(state_dir) as operator:
        yield World(replace(service, clock=clock), replace(operator, clock=clock), clock)


def fresh_key() -> ec.EllipticCurvePrivateKey:
    """A new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SubjectPublicKeyInfo, DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fingerprint_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """What the receiver knows a key by."""
    return hashlib.sha256(spki(key)).digest()


def renewal_csr(key: ec.EllipticCurvePrivateKey, attributes: list[bytes]) -> bytes:
    """A request with so many evidence attributes, DER."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    for value in attributes:
        builder = builder.add_attribute(ATTRIBUTE, value)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


async def refusal(work: Callable[[], Any]) -> ProblemCode:
    """The code with which a piece of work is refused."""
    try:
        await work()
    except ProblemError as error:
        return error.problem
    raise AssertionError("nothing was refused")
