"""What the machine shows of itself, from files as Linux writes them."""

import os
from pathlib import Path

import pytest

from appliance.machine_facts import ipv4_addresses, ipv6_addresses, read_facts, writable_bytes

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.0.2.0/24 2 0 2
        +-- 192.0.2.0/28 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.10
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 169.254.7.7
        /32 host LOCAL
     |-- 10.0.0.9
        /32 host LOCAL
"""
TABLE = """\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000010 02 40 00 80   enp1s0
fe800000000000000250 5
fe80000000000000025056fffe000001 02 40 20 80   enp1s0
"""


def make_machine(root: Path) -> None:
    """Files of a machine that has everything."""
    for path, text in (
        ("proc/net/fib_trie", TRIE + TRIE.replace("Main", "Local")),
        ("proc/net/if_inet6", TABLE),
        ("sys/class/net/lo/carrier", "1\n"),
        ("sys/class/net/enp1s0/carrier", "1\n"),
        ("sys/firmware/efi/fw_platform_size", "64\n"),
        ("run/systemd/timesync/synchronized", ""),
        ("dev/tpmrm0", ""),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="ascii")


def test_a_whole_machine_is_seen(tmp_path: Path) -> None:
    """Its addresses without those that stay within it or on the link, each once."""
    make_machine(tmp_path)
    facts = read_facts(tmp_path, root=tmp_path)
    assert facts.addresses == ("10.0.0.9", "192.0.2.10", "2001:db8::10")
    assert (facts.is_uefi, facts.has_tpm, facts.has_carrier, facts.is_clock_set) == (True, True, True, True)


def test_an_empty_machine_is_seen_too(tmp_path: Path) -> None:
    """A file that is not there is an answer."""
    facts = read_facts(tmp_path / "state", root=tmp_path)
    assert (facts.addresses, facts.state_bytes) == ((), None)
    assert (facts.is_uefi, facts.has_tpm, facts.has_carrier, facts.is_clock_set) == (False, False, False, False)


def test_sizes_are_those_of_this_machine(tmp_path: Path) -> None:
    """Memory as the kernel counts it; the file system that the state lies on."""
    facts = read_facts(tmp_path)
    assert facts.memory_bytes > 64 * 2**20
    assert facts.state_bytes is not None
    assert facts.state_bytes > 2**20


def test_a_read_only_folder_is_no_state_disk() -> None:
    """The mount has failed, and what shows is the image's own empty folder."""
    numbers = list(os.statvfs("/proc"))
    numbers[1], numbers[2], numbers[8] = 4096, 1000, 0
    assert writable_bytes(os.statvfs_result(numbers)) == 4_096_000
    numbers[8] = os.ST_RDONLY
    assert writable_bytes(os.statvfs_result(numbers)) is None


@pytest.mark.parametrize("carrier", ["0\n", ""], ids=["unplugged", "off"])
def test_an_adapter_without_a_cable_does_not_count(tmp_path: Path, carrier: str) -> None:
    """Nor one that is switched off; the loopback never does."""
    make_machine(tmp_path)
    (tmp_path / "sys/class/net/enp1s0/carrier").write_text(carrier, encoding="ascii")
    assert not read_facts(tmp_path, root=tmp_path).has_carrier


def test_an_adapter_that_cannot_be_asked_does_not_count(tmp_path: Path) -> None:
    """The kernel answers EINVAL for one that is down; here a folder refuses to be read."""
    make_machine(tmp_path)
    carrier = tmp_path / "sys/class/net/enp1s0/carrier"
    carrier.unlink()
    carrier.mkdir()
    assert not read_facts(tmp_path, root=tmp_path).has_carrier


@pytest.mark.parametrize("noise", ["", "\x00\xff", "|-- 999.1.1.1\n   /16 host LOCAL\n", "zz" * 16 + " 01"], ids=ascii)
def test_what_is_no_table_has_no_address(noise: str) -> None:
    """No kernel writes that; it is no reason to fail."""
    assert (ipv4_addresses(noise), ipv6_addresses(noise)) == ([], [])


def test_this_machines_own_tables_are_read() -> None:
    """As its kernel writes them; a machine without a network has none."""
    text = Path("/proc/net/fib_trie").read_text(encoding="ascii")
    assert all(address in text for address in ipv4_addresses(text))
