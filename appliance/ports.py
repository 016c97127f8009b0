"""The seams: what the use cases ask of the outside world. Adapters implement these; nothing here does I/O."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct

from appliance.cdr.record import Line
from appliance.wire.batch import HighWater, KeyProtection, Verdict
from appliance.wire.call import Call
from appliance.wire.completeness import Account, Completeness, Gap, Receipt
from appliance.wire.enrollment import (
    Evidence,
    HpkeChallenge,
    TpmChallenge,
)

T = TypeVar("T")


class Clock(Protocol):
    """Time as an argument. Wall time is data; waits and leases run on the monotonic clock."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        ...


class SecretBytes:
    """Bytes that do not show themselves: ``repr`` and ``str`` hide them, pickling is refused."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Take the secret; ``reveal`` is the only way back."""
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves; call it at the moment of use."""
        return self._value

    def __repr__(self) -> str:
        """Say what it is, not what it holds."""
        return "SecretBytes(…)"

    def __reduce__(self) -> str:
        """Refuse to be written anywhere by accident."""
        raise TypeError("a secret is not serialised")


class SecretSealer(Protocol):
    """Binds secrets to this machine. ``purpose`` is authenticated: a blob opens only for what it was sealed for."""

    @property
    def key_protection(self) -> KeyProtection:
        """What guards the sealed secrets, as reported upward."""
        ...

    def seal(self, secret: SecretBytes, *, purpose: str) -> bytes:
        """Give a versioned blob that only this machine opens.

        Raises:
            SealingError: the anchor cannot be used.
        """
        ...

    def unseal(self, blob: bytes, *, purpose: str) -> SecretBytes:
        """Open a blob.

        Raises:
            SealingError: altered, of another machine or purpose, or of an unknown version.
        """
        ...


class Secrets(Protocol):
    """Where secrets are kept sealed, by name."""

    def get(self, name: str) -> SecretBytes:
        """Open one.

        Raises:
            SealedSecretMissingError: there is none of that name.
            SealingError: it does not open.
        """
        ...

    def put(self, name: str, secret: SecretBytes) -> None:
        """Keep one, in place of an older one, whole or not at all; raises ``SealingError``."""
        ...

    def discard(self, name: str) -> None:
        """Forget one, if it is there; raises ``SealingError``."""
        ...


TPM_KEY: Final = b"-----BEGIN TSS2 PRIVATE KEY-----"
"""How the PEM of a key begins that lives in the TPM: what OpenSSL and the TPM find it by, and no secret."""


class MachineIdentity(Struct, frozen=True):
    """Who this appliance is: certificate chain (leaf first) and trust anchors as PEM, the key hidden."""

    tenant: str
    appliance: str
    certificate_chain: bytes
    private_key: SecretBytes
    trust_anchors: bytes
    valid_from: datetime
    expires_at: datetime
    renewed_at: datetime
    """When this machine took the certificate into use."""

    @property
    def key_in_tpm(self) -> bool:
        """Whether the key lives in the TPM, and never leaves it."""
        return self.private_key.reveal().startswith(TPM_KEY)


class MachineWitness(Protocol):
    """What can be shown of this machine, and what only it can open."""

    @property
    def key_protection(self) -> KeyProtection:
        """What guards its secrets."""
        ...

    @property
    def transport_key(self) -> bytes | None:
        """X25519, to which a challenge may be sent; None where a credential for the TPM is to be sent."""
        ...

    def evidence(self, *, public_key: bytes, occasion: bytes, tpm_key: bytes | None = None) -> Evidence:
        """Give evidence for a key on an occasion.

        Args:
            public_key: SubjectPublicKeyInfo, DER.
            occasion: as of ``wire.enrollment.binding``.
            tpm_key: ``ProposedKey.tpm_key`` of the same key; where there is one, the TPM says that it holds it.

        Raises:
            SealingError: the TPM does not give it.
        """
        ...

    def open_challenge(self, challenge: TpmChallenge | HpkeChallenge, *, enrollment: str) -> SecretBytes:
        """Open what the receiver sent: the transport secret.

        Raises:
            SealingError: it was not made for this machine.
        """
        ...


class SourceBatch(Struct, frozen=True):
    """Lines that were read together, and where the source stands after them."""

    lines: Sequence[Line]
    unterminated: bool
    """The last line has no line end and will never get one: the file was replaced within or right after it."""
    position: bytes
    """Opaque to the use case: stored with the rows, given back to ``resume``."""
    restarted: bool
    """These lines begin another file: a new parser is needed, ``preceding`` comes before them."""
    preceding: Sequence[Line] = ()
    """Lines before the first, recorded earlier, that a parser may need to know."""
    gaps: Sequence[Gap] = ()
    """What the source could not deliver since the last batch, for one that loses; there may be no line beside them."""


class CdrSource(Protocol):
    """A feed that can be read from a position."""

    @property
    def feed(self) -> str:
        """The feed's id."""
        ...

    @property
    def problems(self) -> Mapping[str, int]:
        """How many of its files could not be read, or not to their end, since the start, by the problem's code."""
        ...

    def resume(self, position: bytes | None) -> None:
        """Go where ``position`` says; None is the beginning."""
        ...

    def read(self, *, max_bytes: int) -> SourceBatch | None:
        """Give what is new, at most about ``max_bytes``; None when there is nothing.

        Raises:
            SourceError: the feed cannot be read now.
        """
        ...


class QuarantinedLine(Struct, frozen=True):
    """A refused line on its way into the encrypted quarantine."""

    offset: int
    reason: str
    content: bytes

    def __repr__(self) -> str:
        """Show the reason, not the line."""
        return f"QuarantinedLine(offset={self.offset}, reason={self.reason!r})"


class Intake(Struct, frozen=True):
    """What one read gave, committed whole or not at all: rows, refused lines, counts and the source's position."""

    feed: str
    day: str
    """UTC date of reading, ISO 8601; completeness is counted a feed and a day."""
    read: int
    """Lines, counted where they were read; what became of them is counted apart, so that neither hides a loss."""
    calls: Sequence[Call]
    quarantined: Sequence[QuarantinedLine]
    ignored: int
    held: int
    """Lines that wait for another now, less those that waited before."""
    gaps: Sequence[Gap]
    position: bytes


class PendingBatch(Struct, frozen=True):
    """The oldest batch that was not acknowledged: its key and the body exactly as it goes over the wire."""

    epoch: int
    sequence: int
    records: int
    body: bytes


class QuarantineCount(Struct, frozen=True):
    """How many records were set aside for one reason."""

    kind: str
    reason: str
    records: int


class Tally(Struct, frozen=True):
    """What was counted for one feed and one day (UTC, of reading), by kind; no feed and no day: of the whole buffer."""

    feed: str
    day: str
    counts: dict[str, int]


class BufferStats(Struct, frozen=True):
    """Counts of what waits, what was set aside, and what went through."""

    batches: int
    records: int
    sealed_bytes: int
    file_bytes: int
    cap_bytes: int
    epoch: int
    quarantine: list[QuarantineCount]
    tallies: list[Tally]
    accounts: list[Account]


class CallBuffer(Protocol):
    """Durable, encrypted, in order. Every method returns after COMMIT or raises; used from one thread."""

    def position(self, feed: str) -> bytes | None:
        """Where the feed stood at the last commit."""
        ...

    def append(self, intake: Intake) -> None:
        """Commit an intake in one transaction.

        Raises:
            BufferFullError: nothing was written; try again after acknowledgements.
            BufferUnusableError: the database cannot be trusted until it is reopened.
        """
        ...

    def oldest(self) -> PendingBatch | None:
        """The next batch to deliver; one that does not authenticate is set aside and counted first."""
        ...

    def acknowledge(self, batch: PendingBatch, verdict: Verdict) -> None:
        """Delete a delivered batch and keep what the receiver said of it; refused records go to the quarantine."""
        ...

    def set_aside(self, batch: PendingBatch, code: str) -> None:
        """Move a batch that the receiver refuses for good into the quarantine, with the problem code."""
        ...

    def stats(self) -> BufferStats:
        """What is stored, in counts."""
        ...

    def accounts(self) -> list[Account]:
        """The account of each feed and day that is still kept, the damaged ones as they stand."""
        ...

    def drop_accounts(self, settled: Sequence[Account]) -> None:
        """Forget accounts that balance, of which nothing waits, and that have not changed since they were given."""
        ...

    def rekey(self, version: int, master: SecretBytes) -> None:
        """Seal from now on under a newer master key; what waits stays readable.

        Raises:
            BufferUnusableError: the database must be reopened.
        """
        ...

    def spent_versions(self) -> set[int]:
        """Forget the versions of the master key that nothing is sealed under any more, and say which they were."""
        ...

    def note_high_water(self, remote: HighWater) -> bool:
        """Compare with what the receiver holds; True if the buffer is an older copy (what waits was issued anew).

        A mark that cannot be this appliance's is counted and changes nothing.
        """
        ...

    def issue_anew(self, *, after: int = 0) -> None:
        """Give what waits new keys, in an epoch after ``after`` that this buffer has never used.

        Raises:
            BufferFullError: nothing was changed.
            BufferUnusableError: the database must be reopened.
        """
        ...


class Uplink(Protocol):
    """The way to the receiver."""

    async def send(self, batch: PendingBatch) -> Verdict:
        """Deliver one batch.

        Raises:
            UplinkUnavailableError: try again; carries ``retry_after_seconds`` where the receiver said so.
            UplinkError: refused for good, with the problem's code.
        """
        ...

    async def high_water(self) -> HighWater:
        """Ask what the receiver holds of this appliance. Raises as ``send``."""
        ...

    async def report(self, report: Completeness) -> Receipt:
        """Say what is known of completeness, past batches that wait for an answer. Raises as ``send``."""
        ...


class OnBufferThread(Protocol):
    """Runs a call on the one thread that may use the buffer."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        """Give ``function(*arguments)``'s result, or raise what it raised."""
        ...
