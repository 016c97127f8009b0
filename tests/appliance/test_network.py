"""The machine's network: what is taken, what is refused, and the files that come of it."""

import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import SettingsError
from appliance.network import FILE_PREFIX, VLAN_NAME, Network, network_table, networkd_files
from appliance.settings import parse_settings
from tests.appliance.test_settings import SMALLEST

STATIC = Network(address="192.0.2.10/24", gateway="192.0.2.1", dns=("192.0.2.53", "2001:db8::53"))


def mistakes_of(**values: Any) -> list[str]:
    """What is wrong with a network of these values."""
    with pytest.raises(SettingsError) as refused:
        Network(**values)
    return refused.value.mistakes


def mistakes_of_text(text: str) -> list[str]:
    """What is wrong with settings that end with this text."""
    with pytest.raises(SettingsError) as refused:
        parse_settings(f"{SMALLEST}\n[network]\n{text}\n".encode(), place="settings")
    return refused.value.mistakes


def test_without_a_word_there_is_no_file() -> None:
    """The image's own DHCP does it; a proxy is no matter of networkd."""
    assert networkd_files(Network()) == {}
    assert networkd_files(Network(proxy="http://proxy.example:3128")) == {}


def test_settings_without_the_table_mean_dhcp() -> None:
    """As before there was one."""
    assert parse_settings(SMALLEST.encode(), place="settings").network == Network()


def test_a_static_network_is_one_file() -> None:
    """Addresses in their own short form, and no DHCP beside them."""
    assert networkd_files(STATIC) == {
        "10-natalia.network": (
            "[Match]\nType=ether\n\n[Network]\nLLMNR=no\nMulticastDNS=no\nLinkLocalAddressing=ipv6\n"
            "IPv6PrivacyExtensions=no\nDHCP=no\nAddress=192.0.2.10/24\nGateway=192.0.2.1\n"
            "DNS=192.0.2.53\nDNS=2001:db8::53\n"
        )
    }


def test_time_servers_take_the_place_of_those_of_dhcp() -> None:
    """The address still comes from DHCP."""
    (text,) = networkd_files(Network(ntp=("ntp.example", "192.0.2.123"))).values()
    assert "DHCP=yes\nNTP=ntp.example\nNTP=192.0.2.123\n" in text
    assert text.endswith("[DHCPv4]\nUseNTP=no\nSendHostname=no\n")


def test_time_servers_stand_beside_a_static_address() -> None:
    """There is no DHCP that could bring others."""
    (text,) = networkd_files(Network(address="192.0.2.10/24", ntp=("ntp.example",))).values()
    assert text.endswith("DHCP=no\nAddress=192.0.2.10/24\nNTP=ntp.example\n")


def test_a_vlan_gets_the_address_and_the_adapter_none() -> None:
    """The VLAN's file comes before the adapter's, whose rule would fit it too."""
    files = networkd_files(Network(vlan=12))
    assert list(files) == sorted(files)
    assert files[f"{FILE_PREFIX}-0.netdev"] == f"[NetDev]\nName={VLAN_NAME}\nKind=vlan\n\n[VLAN]\nId=12\n"
    assert files[f"{FILE_PREFIX}-1.network"].startswith(f"[Match]\nName={VLAN_NAME}\n")
    assert "DHCP=yes" in files[f"{FILE_PREFIX}-1.network"]
    assert "UseNTP=yes" in files[f"{FILE_PREFIX}-1.network"]
    adapter = files[f"{FILE_PREFIX}-2.network"]
    assert (f"VLAN={VLAN_NAME}\n" in adapter, "DHCP=no\n" in adapter) == (True, True)


def test_the_name_of_the_vlan_is_one_that_linux_takes() -> None:
    """At most 15 characters (IFNAMSIZ)."""
    assert len(VLAN_NAME) <= 15


@pytest.mark.parametrize(
    "address",
    ["192.0.2.10/24", "192.0.2.10/31", "192.0.2.10/32", "192.0.2.11/31", "2001:db8::10/64", "10.0.0.255/8"],
    ids=str,
)
def test_an_address_of_a_machine_is_taken(address: str) -> None:
    """IPv4 and IPv6, also of a network with two addresses or one."""
    (text,) = networkd_files(Network(address=address)).values()
    assert f"Address={address}\n" in text


@pytest.mark.parametrize(
    "address",
    [
        "",
        "192.0.2.10",
        "192.0.2.0/24",
        "192.0.2.255/24",
        "192.0.2.10/0",
        "192.0.2.10/33",
        "192.0.2.10/24\nDHCP=yes",
        "127.0.0.1/8",
        "224.0.0.1/4",
        "0.0.0.0/8",
        "169.254.1.1/16",
        "2001:db8::/64",
        "fe80::1/64",
        "2001:db8::1%eth0/64",
        "localhost/24",
    ],
    ids=repr,
)
def test_no_other_address_is_taken(address: str) -> None:
    """The network's own, a broadcast's, one without its prefix, or one that is no unicast address of a network."""
    assert mistakes_of(address=address) == [
        "network.address: wanted: an address that a machine can have, with its prefix"
    ]


@pytest.mark.parametrize(
    ("address", "gateway"),
    [("192.0.2.10/24", "192.0.2.1"), ("2001:db8::10/64", "2001:db8::1"), ("2001:db8::10/64", "fe80::1")],
    ids=["four", "six", "link-local"],
)
def test_a_gateway_in_reach_is_taken(address: str, gateway: str) -> None:
    """An IPv6 router may be named by its address on the link."""
    (text,) = networkd_files(Network(address=address, gateway=gateway)).values()
    assert f"Gateway={gateway}\n" in text


@pytest.mark.parametrize(
    "gateway", ["", "192.0.3.1", "192.0.2.10", "2001:db8::1", "fe80::1", "224.0.0.1", "router"], ids=repr
)
def test_a_gateway_out_of_reach_is_refused(gateway: str) -> None:
    """Of another network, of the other protocol, or the machine itself."""
    assert mistakes_of(address="192.0.2.10/24", gateway=gateway) == [
        "network.gateway: wanted: another address in the network of network.address"
    ]


def test_what_belongs_to_a_static_address_is_refused_without_one() -> None:
    """Each by its name; it would be ignored otherwise."""
    assert mistakes_of(gateway="192.0.2.1", dns=("192.0.2.53",)) == [
        "network.gateway: only with network.address; DHCP brings its own",
        "network.dns: only with network.address; DHCP brings its own",
    ]


def test_every_mistake_is_listed() -> None:
    """In one go."""
    assert mistakes_of(
        address="192.0.2.10", dns=("192.0.2.53", "dns.example", "fe80::1%eth0"), ntp=("a b", "x" * 254)
    ) == [
        "network.dns[1]: an address is expected",
        "network.dns[2]: an address is expected",
        "network.address: wanted: an address that a machine can have, with its prefix",
        "network.ntp[0]: a host name or an address is expected",
        "network.ntp[1]: a host name or an address is expected",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("vlan = 0", "network.vlan: expected `int` >= 1"),
        ("vlan = 4095", "network.vlan: expected `int` <= 4094"),
        ('vlan = "12"', "network.vlan: expected `int | null`, got `str`"),
        ('dns = "192.0.2.53"', "network.dns: expected `array`, got `str`"),
        ("address = 1", "network.address: expected `str | null`, got `int`"),
        ("wifi = true", "network.wifi: no such option"),
        ('proxy = "https://proxy.example:3128"', "network.proxy: wanted: `http://host:port` of a proxy"),
        ('proxy = "http://user:s3cret@proxy.example:3128"', "network.proxy: wanted: `http://host:port` of a proxy"),
        ('proxy = "http://proxy.example"', "network.proxy: wanted: `http://host:port` of a proxy"),
    ],
    ids=["low", "high", "text", "no list", "number", "unknown", "https", "password", "no port"],
)
def test_a_wrong_option_of_the_settings_is_named(text: str, mistake: str) -> None:
    """With what is wanted, and never with its value."""
    (found,) = mistakes_of_text(text)
    assert found.startswith(mistake)
    assert "s3cret" not in found


def test_mistakes_of_the_network_stand_beside_the_others() -> None:
    """A file's mistakes are listed all at once."""
    content = SMALLEST.replace("FR", "XX") + '\n[network]\naddress = "192.0.2.1"\n'
    with pytest.raises(SettingsError) as refused:
        parse_settings(content.encode(), place="settings")
    assert [mistake.partition(":")[0] for mistake in refused.value.mistakes] == ["site.country", "network.address"]


def test_texts_become_a_table() -> None:
    """As they come from a property: lists by spaces, numbers as digits, empty ones left out."""
    texts = {
        "address": "192.0.2.10/24",
        "gateway": "",
        "dns": "192.0.2.53  192.0.2.54",
        "ntp": "ntp.example",
        "vlan": "7",
    }
    assert tomllib.loads(network_table(texts)) == {
        "network": {
            "address": "192.0.2.10/24",
            "dns": ["192.0.2.53", "192.0.2.54"],
            "ntp": ["ntp.example"],
            "vlan": 7,
        }
    }
    assert network_table({"address": "", "vlan": ""}) == ""


@pytest.mark.parametrize("vlan", ["07", "1e3", "twelve", "99999999", "-1", "1_0"], ids=str)
def test_a_vlan_that_is_no_number_stays_a_text(vlan: str) -> None:
    """So that it is refused as one."""
    assert tomllib.loads(network_table({"vlan": vlan})) == {"network": {"vlan": vlan}}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), min_size=1))
def test_a_text_cannot_leave_its_value(text: str) -> None:
    """Whatever a property holds, it stays the value of its option."""
    assert tomllib.loads(network_table({"proxy": text})) == {"network": {"proxy": text}}


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_file_has_one_line_for_each_value(address: str, gateway: str, server: str) -> None:
    """No text gets a line end, or a section, into a file: either it is an address or name, or it is refused."""
    try:
        network = Network(address=address, gateway=gateway, dns=(server,), ntp=(server,))
    except SettingsError:
        return
    for text in networkd_files(network).values():
        assert text.isascii()
        assert len(text.splitlines()) == 13


@given(st.ip_addresses())
def test_what_is_taken_stays_what_it_is(address: Any) -> None:
    """The network goes through its own encoding unchanged."""
    try:
        network = Network(address=f"{address}/20")
    except SettingsError:
        return
    assert msgspec.json.decode(msgspec.json.encode(network), type=Network) == network
