"""A qcow2 disk without a backing file, snapshots or encryption, as ``qemu-img convert -c`` writes it.

Source: QEMU docs/interop/qcow2.rst.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from image.errors import FormatError
from image.readers.content import MAX_DISK, Content, exactly, length_of

_HEADER: Final = struct.Struct(">4sIQIIQIIQQIIQ")
_PLACE: Final = 0x00FFFFFFFFFFFE00
_COMPRESSED: Final = 1 << 62
_ZERO: Final = 1
_VERSION: Final = 3
_WIDEST: Final = 21


def read_qcow2(file: BinaryIO) -> Content:
    """Read the disk.

    Raises:
        FormatError: it is not of that form; in the pieces: a cluster lies outside the file or is damaged.
    """
    head = exactly(file, 0, 104, "qcow2")
    magic, version, backing, _, bits, size, crypt, entries, table, _, _, snapshots, _ = _HEADER.unpack_from(head)
    (incompatible,) = struct.unpack_from(">Q", head, 72)
    if magic != b"QFI\xfb" or version != _VERSION:
        raise FormatError("qcow2: not a disk of version 3")
    if backing or crypt or snapshots or incompatible:
        raise FormatError("qcow2: refers to another file, or has snapshots, encryption or unknown features")
    if not 9 <= bits <= _WIDEST or not 0 < size <= MAX_DISK:  # noqa: PLR2004 - 512 bytes to 2 MiB, the standard's range
        raise FormatError("qcow2: cluster or disk size out of range")
    covered = 1 << (2 * bits - 3)
    if entries != -(-size // covered) or entries > 1 << 20:
        raise FormatError("qcow2: the first table does not cover the disk")
    first = struct.unpack(f">{entries}Q", exactly(file, table, entries * 8, "qcow2"))
    return Content(size, _pieces(file, first, bits, size))


def _pieces(file: BinaryIO, first: tuple[int, ...], bits: int, size: int) -> Iterator[tuple[int, bytes]]:
    cluster, length = 1 << bits, length_of(file)
    for number, entry in enumerate(first):
        if not entry & _PLACE:
            continue
        second = struct.unpack(f">{cluster // 8}Q", exactly(file, entry & _PLACE, cluster, "qcow2"))
        for index, value in enumerate(second):
            place = (number * (cluster // 8) + index) * cluster
            if not value & (_COMPRESSED | _PLACE) or value & (_COMPRESSED | _ZERO) == _ZERO:
                continue
            if place >= size:
                raise FormatError("qcow2: data behind the disk's end")
            data = _unpacked(file, value, bits, length) if value & _COMPRESSED else _plain(file, value, cluster)
            yield place, data[: size - place]


def _plain(file: BinaryIO, value: int, cluster: int) -> bytes:
    return exactly(file, value & _PLACE, cluster, "qcow2")


def _unpacked(file: BinaryIO, value: int, bits: int, length: int) -> bytes:
    """One cluster: place and count of 512-byte sectors share the entry, then raw deflate."""
    width = 62 - (bits - 8)
    offset, sectors = value & ((1 << width) - 1), (value & (_COMPRESSED - 1)) >> width
    packed = exactly(file, offset, min((sectors + 1) * 512 - (offset & 511), max(0, length - offset)), "qcow2")
    try:
        data = zlib.decompressobj(-15).decompress(packed, 1 << bits)
    except zlib.error:
        raise FormatError("qcow2: a cluster is damaged") from None
    if len(data) != 1 << bits:
        raise FormatError("qcow2: a cluster is too short")
    return data
