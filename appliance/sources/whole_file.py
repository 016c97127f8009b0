"""Reads a finished file from start to end, for ``preview``: its last line counts also without a line end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from appliance.cdr.dialect import Framer
from appliance.cdr.framing import LineFramer
from appliance.cdr.record import Line
from appliance.errors import SourceError

CHUNK_BYTES: Final = 1024 * 1024


def read_lines(path: Path, make_framer: Callable[[int], Framer] = LineFramer) -> Iterator[list[Line]]:
    """Give the file's lines, about a chunk at a time.

    Raises:
        SourceError: it cannot be read.
    """
    framer = make_framer(0)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while data := os.read(descriptor, CHUNK_BYTES):
                yield framer.feed(data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(f"the file cannot be read ({type(error).__name__})") from None
    last = framer.finish()
    yield [] if last is None else [last]
