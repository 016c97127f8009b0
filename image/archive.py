"""Take an OVA apart without unpacking it: a strict ustar reader that knows regular files at the top and nothing else.

Links, folders, devices, long-name and pax records, absolute or climbing names, a file twice, another order than
descriptor, manifest, certificate, disk, and anything behind the end are refused. Nothing is written.
"""

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from image.errors import FormatError
from image.readers.content import exactly, length_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK: Final = 512
MAX_TEXT: Final = 256 * 1024
"""Descriptor, manifest and certificate are texts; a longer one is refused unread."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,98}")
_ORDER: Final = ((".ovf", ".mf", ".cert", ".vmdk"), (".ovf", ".mf", ".vmdk"))
_MOST: Final = 4


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an OVA: where its bytes are."""

    name: str
    offset: int
    size: int

    @property
    def suffix(self) -> str:
        """What the name ends in, with the dot."""
        return f".{self.name.rpartition('.')[2]}"


class Section(io.RawIOBase):
    """A part of a file, read as a file of its own."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        """Read ``size`` bytes of ``file`` from ``offset`` on; the file stays open and is not closed here."""
        super().__init__()
        self._file, self._offset, self._size, self._place = file, offset, size, 0

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def seekable(self) -> bool:
        """Any place can be gone to."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted as ``io`` counts."""
        self._place = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence] + offset
        return self._place

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what fits, and no byte behind the part."""
        target = memoryview(buffer).cast("B")
        length = max(0, min(len(target), self._size - self._place))
        self._file.seek(self._offset + self._place)
        data = self._file.read(length)
        target[: len(data)] = data
        self._place += len(data)
        return len(data)


def members(file: BinaryIO) -> list[Member]:
    """Give the files of an OVA, in their order.

    Raises:
        FormatError: it is cut, or holds anything but the files of an OVA.
    """
    length, at, found = length_of(file), 0, []
    while any(header := exactly(file, at, BLOCK, "ova")):
        member = _member(header, at + BLOCK)
        if member.offset + member.size > length:
            raise FormatError(f"ova: {member.name} is cut")
        found.append(member)
        if len(found) > _MOST or len({one.name for one in found}) < len(found):
            raise FormatError("ova: too many files, or one twice")
        at = member.offset + -(-member.size // BLOCK) * BLOCK
    if length - at > 64 * BLOCK or any(exactly(file, at, length - at, "ova")) or length - at < 2 * BLOCK:
        raise FormatError("ova: something follows its end, or the end is missing")
    if tuple(member.suffix for member in found) not in _ORDER:
        raise FormatError("ova: not a descriptor, a manifest, perhaps a certificate and a disk, in this order")
    if len({member.name.removesuffix(member.suffix) for member in found}) != 1:
        raise FormatError("ova: its files are of different names")
    return found


def text_of(file: BinaryIO, member: Member) -> bytes:
    """Read a text of an OVA.

    Raises:
        FormatError: it is longer than such a text can be.
    """
    if member.size > MAX_TEXT:
        raise FormatError(f"ova: {member.name} is too long for a text")
    return exactly(file, member.offset, member.size, member.name)


def section_of(file: BinaryIO, member: Member) -> BinaryIO:
    """Open a file of an OVA where it is."""
    return io.BufferedReader(Section(file, member.offset, member.size), 1 << 16)


def _member(header: bytes, offset: int) -> Member:
    """Read a header (POSIX.1-1988 ustar)."""
    if header[257:265] != b"ustar\x0000" or header[156:157] != b"0":
        raise FormatError("ova: a member that is no regular file of the ustar form")
    if _octal(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise FormatError("ova: a header's checksum is wrong")
    if any(header[157:257]) or any(header[345:]):
        raise FormatError("ova: a link, or a name with a folder")
    raw, _, rest = header[:100].partition(b"\0")
    name = raw.decode("ascii", "replace")
    if any(rest) or not _NAME.fullmatch(name):
        raise FormatError(f"ova: the name {name[:60]!r} is not one of a file at the top")
    return Member(name, offset, _octal(header[124:136]))


def _octal(field_: bytes) -> int:
    text = field_.rstrip(b"\0 ")
    if not re.fullmatch(rb"[0-7]{1,12}", text):
        raise FormatError("ova: a number in a header is not octal")
    return int(text, 8)
