"""The OVF descriptor (DMTF DSP0243 1.1): one text that VMware, VirtualBox and Proxmox each read in their own way.

What each importer wants stands in ``tests/image/test_ovf.py`` as conformance tests written from their sources. Points
that cost others an import: namespace of OVF 1.x; units as ``byte * 2^20`` or ``MegaBytes``, never plain ``byte``; disks
as ``ovf:/disk/…``; AHCI and vmxnet3, because the cloud kernel has neither LSI Logic nor e1000; EFI said in VMware's way
(``vmw:Config``) and in VirtualBox's (``vbox:Machine``), or a BIOS finds nothing; every extension ``required="false"``;
a TPM item only in a variant of its own, because an import fails where no key provider is.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5
from xml.sax.saxutils import escape, quoteattr

MEMORY_MIB: Final = 1024
CPUS: Final = 1
DISK_GIB: Final = 16
DEBIAN_64: Final = 96
"""CIM_OperatingSystem's number of Debian, 64 bit; VirtualBox and Proxmox take 102 for something else."""
HARDWARE_VERSION: Final = "vmx-15"
"""At least 14 for a virtual TPM."""
_SPACE: Final = UUID("0d1c6a54-2a3e-4f0b-8a4d-7b0a5f1c9e21")
_NAMESPACES: Final = (
    ("", "http://schemas.dmtf.org/ovf/envelope/1"),
    ("cim", "http://schemas.dmtf.org/wbem/wscim/1/common"),
    ("ovf", "http://schemas.dmtf.org/ovf/envelope/1"),
    ("rasd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"),
    ("vbox", "http://www.virtualbox.org/ovf/machine"),
    ("vmw", "http://www.vmware.com/schema/ovf"),
    ("vssd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"),
    ("xsi", "http://www.w3.org/2001/XMLSchema-instance"),
)


@dataclass(frozen=True, slots=True)
class Property:
    """A vApp property that the installer may fill in; the appliance reads it at its first boot."""

    key: str
    label: str
    description: str
    password: bool = False


PROPERTIES: Final = (
    Property(
        "natalia.invitation",
        "Invitation",
        "The text of the invitation's QR code; it serves one machine.",
        password=True,
    ),
    Property("natalia.address", "Address", "Static address with its prefix, as 192.0.2.10/24; empty for DHCP."),
    Property("natalia.gateway", "Gateway", "With a static address."),
    Property("natalia.dns", "Name servers", "With a static address; separated by spaces."),
    Property("natalia.ntp", "Time servers", "Separated by spaces; empty for those of DHCP or Debian's."),
    Property("natalia.proxy", "Proxy", "http://host:port; empty if the receiver is reached without."),
    Property("natalia.vlan", "VLAN", "1 to 4094; empty if the network is untagged."),
)


@dataclass(frozen=True, slots=True)
class Appliance:
    """What the descriptor says of one build."""

    version: str
    disk_file: str
    disk_bytes: int
    """Length of the VMDK."""
    identity: str
    """SHA-256 of the raw disk, in hex: what the machine's UUIDs are made of, so that a rebuild gives the same."""
    tpm: bool = False
    secure_boot: bool = False


def descriptor(appliance: Appliance) -> str:
    """Give the descriptor's text; the same for the same arguments, to the byte."""
    spaces = " ".join(f"xmlns{':' if name else ''}{name}={quoteattr(uri)}" for name, uri in _NAMESPACES)
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<Envelope ovf:version="1.0" xml:lang="en-US" {spaces}>',
            *_indented(_references(appliance) + _disks() + _networks() + _system(appliance)),
            "</Envelope>",
            "",
        ]
    )


def _references(appliance: Appliance) -> list[str]:
    file = f'<File ovf:id="disk" ovf:href={quoteattr(appliance.disk_file)} ovf:size="{appliance.disk_bytes}"/>'
    return _element("References", [file])


def _disks() -> list[str]:
    disk = (
        f'<Disk ovf:diskId="vmdisk1" ovf:fileRef="disk" ovf:capacity="{DISK_GIB}"'
        ' ovf:capacityAllocationUnits="byte * 2^30"'
        ' ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>'
    )
    return _element("DiskSection", ["<Info>The disk; thin, it grows to its capacity.</Info>", disk])


def _networks() -> list[str]:
    network = _element(
        "Network", ["<Description>Reaches the PBX and the receiver.</Description>"], 'ovf:name="Network"'
    )
    return _element("NetworkSection", ["<Info>One network.</Info>", *network])


def _system(appliance: Appliance) -> list[str]:
    content = [
        "<Info>Natalia appliance</Info>",
        "<Name>natalia-appliance</Name>",
        *_element(
            "OperatingSystemSection",
            ["<Info>Debian 13, 64 bit</Info>", "<Description>Debian GNU/Linux (64-bit)</Description>"],
            f'ovf:id="{DEBIAN_64}" vmw:osType="debian12_64Guest"',
        ),
        *_product(appliance),
        *_hardware(appliance),
        *_virtualbox(appliance),
    ]
    return _element("VirtualSystem", content, 'ovf:id="natalia-appliance"')


def _product(appliance: Appliance) -> list[str]:
    content = [
        "<Info>What the appliance reads at its first boot; an attached NATALIA disk comes before it.</Info>",
        "<Product>Natalia appliance</Product>",
        "<Vendor>Natalia</Vendor>",
        f"<Version>{escape(appliance.version)}</Version>",
    ]
    for item in PROPERTIES:
        head = f'ovf:key={quoteattr(item.key)} ovf:type="string" ovf:userConfigurable="true" ovf:value=""'
        if item.password:
            head += ' ovf:password="true"'
        texts = [f"<Label>{escape(item.label)}</Label>", f"<Description>{escape(item.description)}</Description>"]
        content += _element("Property", texts, head)
    return _element("ProductSection", content)


def _hardware(appliance: Appliance) -> list[str]:
    system = _element(
        "System",
        [
            "<vssd:ElementName>Virtual Hardware Family</vssd:ElementName>",
            "<vssd:InstanceID>0</vssd:InstanceID>",
            "<vssd:VirtualSystemIdentifier>natalia-appliance</vssd:VirtualSystemIdentifier>",
            f"<vssd:VirtualSystemType>{HARDWARE_VERSION}</vssd:VirtualSystemType>",
        ],
    )
    content = [f"<Info>{CPUS} CPU, {MEMORY_MIB} MiB, {DISK_GIB} GiB</Info>", *system]
    for item in _items(tpm=appliance.tpm):
        content += item
    for key, value in (
        ("firmware", "efi"),
        ("bootOptions.efiSecureBootEnabled", "true" if appliance.secure_boot else "false"),
    ):
        content.append(f'<vmw:Config ovf:required="false" vmw:key="{key}" vmw:value="{value}"/>')
    return _element("VirtualHardwareSection", content, 'ovf:transport="com.vmware.guestInfo iso"')


def _items(*, tpm: bool) -> list[list[str]]:
    """The hardware; within an item the elements stand in alphabetical order, as the schema demands."""
    items = [
        _item(1, 3, f"{CPUS} virtual CPU", units="hertz * 10^6", quantity=CPUS),
        _item(2, 4, f"{MEMORY_MIB} MiB of memory", units="byte * 2^20", quantity=MEMORY_MIB),
        _item(3, 20, "SATA controller", subtype="vmware.sata.ahci", address=0),
        _item(4, 17, "Disk", host="ovf:/disk/vmdisk1", parent=3, on_parent=0),
        _item(5, 15, "CD drive", parent=3, on_parent=1, optional=True),
        _item(6, 10, "Network adapter", connection="Network", subtype="VmxNet3", on_parent=7),
    ]
    if tpm:
        items.append(_item(7, 1, "Virtual TPM", subtype="vmware.vtpm", optional=True))
    return items


def _item(  # noqa: PLR0913 - the elements of CIM_ResourceAllocationSettingData
    number: int,
    kind: int,
    name: str,
    *,
    units: str | None = None,
    quantity: int | None = None,
    subtype: str | None = None,
    address: int | None = None,
    host: str | None = None,
    parent: int | None = None,
    on_parent: int | None = None,
    connection: str | None = None,
    optional: bool = False,
) -> list[str]:
    automatic = None if kind not in {1, 10, 15} else "true" if kind == 10 else "false"  # noqa: PLR2004 - CIM's numbers
    values = {
        "Address": address,
        "AddressOnParent": on_parent,
        "AllocationUnits": units,
        "AutomaticAllocation": automatic,
        "Connection": connection,
        "ElementName": name,
        "HostResource": host,
        "InstanceID": number,
        "Parent": parent,
        "ResourceSubType": subtype,
        "ResourceType": kind,
        "VirtualQuantity": quantity,
    }
    lines = [
        f"<rasd:{key}>{escape(str(value))}</rasd:{key}>" for key, value in sorted(values.items()) if value is not None
    ]
    return _element("Item", lines, 'ovf:required="false"' if optional else "")


def _virtualbox(appliance: Appliance) -> list[str]:
    """VirtualBox takes this element instead of the items where it is there: EFI, a TPM, virtio."""
    machine, disk = (uuid5(_SPACE, f"{name}/{appliance.identity}") for name in ("machine", "disk"))
    tpm = '<TrustedPlatformModule type="v2_0" location=""/>'
    controller = [
        *_element(
            "AttachedDevice",
            [f'<Image uuid="{{{disk}}}"/>'],
            'type="HardDisk" hotpluggable="false" port="0" device="0"',
        ),
        '<AttachedDevice passthrough="false" type="DVD" hotpluggable="false" port="1" device="0"/>',
    ]
    hardware = [
        f'<CPU count="{CPUS}"><PAE enabled="true"/><LongMode enabled="true"/></CPU>',
        f'<Memory RAMSize="{MEMORY_MIB}"/>',
        '<Firmware type="EFI"/>',
        '<BIOS><IOAPIC enabled="true"/></BIOS>',
        tpm,
        '<Network><Adapter slot="0" enabled="true" type="virtio"><NAT/></Adapter></Network>',
        *_element(
            "StorageControllers",
            _element(
                "StorageController",
                controller,
                'name="SATA" type="AHCI" PortCount="2" useHostIOCache="false" Bootable="true"',
            ),
        ),
    ]
    content = ["<ovf:Info>For VirtualBox.</ovf:Info>", *_element("Hardware", hardware)]
    head = f'ovf:required="false" version="1.19-linux" uuid="{{{machine}}}" name="natalia-appliance" OSType="Debian_64"'
    return _element("vbox:Machine", content, head)


def _element(name: str, content: list[str], head: str = "") -> list[str]:
    return [f"<{name}{' ' if head else ''}{head}>", *_indented(content), f"</{name}>"]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
