"""The anchor of level 2 and 3: what the TPM sealed, and all that is needed to have it opened, as canonical JSON.

Rules: nothing in it is secret without the TPM; each field is checked, before the TPM sees it (the policy that the
fields describe must be the one that the sealed object has) or after it has opened (a MAC under the root over all of
them), so an edit is named as such.

Not here: the TPM (``sealed_root``) and the files (``anchor_folder``).
"""

import hmac
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, structs

from appliance.errors import SealAnchorError, SealedBlobTamperedError
from appliance.ports import SecretBytes
from appliance.sealing import tpm_policy
from appliance.sealing.sealed_blob import decode_strictly
from appliance.sealing.tpm_policy import KERNEL_PCR, NAME_BYTES, RECOVERY_REF
from appliance.sealing.vtpm.counter import COUNTER_INDEX, COUNTER_NAME
from appliance.wire.batch import KeyProtection

_MAC_LABEL: Final = b"natalia/tpm-anchor/v1"
_DIGEST_BYTES: Final = 32
_PUBLIC_BYTES: Final = 78
_MAX_PRIVATE_BYTES: Final = 512

Name = Annotated[bytes, Meta(min_length=NAME_BYTES, max_length=NAME_BYTES)]


class PolicyKind(StrEnum):
    """What opens the sealed root, beside the recovery key."""

    TPM = "tpm"
    """This TPM, with its counter where it was."""
    SIGNED_PCR = "signed_pcr"
    """As ``TPM``, and PCR 11 as the vendor signed it."""


class Anchor(Struct, frozen=True, forbid_unknown_fields=True):
    """The anchor's file."""

    version: Literal[1]
    anchor: Literal["tpm"]
    storage_key: Name
    """Name of the TPM's storage key: the pin."""
    policy: PolicyKind
    policy_key: Name | None
    """Fingerprint of the vendor's key: the Name that a TPM computes of it."""
    pcrs: list[int]
    recovery_key: Name | None
    """Fingerprint of the customer's key, as of the vendor's."""
    counter_index: int
    counter: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    """Where the TPM's counter stands while this anchor opens."""
    public: Annotated[bytes, Meta(min_length=_PUBLIC_BYTES, max_length=_PUBLIC_BYTES)]
    """TPMT_PUBLIC."""
    private: Annotated[bytes, Meta(min_length=1, max_length=_MAX_PRIVATE_BYTES)]
    """What TPM2B_PRIVATE holds."""
    key_id: str
    created_at: datetime
    mac: Annotated[bytes, Meta(min_length=_DIGEST_BYTES, max_length=_DIGEST_BYTES)] = bytes(_DIGEST_BYTES)

    @property
    def key_protection(self) -> KeyProtection:
        """The level that its policy gives."""
        return KeyProtection.TPM_MEASURED_BOOT if self.policy is PolicyKind.SIGNED_PCR else KeyProtection.TPM

    @property
    def branch(self) -> bytes:
        """The policy's digest in everyday use."""
        before = tpm_policy.policy_authorize(self.policy_key) if self.policy_key else tpm_policy.EMPTY
        return tpm_policy.policy_counter(COUNTER_NAME, self.counter, before=before)

    @property
    def branches(self) -> list[bytes]:
        """The ways in, as TPM2_PolicyOR takes them; none where there is only one."""
        if self.recovery_key is None:
            return []
        return [self.branch, tpm_policy.policy_signed(self.recovery_key, ref=RECOVERY_REF)]

    @property
    def policy_digest(self) -> bytes:
        """What a policy session must arrive at."""
        return tpm_policy.policy_or(self.branches) if self.branches else self.branch

    def encode(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.encode(self)

    def authenticated(self, root: SecretBytes) -> "Anchor":
        """The anchor with its MAC under ``root``."""
        return structs.replace(self, mac=self._mac(root))

    def verify(self, root: SecretBytes) -> None:
        """Check what came out of it against all that stands in it.

        Raises:
            SealedBlobTamperedError: a field was altered.
        """
        if not hmac.compare_digest(self.mac, self._mac(root)):
            raise SealedBlobTamperedError("the anchor does not authenticate")

    def _mac(self, root: SecretBytes) -> bytes:
        content = structs.replace(self, mac=bytes(_DIGEST_BYTES)).encode()
        return hmac.digest(root.reveal(), _MAC_LABEL + content, "sha256")


def decode_anchor(content: bytes) -> Anchor:
    """Read an anchor's file.

    Raises:
        SealAnchorError: not an anchor of a version that this release reads.
        SealedBlobTamperedError: its fields do not describe the object that it holds.
    """
    try:
        anchor = decode_strictly(content, Anchor)
    except (ValueError, RecursionError):
        raise SealAnchorError("not a TPM anchor of a version that this release reads") from None
    measured = anchor.policy is PolicyKind.SIGNED_PCR
    whole = (
        anchor.counter_index == COUNTER_INDEX
        and anchor.pcrs == ([KERNEL_PCR] if measured else [])
        and (anchor.policy_key is not None) == measured
        and anchor.public.startswith(tpm_policy.sealed_area(anchor.policy_digest))
    )
    if not whole:
        raise SealedBlobTamperedError("the anchor's fields do not describe the object that it holds")
    return anchor
