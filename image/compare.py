"""Compare a release with an unsigned rebuild from the same sources: the same but for signatures.

Outside the ESP the disks have to be equal to the bit, partition table, verity tree and root included. In the ESP each
file has to be equal; an EFI program may have signatures more (``image/authenticode.py``). Space in the ESP that no file
has is not compared: firmware reads files. An OVA may have its certificate more.
"""

import hashlib
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from image.archive import members
from image.authenticode import compare_programs
from image.errors import FormatError
from image.fat import fat_files
from image.readers.content import CHUNK, digest, exactly, length_of
from image.readers.raw import read_raw, read_zstd
from image.release import Manifest, file_name, sha256_of

_ESP: Final = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le
_SECTOR: Final = 512
_MOST_ENTRIES: Final = 128


def compare_disks(folder: Path, rebuild: Path, release: Manifest, other: Manifest) -> str:
    """Compare the raw disks of two releases, which lie in their ``.raw.zst``; they are unpacked to a nameless file.

    Args:
        folder: of the release.
        rebuild: of the unsigned one.
        release: manifest of the first.
        other: manifest of the second.

    Returns:
        What the release has more.

    Raises:
        FormatError: they differ in more than signatures, or a file is not the manifest's.
    """
    if release.disk_sha256 == other.disk_sha256:
        return "the same disk, bit for bit"
    with _unpacked(folder, release) as signed, _unpacked(rebuild, other) as unsigned:
        return compare_raw(signed, unsigned)


def compare_raw(signed: BinaryIO, unsigned: BinaryIO) -> str:
    """Compare two raw disks; returns and raises as ``compare_disks``."""
    (start, size), place = _esp(signed), _esp(unsigned)
    if (start, size) != place or length_of(signed) != length_of(unsigned):
        raise FormatError("the disks are laid out in different ways")
    for begin, end in ((0, start), (start + size, length_of(signed))):
        for at in range(begin, end, CHUNK):
            length = min(CHUNK, end - at)
            if exactly(signed, at, length, "disk") != exactly(unsigned, at, length, "disk"):
                raise FormatError(f"the disks differ outside the ESP, in the MiB at {at}")
    one, two = fat_files(signed, start, size), fat_files(unsigned, start, size)
    if one.keys() != two.keys():
        names = ", ".join(sorted(one.keys() ^ two.keys()))
        raise FormatError(f"the ESP's files are others: {names[:200]!r}")
    more = [
        f"{name}: {', '.join(_added(name, one[name], two[name]))}" for name in sorted(one) if one[name] != two[name]
    ]
    return f"the same disk but for signatures ({'; '.join(more) or 'none: the ESPs differ where no file is'})"


def compare_files(path: Path, rebuilt: Path) -> str:
    """Compare a release's file with the same disk's file of the rebuild; an OVA may have its certificate more.

    Raises:
        FormatError: they differ.
    """
    if path.suffix != ".ova":
        if sha256_of(path) != sha256_of(rebuilt):
            raise FormatError("the file is another than the rebuild's")
        return "the same, bit for bit"
    if _parts(path) != _parts(rebuilt):
        raise FormatError("the archive's files are others than the rebuild's")
    return "the same files, bit for bit, but for the certificate"


def _parts(path: Path) -> list[tuple[str, bytes]]:
    with path.open("rb") as file:
        return [
            (member.name, _digest(file, member.offset, member.size))
            for member in members(file)
            if member.suffix != ".cert"
        ]


def _digest(file: BinaryIO, offset: int, size: int) -> bytes:
    sum_ = hashlib.sha256()
    for at in range(offset, offset + size, CHUNK):
        sum_.update(exactly(file, at, min(CHUNK, offset + size - at), "ova"))
    return sum_.digest()


def _added(name: str, signed: bytes, unsigned: bytes) -> tuple[str, ...]:
    if not name.lower().endswith(".efi"):
        raise FormatError(f"{name[:80]!r} in the ESP differs")
    try:
        return compare_programs(signed, unsigned)
    except FormatError as error:
        raise FormatError(f"{name[:80]!r} in the ESP: {error}") from None


@contextmanager
def _unpacked(folder: Path, release: Manifest) -> Iterator[BinaryIO]:
    """Unpack a release's raw disk to a file without a name, and check that it is the manifest's."""
    with (folder / file_name(release.version, ".raw.zst")).open("rb") as packed, tempfile.TemporaryFile() as raw:
        content = read_zstd(packed)
        if content.size != release.disk_bytes:
            raise FormatError(f"{folder.name}: the raw disk is of another size than its manifest says")
        for place, data in content.pieces:
            raw.seek(place)
            raw.write(data)
        raw.flush()
        if digest(read_raw(raw), release.disk_bytes).hex() != release.disk_sha256:
            raise FormatError(f"{folder.name}: the raw disk is not the manifest's")
        yield raw


def _esp(disk: BinaryIO) -> tuple[int, int]:
    """Give the place and length of a disk's ESP, in bytes (UEFI 2.10, 5.3)."""
    header = exactly(disk, _SECTOR, _SECTOR, "gpt")
    table, count, size = struct.unpack_from("<QII", header, 72)
    if header[:8] != b"EFI PART" or size != _MOST_ENTRIES or not 0 < count <= _MOST_ENTRIES:
        raise FormatError("gpt: no partition table")
    entries = exactly(disk, table * _SECTOR, count * size, "gpt")
    found = [entries[at : at + size] for at in range(0, len(entries), size) if entries[at : at + 16] == _ESP]
    if len(found) != 1:
        raise FormatError("gpt: not one ESP")
    first, last = struct.unpack_from("<QQ", found[0], 32)
    if not 0 < first <= last < length_of(disk) // _SECTOR:
        raise FormatError("gpt: the ESP lies outside the disk")
    return first * _SECTOR, (last - first + 1) * _SECTOR
