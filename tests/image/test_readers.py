"""Each format gives the disk that was put in, and whatever is not of its form is refused with a typed error."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard

from image.errors import FormatError
from image.formats import crc32c
from image.readers.content import Content, digest
from image.readers.qcow2 import read_qcow2
from image.readers.raw import read_raw, read_zstd
from image.readers.vhdx import read_vhdx
from image.readers.vmdk import read_vmdk
from tests.support.disk_writers import GIB16, write_qcow2, write_vhdx, write_vmdk, write_zstd
from tests.support.releases import a_disk

Reader = Callable[[BinaryIO], Content]
Writer = Callable[[Path, bytes], Path]
FORMATS: list[tuple[Writer, Reader]] = [
    (write_zstd, read_zstd),
    (write_qcow2, read_qcow2),
    (write_vmdk, read_vmdk),
    (write_vhdx, read_vhdx),
]
NAMES = ["zstd", "qcow2", "vmdk", "vhdx"]
each_format = pytest.mark.parametrize(("write", "read"), FORMATS, ids=NAMES)


def sha_of(read: Reader, content: bytes, length: int) -> bytes:
    """Digest of the first ``length`` bytes of the disk in ``content``."""
    return digest(read(io.BytesIO(content)), length)


@each_format
def test_a_disk_comes_out_as_it_went_in(write: Writer, read: Reader, tmp_path: Path) -> None:
    """To the bit, and with nothing behind it up to the capacity."""
    disk = a_disk()
    content = write(tmp_path / "disk", disk).read_bytes()
    assert sha_of(read, content, len(disk)) == hashlib.sha256(disk).digest()


@each_format
def test_another_disk_has_another_digest(write: Writer, read: Reader, tmp_path: Path) -> None:
    """One bit in the last sector is seen."""
    disk = bytearray(a_disk())
    disk[-1] ^= 1
    content = write(tmp_path / "disk", bytes(disk)).read_bytes()
    assert sha_of(read, content, len(disk)) != hashlib.sha256(a_disk()).digest()


@pytest.mark.parametrize(("write", "read"), FORMATS[1:], ids=NAMES[1:])
def test_data_behind_the_raw_disk_is_refused(write: Writer, read: Reader, tmp_path: Path) -> None:
    """Something hidden in the thin part would be on the machine, but in no digest."""
    content = write(tmp_path / "disk", a_disk() + bytes(1 << 20) + b"hidden").read_bytes()
    with pytest.raises(FormatError, match="behind"):
        sha_of(read, content, len(a_disk()))


@pytest.mark.parametrize(("write", "read"), FORMATS[1:], ids=NAMES[1:])
def test_the_capacity_is_what_a_machine_sees(write: Writer, read: Reader, tmp_path: Path) -> None:
    """16 GiB, thin."""
    with write(tmp_path / "disk", a_disk()).open("rb") as file:
        assert read(file).size == GIB16


@each_format
def test_every_cut_is_refused(write: Writer, read: Reader, tmp_path: Path) -> None:
    """Wherever the file ends early: a typed error, never another disk."""
    content, disk = write(tmp_path / "disk", a_disk()).read_bytes(), a_disk()
    right = hashlib.sha256(disk).digest()
    for part in (0, 1, 7, 100, 300, 511, 513, 3000, len(content) // 3, len(content) // 2, len(content) - 600):
        with pytest.raises(FormatError):
            assert sha_of(read, content[:part], len(disk)) == right


@each_format
def test_no_damaged_byte_gives_anything_but_the_disk_or_an_error(write: Writer, read: Reader, tmp_path: Path) -> None:
    """Bytes flipped through all of the file: refused, or without influence on the disk, or another digest."""
    content = write(tmp_path / "disk", a_disk()).read_bytes()
    places = [*range(0, min(600, len(content)), 3), *range(600, len(content), max(1, len(content) // 150))]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 0xFF
        try:
            assert len(sha_of(read, bytes(changed), len(a_disk()))) == 32
        except FormatError as error:
            assert error.hint  # noqa: PT017 - either outcome is right; another exception is not


@each_format
def test_another_formats_file_is_refused(write: Writer, read: Reader, tmp_path: Path) -> None:
    """A file under a wrong name."""
    for other, _ in FORMATS:
        if other is not write:
            content = other(tmp_path / "disk", a_disk()).read_bytes()
            with pytest.raises(FormatError):
                sha_of(read, content, len(a_disk()))


def test_a_raw_disk_is_read_whole() -> None:
    """It is its own content."""
    assert sha_of(read_raw, a_disk(), len(a_disk())) == hashlib.sha256(a_disk()).digest()


def test_a_disk_smaller_than_the_raw_one_is_refused() -> None:
    """Before anything is read."""
    with pytest.raises(FormatError, match="fewer"):
        sha_of(read_raw, a_disk(), len(a_disk()) + 1)


@pytest.mark.parametrize("pieces", [[(8, b"ab"), (9, b"c")], [(15, b"ab")]], ids=["overlap", "over the end"])
def test_pieces_out_of_order_are_refused(pieces: list[tuple[int, bytes]]) -> None:
    """What a reader must not give is not hashed."""
    with pytest.raises(FormatError, match="overlap"):
        digest(Content(16, iter(pieces)), 16)


@pytest.mark.parametrize("checksum", [True, False], ids=["no size", "no checksum"])
def test_a_frame_without_size_or_checksum_is_refused(checksum: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """It could not be told from a cut one."""
    packer = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=not checksum)
    with pytest.raises(FormatError, match="size, or has no checksum"):
        read_zstd(io.BytesIO(packer.compress(a_disk())))


@pytest.mark.parametrize("tail", [b"x", zstandard.compress(b"more")], ids=["bytes", "a frame"])
def test_what_follows_a_frame_is_refused(tail: bytes, tmp_path: Path) -> None:
    """zstd(1) would unpack a second frame too."""
    content = write_zstd(tmp_path / "disk", a_disk()).read_bytes()
    with pytest.raises(FormatError, match="follows"):
        sha_of(read_zstd, content + tail, len(a_disk()))


def test_qcow2_clusters_that_are_not_packed_are_read(tmp_path: Path) -> None:
    """As qemu-img writes one that does not pack."""
    content = write_qcow2(tmp_path / "disk", a_disk(), plain=True).read_bytes()
    assert sha_of(read_qcow2, content, len(a_disk())) == hashlib.sha256(a_disk()).digest()


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (4, b"\0\0\0\2", "version 3"),
        (8, b"\0" * 7 + b"\1", "another file"),
        (32, b"\0\0\0\1", "encryption"),
        (60, b"\0\0\0\1", "snapshots"),
        (79, b"\4", "unknown features"),
        (20, b"\0\0\0\x30", "out of range"),
        (24, b"\x7f" * 8, "out of range"),
        (36, b"\0\1\0\0", "cover"),
    ],
    ids=["version", "backing", "crypt", "snapshots", "data file", "clusters", "size", "table"],
)
def test_qcow2_with_more_than_a_disk_is_refused(place: int, value: bytes, reason: str, tmp_path: Path) -> None:
    """A backing file would be opened on the machine that imports it: an old way to read its files."""
    content = bytearray(write_qcow2(tmp_path / "disk", a_disk()).read_bytes())
    content[place : place + len(value)] = value
    with pytest.raises(FormatError, match=reason):
        sha_of(read_qcow2, bytes(content), len(a_disk()))


def test_vmdk_whose_tables_name_other_grains_is_refused(tmp_path: Path) -> None:
    """One hypervisor reads the stream, another the tables: they would boot two disks."""
    content = bytearray(write_vmdk(tmp_path / "disk", a_disk()).read_bytes())
    (directory,) = struct.unpack_from("<Q", content, 56)
    (table,) = struct.unpack_from("<I", content, directory * 512)
    entries = list(struct.unpack_from("<512I", content, table * 512))
    used = [number for number, entry in enumerate(entries) if entry]
    entries[used[0]], entries[used[1]] = entries[used[1]], entries[used[0]]
    struct.pack_into("<512I", content, table * 512, *entries)
    with pytest.raises(FormatError, match="different places"):
        sha_of(read_vmdk, bytes(content), len(a_disk()))


def test_vmdk_tables_with_a_grain_more_are_refused(tmp_path: Path) -> None:
    """A grain that only the tables know."""
    content = bytearray(write_vmdk(tmp_path / "disk", a_disk()).read_bytes())
    (directory,) = struct.unpack_from("<Q", content, 56)
    (table,) = struct.unpack_from("<I", content, (directory) * 512 + 40)
    struct.pack_into("<I", content, table * 512, 5000)
    with pytest.raises(FormatError, match="more than it holds"):
        sha_of(read_vmdk, bytes(content), len(a_disk()))


def test_vmdk_tables_without_end_are_refused(tmp_path: Path) -> None:
    """Every entry used, in a file with room for few: the memory stays small."""
    content = bytearray(write_vmdk(tmp_path / "disk", a_disk(), size=1 << 40).read_bytes())
    directory, start = struct.unpack_from("<QQ", content, 56)
    content[(directory + 128) * 512 : start * 512] = b"\1" * ((start - directory - 128) * 512)
    with pytest.raises(FormatError, match="room"):
        sha_of(read_vmdk, bytes(content[: (directory + 4096) * 512]) + bytes(1 << 20), len(a_disk()))


@pytest.mark.parametrize(
    "grain", [zlib.compress(bytes(4)), zlib.compress(b"x" * 70_000), b"none"], ids=["short", "long", "other"]
)
def test_a_grain_of_another_length_is_refused(grain: bytes, tmp_path: Path) -> None:
    """Too short, too long, or not packed at all."""
    content = bytearray(write_vmdk(tmp_path / "disk", a_disk()).read_bytes())
    (start,) = struct.unpack_from("<Q", content, 64)
    (size,) = struct.unpack_from("<I", content, start * 512 + 8)
    struct.pack_into("<I", content, start * 512 + 8, len(grain))
    content[start * 512 + 12 : start * 512 + 12 + size] = grain.ljust(size, b"\0")
    with pytest.raises(FormatError, match="grain"):
        sha_of(read_vmdk, bytes(content), len(a_disk()))


def test_a_vhdx_that_was_in_use_is_refused(tmp_path: Path) -> None:
    """A log not replayed: what the disk is depends on who opens it."""
    content = bytearray(write_vhdx(tmp_path / "disk", a_disk()).read_bytes())
    header = content[64 << 10 : (64 << 10) + 4096]
    header[48:64] = b"\1" * 16
    header[4:8] = bytes(4)
    header[4:8] = struct.pack("<I", crc32c(bytes(header)))
    content[64 << 10 : (64 << 10) + 4096] = header
    with pytest.raises(FormatError, match="log"):
        sha_of(read_vhdx, bytes(content), len(a_disk()))


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ((1 << 20) + (64 << 10) + 4, b"\2", "parent"),
        ((1 << 20) + (64 << 10), b"\1\0\0\0", "sizes"),
        ((1 << 20) + (64 << 10) + 64, b"\xff" * 8, "size out of range"),
        ((192 << 10) + 16, bytes(16), "missing"),
        (2 << 20, b"\7", "state"),
        ((192 << 10) + 40, b"\0\0\0\0", "too short"),
    ],
    ids=["parent", "block", "size", "region", "state", "table"],
)
def test_vhdx_with_more_than_a_disk_is_refused(place: int, value: bytes, reason: str, tmp_path: Path) -> None:
    """A differencing disk, an absurd size, a missing table, a block in an unknown state."""
    content = bytearray(write_vhdx(tmp_path / "disk", a_disk()).read_bytes())
    content[place : place + len(value)] = value
    with pytest.raises(FormatError, match=reason):
        sha_of(read_vhdx, bytes(content), len(a_disk()))
