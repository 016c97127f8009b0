"""Cut the bytes of a feed into documents where a record is more than a line: JSON, XML, paragraphs, framed messages.

A document that is torn does not take its neighbours with it: where another one begins, the torn one ends. What cannot
be a document (text between two of them) is given as one of its own, so that the dialect refuses it and it is counted.
One over ``MAX_DOCUMENT_BYTES`` is given cut to one byte more, so that its length alone says ``LINE_TOO_LONG``.
The result depends on the bytes and the starting offset, never on how they were cut into chunks; each byte is looked
at a bounded number of times.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from appliance.cdr.record import Line, QuarantineReason

MAX_DOCUMENT_BYTES: Final = 1024 * 1024
"""mod_xml_cdr writes 10 to 60 KiB a leg; what is longer is something else."""

_BLANK: Final = b" \t\r\n\0"
_BOM: Final = b"\xef\xbb\xbf"
JSON_TOKENS: Final = re.compile(rb'["{}\[\]\\\n]')
_XML_TOKENS: Final = re.compile(rb"</cdr\s{0,8}>|<\?xml[\s?]|<cdr[\s>]")
_XML_OVERLAP: Final = len(b"</cdr>") + 8
_PARAGRAPH_END: Final = re.compile(rb"\r?\n\r?\n")


class Scanner(Protocol):
    """Finds where a document ends; one for each document."""

    def end(self, data: bytes, start: int, /) -> int:
        """Give where in ``data`` the document that begins at ``start`` ends; 0 if its end is yet to come.

        Called again, with the same bytes and more behind them, until it finds the end.
        """
        ...


class DocumentFramer:
    """Bytes in, documents out; see ``dialect.Framer``."""

    __slots__ = ("_held", "_scanner", "_scanner_of", "_start")

    def __init__(self, scanner_of: Callable[[], Scanner], offset: int = 0) -> None:
        """Expect the next byte fed to stand at ``offset``."""
        self._scanner_of = scanner_of
        self._scanner = scanner_of()
        self._start = offset
        self._held = b""

    @property
    def pending(self) -> int:
        """How many bytes were fed after the last document given out."""
        return len(self._held)

    @property
    def offset(self) -> int:
        """Where the first document not yet given out starts."""
        return self._start

    def feed(self, data: bytes) -> list[Line]:
        """Take the next bytes and give the documents that they end."""
        self._held += data
        return list(self._cut())

    def finish(self) -> Line | None:
        """Give what stands after the last document's end, if anything does."""
        content, start = self._held, self._start
        self._start += len(content)
        self._held, self._scanner = b"", self._scanner_of()
        return _document(start, content)

    def _cut(self) -> Iterator[Line]:
        data, start, longest = self._held, 0, MAX_DOCUMENT_BYTES + 1
        while end := self._scanner.end(data, start) or (start + longest if len(data) - start >= longest else 0):
            end = min(end, start + longest)
            document = _document(self._start, data[start:end])
            if document is not None:
                yield document
            self._start += end - start
            self._scanner = self._scanner_of()
            start = end
        self._held = data[start:]


def _document(start: int, content: bytes) -> Line | None:
    if start == 0:
        content = content.removeprefix(_BOM)
    stripped = content.strip(_BLANK)
    return Line(start, stripped) if stripped else None


def documents(lines: Sequence[Line]) -> Iterator[bytes | QuarantineReason]:
    """Give each document's bytes, or say that it is too long: the splitter for readers of documents."""
    for line in lines:
        yield line.content if len(line.content) <= MAX_DOCUMENT_BYTES else QuarantineReason.LINE_TOO_LONG


class JsonScanner:
    """One JSON object or array ends where its brackets close; a line of other text ends with the line.

    A line that begins with ``{`` begins a document (no writer indents an inner object by nothing).
    """

    __slots__ = ("_depth", "_escaped", "_line", "_quoted", "_scanned")

    def __init__(self) -> None:
        """Start before the document."""
        self._scanned = self._depth = 0
        self._quoted = False
        self._escaped = self._line = -1

    def end(self, data: bytes, start: int, /) -> int:
        """See ``Scanner``."""
        for match in JSON_TOKENS.finditer(data, start + self._scanned):
            place = match.start() - start
            if place != self._escaped and (length := self._after(match[0], place)):
                return start + length
        self._scanned = len(data) - start
        return 0

    def _after(self, token: bytes, place: int) -> int:
        """Take note of the token at ``place``; give the document's length if it ends there."""
        if token == b"\n":
            # No JSON string holds a line end: an open quote was torn.
            self._quoted, self._line = False, place
            return 0 if self._depth else place + 1
        if token == b"\\":
            self._escaped = place + 1
        elif token == b'"':
            self._quoted = not self._quoted
        elif not self._quoted:
            return self._bracket(token, place)
        return 0

    def _bracket(self, token: bytes, place: int) -> int:
        if token in b"{[":
            if self._depth and token == b"{" and place == self._line + 1:
                return place
            self._depth += 1
            return 0
        self._depth -= 1
        return place + 1 if self._depth <= 0 else 0


class XmlScanner:
    """One ``<cdr>`` element ends with its end tag, or where another document begins."""

    __slots__ = ("_opened", "_prolog", "_scanned")

    def __init__(self) -> None:
        """Start before the document."""
        self._scanned = 0
        self._prolog = self._opened = False

    def end(self, data: bytes, start: int, /) -> int:
        """See ``Scanner``."""
        for match in _XML_TOKENS.finditer(data, start + self._scanned):
            token = match[0]
            if token.startswith(b"</"):
                return match.end()
            is_prolog = token.startswith(b"<?")
            begun = self._opened or (is_prolog and self._prolog)
            if begun or (not self._prolog and data[start : match.start()].strip(_BLANK + _BOM)):
                return match.start()
            self._prolog, self._opened = True, not is_prolog
            self._scanned = match.end() - start
        self._scanned = max(self._scanned, len(data) - start - _XML_OVERLAP)
        return 0


class PatternScanner:
    """A document ends with the first match of a pattern that is at most ``overlap`` bytes long."""

    __slots__ = ("_overlap", "_pattern", "_scanned")

    def __init__(self, pattern: re.Pattern[bytes], *, overlap: int) -> None:
        """Start before the document."""
        self._pattern = pattern
        self._overlap = overlap
        self._scanned = 0

    def end(self, data: bytes, start: int, /) -> int:
        """See ``Scanner``."""
        match = self._pattern.search(data, start + self._scanned)
        self._scanned = max(0, len(data) - start - self._overlap)
        return match.end() if match else 0


def json_framer(offset: int) -> DocumentFramer:
    """Cut JSON documents, one a line or over many."""
    return DocumentFramer(JsonScanner, offset)


def xml_framer(offset: int) -> DocumentFramer:
    """Cut ``<cdr>`` documents."""
    return DocumentFramer(XmlScanner, offset)


def paragraph_framer(offset: int) -> DocumentFramer:
    """Cut paragraphs, which end with an empty line."""
    return DocumentFramer(lambda: PatternScanner(_PARAGRAPH_END, overlap=4), offset)
