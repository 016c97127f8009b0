"""vApp properties from an OVF environment: what is taken, and what a hostile document gets."""

import base64
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.seed_ports import MAX_SEED_BYTES, OvfSeedError, SeedError, SeedOrigin
from appliance.seeds.ovf_seed import KNOWN, MAX_DEPTH, MAX_PROPERTIES, NAMESPACE, SETTINGS, OvfSeed, parse_environment
from appliance.settings import parse_settings
from image.ovf import PROPERTIES
from tests.appliance.test_settings import SMALLEST

VSPHERE = """\
<?xml version="1.0" encoding="UTF-8"?>
<Environment
     xmlns="http://schemas.dmtf.org/ovf/environment/1"
     xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
     xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"
     xmlns:ve="http://www.vmware.com/schema/ovfenv"
     oe:id=""
     ve:vCenterId="vm-1234">
   <PlatformSection>
      <Kind>VMware ESXi</Kind>
      <Version>8.0.3</Version>
      <Vendor>VMware, Inc.</Vendor>
      <Locale>en</Locale>
   </PlatformSection>
   <PropertySection>
      <Property oe:key="natalia.address" oe:value="192.0.2.10/24"/>
      <Property oe:key="natalia.dns" oe:value="192.0.2.53 192.0.2.54"/>
      <Property oe:key="natalia.gateway" oe:value=""/>
      <Property oe:key="natalia.invitation" oe:value=" NATALIA1:ABC &amp; "/>
      <Property oe:key="vami.DNS.natalia" oe:value="192.0.2.1"/>
   </PropertySection>
   <ve:EthernetAdapterSection>
      <ve:Adapter ve:mac="00:50:56:00:00:01" ve:network="VM Network" ve:unitNumber="7"/>
   </ve:EthernetAdapterSection>
   <Entity oe:id="sibling">
      <PropertySection><Property oe:key="natalia.vlan" oe:value="7"/></PropertySection>
   </Entity>
</Environment>
"""


def environment(properties: Mapping[str, str], *, head: str = "", namespace: str = NAMESPACE) -> bytes:
    """A document with these properties."""
    items = "".join(
        f"<Property oe:key={quoteattr(key)} oe:value={quoteattr(value)}/>" for key, value in properties.items()
    )
    root = f'<Environment xmlns="{namespace}" xmlns:oe="{namespace}">'
    return f"{head}{root}<PropertySection>{items}</PropertySection></Environment>".encode()


def refusal(document: bytes) -> str:
    """Why a document is refused."""
    with pytest.raises(OvfSeedError) as refused:
        parse_environment(document)
    return str(refused.value)


def test_what_vsphere_writes_is_read() -> None:
    """Only this machine's own properties that have a value, and of those only the appliance's."""
    assert parse_environment(VSPHERE.encode()) == {
        "natalia.address": "192.0.2.10/24",
        "natalia.dns": "192.0.2.53 192.0.2.54",
        "natalia.invitation": "NATALIA1:ABC &",
    }


def test_every_property_of_the_image_is_known() -> None:
    """What the OVA asks an installer for is taken by its appliance."""
    assert {item.key for item in PROPERTIES} <= KNOWN


def test_guestinfo_may_end_in_a_zero_byte() -> None:
    """As a C program hands it over."""
    assert parse_environment(VSPHERE.encode() + b"\x00") == parse_environment(VSPHERE.encode())


def test_without_a_property_of_ours_there_is_no_seed(tmp_path: Path) -> None:
    """None given, all empty, or no document."""
    file = tmp_path / "ovf-env.xml"
    assert OvfSeed((file,)).read() is None
    for properties in ({}, {"natalia.address": "", "natalia.invitation": " "}, {"vami.ip": "192.0.2.1"}):
        file.write_bytes(environment(properties))
        assert OvfSeed((file,)).read() is None


def test_the_first_document_with_a_property_counts(tmp_path: Path) -> None:
    """The CD's and guestinfo's are the same properties."""
    files = tuple(tmp_path / name for name in ("none.xml", "empty.xml", "first.xml", "second.xml"))
    files[1].write_bytes(environment({}))
    files[2].write_bytes(environment({"natalia.invitation": "first"}))
    files[3].write_bytes(environment({"natalia.invitation": "second"}))
    seed = OvfSeed(files).read()
    assert seed is not None
    assert seed.invitation is not None
    assert (seed.origin, seed.settings, seed.invitation.reveal()) == (SeedOrigin.OVF, None, b"first")


def test_settings_and_network_make_one_file(tmp_path: Path) -> None:
    """It reads as one that an installer wrote whole, also where the base64 was broken into lines."""
    file = tmp_path / "ovf-env.xml"
    encoded = base64.encodebytes(SMALLEST.rstrip().encode()).decode()
    file.write_bytes(environment({SETTINGS: encoded, "natalia.address": "192.0.2.10/24", "natalia.vlan": "7"}))
    seed = OvfSeed((file,)).read()
    assert seed is not None
    assert seed.settings is not None
    settings = parse_settings(seed.settings.reveal(), place="settings")
    assert (settings.network.address, settings.network.vlan) == ("192.0.2.10/24", 7)
    assert settings.receiver == parse_settings(SMALLEST.encode(), place="settings").receiver


@pytest.mark.parametrize("value", ["natalia", "ÄÖ==", "!!!!", "QUJ"], ids=ascii)
def test_settings_that_are_not_base64_are_refused(tmp_path: Path, value: str) -> None:
    """Without a word of what they are."""
    file = tmp_path / "ovf-env.xml"
    file.write_bytes(environment({SETTINGS: value}))
    with pytest.raises(OvfSeedError) as refused:
        OvfSeed((file,)).read()
    assert str(refused.value) == "the property natalia.settings is not base64"


def test_an_unknown_property_of_ours_is_refused() -> None:
    """A slip of the pen would otherwise do nothing; its name is not repeated."""
    assert refusal(environment({"natalia.adress": "192.0.2.10/24"})) == (
        "a property that begins with `natalia.` is not one of this appliance's"
    )


def test_a_property_that_is_there_twice_is_refused() -> None:
    """Which of them counts is not guessed."""
    twice = VSPHERE.replace("natalia.gateway", "natalia.address").encode()
    assert refusal(twice) == "the property natalia.address is there twice"


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE Environment>",
        '<!DOCTYPE Environment SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE Environment [<!ENTITY a "x">]>',
        '<!DOCTYPE Environment [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE Environment [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE Environment [<!ENTITY % a SYSTEM "http://192.0.2.1/a">%a;]>',
    ],
    ids=["bare", "system", "entity", "laughs", "external", "parameter"],
)
def test_a_document_type_is_refused(doctype: str) -> None:
    """So there is no entity, and nothing outside is ever asked for."""
    document = environment({"natalia.address": "192.0.2.10/24"}, head=doctype)
    assert refusal(document) == "the OVF environment has a document type, which none has"


def test_a_deep_document_is_refused() -> None:
    """Before it has taken much."""
    assert refusal(b"<a>" * 100_000).startswith("the OVF environment is deeper than")
    depth = MAX_DEPTH - 1
    assert (
        parse_environment(f'<Environment xmlns="{NAMESPACE}">{"<a>" * depth}{"</a>" * depth}</Environment>'.encode())
        == {}
    )


def test_a_document_with_very_many_properties_is_refused() -> None:
    """Also if they are others'."""
    properties = {f"vami.{number}": "x" for number in range(MAX_PROPERTIES)}
    assert parse_environment(environment(properties)) == {}
    assert refusal(environment(properties | {"vami.last": "x"})).startswith("the OVF environment has more than")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"natalia.address=192.0.2.10",
        b"\x7fELF\x02\x01\x01",
        b"\xff\xfe<\x00a",
        VSPHERE.encode()[:-20],
        b'<?xml version="1.0" encoding="no-such-code"?><a/>',
        b"<a>&unknown;</a>",
        b'<a b="1" b="2"/>',
        b"<a>\x01</a>",
        b"<a/><a/>",
    ],
    ids=["empty", "text", "program", "utf-16", "cut", "encoding", "entity", "attribute twice", "control", "two roots"],
)
def test_what_is_no_xml_is_refused(document: bytes) -> None:
    """In the same words, whatever it is."""
    assert refusal(document) == "the OVF environment is not well-formed XML"


@pytest.mark.parametrize(
    "document",
    [
        b"<Environment/>",
        environment({"natalia.address": "x"}, namespace="http://schemas.dmtf.org/ovf/environment/2"),
        f'<a><Environment xmlns="{NAMESPACE}"/></a>'.encode(),
        f'<Envelope xmlns="{NAMESPACE}"/>'.encode(),
    ],
    ids=["no namespace", "another version", "not the root", "another document"],
)
def test_what_is_no_environment_is_refused(document: bytes) -> None:
    """Such as the descriptor itself."""
    assert refusal(document) == "the document is not an OVF environment"


def test_attributes_of_no_namespace_are_no_property() -> None:
    """The standard puts both into its own."""
    document = environment({}).replace(
        b"</PropertySection>", b'<Property key="natalia.vlan" value="7"/></PropertySection>'
    )
    assert parse_environment(document) == {}


def test_a_document_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """Before it is read whole."""
    file = tmp_path / "ovf-env.xml"
    with file.open("wb") as writer:
        writer.truncate(MAX_SEED_BYTES + 1)
    with pytest.raises(SeedError, match="longer than"):
        OvfSeed((file,)).read()


def test_a_link_to_a_file_of_the_machine_is_refused(tmp_path: Path) -> None:
    """Also one that leads nowhere."""
    file = tmp_path / "ovf-env.xml"
    file.symlink_to("/etc/hostname")
    with pytest.raises(SeedError, match="cannot be read"):
        OvfSeed((file,)).read()


@given(st.dictionaries(st.sampled_from(sorted(KNOWN)), st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF))))
def test_values_arrive_as_they_were_written(properties: dict[str, str]) -> None:
    """But for the spaces around them, and empty ones."""
    stripped = {key: value.strip() for key, value in properties.items()}
    assert parse_environment(environment(properties)) == {key: value for key, value in stripped.items() if value}


@given(st.binary(max_size=300))
def test_whatever_is_read_ends_in_properties_or_a_typed_error(noise: bytes) -> None:
    """Never in another error."""
    for document in (noise, VSPHERE.encode().replace(b"192.0.2.10", noise)):
        with suppress(OvfSeedError):
            assert set(parse_environment(document)) <= KNOWN
