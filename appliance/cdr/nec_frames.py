"""Cut what a NEC PBX sends, or a file of it, into records: STX … ETX, or one a line, alone or within LAN blocks.

A LAN block is SYN, its kind, the length of its data in five digits, the data (for kind 2: device, sequence number,
records), and one byte that makes the exclusive or of all behind the SYN zero (even parity) or all ones (odd); without
parity there is none. Source: zombat/NEC-SMDR-Collector ``nec-pbx-client.js``, ``SMDR_Collector-Server.js``.

A block of one record is one document, so that its length and parity can be held against it; one of several is cut
where they end, and its parity is not looked at. A torn record or block ends where the next one begins.
"""

import re
from functools import reduce
from operator import xor
from typing import Final

from appliance.cdr.documents import DocumentFramer
from appliance.cdr.record import QuarantineReason
from appliance.cdr.record import QuarantineReason as Reason

_STX: Final = b"\x02"
_ETX: Final = b"\x03"
_SYN: Final = b"\x16"
_HEADER: Final = re.compile(rb"\x16([1-6])(\d{5})")
_HEADER_ALONE: Final = re.compile(rb"\x16[1-6]\d{5,8}")
"""In front of several records: with device and sequence number."""
_DATA_AT: Final = 7
_RECORDS: Final = b"2"
_LONGEST: Final = 4096
_BORDER: Final = re.compile(rb"[\x02\x03\n\r]|\x16(?=[1-6]\d{5})")
_PARITIES: Final = (0x00, 0x7F, 0xFF)
_MARK: Final = b"0!K"
"""System address, unit address, and the first letter of every type."""


class NecScanner:
    """Finds where a record, or a block of one record, ends; see ``documents.Scanner``."""

    __slots__ = ("_scanned",)

    def __init__(self) -> None:
        """Start before the document."""
        self._scanned = 1

    def end(self, data: bytes, start: int, /) -> int:
        """See ``documents.Scanner``."""
        if data[start : start + 1] in {_ETX, b"\n", b"\r"}:
            return start + 1
        header = _HEADER.match(data, start)
        end = _block_end(data, start, int(header[2])) if header else -1
        if end >= 0:
            return end
        if match := _BORDER.search(data, start + self._scanned):
            return match.start() if match[0] in {_STX, _SYN} else match.end()
        self._scanned = max(1, len(data) - start - _DATA_AT)
        return 0


def _block_end(data: bytes, start: int, length: int) -> int:
    """Give where a block of at most one record ends; 0 if that is yet to come, -1 if it is torn or has several."""
    end = start + _DATA_AT + length
    inside = data[start + 1 : end]
    if length > _LONGEST or inside.count(_ETX) > 1 or _HEADER.search(inside):
        return -1
    follows = data[end : end + _DATA_AT]
    if not follows or (follows[:1] == _SYN and len(follows) < _DATA_AT):
        # A SYN may be the parity, or begin the next block.
        return 0
    return end if _HEADER.match(follows) else end + 1


def nec_framer(offset: int) -> DocumentFramer:
    """Cut records, in whichever of the forms."""
    return DocumentFramer(NecScanner, offset)


def payload(document: bytes) -> bytes | QuarantineReason | None:
    """Give the record that a document holds, from its type (``KA``) on; None if it is known to hold none."""
    if header := _HEADER.match(document):
        if header[1] != _RECORDS or _HEADER_ALONE.fullmatch(document):
            return None
        end = _DATA_AT + int(header[2])
        if len(document) < end:
            return Reason.LINE_TORN
        # Where the parity looks like a blank, the framer took it off.
        if len(document) > end and reduce(xor, document[1 : end + 1]) not in _PARITIES:
            return Reason.TYPE_SIGNATURE
        document = document[document.find(_STX) : end]
    elif len(document) == 1:
        # The parity of a block of several records, or a lone ETX.
        return None
    record = document.removeprefix(_STX).partition(_ETX)[0]
    return record[2:] if record.startswith(_MARK) else Reason.TYPE_SIGNATURE
