"""A VHDX disk without a parent and with an empty log, as ``qemu-img`` writes a dynamic one. Source: [MS-VHDX] 2."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final
from uuid import UUID

from image.errors import FormatError
from image.formats import crc32c
from image.readers.content import CHUNK, MAX_DISK, Content, exactly

_BAT: Final = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le
_METADATA: Final = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_PARAMETERS: Final = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_SIZE: Final = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_SECTOR: Final = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le
_EMPTY: Final = {0, 1, 2, 3}
_PRESENT: Final = 6
_TABLE_BYTES: Final = 64 * 1024
_BITMAP_SECTORS: Final = 1 << 23
"""Sectors that one sector bitmap block covers."""


@dataclass(frozen=True, slots=True)
class _Disk:
    size: int
    block: int
    ratio: int


def read_vhdx(file: BinaryIO) -> Content:
    """Read the disk.

    Raises:
        FormatError: it is not of that form; in the pieces: a block lies outside the file.
    """
    if exactly(file, 0, 8, "vhdx") != b"vhdxfile":
        raise FormatError("vhdx: not such a disk")
    _check_headers(file)
    regions = _entries(exactly(file, 192 * 1024, _TABLE_BYTES, "vhdx"), b"regi", 8, 16)
    try:
        (metadata,) = struct.unpack_from("<Q", regions[_METADATA], 16)
        table, room = struct.unpack_from("<QI", regions[_BAT], 16)
        items = _entries(exactly(file, metadata, _TABLE_BYTES, "vhdx"), b"metadata", 10, 32)
        block, parent = struct.unpack("<II", _item(file, metadata, items[_PARAMETERS], 8))
        (size,) = struct.unpack("<Q", _item(file, metadata, items[_SIZE], 8))
        (sector,) = struct.unpack("<I", _item(file, metadata, items[_SECTOR], 4))
    except KeyError:
        raise FormatError("vhdx: a table or an item is missing") from None
    if parent & 2 or sector not in {512, 4096} or not 1 << 20 <= block <= 1 << 28 or block & (block - 1):
        raise FormatError("vhdx: has a parent, or sizes out of range")
    if not 0 < size <= MAX_DISK:
        raise FormatError("vhdx: disk size out of range")
    disk = _Disk(size, block, _BITMAP_SECTORS * sector // block)
    blocks = -(-size // block)
    count = blocks + (blocks - 1) // disk.ratio
    if count * 8 > room:
        raise FormatError("vhdx: the block table is too short")
    return Content(size, _pieces(file, struct.unpack(f"<{count}Q", exactly(file, table, count * 8, "vhdx")), disk))


def _pieces(file: BinaryIO, table: tuple[int, ...], disk: _Disk) -> Iterator[tuple[int, bytes]]:
    for number in range(-(-disk.size // disk.block)):
        entry = table[number + number // disk.ratio]
        state, place = entry & 7, entry >> 20 << 20
        if state in _EMPTY:
            continue
        if state != _PRESENT:
            raise FormatError("vhdx: a block is in an unknown state")
        begin = number * disk.block
        for step in range(0, min(disk.block, disk.size - begin), CHUNK):
            length = min(CHUNK, disk.size - begin - step)
            yield begin + step, exactly(file, place + step, length, "vhdx")


def _check_headers(file: BinaryIO) -> None:
    """At least one header is whole, and none has a log to be replayed."""
    whole = []
    for place in (64 * 1024, 128 * 1024):
        header = exactly(file, place, 4096, "vhdx")
        if header[:4] == b"head" and struct.unpack_from("<I", header, 4)[0] == crc32c(
            header[:4] + bytes(4) + header[8:]
        ):
            whole.append(header)
    if not whole:
        raise FormatError("vhdx: no valid header")
    if any(any(header[48:64]) for header in whole):
        raise FormatError("vhdx: its log is not empty: it was in use")


def _entries(table: bytes, signature: bytes, count_at: int, first: int) -> dict[bytes, bytes]:
    if not table.startswith(signature):
        raise FormatError("vhdx: a table is not at its place")
    (count,) = struct.unpack_from("<H", table, count_at)
    entries = [table[first + 32 * number : first + 32 * number + 32] for number in range(min(count, 2046))]
    return {entry[:16]: entry for entry in entries}


def _item(file: BinaryIO, metadata: int, entry: bytes, length: int) -> bytes:
    (offset,) = struct.unpack_from("<I", entry, 16)
    return exactly(file, metadata + offset, length, "vhdx")
