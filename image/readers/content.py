"""What every reader gives: the disk's size, and its data as pieces in order; what no piece covers is zero.

A reader takes a file that may be hostile. It reads forward or at places that it checked against the file's length, asks
for at most 2 MiB at a time, and raises FormatError for whatever it does not know.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from image.errors import FormatError

CHUNK: Final = 1024 * 1024
MAX_DISK: Final = 1 << 40
"""A disk that claims more is refused (1 TiB)."""
_ZEROS: Final = bytes(CHUNK)


@dataclass(frozen=True, slots=True)
class Content:
    """A disk as a machine sees it."""

    size: int
    """In bytes."""
    pieces: Iterator[tuple[int, bytes]]
    """Place and data, ascending, without overlap; reading them may raise FormatError."""


def exactly(file: BinaryIO, offset: int, length: int, what: str) -> bytes:
    """Read ``length`` bytes at ``offset``.

    Raises:
        FormatError: the file ends before.
    """
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise FormatError(f"{what}: the file ends before it should")
    return data


def length_of(file: BinaryIO) -> int:
    """Length of an open file, in bytes."""
    return file.seek(0, 2)


def digest(content: Content, length: int) -> bytes:
    """SHA-256 of the disk's first ``length`` bytes; everything behind must be zero.

    Raises:
        FormatError: there is data behind, the disk is smaller, or it cannot be read.
    """
    if content.size < length:
        raise FormatError(f"the disk has {content.size} bytes, fewer than the {length} of the raw disk")
    sum_, place = hashlib.sha256(), 0
    for offset, data in content.pieces:
        if offset < place or offset + len(data) > content.size:
            raise FormatError("the disk's pieces overlap, or reach over its end")
        _zeros(sum_, min(offset, length) - min(place, length))
        inside = data[: max(0, length - offset)]
        sum_.update(inside)
        if data.count(0, len(inside)) != len(data) - len(inside):
            raise FormatError("there is data behind the end of the raw disk")
        place = offset + len(data)
    _zeros(sum_, length - min(place, length))
    return sum_.digest()


def _zeros(sum_: "hashlib._Hash", length: int) -> None:
    while length > 0:
        sum_.update(_ZEROS[: min(length, CHUNK)])
        length -= CHUNK
