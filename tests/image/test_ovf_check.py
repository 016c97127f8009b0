"""Our own descriptor passes; each rule, broken alone, is named."""

import pytest

from image.errors import FormatError
from image.ovf import Appliance, descriptor
from image.ovf_check import check_descriptor

DISK = "natalia-appliance_1.2.3.vmdk"


def text(*, tpm: bool = False) -> str:
    """Our descriptor."""
    return descriptor(Appliance("1.2.3", DISK, 4711, identity="ab" * 32, tpm=tpm))


def check(content: str, *, tpm: bool = False) -> None:
    """Check it as the one of this release."""
    check_descriptor(content.encode(), version="1.2.3", disk=DISK, disk_bytes=4711, tpm=tpm)


@pytest.mark.parametrize("tpm", [False, True], ids=["plain", "tpm"])
def test_our_own_descriptor_passes(tpm: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Both variants."""
    check(text(tpm=tpm), tpm=tpm)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (DISK, "other.vmdk", "another disk"),
        ('ovf:size="4711"', 'ovf:size="4712"', "another length"),
        ('ovf:fileRef="disk"', 'ovf:fileRef="else"', "another file"),
        ("#streamOptimized", "#sparse", "format"),
        ('ovf:capacity="16"', 'ovf:capacity="15"', "capacity"),
        ('"byte * 2^30"', '"byte"', "units"),
        ('"byte * 2^30"', '"byte * 2^99"', "capacity"),
        ('ovf:capacity="16"', 'ovf:capacity="' + "9" * 5000 + '"', "capacity"),
        ("<Version>1.2.3<", "<Version>1.2.4<", "another version"),
        ("ovf:/disk/vmdisk1", "ovf:/disk/other", "SATA"),
        (">VmxNet3<", ">E1000<", "network"),
        ('vmw:value="efi"', 'vmw:value="bios"', "EFI"),
        ('<vmw:Config ovf:required="false"', '<vmw:Config ovf:required="true"', "required"),
        ('ovf:transport="com.vmware.guestInfo iso"', 'ovf:transport="iso"', "properties"),
        ("http://schemas.dmtf.org/ovf/envelope/1", "http://schemas.dmtf.org/ovf/envelope/2", "OVF 1"),
        ("<rasd:ResourceType>17<", "<rasd:ResourceType>1<", "one processor"),
        ("</Envelope>", "", "not XML"),
        ("<Info>Natalia appliance</Info>", "<!-- <Info/> -->", "comment"),
        ("<DiskSection>", '<DiskSection><Disk ovf:diskId="two"/>', "2 elements"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_each_rule_is_checked(old: str, new: str, reason: str) -> None:
    """What would cost an import, or lead to another disk."""
    assert old in text()
    with pytest.raises(FormatError, match=reason):
        check(text().replace(old, new))


@pytest.mark.parametrize("tpm", [False, True], ids=["plain", "tpm"])
def test_the_tpm_is_as_the_files_name_says(tpm: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """An import with one fails where no key provider is: the name must tell."""
    with pytest.raises(FormatError, match="TPM"):
        check(text(tpm=tpm), tpm=not tpm)


@pytest.mark.parametrize(
    "document",
    [
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        '<?xml version="1.0" encoding="UTF-16"?><a/>',
        "",
        '<?xml version="1.0" encoding="UTF-8"?>' + "<a>" * 20_000,
        '<?xml version="1.0" encoding="UTF-8"?><a>&lol;</a>',
    ],
    ids=["external entity", "growing entity", "encoding", "empty", "deep", "unknown entity"],
)
def test_hostile_xml_is_refused(document: str) -> None:
    """No document type is parsed at all; nothing is fetched, nothing grows."""
    with pytest.raises(FormatError):
        check(document)
