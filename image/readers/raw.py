"""A raw disk, plain or packed by zstd."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import zstandard

from image.errors import FormatError
from image.readers.content import CHUNK, Content, exactly, length_of

_STEP: Final = 512
"""A packed block of four bytes can hold 128 KiB: so many bytes at a time give at most 16 MiB."""


def read_raw(file: BinaryIO) -> Content:
    """Read a raw disk."""
    size = length_of(file)
    return Content(size, ((place, exactly(file, place, min(CHUNK, size - place), "raw")) for place in _steps(size)))


def read_zstd(file: BinaryIO) -> Content:
    """Read a raw disk of one zstd frame that says its size and carries its checksum (RFC 8878).

    Raises:
        FormatError: it is no such frame; in the pieces: it is damaged or of another size than it says.
    """
    length = length_of(file)
    head = exactly(file, 0, min(18, length), "zstd")
    try:
        frame = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError:
        raise FormatError("zstd: not a frame") from None
    if not frame.has_checksum or frame.content_size in {0, zstandard.CONTENTSIZE_UNKNOWN}:
        raise FormatError("zstd: the frame does not say its size, or has no checksum")
    return Content(frame.content_size, _unpacked(file, frame.content_size))


def _unpacked(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    file.seek(0)
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    place = 0
    try:
        while packed := file.read(_STEP):
            data = decoder.decompress(packed)
            if place + len(data) > size:
                raise FormatError("zstd: more data than the frame says")
            if data:
                yield place, data
                place += len(data)
            if decoder.eof:
                break
    except zstandard.ZstdError:
        raise FormatError("zstd: damaged") from None
    if not decoder.eof or place != size or decoder.unused_data or file.read(1):
        raise FormatError("zstd: cut, or something follows the frame")


def _steps(size: int) -> range:
    return range(0, size, CHUNK)
