"""The same disk in every format that a hypervisor imports, and each the same bytes for the same disk.

Two converters put chance into their output. It is replaced by what the disk's own SHA-256 gives: the content id and
the long content id of a VMDK (fixed width, in the embedded descriptor), and the GUIDs of a VHDX ([MS-VHDX] 2.2.2,
2.6.2.4), whose headers carry a CRC-32C that is computed anew. Their sequence numbers are counted from one, and the
entries that lie in a VHDX's log though the headers call it empty are cleared.
"""

import hashlib
import re
import struct
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from image.errors import FormatError

SECTOR: Final = 512
_VHDX_HEADERS: Final = (64 * 1024, 128 * 1024)
_VHDX_HEADER_BYTES: Final = 4096
_VHDX_REGIONS: Final = 192 * 1024
_VHDX_REGION_BYTES: Final = 64 * 1024
_VHDX_MAX_LOG: Final = 16 * 1024 * 1024
_METADATA_REGION: Final = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_VIRTUAL_DISK_ID: Final = UUID("beca12ab-b2e6-4523-93ef-c309e000c746").bytes_le
_CRC32C: Final = 0x82F63B78
"""Castagnoli's polynomial, reflected (RFC 3720, 12.1)."""


def settle_vmdk(path: Path, *, identity: bytes) -> None:
    """Replace a stream-optimized VMDK's two random ids by ``identity``'s.

    Raises:
        FormatError: its descriptor is not where the header says, or does not hold them once each.
    """
    with path.open("r+b") as file:
        header = file.read(SECTOR)
        if header[:4] != b"KDMV":
            raise FormatError(f"{path.name}: not a sparse VMDK")
        offset, sectors = struct.unpack_from("<QQ", header, 28)
        if not 0 < offset < 2**20 or not 0 < sectors <= 2**12:
            raise FormatError(f"{path.name}: the descriptor is not at its place")
        file.seek(offset * SECTOR)
        text = file.read(sectors * SECTOR)
        digest = identity.hex()
        for form, value in (
            (rb"\nCID=([0-9a-f]{8})\n", digest[:8]),
            (rb'longContentID = "([0-9a-f]{32})"', digest[:32]),
        ):
            found = list(re.finditer(form, text))
            if len(found) != 1:
                raise FormatError(f"{path.name}: the descriptor is not of the form that vmdk-convert writes")
            text = text[: found[0].start(1)] + value.encode("ascii") + text[found[0].end(1) :]
        file.seek(offset * SECTOR)
        file.write(text)


def settle_vhdx(path: Path, *, identity: bytes) -> None:
    """Replace a VHDX's random GUIDs (file write, data write, virtual disk) by ``identity``'s; clear its empty log.

    Raises:
        FormatError: it has no valid header, its log is in use, or it has no virtual disk id.
    """
    with path.open("r+b") as file:
        headers = {}
        for place in _VHDX_HEADERS:
            file.seek(place)
            header = bytearray(file.read(_VHDX_HEADER_BYTES))
            if header[:4] == b"head" and struct.unpack_from("<I", header, 4)[0] == _checksum(header):
                headers[place] = header
        if not headers or any(any(header[48:64]) for header in headers.values()):
            raise FormatError(f"{path.name}: no valid VHDX header, or one with a log in use")
        disk_id = _place_of_disk_id(file, path.name)
        for number, place in enumerate(sorted(headers, key=lambda place: _sequence(headers[place])), 1):
            _clear_log(file, headers[place])
            file.seek(place)
            file.write(_settled(headers[place], number, identity))
        file.seek(disk_id)
        file.write(_guid(identity, b"disk"))


def _sequence(header: bytes | bytearray) -> int:
    """Which header is the newer one; the converter begins at a random number."""
    return int(struct.unpack_from("<Q", header, 8)[0])


def _settled(header: bytearray, number: int, identity: bytes) -> bytearray:
    struct.pack_into("<Q", header, 8, number)
    header[16:32], header[32:48] = _guid(identity, b"file"), _guid(identity, b"data")
    struct.pack_into("<I", header, 4, _checksum(header))
    return header


def _clear_log(file: BinaryIO, header: bytes | bytearray) -> None:
    length, offset = struct.unpack_from("<IQ", header, 68)
    if length > _VHDX_MAX_LOG or offset % _VHDX_REGION_BYTES:
        raise FormatError("the VHDX's log is not at its place")
    if length:
        file.seek(offset)
        file.write(bytes(length))


def crc32c(content: bytes) -> int:
    """Castagnoli's checksum (RFC 3720, 12.1); of headers alone, so a table is quick enough."""
    register = 0xFFFFFFFF
    for byte in content:
        register = register >> 8 ^ _crc_table()[(register ^ byte) & 0xFF]
    return register ^ 0xFFFFFFFF


@cache
def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_CRC32C if value & 1 else 0)  # noqa: PLW2901 - the division, step by step
        table.append(value)
    return table


def _checksum(header: bytes | bytearray) -> int:
    """Of a header with its own checksum taken for zero."""
    return crc32c(bytes(header[:4] + bytes(4) + header[8:]))


def _guid(identity: bytes, name: bytes) -> bytes:
    """Sixteen bytes that are a GUID of version 8 (RFC 9562), of the disk and of what it names."""
    content = bytearray(hashlib.sha256(identity + name).digest()[:16])
    content[6] = content[6] & 0x0F | 0x80
    content[8] = content[8] & 0x3F | 0x80
    return UUID(bytes=bytes(content)).bytes_le


def _place_of_disk_id(file: BinaryIO, name: str) -> int:
    """Where the virtual disk's id stands: region table, metadata table, item."""
    file.seek(_VHDX_REGIONS)
    regions = file.read(_VHDX_REGION_BYTES)
    region = _entry(regions, b"regi", 8, 16, _METADATA_REGION)
    if region is not None:
        (start,) = struct.unpack_from("<Q", region, 16)
        file.seek(start)
        item = _entry(file.read(_VHDX_REGION_BYTES), b"metadata", 10, 32, _VIRTUAL_DISK_ID)
        if item is not None:
            (offset,) = struct.unpack_from("<I", item, 16)
            return int(start + offset)
    raise FormatError(f"{name}: no virtual disk id")


def _entry(table: bytes, signature: bytes, count_at: int, first: int, key: bytes) -> bytes | None:
    """The entry of a VHDX table that begins with a GUID; all entries are 32 bytes long."""
    if not table.startswith(signature):
        return None
    (count,) = struct.unpack_from("<H", table, count_at)
    entries = [table[first + 32 * number : first + 32 * number + 32] for number in range(min(count, 2047))]
    return next((entry for entry in entries if entry.startswith(key)), None)
