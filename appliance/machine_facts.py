"""What the machine shows of itself in ``/proc``, ``/sys``, ``/dev`` and ``/run``; a missing file is an answer too.

Not here: what follows from it (``policy.machine_needs``).
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Final

from appliance.policy.machine_needs import MachineFacts

_LOCAL: Final = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL\n")
"""An address of this machine in the kernel's routing trie (net/ipv4/fib_trie.c, ``fib_trie_seq_show``)."""
_MAX_CHARACTERS: Final = 1024 * 1024


def read_facts(state_directory: Path, *, root: Path = Path("/")) -> MachineFacts:
    """Look at the machine under ``root``."""
    return MachineFacts(
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        state_bytes=_state_bytes(state_directory),
        is_uefi=(root / "sys/firmware/efi").is_dir(),
        has_tpm=(root / "dev/tpmrm0").exists(),
        has_carrier=_has_carrier(root / "sys/class/net"),
        addresses=(
            *ipv4_addresses(_text(root / "proc/net/fib_trie")),
            *ipv6_addresses(_text(root / "proc/net/if_inet6")),
        ),
        is_clock_set=(root / "run/systemd/timesync/synchronized").exists(),
    )


def ipv4_addresses(trie: str) -> list[str]:
    """The machine's own addresses in the text of ``/proc/net/fib_trie``, without those that stay within it."""
    found = sorted({ipaddress.IPv4Address(match[1]) for match in _LOCAL.finditer(trie)})
    return [str(address) for address in found if not (address.is_loopback or address.is_link_local)]


def ipv6_addresses(table: str) -> list[str]:
    """The same in the text of ``/proc/net/if_inet6`` (proc_net(5)): a line an address, 32 hex digits first."""
    digits = [line.split(" ", 1)[0] for line in table.splitlines() if re.match("[0-9a-f]{32} ", line)]
    found = sorted({ipaddress.IPv6Address(int(text, 16)) for text in digits})
    return [str(address) for address in found if not (address.is_loopback or address.is_link_local)]


def writable_bytes(system: os.statvfs_result) -> int | None:
    """The size of a file system; None for one that is read-only, as what lies below a mount that failed."""
    return None if system.f_flag & os.ST_RDONLY else system.f_blocks * system.f_frsize


def _state_bytes(folder: Path) -> int | None:
    try:
        return writable_bytes(os.statvfs(folder))
    except OSError:
        return None


def _has_carrier(adapters: Path) -> bool:
    return any(_text(path).strip() == "1" for path in adapters.glob("*/carrier") if path.parent.name != "lo")


def _text(path: Path) -> str:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(_MAX_CHARACTERS)
    except OSError:  # also for an adapter that is switched off
        return ""
