"""What a virtual machine must bring, and what an installer is told where it does not. Facts in, sentences out."""

from typing import Final

from msgspec import Struct

MIB: Final = 2**20
MIN_MEMORY_BYTES: Final = 768 * MIB
"""A machine of 1 GiB has some 950 MiB once firmware and kernel have taken theirs."""
MIN_STATE_BYTES: Final = 2048 * MIB
"""The buffer takes up to 1 GiB, and as much again while a damaged one is saved."""

_NO_STATE: Final = (
    "The state disk is not open: the VM's disk is too small (16 GiB are right) or another machine's, or the TPM or the "
    "start was changed. Give the machine its own disk and TPM back, or reset it to factory state and enrol it anew."
)
_NO_ADDRESS: Final = (
    "The machine has no address: no DHCP server answered. "
    "Check the VM's network and VLAN, or give a static address in [network] of appliance.toml."
)


class MachineFacts(Struct, frozen=True, kw_only=True):
    """What can be seen of the machine without asking anybody."""

    memory_bytes: int
    state_bytes: int | None
    """Size of the file system of the state folder; None where that is not there, or cannot be written."""
    is_uefi: bool
    has_tpm: bool
    has_carrier: bool
    """Whether a network adapter is plugged in."""
    addresses: tuple[str, ...]
    """IPv4 first; none of this machine alone."""
    is_clock_set: bool
    """Whether a time server has set the clock since the machine started."""


def needs_of(facts: MachineFacts) -> list[str]:
    """One sentence for each thing that is missing, with the remedy; the gravest first."""
    return [sentence for sentence in (*_state(facts), *_network(facts), *_hardware(facts)) if sentence]


def _state(facts: MachineFacts) -> list[str]:
    if facts.state_bytes is None:
        return [_NO_STATE]
    if facts.state_bytes < MIN_STATE_BYTES:
        size = facts.state_bytes // MIB
        return [f"The disk is too small: {size} MiB for the state. Give the VM a disk of 16 GiB and reset it."]
    return []


def _network(facts: MachineFacts) -> list[str]:
    if not facts.has_carrier:
        return ["No network adapter is connected. Connect the VM's adapter to a network."]
    if not facts.addresses:
        return [_NO_ADDRESS]
    if not facts.is_clock_set:
        return ["No time server has answered yet, so the clock may be wrong. Allow NTP, or name a server in [network]."]
    return []


def _hardware(facts: MachineFacts) -> list[str]:
    memory = facts.memory_bytes // MIB
    return [
        f"The machine has {memory} MiB of memory, which is too little. Give the VM 1024 MiB."
        if facts.memory_bytes < MIN_MEMORY_BYTES
        else "",
        "" if facts.is_uefi else "The machine was started by BIOS. Set the VM's firmware to UEFI.",
        "" if facts.has_tpm else "The machine has no TPM, so its keys are less safe. Give the VM a TPM 2.0, if it can.",
    ]
