"""A stream-optimized VMDK as vmdk-convert writes it, read as a stream (as ESXi does) and by its tables (as others do).

A file whose stream and tables say different things would be one disk to one hypervisor and another to the next; it is
refused. Tables come first and the header names them; then grains in order; an empty marker ends the file. Source:
VMware, Virtual Disk Format 5.0, and vmware/open-vmdk.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from image.errors import FormatError
from image.readers.content import MAX_DISK, Content, exactly, length_of

SECTOR: Final = 512
_HEADER: Final = struct.Struct("<4sIIQQQQIQQQ")
_COMPRESSED_WITH_MARKERS: Final = 0x30000
_TABLE_ENTRIES: Final = 512
_MAX_GRAIN: Final = 2048


@dataclass(frozen=True, slots=True)
class _Layout:
    """Capacity, grain size, and where directory and grains begin, all in sectors."""

    capacity: int
    grain: int
    directory: int
    start: int


def read_vmdk(file: BinaryIO) -> Content:
    """Read the disk.

    Raises:
        FormatError: it is not of that form; in the pieces: a grain is damaged, or the tables name other places.
    """
    layout = _layout(exactly(file, 0, SECTOR, "vmdk"))
    return Content(layout.capacity * SECTOR, _pieces(file, layout))


def _layout(header: bytes) -> _Layout:
    magic, version, flags, capacity, grain, _, _, entries, _, directory, start = _HEADER.unpack_from(header)
    (method,) = struct.unpack_from("<H", header, 77)
    if magic != b"KDMV" or version not in {1, 2, 3} or flags & _COMPRESSED_WITH_MARKERS != _COMPRESSED_WITH_MARKERS:
        raise FormatError("vmdk: not a stream-optimized disk")
    if method != 1 or entries != _TABLE_ENTRIES or not 0 < directory < start:
        raise FormatError("vmdk: tables or compression are not as vmdk-convert writes them")
    if not 0 < capacity <= MAX_DISK // SECTOR or not 8 <= grain <= _MAX_GRAIN or grain & (grain - 1):  # noqa: PLR2004 - the format's least grain
        raise FormatError("vmdk: capacity or grain size out of range")
    return _Layout(capacity, grain, directory, start)


def _pieces(file: BinaryIO, layout: _Layout) -> Iterator[tuple[int, bytes]]:
    places = _places(file, layout)
    at, last, length = layout.start, -1, length_of(file)
    while (at + 1) * SECTOR <= length:
        value, size, kind = struct.unpack_from("<QII", exactly(file, at * SECTOR, SECTOR, "vmdk"))
        if not size:
            if value or kind or (at + 1) * SECTOR != length or places:
                raise FormatError("vmdk: the stream ends early, or its tables name more than it holds")
            return
        if value <= last or value % layout.grain or value >= layout.capacity:
            raise FormatError("vmdk: grains out of order, or outside the disk")
        if places.pop(value // layout.grain, None) != at:
            raise FormatError("vmdk: stream and tables name different places")
        last = value
        yield value * SECTOR, _grain(file, at, size, min(layout.grain, layout.capacity - value) * SECTOR)
        at += -(-(size + 12) // SECTOR)
    raise FormatError("vmdk: the stream has no end")


def _grain(file: BinaryIO, at: int, size: int, length: int) -> bytes:
    if size > 2 * length + SECTOR:
        raise FormatError("vmdk: a grain is packed into more than it holds")
    packed, whole = exactly(file, at * SECTOR + 12, size, "vmdk"), zlib.decompressobj()
    try:
        data = whole.decompress(packed, _MAX_GRAIN * SECTOR)
    except zlib.error:
        raise FormatError("vmdk: a grain is damaged") from None
    if not whole.eof or len(data) < length or any(data[length:]):
        raise FormatError("vmdk: a grain is of the wrong length")
    return data[:length]


def _places(file: BinaryIO, layout: _Layout) -> dict[int, int]:
    """Each grain's sector in the file, by the grain's number, as the tables say."""
    found: dict[int, int] = {}
    most = length_of(file) // SECTOR
    for number, table in enumerate(
        _numbers(file, layout.directory, -(-layout.capacity // (layout.grain * _TABLE_ENTRIES)))
    ):
        if table:
            entries = enumerate(_numbers(file, table, _TABLE_ENTRIES))
            found.update({number * _TABLE_ENTRIES + index: place for index, place in entries if place})
        if len(found) > most:
            raise FormatError("vmdk: the tables name more grains than the file has room for")
    return found


def _numbers(file: BinaryIO, sector: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}I", exactly(file, sector * SECTOR, count * 4, "vmdk"))
