"""What one request carries, and what the answer says of it."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from appliance.wire.call import Call
from appliance.wire.limits import MAX_RECORDS_PER_BATCH

Epoch = Annotated[
    int, Meta(ge=1, le=2**53 - 1, description="Counts the buffer's key epochs of one appliance, one a process start")
]
Sequence = Annotated[int, Meta(ge=1, le=2**53 - 1, description="Counts the batches of one epoch, without a gap")]
Count = Annotated[int, Meta(ge=0, le=MAX_RECORDS_PER_BATCH)]


class KeyProtection(StrEnum):
    """What guards the tenant secret on the appliance, shipped with the data so that nobody has to guess."""

    FILE = "file"
    """Level 1: whoever copies the whole disk has the key."""
    TPM = "tpm"
    """Level 2: bound to this machine's TPM."""
    TPM_MEASURED_BOOT = "tpm_measured_boot"
    """Level 3: bound to this machine's TPM and to the signed software that it booted."""


class Batch(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="batch.v1"):
    """Records that were committed together and are delivered together, once."""

    epoch: Epoch
    sequence: Sequence
    key_protection: KeyProtection
    records: Annotated[list[Call], Meta(min_length=1, max_length=MAX_RECORDS_PER_BATCH)]


class HighWater(Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """The last batch up to which the receiver holds an epoch's batches without a gap; (0, 0) before the first."""

    epoch: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    sequence: Annotated[int, Meta(ge=0, le=2**53 - 1)]


class RefusalCode(StrEnum):
    """Why a record that the batch's schema allows was not stored."""

    TIME_ORDER = "time_order"
    """It ends before it starts, or was answered outside that span."""
    TIME_OUT_OF_RANGE = "time_out_of_range"
    """No month of the tenant's store is open for it."""
    PARTY_INCONSISTENT = "party_inconsistent"
    """A pseudonym or digits where the category forbids them."""
    FEED_UNKNOWN = "feed_unknown"
    """The feed is not one of this appliance."""


class Refusal(Struct, frozen=True, forbid_unknown_fields=True):
    """One record that was not accepted: where it stood in the batch, from 0, and why."""

    index: Count
    code: RefusalCode


class Verdict(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="verdict.v1"):
    """The receiver's answer to a batch. ``accepted + duplicate + len(refused)`` is the number of its records."""

    epoch: Epoch
    sequence: Sequence
    accepted: Count
    duplicate: Count
    refused: Annotated[list[Refusal], Meta(max_length=MAX_RECORDS_PER_BATCH)]
    high_water: HighWater
