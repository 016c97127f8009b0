"""What the receiver knows of a machine by its TPM, and how a copy of it shows.

A copied vTPM has the same keys and speaks as well as the first; what it cannot share is the count. Each evidence
counts up, in the TPM itself, so of two copies that both report, one repeats or falls behind. Resets and clock say the
same sooner: a TPM that is switched on counts up, and within one boot its clock only grows (as keylime checks).

What this does not say: which of the two is the copy; and a machine that was set back to an older snapshot shows in
the same way. It sees nothing before both have reported.
"""

from enum import StrEnum

from msgspec import Struct


class MachineFacts(Struct, frozen=True, kw_only=True):
    """What verified evidence says."""

    ek_hash: bytes
    """SHA-256 of the endorsement key's TPMT_PUBLIC; one and the same for a TPM's whole life."""
    ek_certified: bool
    """A certificate over the endorsement key came with it. Nobody has verified that certificate's issuer."""
    ak_name: bytes
    clock: int
    """Milliseconds that the TPM was on."""
    reset_count: int
    restart_count: int
    safe: bool
    counter: int
    pcr_digest: bytes
    """SHA-256 of PCR 7 and 11."""
    firmware_version: int
    key_in_tpm: bool
    """The request's key was made in this TPM and never leaves it."""


class CloneFinding(StrEnum):
    """How two reports of what should be one machine disagree. Permanent codes."""

    OTHER_ENDORSEMENT_KEY = "other_endorsement_key"
    OTHER_ATTESTATION_KEY = "other_attestation_key"
    COUNTER_FELL = "counter_fell"
    COUNTER_REPEATED = "counter_repeated"
    RESET_COUNT_FELL = "reset_count_fell"
    RESTART_COUNT_FELL = "restart_count_fell"
    CLOCK_FELL = "clock_fell"


def compare(before: MachineFacts, now: MachineFacts) -> list[CloneFinding]:
    """Say in what ``now`` cannot follow ``before``; empty for the same machine, later.

    Across a reset the clock may fall: a TPM that lost power goes on from what it last wrote down.
    """
    if now.ek_hash != before.ek_hash:
        # Another TPM: its counts say nothing about the first one's.
        return [CloneFinding.OTHER_ENDORSEMENT_KEY]
    same_boot = now.reset_count == before.reset_count
    holds = {
        CloneFinding.OTHER_ATTESTATION_KEY: now.ak_name != before.ak_name,
        CloneFinding.COUNTER_FELL: now.counter < before.counter,
        CloneFinding.COUNTER_REPEATED: now.counter == before.counter,
        CloneFinding.RESET_COUNT_FELL: now.reset_count < before.reset_count,
        CloneFinding.RESTART_COUNT_FELL: same_boot and now.restart_count < before.restart_count,
        CloneFinding.CLOCK_FELL: same_boot and now.clock < before.clock,
    }
    return [finding for finding, found in holds.items() if found]
