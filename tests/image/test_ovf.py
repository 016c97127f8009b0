"""The descriptor passes the rules of those who import it, each written down from the importer's own source."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Final

import pytest

from image.ovf import PROPERTIES, Appliance, descriptor

BUILD: Final = Appliance("0.1.0", "natalia-appliance.vmdk", 12345, identity="ab" * 32)
OVF: Final = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD: Final = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"
VMW: Final = "{http://www.vmware.com/schema/ovf}"
VBOX: Final = "{http://www.virtualbox.org/ovf/machine}"
VSSD: Final = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData}"
VARIANTS: Final = [BUILD, replace(BUILD, tpm=True), replace(BUILD, secure_boot=True)]
each_variant = pytest.mark.parametrize("build", VARIANTS, ids=["plain", "tpm", "secure-boot"])


def parse(build: Appliance) -> ET.Element:
    """The descriptor as an importer sees it."""
    return ET.fromstring(descriptor(build))  # noqa: S314 - our own text


def items(root: ET.Element) -> list[dict[str, str]]:
    """Each hardware item, its elements by name."""
    found = root.findall(f".//{OVF}VirtualHardwareSection/{OVF}Item")
    return [{child.tag.removeprefix(RASD): child.text or "" for child in item} for item in found]


def one(root: ET.Element, kind: int) -> dict[str, str]:
    """The only item of a resource type."""
    (item,) = [item for item in items(root) if item["ResourceType"] == str(kind)]
    return item


@each_variant
def test_proxmox_finds_cpu_memory_disk_and_firmware(build: Appliance) -> None:
    """PVE::GuestImport::OVF: quantities, disk path, controller, network model, firmware, Linux by the system's id."""
    root = parse(build)
    system = root.find(f"{OVF}VirtualSystem")
    assert system is not None
    assert system.findtext(f"{OVF}Name") == "natalia-appliance"
    assert one(root, 3)["VirtualQuantity"] == "1"
    assert one(root, 4)["VirtualQuantity"] == "1024"  # taken as MiB
    disk = one(root, 17)
    match = re.fullmatch(r"ovf:/disk/(\w+)", disk["HostResource"])
    assert match is not None
    entry = root.find(f"{OVF}DiskSection/{OVF}Disk[@{OVF}diskId='{match[1]}']")
    assert entry is not None
    assert re.fullmatch(r"byte \* (\d+)\^(\d+)", entry.attrib[f"{OVF}capacityAllocationUnits"])
    file = root.find(f"{OVF}References/{OVF}File[@{OVF}id='{entry.attrib[f'{OVF}fileRef']}']")
    assert file is not None
    assert file.attrib[f"{OVF}href"] == build.disk_file
    (controller,) = [item for item in items(root) if item["InstanceID"] == disk["Parent"]]
    assert controller["ResourceType"] == "20"  # sata
    assert one(root, 10)["ResourceSubType"].lower() in {"e1000", "e1000e", "vmxnet3"}
    assert root.find(f".//{VMW}Config[@{VMW}key='firmware'][@{VMW}value='efi']") is not None
    operating = system.find(f"{OVF}OperatingSystemSection")
    assert operating is not None
    assert operating.attrib[f"{OVF}id"] in {"96", "101"}


@each_variant
def test_virtualbox_reads_units_disk_controller_and_its_own_machine(build: Appliance) -> None:
    """ovfreader.cpp: units of memory, the disk's attributes, AHCI by name; vbox:Machine gives EFI, TPM and virtio."""
    root = parse(build)
    assert one(root, 4)["AllocationUnits"] in {"MegaBytes", "MB", "byte * 2^20"}
    disk = root.find(f"{OVF}DiskSection/{OVF}Disk")
    assert disk is not None
    assert {f"{OVF}diskId", f"{OVF}format", f"{OVF}capacity"} <= disk.attrib.keys()
    assert disk.attrib[f"{OVF}capacity"].isdecimal()
    assert one(root, 20)["ResourceSubType"] in {"AHCI", "vmware.sata.ahci"}
    machine = root.find(f".//{VBOX}Machine")
    assert machine is not None
    assert machine.attrib[f"{OVF}required"] == "false"
    assert machine.find(f"{OVF}Info") is not None
    text = ET.tostring(machine, encoding="unicode")
    assert re.search(r'Firmware type="EFI"', text)
    assert re.search(r'TrustedPlatformModule type="v2_0"', text)
    assert re.search(r'Adapter slot="0" enabled="true" type="virtio"', text)


@each_variant
def test_vmware_takes_every_extension_as_optional(build: Appliance) -> None:
    """An unknown required element ends an import on ESXi; hardware 14 is the least for a TPM; both transports."""
    root = parse(build)
    for config in root.iter(f"{VMW}Config"):
        assert config.attrib[f"{OVF}required"] == "false"
    family = root.findtext(f".//{VSSD}VirtualSystemType") or ""
    assert int(family.removeprefix("vmx-")) >= 14
    hardware = root.find(f".//{OVF}VirtualHardwareSection")
    assert hardware is not None
    assert hardware.attrib[f"{OVF}transport"].split() == ["com.vmware.guestInfo", "iso"]
    assert any(item["ResourceType"] == "15" for item in items(root))  # what the iso transport needs
    tags = {element.tag for element in root.iter()}
    assert not tags & {f"{OVF}StorageItem", f"{OVF}EthernetPortItem"}  # OVF 2.0


@each_variant
def test_the_elements_of_an_item_stand_in_the_schemas_order(build: Appliance) -> None:
    """CIM's schema is a sequence; VMware validates it. Instance ids are unique, and parents are there."""
    found = parse(build).findall(f".//{OVF}Item")
    assert found
    for item in found:
        names = [child.tag for child in item]
        assert names == sorted(names)
    numbers = [item["InstanceID"] for item in items(parse(build))]
    assert len(numbers) == len(set(numbers))
    assert {item["Parent"] for item in items(parse(build)) if "Parent" in item} <= set(numbers)


def test_only_the_variant_with_a_tpm_asks_for_one() -> None:
    """Where no key provider is, the item makes the import fail."""
    asked = [
        [item["ResourceSubType"] for item in items(parse(build)) if item["ResourceType"] == "1"] for build in VARIANTS
    ]
    assert asked == [[], ["vmware.vtpm"], []]


def test_secure_boot_is_asked_for_where_it_is_signed() -> None:
    """A firmware that enforces it does not start an unsigned kernel."""
    key = f".//{VMW}Config[@{VMW}key='bootOptions.efiSecureBootEnabled']"
    assert [found.attrib[f"{VMW}value"] for build in VARIANTS if (found := parse(build).find(key)) is not None] == [
        "false",
        "false",
        "true",
    ]


def test_the_installer_can_fill_in_every_property() -> None:
    """User-configurable, of type string, with a label; the invitation is not shown."""
    found = parse(BUILD).findall(f".//{OVF}ProductSection/{OVF}Property")
    assert [item.attrib[f"{OVF}key"] for item in found] == [item.key for item in PROPERTIES]
    assert {item.attrib[f"{OVF}userConfigurable"] for item in found} == {"true"}
    hidden = [item.attrib[f"{OVF}key"] for item in found if item.attrib.get(f"{OVF}password") == "true"]
    assert hidden == ["natalia.invitation"]


def test_one_build_has_one_descriptor() -> None:
    """The same to the byte; another disk has other UUIDs."""
    assert descriptor(BUILD) == descriptor(replace(BUILD))
    uuids = [
        set(re.findall(r"\{[0-9a-f-]{36}\}", descriptor(build))) for build in (BUILD, replace(BUILD, identity="cd"))
    ]
    assert len(uuids[0]) == 2
    assert not uuids[0] & uuids[1]
