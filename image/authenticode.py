"""Compare a signed EFI program with an unsigned build of it: the same but for signatures.

What signing adds is an attribute certificate at the end (Authenticode), named by one data directory, a checksum, and in
a unified kernel image the sections ``.pcrsig`` and ``.pcrpkey`` (ukify), before which others may have moved. All else
has to be equal: headers, every other section's name, length, rights and bytes, in the same order. Source: PE Format
(Microsoft), 24593-2 Authenticode; UAPI.5. It does not say whether a signature is good; firmware and TPM do.
"""

import struct
from dataclasses import dataclass, replace
from typing import Final

from image.errors import FormatError

ADDED: Final = frozenset({".pcrsig", ".pcrpkey"})
_SECURITY: Final = 4
_PE32_PLUS: Final = 0x20B
_MOST_SECTIONS: Final = 96


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a program."""

    name: str
    flags: int
    length: int
    """In memory; what the file does not hold is zero there."""
    content: bytes
    address: int
    """In memory; zero where a section that signing added stands before, and decides it."""


@dataclass(frozen=True, slots=True)
class Program:
    """An EFI program without what signing adds."""

    header: bytes
    """All headers before the table of sections; counts, total sizes, checksum and certificate's place are zero."""
    sections: tuple[Section, ...]


def without_signatures(content: bytes) -> Program:
    """Read a PE32+ program and leave out what signing adds.

    Raises:
        FormatError: it is no such program, or has data that no header names.
    """
    try:
        return _read(content)
    except struct.error:
        raise FormatError("pe: cut") from None


def compare_programs(signed: bytes, unsigned: bytes) -> tuple[str, ...]:
    """Compare two builds of one program.

    Returns:
        What the signed one has more: names of sections, ``Authenticode``.

    Raises:
        FormatError: they differ in more than signatures.
    """
    one, other = without_signatures(signed), without_signatures(unsigned)
    if one.header != other.header:
        raise FormatError("pe: the headers differ")
    if [section.name for section in one.sections] != [section.name for section in other.sections]:
        raise FormatError("pe: the sections are others")
    for mine, theirs in zip(one.sections, other.sections, strict=True):
        if mine != (theirs if mine.address else replace(theirs, address=0)):
            raise FormatError(f"pe: section {mine.name} differs")
    more = {"Authenticode"} if _certificate(signed)[1] and not _certificate(unsigned)[1] else set()
    return tuple(sorted(more | (_names(signed) - _names(unsigned))))


def _read(content: bytes) -> Program:
    start, sections, table = _places(content)
    offset, size = _certificate(content)
    if size and (offset % 8 or offset + size != len(content)):
        raise FormatError("pe: the certificate is not at the end")
    end = offset if size else len(content)
    header = bytearray(content[:table])
    # Counts and sizes that added sections change; checksum; the certificate's place and length.
    for place, length in ((start + 6, 2), (start + 32, 4), (start + 80, 4), (start + 84, 4), (start + 88, 4)):
        header[place : place + length] = bytes(length)
    directory = start + 24 + 112 + 8 * _SECURITY
    header[directory : directory + 8] = bytes(8)
    found, last, reached, moved = [], 0, 0, False
    for number in range(sections):
        name, virtual, address, raw, place = struct.unpack_from("<8sIIII", content, table + 40 * number)
        (flags,) = struct.unpack_from("<I", content, table + 40 * number + 36)
        if place + raw > end:
            raise FormatError("pe: a section lies outside the file")
        if address < reached:
            raise FormatError("pe: sections lie over each other in memory")
        reached = address + virtual
        last = max(last, place + raw)
        body = content[place : place + min(raw, virtual)]
        if any(content[place + len(body) : place + raw]):
            raise FormatError("pe: data behind a section's end")
        title = name.rstrip(b"\0").decode("ascii", "replace")
        moved = moved or title in ADDED
        found.append(Section(title, flags, virtual, body, 0 if moved else address))
    if any(content[last:end]) or end - last >= 1 << 16:
        raise FormatError("pe: data that no section has")
    return Program(bytes(header), tuple(section for section in found if section.name not in ADDED))


def _places(content: bytes) -> tuple[int, int, int]:
    """Give the places of the PE header, the number of sections, and the place of their table."""
    (start,) = struct.unpack_from("<I", content, 60)
    if content[:2] != b"MZ" or content[start : start + 4] != b"PE\0\0":
        raise FormatError("pe: not a program")
    sections, optional = (
        struct.unpack_from("<H", content, start + 6)[0],
        struct.unpack_from("<H", content, start + 20)[0],
    )
    magic, directories = (
        struct.unpack_from("<H", content, start + 24)[0],
        struct.unpack_from("<I", content, start + 132)[0],
    )
    if magic != _PE32_PLUS or directories <= _SECURITY or optional < 112 + 8 * directories or sections > _MOST_SECTIONS:
        raise FormatError("pe: not an EFI program of 64 bits")
    return start, sections, start + 24 + optional


def _certificate(content: bytes) -> tuple[int, int]:
    start, _, _ = _places(content)
    offset, size = struct.unpack_from("<II", content, start + 24 + 112 + 8 * _SECURITY)
    return offset, size


def _names(content: bytes) -> set[str]:
    _, sections, table = _places(content)
    names = (content[table + 40 * number : table + 40 * number + 8] for number in range(sections))
    return {name.rstrip(b"\0").decode("ascii", "replace") for name in names}
