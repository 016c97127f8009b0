"""Feeds that hold JSON documents, pages of an API with many records each, or CSV rows: one framer for all three.

What begins with a bracket is JSON, anything else ends with its line. A page (``{"status": 0, "cdr_root": [{…}, {…}]}``)
is cut into its frame and its records, so that each record is read, kept or refused by itself: what stands before the
records, between them and behind them is given as pieces of its own, which are no records. The same holds for records
that are grouped by call (``{"main_cdr": {…}, "sub_cdr_1": {…}}``).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from appliance.cdr.csv_rows import Row, csv_rows
from appliance.cdr.documents import JSON_TOKENS, MAX_DOCUMENT_BYTES, DocumentFramer, JsonScanner
from appliance.cdr.record import Line, QuarantineReason

Document = dict[str, Any]
Content = Row | Document | None
"""A row of CSV, a JSON object, or None for a piece of a page's frame."""

_JSON_START: Final = re.compile(rb'[\s\0,]*+(?:\xef\xbb\xbf[\s\0]*+)?(?:[{}\[\]]|"\w{1,64}"\s{0,16}:)')
"""A bracket, or a member: after a page was cut, the next piece may begin with one."""
_SIGNIFICANT: Final = re.compile(rb"[^\s\0,]")
_DECIDED_BYTES: Final = 128
"""More than any beginning of JSON that is not yet known for one."""
_FRAME: Final = re.compile(rb'"(?:cdr_root|cdr|data)"\s{0,16}:\s{0,16}\[\Z')
_GROUP: Final = re.compile(rb'"(?:main_cdr|sub_cdr_\d{1,4})"\s{0,16}:\s{0,16}\{\Z')
_LOOK_BEHIND: Final = 64
_BETWEEN: Final = b" ,\t\r\n"
_MEMBER: Final = re.compile(rb'"(main_cdr|sub_cdr_\d{1,4})"\s*+:')
_PIECE: Final = re.compile(rb'[\s,\[\]{}]*+(?:"cdr"\s*+:\s*+"?[\w.-]*+"?[\s,]*+)?|"\w{1,64}"\s*+:[^{}\[\]]*+\}?')
"""Brackets, the head of a group, or members between a page's records and its end."""
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


class FeedScanner(JsonScanner):
    """See ``documents.Scanner``."""

    __slots__ = ("_is_text",)

    def __init__(self) -> None:
        """Start before the document."""
        super().__init__()
        self._is_text = False

    def end(self, data: bytes, start: int, /) -> int:
        """See ``documents.Scanner``."""
        json = None if self._is_text else _JSON_START.match(data, start)
        if json is not None:
            return self._end_of_json(data, start, json.end())
        begun = _SIGNIFICANT.search(data, start + self._scanned)
        if begun is None:
            return 0
        end = data.find(b"\n", begun.start())
        if end < 0 and len(data) - begun.start() > _DECIDED_BYTES:
            self._is_text, self._scanned = True, len(data) - 1 - start
        return end + 1

    def _end_of_json(self, data: bytes, start: int, begun: int) -> int:
        for match in JSON_TOKENS.finditer(data, start + self._scanned):
            place = match.start() - start
            if place == self._escaped or (match[0] == b"\n" and match.start() < begun):
                continue
            length = self._after(match[0], place)
            if length:
                return start + length
            cut = self._frame_end(data, start, match)
            if cut:
                return cut
        self._scanned = len(data) - start
        return 0

    def _frame_end(self, data: bytes, start: int, token: re.Match[bytes]) -> int:
        """Give where the frame of a page or a group ends, if the bracket ends it."""
        if self._quoted or token[0] not in b"[{":
            return 0
        behind = max(start, token.start() - _LOOK_BEHIND)
        if token[0] == b"[":
            return token.end() if self._depth == 1 or _FRAME.search(data, behind, token.end()) else 0
        group = _GROUP.search(data, behind, token.end()) if self._depth > 1 else None
        return group.start() if group else 0


def json_or_row_framer(offset: int) -> DocumentFramer:
    """Cut JSON documents, the records of JSON pages, and lines of anything else."""
    return DocumentFramer(FeedScanner, offset)


def json_or_rows(separator: str = ",") -> Callable[[Sequence[Line]], Iterator[Content | QuarantineReason]]:
    """Give a splitter: the object, or the columns, of each line, or why it has none."""
    rows = csv_rows(separator)

    def split(lines: Sequence[Line]) -> Iterator[Content | QuarantineReason]:
        for is_json, group in groupby(lines, lambda line: _JSON_START.match(line.content) is not None):
            if is_json:
                yield from (_document(line.content) for line in group)
            else:
                yield from rows(list(group))

    return split


def _document(content: bytes) -> Document | QuarantineReason | None:
    if len(content) > MAX_DOCUMENT_BYTES:
        return QuarantineReason.LINE_TOO_LONG
    content = content.lstrip(_BETWEEN)
    member = _MEMBER.match(content)
    if member is not None and member[1] == b"main_cdr":
        # The sum of the legs that follow it.
        return None
    document = decoded(content[member.end() :] if member else content)
    if document is not None:
        return document
    is_frame = _FRAME.search(content[-_LOOK_BEHIND:]) or _PIECE.fullmatch(content)
    return None if is_frame else QuarantineReason.TYPE_SIGNATURE


def decoded(content: bytes | str) -> Document | None:
    """Read a JSON object; None if it is none. Names in another encoding than UTF-8 do not spoil it."""
    try:
        return _decoder.decode(content)
    except UnicodeDecodeError:
        return decoded(content.decode("latin-1")) if isinstance(content, bytes) else None
    except (msgspec.MsgspecError, RecursionError):
        return None


def text_of(value: object) -> str:
    """Give a JSON value as text: writers disagree on whether numbers are strings."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
