"""A converted disk loses the converter's chance and nothing else; what is no such disk is refused untouched."""

import struct
from pathlib import Path
from uuid import UUID

import pytest

from image.errors import FormatError
from image.formats import crc32c, settle_vhdx, settle_vmdk

FIRST, SECOND = bytes(range(32)), bytes(range(1, 33))
DESCRIPTOR = '# Disk DescriptorFile\nversion=1\nCID={cid}\nparentCID=ffffffff\nddb.longContentID = "{long}"\n'


def vmdk(path: Path, *, cid: str = "89abcdef", long: str = "0123456789abcdef" * 2, text: str = DESCRIPTOR) -> Path:
    """A stream-optimized disk as vmdk-convert begins one, with other bytes behind."""
    header = b"KDMV" + bytes(24) + struct.pack("<QQ", 1, 2)
    descriptor = text.format(cid=cid, long=long).encode()
    path.write_bytes(header.ljust(512, b"\0") + descriptor.ljust(1024, b"\0") + b"grains" * 100)
    return path


def vhdx(path: Path, *, chance: bytes, log_in_use: bool = False) -> Path:
    """A dynamic disk as qemu-img begins one ([MS-VHDX] 2): two headers, old log entries, region table, metadata."""
    content = bytearray(4 * 1024 * 1024)
    content[0x200000:0x200010] = content[0x2FFFF0:0x300000] = chance
    content[:8] = b"vhdxfile"
    for number, place in enumerate((0x10000, 0x20000)):
        sequence = struct.pack("<Q", number + 1 + int.from_bytes(chance[:4], "little"))
        header = bytearray(b"head" + bytes(4) + sequence + chance * 2).ljust(4096, b"\0")
        header[48:64] = b"\1" * 16 if log_in_use else bytes(16)
        struct.pack_into("<HHIQ", header, 64, 0, 1, 0x100000, 0x200000)
        struct.pack_into("<I", header, 4, crc32c(bytes(header)))
        content[place : place + 4096] = header
    region = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le + struct.pack("<QII", 0x100000, 0x100000, 1)
    content[0x30000 : 0x30000 + 48] = b"regi" + bytes(4) + struct.pack("<II", 1, 0) + region
    item = UUID("beca12ab-b2e6-4523-93ef-c309e000c746").bytes_le + struct.pack("<IIII", 0x10000, 16, 6, 0)
    content[0x100000 : 0x100000 + 64] = b"metadata" + struct.pack("<HH", 0, 1) + bytes(20) + item
    content[0x110000 : 0x110000 + 16] = chance
    path.write_bytes(content)
    return path


def test_the_checksum_is_castagnolis() -> None:
    """The check value of RFC 3720 and of every catalogue of such sums."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_two_conversions_of_one_disk_become_equal_as_vmdk(tmp_path: Path) -> None:
    """Only the two ids differ before; what is behind the descriptor stays."""
    one, other = vmdk(tmp_path / "1"), vmdk(tmp_path / "2", cid="00000001", long="f" * 32)
    for path in (one, other):
        settle_vmdk(path, identity=FIRST)
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes().endswith(b"grains" * 100)
    assert b"parentCID=ffffffff" in one.read_bytes()


def test_two_conversions_of_one_disk_become_equal_as_vhdx(tmp_path: Path) -> None:
    """File write, data write and virtual disk GUID are the disk's own; both headers are valid."""
    one, other = vhdx(tmp_path / "1", chance=b"\1" * 16), vhdx(tmp_path / "2", chance=b"\2" * 16)
    for path in (one, other):
        settle_vhdx(path, identity=FIRST)
    content = one.read_bytes()
    assert content == other.read_bytes()
    for place in (0x10000, 0x20000):
        header = content[place : place + 4096]
        assert struct.unpack_from("<I", header, 4)[0] == crc32c(header[:4] + bytes(4) + header[8:])
    guids = {content[0x10010:0x10020], content[0x10020:0x10030], content[0x110000:0x110010]}
    assert len(guids) == 3
    assert {UUID(bytes_le=guid).version for guid in guids} == {8}


def test_the_newer_header_of_a_vhdx_stays_the_newer_one(tmp_path: Path) -> None:
    """The converter counts from a random number; from one on is as good, in the same order."""
    path = vhdx(tmp_path / "a", chance=b"\7" * 16)
    settle_vhdx(path, identity=FIRST)
    numbers = [struct.unpack_from("<Q", path.read_bytes(), place + 8)[0] for place in (0x10000, 0x20000)]
    assert numbers == [1, 2]


def test_old_entries_in_the_empty_log_of_a_vhdx_are_cleared(tmp_path: Path) -> None:
    """They carry a random number too, and nobody reads them; what lies around the log stays."""
    path = vhdx(tmp_path / "a", chance=b"\7" * 16)
    content = bytearray(path.read_bytes())
    content[0x1FFFFF], content[0x300000] = 1, 2
    path.write_bytes(content)
    settle_vhdx(path, identity=FIRST)
    assert not any(path.read_bytes()[0x200000:0x300000])
    assert (path.read_bytes()[0x1FFFFF], path.read_bytes()[0x300000]) == (1, 2)


@pytest.mark.parametrize("wrong", ["in use", "elsewhere", "too long"])
def test_a_vhdx_whose_log_cannot_be_cleared_is_refused(wrong: str, tmp_path: Path) -> None:
    """A log in use holds data of the disk; one at an odd place or without end is none."""
    path = vhdx(tmp_path / "a", chance=bytes(16), log_in_use=wrong == "in use")
    if wrong != "in use":
        content = bytearray(path.read_bytes())
        for place in (0x10000, 0x20000):
            length, offset = (0x100000, 0x200001) if wrong == "elsewhere" else (1 << 30, 0x200000)
            struct.pack_into("<IQ", content, place + 68, length, offset)
            content[place + 4 : place + 8] = bytes(4)
            struct.pack_into("<I", content, place + 4, crc32c(bytes(content[place : place + 4096])))
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(FormatError, match="log"):
        settle_vhdx(path, identity=FIRST)
    assert path.read_bytes() == before


def test_another_disk_has_other_ids(tmp_path: Path) -> None:
    """A hypervisor that holds two releases tells them apart."""
    ends = []
    for number, identity in enumerate((FIRST, SECOND)):
        paths = vmdk(tmp_path / f"a{number}"), vhdx(tmp_path / f"b{number}", chance=bytes(16))
        settle_vmdk(paths[0], identity=identity)
        settle_vhdx(paths[1], identity=identity)
        ends.append([path.read_bytes() for path in paths])
    assert ends[0][0] != ends[1][0]
    assert ends[0][1] != ends[1][1]


def test_one_damaged_header_of_a_vhdx_is_left_alone(tmp_path: Path) -> None:
    """The other one is the current one; a wrong sum is not made right."""
    path = vhdx(tmp_path / "a", chance=bytes(16))
    content = bytearray(path.read_bytes())
    content[0x10100] ^= 1
    path.write_bytes(content)
    settle_vhdx(path, identity=FIRST)
    assert path.read_bytes()[0x10000:0x11000] == content[0x10000:0x11000]
    assert path.read_bytes()[0x20000:0x21000] != content[0x20000:0x21000]


@pytest.mark.parametrize(
    "text",
    ["no ids at all", DESCRIPTOR + "CID=89abcdef\n", DESCRIPTOR.replace("CID={cid}", "CID=short")],
    ids=["none", "twice", "short"],
)
def test_a_vmdk_with_another_descriptor_is_refused(text: str, tmp_path: Path) -> None:
    """Not of the form that is known: nothing is written."""
    path = vmdk(tmp_path / "a", text=text)
    before = path.read_bytes()
    with pytest.raises(FormatError, match="descriptor"):
        settle_vmdk(path, identity=FIRST)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"KDMV" + b"\xff" * 600, b"x" * 4096], ids=["empty", "wild", "other"])
def test_what_is_no_vmdk_is_refused(content: bytes, tmp_path: Path) -> None:
    """A place beyond reason is not gone to."""
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        settle_vmdk(path, identity=FIRST)


@pytest.mark.parametrize("place", [0x10000, 0x30000, 0x100000], ids=["headers", "regions", "metadata"])
def test_what_is_no_vhdx_is_refused(place: int, tmp_path: Path) -> None:
    """Without headers, regions or metadata there is nothing to settle."""
    path = vhdx(tmp_path / "a", chance=bytes(16))
    content = bytearray(path.read_bytes())
    content[place : place + 4] = b"none"
    if place == 0x10000:
        content[0x20000:0x20004] = b"none"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        settle_vhdx(path, identity=FIRST)
