"""What an installer is told that a virtual machine lacks."""

import pytest
from msgspec import structs

from appliance.policy.machine_needs import MIB, MIN_MEMORY_BYTES, MIN_STATE_BYTES, MachineFacts, needs_of

GOOD = MachineFacts(
    memory_bytes=950 * MIB,
    state_bytes=12_000 * MIB,
    is_uefi=True,
    has_tpm=True,
    has_carrier=True,
    addresses=("192.0.2.10",),
    is_clock_set=True,
)


def test_a_machine_as_the_ova_makes_it_lacks_nothing() -> None:
    """1 GiB of memory, of which the kernel keeps a part."""
    assert needs_of(GOOD) == []


@pytest.mark.parametrize(
    ("facts", "sentence", "remedy"),
    [
        (
            {"memory_bytes": 480 * MIB},
            "The machine has 480 MiB of memory",
            "Give the VM 1024 MiB.",
        ),
        ({"state_bytes": 100 * MIB}, "The disk is too small: 100 MiB for the state.", "Give the VM a disk of 16 GiB"),
        ({"state_bytes": None}, "The state disk is not open", "Give the machine its own disk and TPM back"),
        ({"is_uefi": False}, "The machine was started by BIOS.", "Set the VM's firmware to UEFI."),
        ({"has_tpm": False}, "The machine has no TPM", "Give the VM a TPM 2.0"),
        ({"has_carrier": False}, "No network adapter is connected.", "Connect the VM's adapter to a network."),
        ({"addresses": ()}, "The machine has no address: no DHCP server answered.", "give a static address"),
        ({"is_clock_set": False}, "No time server has answered yet", "Allow NTP, or name a server"),
    ],
    ids=["memory", "disk", "no state", "bios", "no tpm", "unplugged", "no dhcp", "clock"],
)
def test_each_lack_is_one_sentence_with_its_remedy(facts: dict[str, object], sentence: str, remedy: str) -> None:
    """In words that name no command, since there is no shell to type it in."""
    (need,) = needs_of(structs.replace(GOOD, **facts))
    assert need.startswith(sentence)
    assert remedy in need
    assert "natalia-appliance" not in need


def test_the_bounds_themselves_are_enough() -> None:
    """One byte less is not."""
    assert needs_of(structs.replace(GOOD, memory_bytes=MIN_MEMORY_BYTES, state_bytes=MIN_STATE_BYTES)) == []
    assert len(needs_of(structs.replace(GOOD, memory_bytes=MIN_MEMORY_BYTES - 1))) == 1
    assert len(needs_of(structs.replace(GOOD, state_bytes=MIN_STATE_BYTES - 1))) == 1


def test_of_the_network_only_the_first_cause_is_named() -> None:
    """Without a cable there is no address either, and without an address no time."""
    facts = structs.replace(GOOD, has_carrier=False, addresses=(), is_clock_set=False)
    (need,) = needs_of(facts)
    assert need.startswith("No network adapter is connected.")


def test_the_gravest_comes_first() -> None:
    """What keeps everything else from working: the disk, then the network, then what the VM was given."""
    bare = MachineFacts(
        memory_bytes=0,
        state_bytes=None,
        is_uefi=False,
        has_tpm=False,
        has_carrier=False,
        addresses=(),
        is_clock_set=False,
    )
    assert [need.split(" ", 3)[:3] for need in needs_of(bare)] == [
        ["The", "state", "disk"],
        ["No", "network", "adapter"],
        ["The", "machine", "has"],
        ["The", "machine", "was"],
        ["The", "machine", "has"],
    ]
