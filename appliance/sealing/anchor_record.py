"""Which anchor a state directory hangs on, written down at its first use: from then on it is that one or none.

Rules: the record is authenticated under the anchor that it names, so an edit shows as soon as that has opened; it says
how the anchor is reached, so that the sealed settings can be opened without any others. It holds no secret.

What an edit could gain: naming the file instead of the TPM opens nothing that was sealed under the TPM.
"""

import hashlib
import hmac
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, structs

from appliance.errors import SealAnchorError, SealDiskError, SealedBlobTamperedError
from appliance.ports import SecretBytes, SecretSealer
from appliance.sealing.durable import SYSTEM_DISK, Disk, replace_file
from appliance.sealing.sealed_blob import decode_strictly
from appliance.settings import ApplianceSettings
from appliance.wire.batch import KeyProtection

RECORD_FILE: Final = "record.json"
MAX_BYTES: Final = 64 * 1024
_PURPOSE: Final = "anchor-record"


class WhyFile(StrEnum):
    """What keeps a state directory on the file anchor."""

    NO_TPM = "no_tpm"
    """None answered when the secrets were sealed."""
    ANCHORED_BEFORE = "anchored_before_tpm"
    """The anchor was there before it was recorded why, as by an older release."""


class AnchorWay(Struct, frozen=True):
    """How the anchor is reached."""

    tpm: str
    """A TCTI's name and configuration."""
    passphrase_file: str | None
    """Of a file anchor."""
    recovery_key_file: str | None = None
    """Of a TPM's: the customer's public key."""

    @classmethod
    def of(cls, settings: ApplianceSettings) -> "AnchorWay":
        """As the settings say."""
        return cls(settings.tpm, _text(settings.passphrase_file), _text(settings.recovery_key_file))


class AnchorRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """The record's file."""

    version: Literal[1]
    protection: KeyProtection
    why_not_higher: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=16)]
    way: AnchorWay
    proof: Annotated[bytes, Meta(max_length=4096)] = b""
    """A blob that the anchor sealed, of the hash of all else."""

    def proven(self, sealer: SecretSealer) -> "AnchorRecord":
        """The record with its proof by the anchor that it names."""
        return structs.replace(self, proof=sealer.seal(SecretBytes(self._hash()), purpose=_PURPOSE))

    def verify(self, sealer: SecretSealer) -> None:
        """Check the record against the anchor that it names.

        Raises:
            SealedBlobTamperedError: it was altered.
            SealingError: the anchor is another than the one that proved it.
        """
        hashed = sealer.unseal(self.proof, purpose=_PURPOSE).reveal()
        if not hmac.compare_digest(hashed, self._hash()):
            raise SealedBlobTamperedError("the anchor's record was altered")

    def _hash(self) -> bytes:
        return hashlib.sha256(msgspec.json.encode(structs.replace(self, proof=b""))).digest()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def read_record(directory: Path) -> AnchorRecord | None:
    """Read the record in the folder of anchors; None if there is none.

    Raises:
        SealAnchorError: it cannot be read, or is not of a version that this release reads.
    """
    path = directory / RECORD_FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SealAnchorError(f"{path}: {error.strerror}") from error
    try:
        return decode_strictly(content, AnchorRecord)
    except (ValueError, RecursionError):
        raise SealAnchorError(f"{path}: not a record of a version that this release reads") from None


def write_record(directory: Path, record: AnchorRecord, *, disk: Disk = SYSTEM_DISK) -> None:
    """Put a record in place of the one before.

    Raises:
        SealDiskError: the disk refuses.
    """
    try:
        replace_file(directory / RECORD_FILE, msgspec.json.encode(record), disk=disk)
    except OSError as error:
        raise SealDiskError(f"{directory / RECORD_FILE}: {error.strerror}") from error
