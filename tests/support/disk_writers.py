"""Small writers of each disk format, written from the formats' specifications, not from the readers under test."""

import struct
import zlib
from pathlib import Path
from uuid import UUID

import zstandard

from image.formats import crc32c

GIB16 = 16 << 30
_REGIONS = {
    "bat": UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le,
    "metadata": UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le,
}
_PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_SECTOR = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le


def write_zstd(path: Path, disk: bytes) -> Path:
    """One frame with size and checksum."""
    path.write_bytes(zstandard.ZstdCompressor(write_checksum=True, write_content_size=True).compress(disk))
    return path


def write_qcow2(path: Path, disk: bytes, *, size: int = GIB16, plain: bool = False) -> Path:
    """Version 3, clusters of 64 KiB: header, first table, one second table, data."""
    cluster, covered = 1 << 16, 1 << 29
    entries = -(-size // covered)
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, size, 0, entries, cluster, 0, 0, 0, 0)
    header += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    first = struct.pack(">Q", 2 * cluster | 1 << 63).ljust(8 * entries, b"\0")
    second, data, place = [], b"", 3 * cluster
    for start in range(0, len(disk), cluster):
        piece = disk[start : start + cluster].ljust(cluster, b"\0")
        if not any(piece):
            second.append(0)
        elif plain:
            second.append(place + len(data) | 1 << 63)
            data += piece
        else:
            packer = zlib.compressobj(9, zlib.DEFLATED, -12)
            packed = packer.compress(piece) + packer.flush()
            at = place + len(data)
            sectors = (at % 512 + len(packed) - 1) // 512
            second.append(1 << 62 | sectors << 54 | at)
            data += packed
    table = struct.pack(f">{len(second)}Q", *second)
    path.write_bytes(
        header.ljust(cluster, b"\0") + first.ljust(cluster, b"\0") + table.ljust(cluster, b"\0") + data + bytes(512)
    )
    return path


def write_vmdk(path: Path, disk: bytes, *, size: int = GIB16) -> Path:
    """Stream-optimized: header, descriptor, directory, tables, grains of 64 KiB, an empty marker."""
    sectors, grain = size // 512, 128
    tables = -(-sectors // (grain * 512))
    directory, first = 21, 21 + -(-tables * 4 // 512)
    start = first + 4 * tables
    header = struct.pack("<4sIIQQQQIQQQ", b"KDMV", 3, 0x30001, sectors, grain, 1, 20, 512, 0, directory, start)
    header += b"\0\n \r\n" + struct.pack("<H", 1)
    text = '\nCID=89abcdef\nparentCID=ffffffff\nddb.longContentID = "0123456789abcdef0123456789abcdef"\n'
    entries, stream = [0] * (tables * 512), b""
    for number in range(-(-len(disk) // (grain * 512))):
        piece = disk[number * grain * 512 : (number + 1) * grain * 512].ljust(grain * 512, b"\0")
        if any(piece):
            entries[number] = start + len(stream) // 512
            packed = zlib.compress(piece, 9)
            marker = struct.pack("<QI", number * grain, len(packed)) + packed
            stream += marker.ljust(-(-len(marker) // 512) * 512, b"\0")
    numbers = struct.pack(f"<{tables}I", *(first + 4 * number for number in range(tables)))
    content = header.ljust(512, b"\0") + text.encode().ljust(20 * 512, b"\0")
    content += numbers.ljust((first - directory) * 512, b"\0") + struct.pack(f"<{len(entries)}I", *entries)
    path.write_bytes(content + stream + bytes(512))
    return path


def write_vhdx(path: Path, disk: bytes, *, size: int = GIB16) -> Path:
    """Dynamic, blocks of 1 MiB: identifier, two headers, regions, metadata, block table, data."""
    block, mib = 1 << 20, 1 << 20
    blocks = -(-size // block)
    count = blocks + (blocks - 1) // 4096
    content = bytearray(3 * mib)
    content[:8] = b"vhdxfile"
    for number, place in enumerate((64 << 10, 128 << 10)):
        header = bytearray(b"head" + bytes(4) + struct.pack("<Q", number + 1)).ljust(4096, b"\0")
        struct.pack_into("<I", header, 4, crc32c(bytes(header)))
        content[place : place + 4096] = header
    regions = b"regi" + bytes(4) + struct.pack("<II", 2, 0)
    regions += _REGIONS["bat"] + struct.pack("<QII", 2 * mib, mib, 1)
    regions += _REGIONS["metadata"] + struct.pack("<QII", mib, mib, 1)
    content[192 << 10 : (192 << 10) + len(regions)] = regions
    items = [(_PARAMETERS, struct.pack("<II", block, 0)), (_SIZE, struct.pack("<Q", size))]
    items += [(_SECTOR, struct.pack("<I", 512)), (UUID("beca12ab-b2e6-4523-93ef-c309e000c746").bytes_le, bytes(16))]
    table = b"metadata" + struct.pack("<HH", 0, len(items)) + bytes(20)
    for number, (key, value) in enumerate(items):
        offset = (64 << 10) + 64 * number
        table += key + struct.pack("<IIII", offset, len(value), 4, 0)
        content[mib + offset : mib + offset + len(value)] = value
    content[mib : mib + len(table)] = table
    entries = [0] * count
    data = b""
    for number in range(-(-len(disk) // block)):
        piece = disk[number * block : (number + 1) * block].ljust(block, b"\0")
        if any(piece):
            entries[number + number // 4096] = 3 * mib + len(data) | 6
            data += piece
    content[2 * mib : 2 * mib + 8 * count] = struct.pack(f"<{count}Q", *entries)
    path.write_bytes(bytes(content) + data)
    return path
