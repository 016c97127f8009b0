"""The machine's own network as its settings give it, and the files of systemd-networkd that say the same.

Rules: without an address the network comes from DHCP; what belongs to a static address is refused without one; nothing
that an installer writes gets into a file before it has been read as an address or a host name. Time servers stand in
the same files (systemd.network(5), ``NTP=``), from where systemd-timesyncd takes them.

Not here: writing the files, and whether anybody answers at these addresses.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

from appliance.errors import SettingsError

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
VLAN_NAME: Final = "natalia-vlan"
FILE_PREFIX: Final = "10-natalia"
_HOST: Final = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_MAX_HOST: Final = 253
_PROXY: Final = r"^http://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]):[1-9][0-9]{0,4}\Z"
_POINT_TO_POINT: Final = 2
"""From a prefix that leaves at most one bit on, no address is the network's own (RFC 3021, RFC 6164)."""
_PREFIX: Final = "/"
_ZONE: Final = "%"
"""What follows is an interface's name, which could be any text."""
_QUIET: Final = "LLMNR=no\nMulticastDNS=no\nLinkLocalAddressing=ipv6\nIPv6PrivacyExtensions=no\n"


class Network(Struct, frozen=True, kw_only=True):
    """``[network]``; leave the table out for DHCP."""

    address: Annotated[
        str | None, Meta(description="Static address with its prefix, `192.0.2.10/24`; leave it out for DHCP")
    ] = None
    gateway: Annotated[str | None, Meta(description="Address of the router; only with `address`")] = None
    dns: Annotated[
        tuple[str, ...], Meta(max_length=4, description="Addresses of name servers; only with `address`")
    ] = ()
    ntp: Annotated[
        tuple[str, ...], Meta(max_length=8, description="Time servers; leave them out for those of DHCP or Debian's")
    ] = ()
    proxy: Annotated[
        Annotated[str, Meta(pattern=_PROXY)] | None,
        Meta(description="`http://host:port` of a proxy on the way to the receiver, without name and password"),
    ] = None
    vlan: Annotated[
        Annotated[int, Meta(ge=1, le=4094)] | None, Meta(description="Number of the VLAN, where frames are tagged")
    ] = None

    def __post_init__(self) -> None:
        """Refuse what is no address, and addresses that do not fit together.

        Raises:
            SettingsError: lists every mistake.
        """
        mistakes = _address_mistakes(self) + [
            f"network.ntp[{place}]: a host name or an address is expected"
            for place, server in enumerate(self.ntp)
            if not _is_host(server)
        ]
        if mistakes:
            raise SettingsError(mistakes)


def networkd_files(network: Network) -> dict[str, str]:
    """The files for systemd-networkd, by name; none where the image's own DHCP will do."""
    if network == Network(proxy=network.proxy):
        return {}
    if network.vlan is None:
        return {f"{FILE_PREFIX}.network": _network_file("Type=ether", network)}
    return {
        f"{FILE_PREFIX}-0.netdev": f"[NetDev]\nName={VLAN_NAME}\nKind=vlan\n\n[VLAN]\nId={network.vlan}\n",
        # The first file that matches counts, and the VLAN is an Ethernet too.
        f"{FILE_PREFIX}-1.network": _network_file(f"Name={VLAN_NAME}", network),
        f"{FILE_PREFIX}-2.network": (
            f"[Match]\nType=ether\n\n[Network]\nVLAN={VLAN_NAME}\nDHCP=no\nLinkLocalAddressing=no\nLLMNR=no\n"
        ),
    }


def network_table(texts: Mapping[str, str]) -> str:
    """The TOML of ``[network]`` for values that came as texts, lists separated by spaces; empty texts are left out.

    It is not checked here: whoever reads it finds the mistakes.
    """
    lines = [f"{name} = {_toml_value(name, text)}" for name, text in texts.items() if text]
    return "\n".join(["", "[network]", *lines, ""]) if lines else ""


def _toml_value(name: str, text: str) -> str:
    if name == "vlan" and re.fullmatch("[1-9][0-9]{0,5}", text):
        return text
    # A basic string of TOML escapes as JSON does.
    return json.dumps(text.split() if name in {"dns", "ntp"} else text, ensure_ascii=False)


def _network_file(match: str, network: Network) -> str:
    lines = [f"[Match]\n{match}\n\n[Network]\n{_QUIET}DHCP={'no' if network.address else 'yes'}\n"]
    if network.address:
        lines.append(f"Address={ipaddress.ip_interface(network.address)}\n")
    if network.gateway:
        lines.append(f"Gateway={ipaddress.ip_address(network.gateway)}\n")
    lines += [f"DNS={ipaddress.ip_address(server)}\n" for server in network.dns]
    lines += [f"NTP={server}\n" for server in network.ntp]
    if not network.address:
        lines.append(f"\n[DHCPv4]\nUseNTP={'no' if network.ntp else 'yes'}\nSendHostname=no\n")
    return "".join(lines)


def _address_mistakes(network: Network) -> list[str]:
    servers = [f"network.dns[{place}]" for place, text in enumerate(network.dns) if _address(text) is None]
    mistakes = [f"{place}: an address is expected" for place in servers]
    if network.address is None:
        given = [name for name in ("gateway", "dns") if getattr(network, name)]
        return mistakes + [f"network.{name}: only with network.address; DHCP brings its own" for name in given]
    interface = _interface(network.address)
    if interface is None:
        return [*mistakes, "network.address: wanted: an address that a machine can have, with its prefix"]
    if network.gateway is not None and not _is_gateway(_address(network.gateway), interface):
        mistakes.append("network.gateway: wanted: another address in the network of network.address")
    return mistakes


def _interface(text: str) -> Interface | None:
    """An address that a machine can have; None if it is none."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return None
    own, network = interface.ip, interface.network
    special = own.is_multicast or own.is_loopback or own.is_unspecified or own.is_link_local
    bits = network.max_prefixlen - network.prefixlen
    edges = {network.network_address} | ({network.broadcast_address} if network.version == 4 else set())  # noqa: PLR2004 - IPv4
    is_edge = bits >= _POINT_TO_POINT and own in edges
    return None if _PREFIX not in text or _ZONE in text or special or is_edge or not network.prefixlen else interface


def _address(text: str) -> Address | None:
    """An address of one machine; None if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if address.is_multicast or address.is_unspecified or _ZONE in text else address


def _is_gateway(gateway: Address | None, interface: Interface) -> bool:
    if gateway is None or gateway.version != interface.version or gateway == interface.ip:
        return False
    return gateway in interface.network or (gateway.version == 6 and gateway.is_link_local)  # noqa: PLR2004 - IPv6


def _is_host(text: str) -> bool:
    return len(text) <= _MAX_HOST and (_address(text) is not None or _HOST.fullmatch(text) is not None)
