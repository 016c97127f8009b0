"""Hold a descriptor that came from elsewhere against the rules of those who import it (see ``image/ovf.py``)."""

import re
import xml.etree.ElementTree as ET
from typing import Final

from image.errors import FormatError
from image.release import CAPACITY

_OVF: Final = "{http://schemas.dmtf.org/ovf/envelope/1}"
_RASD: Final = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"
_VMW: Final = "{http://www.vmware.com/schema/ovf}"
_STREAM: Final = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
_CPU, _MEMORY, _NETWORK, _DISK, _SATA = "3", "4", "10", "17", "20"
_TPM: Final = "vmware.vtpm"


def check_descriptor(text: bytes, *, version: str, disk: str, disk_bytes: int, tpm: bool) -> None:
    """Check that a descriptor describes this disk, on a machine that can boot it.

    Args:
        text: the descriptor.
        version: of the release.
        disk: the VMDK's file name.
        disk_bytes: the VMDK's length.
        tpm: whether a TPM is asked for; an import fails where it is and no key provider is there.

    Raises:
        FormatError: the first rule that is broken.
    """
    root = _parse(text)
    file, drive = _only(root, f"{_OVF}References/{_OVF}File"), _only(root, f"{_OVF}DiskSection/{_OVF}Disk")
    system = _only(root, f"{_OVF}VirtualSystem")
    if (file.get(f"{_OVF}href"), file.get(f"{_OVF}size")) != (disk, str(disk_bytes)):
        raise FormatError("ovf: names another disk, or another length of it")
    if drive.get(f"{_OVF}fileRef") != file.get(f"{_OVF}id") or drive.get(f"{_OVF}format") != _STREAM:
        raise FormatError("ovf: the disk is of another file or format")
    units = re.fullmatch(r"byte \* 2\^(\d{1,2})", drive.get(f"{_OVF}capacityAllocationUnits", ""))
    capacity = drive.get(f"{_OVF}capacity", "")
    if units is None or not re.fullmatch(r"\d{1,12}", capacity) or int(capacity) << int(units[1]) != CAPACITY:
        raise FormatError("ovf: the disk's capacity is another, or in units that importers do not read")
    if system.findtext(f"{_OVF}ProductSection/{_OVF}Version") != version:
        raise FormatError("ovf: of another version")
    hardware = _only(system, f"{_OVF}VirtualHardwareSection")
    _check_hardware(hardware, drive.get(f"{_OVF}diskId", ""), tpm=tpm)


def _check_hardware(hardware: ET.Element, disk_id: str, *, tpm: bool) -> None:
    items = [
        {child.tag.removeprefix(_RASD): child.text or "" for child in item} for item in hardware.iter(f"{_OVF}Item")
    ]
    by_kind = {
        kind: [item for item in items if item.get("ResourceType") == kind]
        for kind in (_CPU, _MEMORY, _NETWORK, _DISK, _SATA)
    }
    if any(len(found) != 1 for found in by_kind.values()):
        raise FormatError("ovf: not one processor item, memory, network card, disk and SATA controller")
    drive = by_kind[_DISK][0]
    if drive.get("HostResource") != f"ovf:/disk/{disk_id}" or drive.get("Parent") != by_kind[_SATA][0].get(
        "InstanceID"
    ):
        raise FormatError("ovf: the disk does not hang on the SATA controller")
    if by_kind[_NETWORK][0].get("ResourceSubType", "").lower() != "vmxnet3":
        raise FormatError("ovf: the network card is one that the kernel has no driver for")
    if any(item.get("ResourceSubType") == _TPM for item in items) != tpm:
        raise FormatError("ovf: asks for a TPM, or does not, other than the file's name says")
    configs = list(hardware.iter(f"{_VMW}Config"))
    if any(config.get(f"{_OVF}required") != "false" for config in configs):
        raise FormatError("ovf: an extension is required")
    if ("firmware", "efi") not in {(config.get(f"{_VMW}key"), config.get(f"{_VMW}value")) for config in configs}:
        raise FormatError("ovf: the firmware is not EFI")
    if set(hardware.get(f"{_OVF}transport", "").split()) != {"com.vmware.guestInfo", "iso"}:
        raise FormatError("ovf: properties would not reach the appliance")


def _parse(text: bytes) -> ET.Element:
    """Parse XML that has no document type, so that no entity can grow or fetch anything."""
    if b"<!" in text or not text.startswith(b'<?xml version="1.0" encoding="UTF-8"?>'):
        raise FormatError("ovf: not UTF-8, or with a document type or comment")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, and short
    except (ET.ParseError, ValueError, RecursionError):
        raise FormatError("ovf: not XML") from None
    if root.tag != f"{_OVF}Envelope":
        raise FormatError("ovf: not an envelope of OVF 1")
    return root


def _only(root: ET.Element, path: str) -> ET.Element:
    found = root.findall(path)
    if len(found) != 1:
        raise FormatError(f"ovf: {len(found)} elements {path.rpartition('}')[2]} where one belongs")
    return found[0]
