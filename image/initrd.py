"""The files in an initrd: cpio archives of the "newc" form, packed by zstd (Linux, early-userspace/buffer-format)."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zstandard

from image.errors import FormatError

_HEADER: Final = re.compile(rb"07070[12](?:[0-9a-fA-F]{8}){13}")
_BYTES: Final = 110
_END: Final = "TRAILER!!!"
_MOST: Final = 1 << 30
_KIND: Final = 0o170000
_FOLDER: Final = 0o040000


def initrd_files(path: Path) -> frozenset[str]:
    """Give the files and links of an initrd, as paths without a leading slash; folders are not counted.

    Raises:
        FormatError: it is not of that form.
    """
    try:
        with (
            path.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader,
        ):
            content = reader.read(_MOST)
    except zstandard.ZstdError:
        raise FormatError(f"{path.name}: not packed by zstd") from None
    return frozenset(_paths(io.BytesIO(content), path.name))


def _paths(file: io.BytesIO, name: str) -> Iterator[str]:
    title = ""
    while header := file.read(_BYTES):
        if not header.strip(b"\0"):
            continue
        skipped = len(header) - len(header.lstrip(b"\0"))
        header = header[skipped:] + file.read(skipped)
        if not _HEADER.fullmatch(header):
            raise FormatError(f"{name}: not a cpio archive")
        fields = [int(header[6 + 8 * number : 14 + 8 * number], 16) for number in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        title = file.read(length).rstrip(b"\0").decode("utf-8", "replace")
        file.seek(-(_BYTES + length) % 4 + size + -size % 4, io.SEEK_CUR)
        if title != _END and mode & _KIND != _FOLDER:
            yield title.removeprefix("./")
    if title != _END:
        raise FormatError(f"{name}: the archive is cut")
