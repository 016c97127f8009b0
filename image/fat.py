"""The files of a FAT16 or FAT32 file system, read from a hostile one too (Microsoft, FAT specification of 2005)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from image.errors import FormatError
from image.readers.content import exactly

_FAT16_LEAST: Final = 4085
_FAT32_LEAST: Final = 65525
_DEEPEST: Final = 8
_LONG, _LABEL, _FOLDER, _DELETED = 0x0F, 0x08, 0x10, 0xE5


@dataclass(frozen=True, slots=True)
class _Volume:
    file: BinaryIO
    start: int
    cluster: int
    """Bytes."""
    data: int
    """Where cluster 2 begins, from the volume's start."""
    table: tuple[int, ...]
    wide: bool

    def chain(self, first: int) -> Iterator[bytes]:
        """Give the clusters from ``first`` on."""
        seen: set[int] = set()
        end = 0x0FFFFFF8 if self.wide else 0xFFF8
        while first < end:
            if not 2 <= first < len(self.table) or first in seen:  # noqa: PLR2004 - clusters count from 2
                raise FormatError("fat: a chain of clusters leads nowhere, or in a circle")
            seen.add(first)
            yield exactly(self.file, self.start + self.data + (first - 2) * self.cluster, self.cluster, "fat")
            first = self.table[first] & 0x0FFFFFFF


def fat_files(file: BinaryIO, start: int, size: int) -> dict[str, bytes]:
    """Read every file of a volume that lies at ``start`` and is ``size`` bytes long.

    Returns:
        Contents by path, ``/`` between names.

    Raises:
        FormatError: it is not such a volume, is damaged, or holds more than fits into it.
    """
    boot = exactly(file, start, 512, "fat")
    sector, per_cluster, reserved, tables, root_entries = struct.unpack_from("<HBHBH", boot, 11)
    short, long = struct.unpack_from("<H", boot, 22)[0], struct.unpack_from("<I", boot, 36)[0]
    total = struct.unpack_from("<H", boot, 19)[0] or struct.unpack_from("<I", boot, 32)[0]
    if boot[510:] != b"\x55\xaa" or sector not in {512, 4096} or not all((per_cluster, reserved, tables)):
        raise FormatError("fat: not a volume")
    root_at = reserved + tables * (short or long)
    data = root_at + -(-root_entries * 32 // sector)
    clusters = (total - data) // per_cluster
    if total * sector > size or not _FAT16_LEAST <= clusters <= size // sector:
        raise FormatError("fat: sizes out of range, or FAT12")
    wide = clusters >= _FAT32_LEAST
    width = 4 if wide else 2
    if (clusters + 2) * width > (short or long) * sector:
        raise FormatError("fat: the table is too short")
    packed = exactly(file, start + reserved * sector, (clusters + 2) * width, "fat")
    table = struct.unpack(f"<{clusters + 2}{'I' if wide else 'H'}", packed)
    volume = _Volume(file, start, per_cluster * sector, data * sector, table, wide)
    if wide:
        top = b"".join(volume.chain(struct.unpack_from("<I", boot, 44)[0]))
    else:
        top = exactly(file, start + root_at * sector, root_entries * 32, "fat")
    found: dict[str, bytes] = {}
    _walk(volume, top, "", found, size)
    return found


def _walk(volume: _Volume, folder: bytes, path: str, found: dict[str, bytes], room: int) -> None:
    if path.count("/") > _DEEPEST:
        raise FormatError("fat: folders too deep")
    for name, flags, first, size in _entries(folder):
        place = f"{path}{name}"
        if place in found:
            raise FormatError(f"fat: {place[:80]!r} twice")
        if flags & _FOLDER:
            _walk(volume, b"".join(volume.chain(first)), f"{place}/", found, room)
            continue
        if size > room - sum(len(content) for content in found.values()):
            raise FormatError("fat: more in the files than fits into the volume")
        found[place] = _content(volume, first, size)


def _content(volume: _Volume, first: int, size: int) -> bytes:
    content = bytearray()
    for cluster in volume.chain(first) if size else ():
        content += cluster
        if len(content) >= size:
            return bytes(content[:size])
    if size:
        raise FormatError("fat: a file is cut")
    return b""


def _entries(folder: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Give name, flags, first cluster and length of each entry; a long name stands before its entry, its end first."""
    long = ""
    for place in range(0, len(folder), 32):
        entry = folder[place : place + 32]
        if not entry[0]:
            return
        flags = entry[11]
        if entry[0] == _DELETED:
            long = ""
        elif flags == _LONG:
            letters = (entry[1:11] + entry[14:26] + entry[28:32]).decode("utf-16-le", "replace")
            long = letters.partition("\0")[0].rstrip("\uffff") + long
        elif flags & _LABEL:
            long = ""
        else:
            base, suffix = (entry[start:end].rstrip().decode("ascii", "replace") for start, end in ((0, 8), (8, 11)))
            name, long = long or f"{base}.{suffix}".rstrip("."), ""
            high, low, size = struct.unpack_from("<H4xHI", entry, 20)
            if base not in {".", ".."}:
                yield name, flags, high << 16 | low, size
