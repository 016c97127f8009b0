"""What an appliance has and does, for tests of the receiver: a key, a certificate, calls and deliveries."""

import secrets
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from appliance.wire.batch import Batch, KeyProtection
from appliance.wire.call import NIBBLE_LETTERS, Call, Category, Direction, Disposition, Party
from appliance.wire.codec import CONTENT_ENCODING, CONTENT_TYPE, encode_batch
from tests.support.receiver_process import ReceiverProcess

NOON: Final = datetime(2026, 3, 10, 12, tzinfo=UTC)
PEM: Final = serialization.Encoding.PEM


def token() -> str:
    """A random token of the wire's form."""
    return "".join(NIBBLE_LETTERS[byte % 16] for byte in secrets.token_bytes(32))


def pseudonym() -> str:
    """A random pseudonym of the wire's form."""
    return f"k1_{token()}"


def make_call(started_at: datetime = NOON, **changes: Any) -> Call:
    """A sound call of five seconds, with ``changes``."""
    call = Call(
        event_id=token(),
        call_id=token(),
        leg=1,
        started_at=started_at,
        answered_at=started_at,
        ended_at=started_at + timedelta(seconds=5),
        ring_seconds=0,
        talk_seconds=5,
        total_seconds=5,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED,
        calling=Party(Category.EXTERNAL, pseudonym(), "0193"),
        called=Party(Category.INTERNAL, pseudonym(), None),
        forwarded_to=None,
        feed="main",
        dialect="asterisk_csv",
        key_version=1,
    )
    return replace(call, **changes)


def make_batch(records: Sequence[Call], *, epoch: int = 1, sequence: int = 1) -> bytes:
    """The body of a delivery."""
    return encode_batch(Batch(epoch=epoch, sequence=sequence, key_protection=KeyProtection.FILE, records=list(records)))


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as a file for ``ssl``."""
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def client_context(anchors: Path) -> ssl.SSLContext:
    """A client's context that trusts the receiver's root alone, strictly."""
    context = ssl.create_default_context(cafile=str(anchors))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def open_client(receiver: ReceiverProcess, context: ssl.SSLContext, **headers: str) -> httpx.Client:
    """An HTTP client of the receiver."""
    return httpx.Client(base_url=receiver.url, verify=context, headers=headers, trust_env=False, timeout=30)


@dataclass(frozen=True, slots=True)
class Machine:
    """A certified appliance with its files."""

    tenant: str
    tenant_id: str
    name: str
    certificate: Path
    key: Path

    def connect(self, receiver: ReceiverProcess) -> httpx.Client:
        """Open a connection with the machine certificate."""
        context = client_context(receiver.trust_anchors)
        context.load_cert_chain(self.certificate, self.key)
        return open_client(receiver, context)

    def headers(self, *, epoch: int = 1, sequence: int = 1) -> dict[str, str]:
        """The headers of a delivery."""
        return {
            "Content-Type": CONTENT_TYPE,
            "Content-Encoding": CONTENT_ENCODING,
            "Idempotency-Key": f'"{self.name}/{epoch}/{sequence}"',
        }

    def deliver(
        self, client: httpx.Client, records: Sequence[Call], *, epoch: int = 1, sequence: int = 1
    ) -> httpx.Response:
        """Send a batch."""
        return client.post(
            "/v1/ingest/batches",
            content=make_batch(records, epoch=epoch, sequence=sequence),
            headers=self.headers(epoch=epoch, sequence=sequence),
        )
